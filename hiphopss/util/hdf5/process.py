"""The process that looks through HDF5 files for this one (:mod:`hiphopss.util.hdf5.child`).

It is started when it is first needed, and serves one file after another. If a file crashes it, or
takes too much time or memory, only it ends, and the next file gets a new one.
"""

from __future__ import annotations

import atexit
import importlib.util
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from hiphopss.errors import HiphopssError
from hiphopss.util.hdf5 import child as program
from hiphopss.util.hdf5.child import ASK, LENGTH, MESSAGE, READY, LookError

_WAIT_S = 4
"""Seconds within which a small file is looked through, even by a busy machine."""

_BYTES_PER_S = 16 << 20
"""Larger files get more time: a second more for each of these."""

_START_S = 60
"""Seconds within which the process starts, even from a slow disk."""

_SERVED = 1 << 20  # bytes that are sent at once at most

_ENVIRONMENT = {
    "OPENBLAS_NUM_THREADS": "1",  # threads would take memory, and time to start
    "HDF5_PLUGIN_PRELOAD": "::",  # libhdf5 loads no code that a file asks for
}


class _Ended(Exception):
    """The process ended before it told a result; the message is what to say of the file."""


class _NotStarted(_Ended):
    """The process ended before it got a file."""


class _Child:
    """A running process."""

    def __init__(self) -> None:
        found = [importlib.util.find_spec(name) for name in ("h5py", "numpy")]
        places = [str(Path(spec.origin).parents[1]) for spec in found if spec and spec.origin]
        # Isolated, and without the site's start-up: it needs nothing but these two packages.
        command = [sys.executable, "-I", "-S", program.__file__, *places]
        self.process = subprocess.Popen(
            command,
            bufsize=0,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=Path(program.__file__).parent,
            env={**os.environ, **_ENVIRONMENT},
            start_new_session=True,  # Ctrl-C is for this process; Windows has these flags for it
            creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
        )
        self._pipes: tuple[Any, Any] = self.process.stdin, self.process.stdout
        self._is_ready = self._late = False

    def ask(self, file: IO[bytes], size: int, most: int) -> bytes:
        """Have a file looked through; see :func:`look_through`."""
        self._await_ready()
        with self._limited(_WAIT_S + size / _BYTES_PER_S):
            self._send(LENGTH.pack(size))
            while True:
                kind, place, n_bytes = MESSAGE.unpack(self._receive(MESSAGE.size))
                if kind != ASK:
                    if place > most:
                        raise LookError("a damaged HDF5 file (its tables are larger than it is)")
                    return self._receive(place)
                file.seek(min(place, size))
                data = file.read(min(n_bytes, _SERVED))
                self._send(LENGTH.pack(len(data)) + data)

    def _await_ready(self) -> None:
        """Wait until the process has started, before the time for a file begins."""
        if not self._is_ready:
            try:
                with self._limited(_START_S):
                    self._receive(len(READY))
            except (_Ended, LookError) as error:
                raise _NotStarted from error
        self._is_ready = True

    @contextmanager
    def _limited(self, seconds: float) -> Iterator[None]:
        """End the process if the body takes too long."""
        timer = threading.Timer(seconds, self._stop)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()

    def close(self) -> None:
        """End the process."""
        self.process.kill()
        self.process.wait()
        self.let_go()

    def let_go(self) -> None:
        """Leave the process to itself, or to another one from which this one was forked."""
        self.process.returncode = self.process.returncode or 0  # nothing waits for it here
        for pipe in self._pipes:
            with suppress(OSError):
                pipe.close()

    def _stop(self) -> None:
        self._late = True
        self.process.kill()

    def _send(self, data: bytes) -> None:
        rest = memoryview(data)
        try:
            while rest:
                rest = rest[self._pipes[0].write(rest) :]
        except OSError as error:
            raise self._ended() from error

    def _receive(self, n_bytes: int) -> bytes:
        data = bytearray(n_bytes)
        rest = memoryview(data)
        while rest:
            n_read = self._pipes[1].readinto(rest)
            if not n_read:
                raise self._ended()
            rest = rest[n_read:]
        return bytes(data)

    def _ended(self) -> _Ended | LookError:
        """The error for the end of the process, which depends on how it ended."""
        status = self.process.wait()
        if self._late or status == -getattr(signal, "SIGXCPU", 0):
            return LookError("a damaged HDF5 file (looking through it does not end)")
        return _Ended("a damaged HDF5 file (libhdf5 crashes on it)")


_running: _Child | None = None
_lock = threading.Lock()


def look_through(file: IO[bytes], size: int) -> tuple[dict[str, Any], memoryview]:
    """Have the process look through a file, as :func:`hiphopss.util.hdf5.child.look` does.

    Parameters
    ----------
    file : binary file
        An open file, unbuffered. The process gets its bytes from here, and opens no file.
    size : int
        Its number of bytes.

    Returns
    -------
    facts : dict
        What is in the file. It is as little to be trusted as the file.
    blobs : memoryview
        The columns of its tables, one after another.

    Raises
    ------
    LookError
        If the file crashes the process, or takes it too much time or memory.
    OSError
        If the file can't be read.
    HiphopssError
        If the process can't be started.
    """
    # What the file holds is told in about as many bytes as the file has; JSON adds some to texts.
    with _lock:
        answer = _answer(file, size, 2 * size + (1 << 20))
    (n_head,) = LENGTH.unpack_from(answer)
    body = memoryview(answer)[LENGTH.size :]
    facts = json.loads(bytes(body[:n_head]))
    if facts.get("failed") == "memory":
        raise LookError("a damaged HDF5 file (looking through it takes too much memory)")
    if "failed" in facts:
        raise LookError("a damaged HDF5 file")
    return facts, body[n_head:]


def _answer(file: IO[bytes], size: int, most: int) -> bytes:
    """Ask the process, and a new one if one that was there before has ended, perhaps idle."""
    global _running
    while True:
        child, is_new = (_running, False) if _running else (_started(), True)
        _running = None  # kept again if all goes well
        try:
            answer = child.ask(file, size, most)
        except _Ended as ended:
            child.close()
            if is_new and isinstance(ended, _NotStarted):
                raise _not_started("it ends at once") from ended
            if is_new:
                raise LookError(str(ended)) from ended
            continue
        except BaseException:
            child.close()
            raise
        _running = child
        return answer


def start_for(*paths: str | Path | None) -> None:
    """Start the process ahead if any of these files needs it: it starts while this one does.

    Parameters
    ----------
    *paths : path-like or None
        HDF5 files that will be read soon, or whatever a user gave in their place.
    """
    global _running
    if any(str(path).endswith(".h5") and os.path.isfile(str(path)) for path in paths):
        with _lock:
            _running = _running or _started()


def _started() -> _Child:
    try:
        return _Child()
    except OSError as error:
        raise _not_started(error.strerror or str(error)) from error


def _not_started(why: str) -> HiphopssError:
    return HiphopssError(
        f"{sys.executable}: can't be started to look through HDF5 files ({why}): end other "
        "programs, or install h5py again"
    )


@atexit.register
def _close() -> None:
    global _running
    if _running is not None:
        _running.process.kill()
        _running.let_go()
        _running = None


def _forget() -> None:
    """In a process forked from this one: the running process belongs to the parent."""
    global _running, _lock
    if _running is not None:
        _running.let_go()
    _running, _lock = None, threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
