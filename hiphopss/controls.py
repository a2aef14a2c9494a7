"""A mix that is changed while it plays: by lines of text, or by keys.

The player asks between two blocks for what has come; nothing waits for anything.
"""

from __future__ import annotations

import os
import select
import stat
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from hiphopss.config import SOURCES
from hiphopss.control_help import EXAMPLES, KEYS
from hiphopss.errors import HiphopssError
from hiphopss.mixing import MOST_DB, Mix, parse_number, require_source

_SETS = {
    "mute": ("muted", True),
    "unmute": ("muted", False),
    "solo": ("soloed", True),
    "unsolo": ("soloed", False),
}
_PAN_STEP, _GAIN_STEP = 0.1, 1.0
_READ = 4096  # bytes at a time
_MOST_READS = 16  # between two blocks


class Quit(Exception):
    """The command ``quit``."""


def apply_command(line: str, settings: Mix, *, start: Mix | None = None) -> Mix:
    """A mix as a line of text changes it.

    Parameters
    ----------
    line : str
        As :data:`hiphopss.control_help.COMMANDS` lists them.
    settings : Mix
        As it is.
    start : Mix, optional
        What ``reset`` goes back to; by default a mix that changes nothing.

    Returns
    -------
    Mix
        As it is to be.

    Raises
    ------
    HiphopssError
        If the line is no command.
    Quit
        If it is ``quit``.
    """
    words = line.replace("=", " ").split() if "+=" not in line else line.split()
    match words:
        case ["quit"]:
            raise Quit
        case ["reset"]:
            return start or Mix()
        case ["unsolo"]:
            return settings.changed(soloed=frozenset())
        case [("mute" | "unmute" | "solo" | "unsolo") as verb, source]:
            attribute, wanted = _SETS[verb]
            named, chosen = {require_source(source)}, getattr(settings, attribute)
            return settings.changed(**{attribute: chosen | named if wanted else chosen - named})
        case ["pan", source, pan]:
            return settings.changed(pans={require_source(source): _number("pan", source, pan)})
        case ["gain", source, gain] | [source, gain] if source in SOURCES:
            before = settings.gains[source] if gain.startswith("+=") else 0.0
            change = _number("gain", source, gain.removeprefix("+="))
            return settings.changed(gains={source: before + change})
        case ["gain", source, _]:
            require_source(source)
    raise HiphopssError(f"{line.strip()!r}: no command: give {EXAMPLES}")


def _number(what: str, source: str, text: str) -> float:
    return parse_number(text, what=f"{what} of {source}")


class Keys:
    """What keys mean: commands for the source that was chosen last."""

    def __init__(self):
        self._source = SOURCES[0]

    def command(self, key: str, settings: Mix) -> str | None:
        """The command that a key stands for; None if it is only a choice, or nothing.

        Parameters
        ----------
        key : str
            One character; :data:`hiphopss.control_help.KEYS` lists them.
        settings : Mix
            As it is.

        Returns
        -------
        str or None
            As :func:`apply_command` takes it.
        """
        source = self._source
        for number, name in enumerate(SOURCES, 1):
            if key == str(number):
                return f"{'unmute' if name in settings.muted else 'mute'} {name}"
            if key == name[0]:
                self._source = name
                return None
        gain, pan = settings.gains[source], settings.pans[source]
        return {
            "+": f"{source} {min(gain + _GAIN_STEP, MOST_DB):g}",
            "-": f"{source} {gain - _GAIN_STEP:g}",
            "<": f"pan {source} {max(pan - _PAN_STEP, -1):.1f}",
            ">": f"pan {source} {min(pan + _PAN_STEP, 1):.1f}",
            "m": f"{'unmute' if source in settings.muted else 'mute'} {source}",
            "s": f"{'unsolo' if source in settings.soloed else 'solo'} {source}",
            "r": "reset",
            "q": "quit",
        }.get(key)


