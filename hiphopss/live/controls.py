"""A mix that is changed while it plays: by lines of text, or by keys.

The player asks between two blocks for what has come; nothing waits for anything.
"""

from __future__ import annotations

import logging
import os
import select
import stat
import sys
from bisect import bisect, insort
from collections import deque
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from operator import itemgetter
from pathlib import Path

from hiphopss.config import SOURCES
from hiphopss.errors import HiphopssError
from hiphopss.live.control_help import EXAMPLES, KEYS
from hiphopss.remixing.mixing import MOST_DB, Mix, parse_number, require_source

logger = logging.getLogger(__name__)

_SETS = {
    "mute": ("muted", True),
    "unmute": ("muted", False),
    "solo": ("soloed", True),
    "unsolo": ("soloed", False),
}
_PAN_STEP, _GAIN_STEP = 0.1, 1.0
# Who never stops writing must not stop the music, nor fill the memory.
_READ = 4096  # bytes at a time
_PIPE = 65536  # bytes that a pipe can hold, on most systems
_LONGEST = 4096  # bytes of a line
_MOST_LINES = 32  # between two blocks, from each of file and standard input; keys, too
_MOST_APPLIED = 64  # between two blocks
_MOST_DUE = 10_000  # that wait for their time


class Quit(Exception):
    """The command ``quit``."""


