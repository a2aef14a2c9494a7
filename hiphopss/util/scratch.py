"""A temporary folder of this process, which is removed when the process ends."""

from __future__ import annotations

import atexit
import os
import shutil
import stat
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import IO

if sys.platform != "win32":
    import fcntl

_PREFIX = "hiphopss-scratch-"
_LOCK = "in-use"


class Scratch:
    """A temporary folder for large files, in the system's temporary folder (``TMPDIR``).

    It is removed when Python ends, but not by a forked copy of this process. A process that is
    killed can't remove its folder; so each folder holds a file that its process keeps locked, and
    making or removing a folder also removes those whose file is locked by nobody. (Windows has no
    such locks; there the folder of a killed process stays.)

    Attributes
    ----------
    folder : Path
        The folder.

    Raises
    ------
    OSError
        If no temporary folder can be written to.
    """

    def __init__(self) -> None:
        remove_left_behind()
        self.folder = Path(tempfile.mkdtemp(prefix=_PREFIX))
        self._process = os.getpid()
        self._lock: IO[str] | None = None
        with suppress(OSError):  # a file system without locks: others leave the folder alone
            self._lock = _lock(self.folder)
        atexit.register(self.remove)

    def remove(self) -> None:
        """Remove the folder, and those of processes that were killed."""
        if self._process != os.getpid():
            return
        atexit.unregister(self.remove)
        if self._lock is not None:
            self._lock.close()
        shutil.rmtree(self.folder, ignore_errors=True)
        remove_left_behind()


def _lock(folder: Path) -> IO[str] | None:
    """Mark a new folder as in use while the returned file is open."""
    if sys.platform == "win32":
        return None
    new = folder / "new"
    file = open(new, "w", encoding="utf-8")  # noqa: SIM115 (stays open as long as the folder)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.rename(new, folder / _LOCK)  # before it is locked, nobody knows it by this name
    except OSError:
        file.close()
        raise
    return file


def remove_left_behind() -> None:
    """Remove this user's folders of processes that have ended without removing them."""
    if sys.platform == "win32":
        return
    for path in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*/{_LOCK}"):
        with suppress(OSError):
            found = path.parent.lstat()
            if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
                continue
            with open(path, "r+", encoding="utf-8") as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)  # raises while it is in use
                shutil.rmtree(path.parent, ignore_errors=True)
