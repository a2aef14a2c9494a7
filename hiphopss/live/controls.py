"""Changing a mix while it plays, by lines of text or by keys.

The player asks for new commands between two blocks; it never waits for them.
"""

from __future__ import annotations

import logging
import os
import stat
import sys
from bisect import bisect, insort
from collections import deque
from collections.abc import Iterator
from contextlib import ExitStack
from operator import itemgetter
from pathlib import Path

from hiphopss.config import SOURCES
from hiphopss.errors import HiphopssError
from hiphopss.live.control_help import EXAMPLES, KEYS
from hiphopss.live.readers import DescriptorReader, Reader, reader_of, single_keys
from hiphopss.remixing.mixing import MOST_DB, Mix, parse_number, require_source

logger = logging.getLogger(__name__)

_SETS = {
    "mute": ("muted", True),
    "unmute": ("muted", False),
    "solo": ("soloed", True),
    "unsolo": ("soloed", False),
}
_PAN_STEP, _GAIN_STEP = 0.1, 1.0
# A sender that never stops writing must neither stop the music nor fill the memory.
_READ = 4096  # bytes that are read at a time
_PIPE = 65536  # bytes that a pipe can hold on most systems
_LONGEST = 4096  # maximum bytes of a line
_MOST_LINES = 32  # maximum lines from each input (or keys) between two blocks
_MOST_APPLIED = 64  # maximum commands applied between two blocks
_MOST_DUE = 10_000  # maximum commands that wait for their time


class Quit(Exception):
    """Raised for the command ``quit``."""


