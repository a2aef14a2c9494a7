"""The one exception whose message is written for the user, and a kind of it."""


class HiphopssError(Exception):
    """A problem that the user can solve.

    The message is one line that names the file (or argument) and says what to do about it. The
    command line prints it to standard error and exits with status 2.
    """


class AudioError(HiphopssError):
    """An error about one audio file; other files may still be usable."""