def apply_command(line: str, settings: Mix, *, start: Mix | None = None) -> Mix:
    """A mix as a line of text changes it.

    Parameters
    ----------
    line : str
        As :data:`hiphopss.live.control_help.COMMANDS` lists them.
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

    def __init__(self) -> None:
        self._source = SOURCES[0]

    def command(self, key: str, settings: Mix) -> str | None:
        """The command that a key stands for; None if it is only a choice, or nothing.

        Parameters
        ----------
        key : str
            One character; :data:`hiphopss.live.control_help.KEYS` lists them.
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

    Lines for people are logged: what a key did, and what is wrong with a command.

    Nothing here waits: :meth:`update` takes what has come, or as much of it as leaves the music
    time; the rest stays for the next one.

    Parameters
    ----------
    start : Mix
        What ``reset`` goes back to.
    path : path-like, optional
        A text file of commands, which is read at once, or a FIFO, which is listened to.
    stdin : bool
        Listen to standard input: to keys if it is a terminal, else to lines.
    """

    def __init__(
        self,
        start: Mix,
        *,
        path: str | Path | None = None,
        stdin: bool = False,
    ):
        self._start, self._path = start, path
        self._stdin = _descriptor_of_stdin() if stdin else None
        at_keys = self._stdin is not None and os.isatty(self._stdin)
        self._terminal = self._stdin if at_keys else None
        self._keys = Keys()
        self._open: dict[int, _Lines] = {}  # what is read from
        self._due: list[tuple[float, str]] = []  # commands that wait for their time
        self._stack = ExitStack()

    def __enter__(self) -> Controls:
        if self._path is not None:
            self._open_path(self._path)
        if self._stdin is not None:
            self._open[self._stdin] = _Lines()
        if self._terminal is not None:
            self._stack.enter_context(_single_keys(self._terminal))
            self._tell_keys()
        return self

    def _open_path(self, path: str | Path) -> None:
        """Listen to a FIFO, or plan all that a text file says."""
        try:
            kind = os.stat(path).st_mode
            if stat.S_ISDIR(kind):
                raise IsADirectoryError(None, "it is a folder")
            # A FIFO is opened for writing, too: so it does not end when a writer goes.
            descriptor = os.open(path, os.O_RDWR if stat.S_ISFIFO(kind) else os.O_RDONLY)
        except OSError as error:
            raise HiphopssError(
                f"{path}: can't read commands from it ({error.strerror}): name a text file or a "
                "FIFO"
            ) from error
        self._stack.callback(os.close, descriptor)
        lines = _Lines()
        if not stat.S_ISREG(kind):
            self._open[descriptor] = lines
            return
        while not lines.ended:
            lines.push(os.read(descriptor, _READ))
            self._plan_lines(lines, 0.0)
            if len(self._due) >= _MOST_DUE:
                raise HiphopssError(
                    f"{path}: {_MOST_DUE} commands or more: name a shorter text file"
                )

    def __exit__(self, *_: object) -> None:
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
        ready = select.select(list(self._open), [], [], 0)[0] if self._open else []
        for descriptor, lines in list(self._open.items()):
            if descriptor == self._terminal:
                if descriptor in ready:
                    settings = self._press_keys(descriptor, settings)
                continue
            if descriptor in ready and not lines.waiting:
                lines.push(_read(descriptor, _READ))
            self._plan_lines(lines, seconds, most=_MOST_LINES)
            if lines.ended:
                del self._open[descriptor]
        n_due = min(bisect(self._due, seconds, key=itemgetter(0)), _MOST_APPLIED)
        commands, self._due[:n_due] = self._due[:n_due], []
        for _, command in commands:
            settings = self._apply(command, settings)
        return settings

    def count_left(self) -> int:
        """How many commands have come and not been applied, ``quit`` aside; for the end.

        Who writes more than a pipe holds gets the number of those that it held.
        """
        ready = select.select(list(self._open), [], [], 0)[0] if self._open else []
        for descriptor, lines in self._open.items():
            if descriptor == self._terminal:
                continue
            if descriptor in ready:
                lines.push(_read(descriptor, _PIPE))
            self._plan_lines(lines, 0.0)
        return sum(command.strip() != "quit" for _, command in self._due)

    def _tell_keys(self) -> None:
        logger.info(f"keys: {' '.join(KEYS.split())}")

    def _plan_lines(self, lines: _Lines, now: float, *, most: int | None = None) -> None:
        """Plan the next lines that have come whole."""
        for line in lines.take(most):
            text = line.decode("utf-8", "replace").strip()
            if len(line) > _LONGEST:
                logger.warning(f"{text[:20]!r}...: a line of more than {_LONGEST} bytes: left out")
            elif text and not text.startswith("#"):
                self._plan(text, now)

    def _press_keys(self, descriptor: int, settings: Mix) -> Mix:
        data = _read(descriptor, _MOST_LINES)
        if not data:
            del self._open[descriptor]
        for key in data.decode("ascii", "replace"):
            settings = self._press(key, settings)
        return settings

    def _press(self, key: str, settings: Mix) -> Mix:
        if key == "?":
            self._tell_keys()
            return settings
        command = self._keys.command(key, settings)
        if command is None:
            return settings
        changed = self._apply(command, settings)
        logger.info(changed.describe())
        return changed

    def _plan(self, line: str, now: float) -> None:
        """Put a command where its time says; without one it is due at once."""
        due, command = now, line
        if line.startswith("@"):
            time, _, command = line[1:].partition(" ")
            try:
                due = parse_number(time, what=f"{line.strip()!r}: time")
            except HiphopssError as error:
                logger.warning(str(error))
                return
            if len(self._due) >= _MOST_DUE:
                logger.warning(f"{line!r}: {_MOST_DUE} commands wait for their time: left out")
                return
        insort(self._due, (due, command), key=itemgetter(0))  # the same times stay in order

    def _apply(self, command: str, settings: Mix) -> Mix:
        try:
            return apply_command(command, settings, start=self._start)
        except HiphopssError as error:
            logger.warning(str(error))
            return settings


class _Lines:
    """Bytes as they come, in lines; what is kept of one that is too long is no longer.

    Attributes
    ----------
    ended : bool
        Whether nothing more will come, and all lines were taken.
    """

    def __init__(self) -> None:
        self._whole: deque[bytes] = deque()
        self._rest = b""
        self._closed = False

    @property
    def waiting(self) -> bool:
        """Whether a line can be taken."""
        return bool(self._whole)

    @property
    def ended(self) -> bool:
        return self._closed and not self._whole

    def push(self, data: bytes) -> None:
        """Add what was read; nothing is the end, which ends the last line."""
        self._closed = not data
        *whole, rest = (self._rest + (data or b"\n")).split(b"\n")
        self._whole.extend(whole)
        self._rest = rest[: _LONGEST + 1]  # enough to see that it is too long

    def take(self, most: int | None) -> Iterator[bytes]:
        """The next lines, ``most`` of them or all."""
        for _ in range(len(self._whole) if most is None else min(most, len(self._whole))):
            yield self._whole.popleft()


def _read(descriptor: int, size: int) -> bytes:
    """What has come; nothing, too, where there is no reading any more: the music goes on."""
    try:
        return os.read(descriptor, size)
    except OSError:
        return b""


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