def apply_command(line: str, settings: Mix, *, start: Mix | None = None) -> Mix:
    """Apply a line of text to a mix.

    Parameters
    ----------
    line : str
        One of the commands in :data:`hiphopss.live.control_help.COMMANDS`.
    settings : Mix
        Current mix.
    start : Mix, optional
        Mix that ``reset`` restores; by default a mix that changes nothing.

    Returns
    -------
    Mix
        New mix.

    Raises
    ------
    HiphopssError
        If the line is not a command.
    Quit
        If the command is ``quit`` or ``q``.
    """
    words = line.replace("=", " ").split() if "+=" not in line else line.split()
    match words:
        case ["quit" | "q"]:
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
    """Translates keys to commands for the source that was chosen last."""

    def __init__(self) -> None:
        self._source = SOURCES[0]

    def command(self, key: str, settings: Mix) -> str | None:
        """The command of a key; None if the key only chooses a source or means nothing.

        Parameters
        ----------
        key : str
            One character of those in :data:`hiphopss.live.control_help.KEYS`.
        settings : Mix
            Current mix.

        Returns
        -------
        str or None
            Command for :func:`apply_command`.
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
    """Receives commands while music plays; a context manager.

    It logs lines for people: the effect of a key, and errors in commands.

    Nothing here waits: :meth:`update` reads what has arrived, up to a limit that keeps the music
    going; the rest is read in later calls.

    Parameters
    ----------
    start : Mix
        Mix that ``reset`` restores.
    path : path-like, optional
        A text file of commands, which is read at the start, or a FIFO, which is read continuously.
    stdin : bool
        Also read standard input: keys if it is a terminal, otherwise lines.
    """

    def __init__(self, start: Mix, *, path: str | Path | None = None, stdin: bool = False):
        self._start, self._path = start, path
        self._stdin = _descriptor_of_stdin() if stdin else None
        at_keys = self._stdin is not None and os.isatty(self._stdin)
        self._at_keys = at_keys
        self._terminal: Reader | None = None
        self._keys = Keys()
        self._open: dict[Reader, _Lines] = {}
        self._due: list[tuple[float, str]] = []  # commands with their times, in order
        self._stack = ExitStack()

    def __enter__(self) -> Controls:
        if self._path is not None:
            self._open_path(self._path)
        if self._stdin is not None:
            reader = reader_of(self._stdin, keys=self._at_keys)
            self._open[reader] = _Lines()
            if self._at_keys:
                self._terminal = reader
                self._stack.enter_context(single_keys(self._stdin))
                self._tell_keys()
        return self

    def _open_path(self, path: str | Path) -> None:
        """Open a FIFO, or schedule all commands of a text file."""
        try:
            kind = os.stat(path).st_mode
            if stat.S_ISDIR(kind):
                raise IsADirectoryError(None, "it is a folder")
            # A FIFO is opened for writing, too, so that it does not end when a writer closes it.
            descriptor = os.open(path, os.O_RDWR if stat.S_ISFIFO(kind) else os.O_RDONLY)
        except OSError as error:
            raise HiphopssError(
                f"{path}: can't read commands from it ({error.strerror}): name a text file or a "
                "FIFO"
            ) from error
        self._stack.callback(os.close, descriptor)
        lines = _Lines()
        if not stat.S_ISREG(kind):
            self._open[DescriptorReader(descriptor)] = lines
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
        """Apply all commands that have arrived and are due.

        Parameters
        ----------
        settings : Mix
            Current mix.
        seconds : float
            Length of the audio that has been mixed so far.

        Returns
        -------
        Mix
            New mix. A line that is not a command changes nothing and is logged.

        Raises
        ------
        Quit
            If one of the commands is ``quit``.
        """
        for reader, lines in list(self._open.items()):
            if reader is self._terminal:
                if reader.ready():
                    settings = self._press_keys(reader, settings)
                continue
            if not lines.waiting and reader.ready():
                lines.push(reader.read(_READ))
            self._plan_lines(lines, seconds, most=_MOST_LINES)
            if lines.ended:
                del self._open[reader]
        n_due = min(bisect(self._due, seconds, key=itemgetter(0)), _MOST_APPLIED)
        commands, self._due[:n_due] = self._due[:n_due], []
        for _, command in commands:
            settings = self._apply(command, settings)
        return settings

    def count_left(self) -> int:
        """Number of commands that arrived but were not applied, except ``quit``; for the end.

        If more was written than a pipe holds, only the commands in the pipe are counted.
        """
        for reader, lines in self._open.items():
            if reader is self._terminal:
                continue
            if reader.ready():
                lines.push(reader.read(_PIPE))
            self._plan_lines(lines, 0.0)
        return sum(command.strip() not in ("quit", "q") for _, command in self._due)

    def _tell_keys(self) -> None:
        logger.info(f"keys: {' '.join(KEYS.split())}")

    def _plan_lines(self, lines: _Lines, now: float, *, most: int | None = None) -> None:
        """Schedule the next complete lines."""
        for line in lines.take(most):
            text = line.decode("utf-8", "replace").strip()
            if len(line) > _LONGEST:
                logger.warning(f"{text[:20]!r}...: a line of more than {_LONGEST} bytes: left out")
            elif text and not text.startswith("#"):
                self._plan(text, now)

    def _press_keys(self, reader: Reader, settings: Mix) -> Mix:
        data = reader.read(_MOST_LINES)
        if not data:
            del self._open[reader]
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
        """Schedule a command at its time; without a time it is due immediately."""
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
        insort(self._due, (due, command), key=itemgetter(0))  # keeps the order of equal times

    def _apply(self, command: str, settings: Mix) -> Mix:
        try:
            return apply_command(command, settings, start=self._start)
        except HiphopssError as error:
            logger.warning(str(error))
            return settings


class _Lines:
    """Splits bytes into lines as they arrive; lines that are too long are not kept in full."""

    def __init__(self) -> None:
        self._whole: deque[bytes] = deque()
        self._rest = b""
        self._closed = False

    @property
    def waiting(self) -> bool:
        """Whether a complete line is available."""
        return bool(self._whole)

    @property
    def ended(self) -> bool:
        """Whether no more data will arrive and all lines have been taken."""
        return self._closed and not self._whole

    def push(self, data: bytes) -> None:
        """Add data that were read; empty data mark the end, which completes the last line."""
        self._closed = not data
        *whole, rest = (self._rest + (data or b"\n")).split(b"\n")
        self._whole.extend(whole)
        self._rest = rest[: _LONGEST + 1]  # enough to detect that it is too long

    def take(self, most: int | None) -> Iterator[bytes]:
        """Take the next ``most`` lines, or all of them."""
        for _ in range(len(self._whole) if most is None else min(most, len(self._whole))):
            yield self._whole.popleft()


def _descriptor_of_stdin() -> int | None:
    """File descriptor of standard input; None if it does not exist."""
    try:
        return sys.stdin.fileno()
    except (AttributeError, OSError, ValueError):
        return None