class Controls:
    """Where commands come from while music plays; use as a context manager.

    Nothing here waits: :meth:`update` takes what has come.

    Parameters
    ----------
    start : Mix
        What ``reset`` goes back to.
    path : path-like, optional
        A text file of commands, or a FIFO, which is listened to.
    stdin : bool
        Listen to standard input: to keys if it is a terminal, else to lines.
    tell : callable
        Called with lines for people: what is wrong with a command, what a key did.
    """

    def __init__(
        self,
        start: Mix,
        *,
        path: str | Path | None = None,
        stdin: bool = False,
        tell: Callable[[str], None] = print,
    ):
        self._start, self._path, self._tell = start, path, tell
        self._stdin = _descriptor_of_stdin() if stdin else None
        self._keys = Keys() if self._stdin is not None and os.isatty(self._stdin) else None
        self._open: dict[int, bytes] = {}  # what is read from, and its unfinished line
        self._due: list[tuple[float, str]] = []  # commands that wait for their time
        self._stack = ExitStack()

    def __enter__(self) -> Controls:
        if self._path is not None:
            try:
                # A FIFO is opened for writing, too: so it does not end when a writer goes.
                fifo = stat.S_ISFIFO(os.stat(self._path).st_mode)
                descriptor = os.open(self._path, os.O_RDWR if fifo else os.O_RDONLY)
            except OSError as error:
                raise HiphopssError(
                    f"{self._path}: can't read commands from it ({error.strerror}): name a text "
                    "file or a FIFO"
                ) from error
            self._stack.callback(os.close, descriptor)
            self._open[descriptor] = b""
        if self._stdin is not None:
            self._open[self._stdin] = b""
        if self._keys:
            self._stack.enter_context(_single_keys(self._stdin))
            self._tell_keys()
        return self

    def __exit__(self, *_) -> None:
        self._stack.close()

    def update(self, settings: Mix, seconds: float) -> Mix:
        """The mix after all commands that have come and are due.

        Parameters
        ----------
        settings : Mix
            As it is.
        seconds : float
            Of audio that have been read.

        Returns
        -------
        Mix
            As it is to be. A line that is no command changes nothing; it is told.

        Raises
        ------
        Quit
            If one of them is ``quit``.
        """
        for _ in range(_MOST_READS):  # who never stops writing must not stop the music
            if not self._open:
                break
            for descriptor in select.select(list(self._open), [], [], 0)[0]:
                data = os.read(descriptor, _READ)
                if self._keys and descriptor == self._stdin:
                    for key in data.decode("ascii", "replace"):
                        settings = self._press(key, settings)
                else:
                    self._plan_lines(descriptor, data, seconds)
                if not data:
                    del self._open[descriptor]
        while self._due and self._due[0][0] <= seconds:
            settings = self._apply(self._due.pop(0)[1], settings)
        return settings

    def _tell_keys(self) -> None:
        self._tell(f"keys: {' '.join(KEYS.split())}")

    def _plan_lines(self, descriptor: int, data: bytes, now: float) -> None:
        """Split what was read into lines; the end of a file ends the last one."""
        *lines, rest = (self._open[descriptor] + (data or b"\n")).split(b"\n")
        self._open[descriptor] = rest
        for line in lines:
            text = line.decode("utf-8", "replace").strip()
            if text and not text.startswith("#"):
                self._plan(text, now)

    def _press(self, key: str, settings: Mix) -> Mix:
        if key == "?":
            self._tell_keys()
            return settings
        command = self._keys.command(key, settings)
        if command is None:
            return settings
        changed = self._apply(command, settings)
        self._tell(changed.describe())
        return changed

    def _plan(self, line: str, now: float) -> None:
        """Put a command where its time says; without one it is due at once."""
        due, command = now, line
        if line.startswith("@"):
            time, _, command = line[1:].partition(" ")
            try:
                due = parse_number(time, what=f"{line.strip()!r}: time")
            except HiphopssError as error:
                self._tell(str(error))
                return
        self._due.append((due, command))
        self._due.sort(key=lambda planned: planned[0])  # the same times stay in order

    def _apply(self, command: str, settings: Mix) -> Mix:
        try:
            return apply_command(command, settings, start=self._start)
        except HiphopssError as error:
            self._tell(str(error))
            return settings


def _descriptor_of_stdin() -> int | None:
    """None where there is no standard input."""
    try:
        return sys.stdin.fileno()
    except (AttributeError, OSError, ValueError):
        return None


@contextmanager
def _single_keys(terminal: int) -> Iterator[None]:
    """The terminal gives keys as they are pressed, unseen; afterwards it is as it was."""
    import termios
    import tty

    before = termios.tcgetattr(terminal)
    try:
        tty.setcbreak(terminal)
        yield
    finally:
        termios.tcsetattr(terminal, termios.TCSADRAIN, before)
