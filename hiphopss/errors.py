"""The one exception whose message is written for the user, and a kind of it."""

from __future__ import annotations

from pathlib import Path

from hiphopss.util.text import printable


class HiphopssError(Exception):
    """A problem that the user can solve.

    The message is one line that names the file (or argument) and says what to do about it. The
    command line prints it to standard error and exits with status 2. Characters that are not seen,
    as names of files may have, are escaped in it.
    """

    def __str__(self) -> str:
        return printable(super().__str__())


class AudioError(HiphopssError):
    """An error about one audio file; other files may still be usable.

    Attributes
    ----------
    path : Path or None
        The song's file or folder, once it is known to whom the error is told.
    """

    def __init__(self, message: str, path: Path | None = None):
        super().__init__(message)
        self.path = path
