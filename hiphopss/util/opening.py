"""Opening files that others name: only files proper, and an error says what is in the way."""

from __future__ import annotations

import io
import os
import re
import stat
from pathlib import Path

from hiphopss.errors import HiphopssError

_KINDS = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a named pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)

_MENDS: dict[type[OSError], str] = {
    PermissionError: "change its permissions, or copy it",
    NotADirectoryError: "check the path",
}

_ADDRESS = re.compile(r"(https?|ftp):[/\\]+", re.IGNORECASE)  # a path keeps one of two slashes


def nothing_at(path: str | Path, told: str) -> str:
    """The line for a path where nothing is.

    Parameters
    ----------
    path : path-like
        The path.
    told : str
        What is wrong, and what to do about it, unless the path is an address on the web.
    """
    address = _ADDRESS.match(str(path))
    if address is None:
        return f"{path}: {told}"
    whole = f"{address[1]}://{str(path)[address.end() :]}"
    return f"{whole}: is on the web: download it, and name the file that you have then"


def open_file(path: str | Path) -> io.FileIO:
    """Open a file for reading, without buffer; a pipe or a device is refused, and never waited for.

    Parameters
    ----------
    path : path-like
        File.

    Raises
    ------
    HiphopssError
        If it is missing, may not be read, or is no file proper.
    """
    try:
        # Not all systems have these flags; without the first, opening a pipe waits for a writer.
        flags = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
        file = io.FileIO(os.open(path, os.O_RDONLY | flags))
    except (OSError, ValueError) as error:
        if os.path.isdir(path):  # Windows calls this a lack of permission, others open it
            raise _refused(path, stat.S_IFDIR) from error
        raise unreadable(path, error) from error
    mode = os.fstat(file.fileno()).st_mode
    if not stat.S_ISREG(mode):
        file.close()
        raise _refused(path, mode)
    return file


def unreadable(path: str | Path, error: OSError | ValueError) -> HiphopssError:
    """The error for a file that the system doesn't read."""
    if isinstance(error, ValueError):
        return HiphopssError(f"{str(path)!r}: no name of a file: check the path")
    if isinstance(error, FileNotFoundError):
        reason = error.strerror or error
        return HiphopssError(nothing_at(path, f"can't be read ({reason}): check the path"))
    mends = (mend for kind, mend in _MENDS.items() if isinstance(error, kind))
    return HiphopssError(
        f"{path}: can't be read ({error.strerror or error}): "
        f"{next(mends, 'check the path and its disk')}"
    )


def _refused(path: str | Path, mode: int) -> HiphopssError:
    kind = next((name for matches, name in _KINDS if matches(mode)), "no file proper")
    return HiphopssError(f"{path}: {kind}, not a file: name a file")
