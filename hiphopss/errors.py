"""The one exception that people are meant to see."""


class HiphopssError(Exception):
    """Something the user can mend.

    The message is one line: it names the file (or argument) and says what to do about it. The
    command line prints it to standard error and exits with status 2.
    """
