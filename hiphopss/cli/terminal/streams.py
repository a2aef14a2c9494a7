"""Standard output and standard error: what is printed must not end a run that has done its work.

They may have an encoding without "±" or without the letters of a name (a Windows console, or
``LC_ALL=C``), their reader may be gone (``| head``), their disk may be full, or they may be closed
(``>&-``), which is no error: whoever closes them wants no output.
"""

from __future__ import annotations

import codecs
import errno
import os
import select
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from io import TextIOWrapper
from typing import TextIO

from hiphopss.util.progress import say

BROKEN_PIPE = 128 + 13
"""Exit status if nobody reads the output: what shells report of programs that SIGPIPE ends."""

_SPELT = {"±": "+/-", "†": "+"}  # the project's own signs that are not ASCII
_HANDLER = "hiphopss.spelt"


def _spell(error: UnicodeError) -> tuple[str, int]:
    """Replace what an encoding lacks; the error handler of both streams."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    text = error.object[error.start : error.end]
    plain = (_SPELT.get(c) or c.encode("ascii", "backslashreplace").decode() for c in text)
    return "".join(plain), error.end


codecs.register_error(_HANDLER, _spell)


@contextmanager
def encodable() -> Iterator[None]:
    """Print what the streams' encoding lacks as ``+/-`` or ``\\xe9``, rather than raise."""
    with ExitStack() as stack:
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, TextIOWrapper):
                stack.callback(stream.reconfigure, errors=stream.errors)
                stream.reconfigure(errors=_HANDLER)
        yield


def open_closed_streams() -> None:
    """Open descriptors 0 to 2 on the null device if they are closed.

    Otherwise the next file that is opened gets such a number, and whatever a library writes to
    "standard error" goes into it.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            with suppress(OSError):
                os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)


def finished(status: int) -> int:
    """Flush both streams, so that nothing is left that fails when Python ends.

    Parameters
    ----------
    status : int
        Exit status so far.

    Returns
    -------
    int
        The status; :data:`BROKEN_PIPE` or 2 instead of 0 if the output did not arrive.
    """
    for stream in (sys.stdout, sys.stderr):
        if stream is None or stream.closed:
            continue
        try:
            stream.flush()
        except OSError as error:
            _give_up(stream)
            if is_broken_pipe(error):
                status = status or BROKEN_PIPE
            elif stream is sys.stdout:
                with suppress(OSError):
                    reason = error.strerror or error
                    say(f"hiphopss: error: standard output: {reason}: mend that and run it again")
                status = status or 2
    return status


def is_broken_pipe(error: OSError) -> bool:
    """Whether an error says that nobody reads a pipe any more; Windows calls that EINVAL."""
    return isinstance(error, BrokenPipeError) or (os.name == "nt" and error.errno == errno.EINVAL)


def nobody_reads() -> bool:
    """Whether the reader of a stream is gone: a broken pipe may also be one to another program."""
    if not hasattr(select, "poll"):  # Windows can't tell
        return True
    poll = select.poll()
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError, AttributeError):  # closed, or no file
            poll.register(stream.fileno(), 0)  # errors are reported without asking
    return bool(poll.poll(0))


def _give_up(stream: TextIO) -> None:
    """Send a stream, with what is still in its buffer, to the null device."""
    with suppress(OSError, ValueError):  # a stream that is no file has nothing to redirect
        null = os.open(os.devnull, os.O_WRONLY)
        try:
            os.dup2(null, stream.fileno())
        finally:
            os.close(null)
        stream.flush()
