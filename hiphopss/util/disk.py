"""What to tell people when the operating system refuses to write."""

from __future__ import annotations

import errno
import os

_ADVICE = {
    "ENOSPC": "make room, or choose a folder on another disk",
    "EDQUOT": "remove some of your files, or choose a folder on another disk",
    "EFBIG": "allow larger files (ulimit -f), or choose a folder on another disk",
    "EROFS": "choose a folder that can be written to",
    "EIO": "check the disk, or choose a folder on another one",
}
_MEND = "mend that and run it again"
_BY_NUMBER = {getattr(errno, name): text for name, text in _ADVICE.items() if hasattr(errno, name)}
_ONLY_WRITING = {number for number, text in _BY_NUMBER.items() if number != errno.EIO}


def cannot_write(error: OSError) -> str:
    """Why something can't be written, and what to do about it, as the rest of an error's line."""
    return f"can't be written ({reason_of(error)}): {advice_for(error) or _MEND}"


def line_of(error: OSError) -> str:
    """The line for an error that nothing else has told."""
    where = f"{os.fsdecode(error.filename)}: " if isinstance(error.filename, str | bytes) else ""
    return f"{where}{reason_of(error)}: {advice_for(error) or _MEND}"


def reason_of(error: OSError) -> str:
    """The system's words for an error, without a number or a path."""
    return error.strerror or str(error) or type(error).__name__


def advice_for(error: BaseException) -> str | None:
    """What to do about a full disk, a quota, a limit, a read-only or failing disk; else None."""
    return _BY_NUMBER.get(error.errno or 0) if isinstance(error, OSError) else None


def is_about_writing(error: BaseException) -> bool:
    """Whether an error can only come from writing, not from reading."""
    return isinstance(error, OSError) and error.errno in _ONLY_WRITING
