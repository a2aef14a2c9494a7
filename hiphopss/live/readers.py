"""Reading commands and keys without waiting for them, on Unix and on Windows.

On Windows, ``select`` takes only sockets and there is no ``termios``: a thread reads lines, and
``msvcrt`` knows the keys of a console.
"""

from __future__ import annotations

import os
import queue
import select
import signal
import threading
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType

_CHUNK = 4096  # bytes that the thread reads at a time
_MOST_CHUNKS = 16  # that wait, so that they fill no more than a pipe would hold
_PREFIXES = ("\x00", "\xe0")  # Windows: the key is one that types no character, as the arrows
_INTERRUPT = "\x03"  # Ctrl-C, which is a key like others there


class Reader(ABC):
    """What gives bytes when they arrive."""

    @abstractmethod
    def ready(self) -> bool:
        """Whether :meth:`read` has something to return now, which may be the end."""

    @abstractmethod
    def read(self, size: int) -> bytes:
        """Read what has arrived, at most ``size`` bytes; empty at the end and after an error."""


class DescriptorReader(Reader):
    """Reads a file descriptor as Unix does."""

    def __init__(self, descriptor: int):
        self._descriptor = descriptor

    def ready(self) -> bool:
        """Whether the descriptor can be read without waiting."""
        return bool(select.select([self._descriptor], [], [], 0)[0])

    def read(self, size: int) -> bytes:
        """Read available data; empty also after an error, so that the music goes on."""
        return _read(self._descriptor, size)


class ThreadReader(Reader):
    """Reads a file descriptor in a thread, which ends with the process."""

    def __init__(self, descriptor: int):
        self._chunks: queue.Queue[bytes] = queue.Queue(_MOST_CHUNKS)
        self._left = b""
        thread = threading.Thread(target=self._fill, args=(descriptor,), daemon=True)
        thread.start()

    def _fill(self, descriptor: int) -> None:
        while data := _read(descriptor, _CHUNK):
            self._chunks.put(data)
        self._chunks.put(b"")

    def ready(self) -> bool:
        """Whether the thread has read something."""
        return bool(self._left) or not self._chunks.empty()

    def read(self, size: int) -> bytes:
        """Read what the thread has read."""
        while len(self._left) < size and not self._chunks.empty():
            chunk = self._chunks.get()
            if not chunk:  # the end, which is told after what is left
                if self._left:
                    self._chunks.put(chunk)
                break
            self._left += chunk
        data, self._left = self._left[:size], self._left[size:]
        return data


class ConsoleReader(Reader):
    """Reads the keys of a Windows console as they are pressed, without showing them.

    Parameters
    ----------
    console : module
        ``msvcrt``.
    """

    def __init__(self, console: ModuleType):
        self._console = console
        self._pressed = b""

    def ready(self) -> bool:
        """Whether a key was pressed that types a character."""
        while self._console.kbhit():
            key = self._console.getwch()
            if key in _PREFIXES:
                self._console.getwch()  # which of them
            elif key == _INTERRUPT:
                signal.raise_signal(signal.SIGINT)
            else:
                self._pressed += key.encode("ascii", "replace")
        return bool(self._pressed)

    def read(self, size: int) -> bytes:
        """Take the characters of the keys that were pressed."""
        keys, self._pressed = self._pressed[:size], self._pressed[size:]
        return keys


def reader_of(descriptor: int, *, keys: bool = False) -> Reader:
    """Choose how standard input is read on this system.

    Parameters
    ----------
    descriptor : int
        Its file descriptor.
    keys : bool
        Whether it is a terminal, of which single keys are read.
    """
    try:
        import msvcrt
    except ImportError:  # not on Windows
        return DescriptorReader(descriptor)
    return ConsoleReader(msvcrt) if keys else ThreadReader(descriptor)


@contextmanager
def single_keys(terminal: int) -> Iterator[None]:
    """Make the terminal pass on single keys without showing them; restore it afterwards.

    A console of Windows needs nothing of the kind.
    """
    try:
        import termios
        import tty
    except ImportError:
        yield
        return
    before = termios.tcgetattr(terminal)
    try:
        tty.setcbreak(terminal)
        yield
    finally:
        termios.tcsetattr(terminal, termios.TCSADRAIN, before)


def _read(descriptor: int, size: int) -> bytes:
    try:
        return os.read(descriptor, size)
    except OSError:
        return b""
