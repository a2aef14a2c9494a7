"""Locks of outputs, so that two runs at once don't make the same one, or one over the other.

A lock is one of the operating system, on a hidden file beside the output. It ends with its process,
even if that is killed, so the remains of a crashed run never block another one.
"""

from __future__ import annotations

import errno
import hashlib
import logging
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from hiphopss.errors import HiphopssError
from hiphopss.util.disk import cannot_write, reason_of

if TYPE_CHECKING:
    from filelock import BaseFileLock

logger = logging.getLogger(__name__)

PREFIX = ".lock-"
"""What the name of an output's lock file has in front of the output's own name."""

_SUFFIX = ".lock"  # so that nobody takes it for a file of the output's kind
_GRACE_S = 1.0  # a wait that is not worth telling: small files are written in milliseconds
_POLL_S = 0.1
_NAME_BYTES = 255  # longest name of a file, where the system does not tell
_KEPT_BYTES = 40  # of a name that is shortened: its end, for the suffixes
_LOCKLESS = {
    getattr(errno, name)
    for name in ("ENOLCK", "ENOSYS", "ENOTSUP", "EOPNOTSUPP", "EINVAL")
    if hasattr(errno, name)
}
"""Errors of a file system that has no locks."""


class _Held(threading.local):
    """The outputs that this thread makes, and whether it holds their locks."""

    def __init__(self) -> None:
        self.paths: dict[Path, bool] = {}


_held = _Held()

lock_files: set[Path] = set()
"""The lock files that this process holds."""


@contextmanager
def locked(path: str | Path, *, label: str = "", wait: bool = True) -> Iterator[bool]:
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

    Yields
    ------
    bool
        Whether the lock is held; False on a file system that has no locks.

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
            yield held[place]
            return
        lock = _acquired(path, label, wait)
        held[place] = lock is not None
        if lock is not None:
            lock_files.add(Path(lock.lock_file))
        try:
            yield held[place]
        finally:
            del held[place]
            if lock is not None:
                with suppress(OSError):  # removed while it is held: who waits sees that and retries
                    os.unlink(lock.lock_file)
                lock_files.discard(Path(lock.lock_file))
                lock.release()


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


def helper_beside(path: Path, prefix: str) -> Path:
    """Path of a helper file beside an output, with the output's suffixes.

    Parameters
    ----------
    path : Path
        The output.
    prefix : str
        Beginning of the helper's name. The output's name follows; if that would be longer than the
        file system allows, the name's hash and its end do.
    """
    name = prefix + path.name
    if len(os.fsencode(name)) <= longest_name(path.parent):
        return path.with_name(name)
    digest = hashlib.sha256(os.fsencode(path.name)).hexdigest()[:16]
    end = path.name[-_KEPT_BYTES:]
    while len(os.fsencode(end)) > _KEPT_BYTES:
        end = end[1:]
    return path.with_name(f"{prefix}{digest}-{end}")


def longest_name(folder: Path) -> int:
    """Greatest length of a file's name in a folder, in bytes."""
    try:
        return os.pathconf(folder, "PC_NAME_MAX")
    except (AttributeError, OSError, ValueError):  # Windows, or a system that doesn't tell
        return _NAME_BYTES


def _acquired(path: Path, label: str, wait: bool) -> BaseFileLock | None:
    """The lock of an output, held; None if the file system has none."""
    from filelock import FileLock, Timeout

    # Not of a thread, because a generator may be closed by another one.
    place = helper_beside(path.with_name(path.name + _SUFFIX), PREFIX)
    lock = FileLock(place, thread_local=False)
    try:
        try:
            lock.acquire(timeout=_GRACE_S if wait else 0, poll_interval=_POLL_S)
        except Timeout as error:
            if not wait:
                raise HiphopssError(
                    f"{path}: another run is making it: wait until that has ended, or choose "
                    "another output"
                ) from error
            what = f"{path.parent.name}/{path.name}"
            logger.info("%s: waiting for another run that makes %s", label or path, what)
            lock.acquire(poll_interval=_POLL_S)
    except NotImplementedError:
        reason = "this file system has no locks"
    except OSError as error:
        if error.errno not in _LOCKLESS:
            raise HiphopssError(f"{path}: {cannot_write(error)}") from error
        reason = reason_of(error)
    else:
        return lock
    logger.warning("%s: can't be locked (%s): don't make it in two runs at once", path, reason)
    return None


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
