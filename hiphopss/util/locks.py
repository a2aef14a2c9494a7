"""Locks of outputs, so that two runs at once don't make the same one, or one over the other.

A lock is one of the operating system, on a hidden file beside the output. It ends with its process,
even if that is killed, so the remains of a crashed run never block another one.
"""

from __future__ import annotations

import hashlib
import logging
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from hiphopss.errors import HiphopssError

if TYPE_CHECKING:
    from filelock import BaseFileLock

logger = logging.getLogger(__name__)

PREFIX = ".lock-"
"""What the name of an output's lock file has in front of the output's own name."""

_LONGEST = 140
"""Bytes of a name beside an output: some file systems take 255, encrypted ones no more than 143."""

_GRACE_S = 1.0  # a wait that is not worth telling: small files are written in milliseconds
_POLL_S = 0.1


class _Held(threading.local):
    """The outputs whose locks this thread holds."""

    def __init__(self) -> None:
        self.paths: set[Path] = set()


_held = _Held()


@contextmanager
def locked(path: str | Path, *, label: str = "", wait: bool = True) -> Iterator[None]:
    """Hold the lock of an output while it is made. A thread may hold the same lock again.

    Parameters
    ----------
    path : path-like
        The output, a file or a folder. Missing parent folders are made, and removed again if the
        body leaves nothing in them.
    label : str
        What the line about waiting begins with, such as the name of a model.
    wait : bool
        Wait until another run has made the output; otherwise that is an error.

    Raises
    ------
    HiphopssError
        If the parent folder can't be made or written to, or if another run is making the output
        and ``wait`` is false.

    Logs
    ----
    INFO
        If it waits for more than a second.
    WARNING
        If the file system has no locks; the body then runs without one.
    """
    path = Path(path)
    with _parents(path):
        place = path.parent.resolve() / path.name
        held = _held.paths
        if place in held:
            yield
            return
        lock = _acquired(path, label, wait)
        held.add(place)
        try:
            yield
        finally:
            held.discard(place)
            if lock is not None:
                with suppress(OSError):  # removed while it is held: who waits sees that and retries
                    os.unlink(lock.lock_file)
                lock.release()


def beside(path: Path, prefix: str) -> Path:
    """The path of a hidden file or folder that belongs to an output and lies beside it.

    Parameters
    ----------
    path : Path
        The output.
    prefix : str
        What the name has in front of the output's own name. Of a long name, the beginning is
        replaced by a hash, because a name with something in front may be too long.

    Returns
    -------
    Path
        The path, which is always the same for an output, and ends as the output's own does.
    """
    name = prefix + path.name
    if len(os.fsencode(name)) > _LONGEST:
        ending = "".join(path.suffixes[-2:])
        ending = ending if len(os.fsencode(ending)) <= _LONGEST // 2 else ""
        name = prefix + hashlib.sha256(os.fsencode(path.name)).hexdigest()[:32] + ending
    return path.with_name(name)


@contextmanager
def unmade(path: Path, *, label: str) -> Iterator[bool]:
    """Yield whether an output has to be made; if so, its lock is held meanwhile.

    Parameters
    ----------
    path : Path
        The output, which exists only when it is complete.
    label : str
        As in :func:`locked`.
    """
    if path.exists():
        yield False
        return
    with locked(path, label=label):
        yield not path.exists()  # it may have been made while this run waited


def _acquired(path: Path, label: str, wait: bool) -> BaseFileLock | None:
    """The lock of an output, held; None if the file system has none."""
    from filelock import FileLock, Timeout

    # Not of a thread, because a generator may be closed by another one.
    lock = FileLock(beside(path, PREFIX), thread_local=False)
    try:
        lock.acquire(timeout=_GRACE_S if wait else 0, poll_interval=_POLL_S)
    except Timeout as error:
        if not wait:
            raise HiphopssError(
                f"{path}: another run is making it: wait until that has ended, or choose another "
                "output"
            ) from error
        what = f"{path.parent.name}/{path.name}"
        logger.info("%s: waiting for another run that makes %s", label or path, what)
        lock.acquire(poll_interval=_POLL_S)
    except OSError as error:
        reason = error.strerror or error
        logger.warning("%s: can't be locked (%s): don't make it in two runs at once", path, reason)
        return None
    return lock


@contextmanager
def _parents(path: Path) -> Iterator[None]:
    """Make the folders above a path; those that are empty at the end are removed again."""
    if not path.name:
        raise HiphopssError(f"{path}: can't be made anew: choose another output")
    new = [parent for parent in path.parents if not parent.exists()]
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise HiphopssError(
            f"{path.parent}: can't make this folder ({error.strerror}): choose another output"
        ) from error
    if not os.access(path.parent, os.W_OK):
        raise HiphopssError(f"{path.parent}: no permission to write here: choose another output")
    try:
        yield
    finally:
        for parent in new:  # innermost first; folders that are not empty stay
            with suppress(OSError):
                parent.rmdir()
