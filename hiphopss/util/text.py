"""Showing text that others wrote: names of files, titles, and what files say of themselves.

Such text may hold codes that move a terminal's cursor or colour it, that turn the direction of
writing round so that a name looks like another one, or that begin a new line.
"""

from __future__ import annotations

import sys
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from typing import Any, TextIO

_UNSEEN = ("Cc", "Cf", "Cs", "Zl", "Zp")  # controls, formats, surrogates, ends of lines
_JOINERS = "\u200c\u200d"  # formats that some scripts and emoji need


def printable(text: object, *, lines: bool = False, most: int | None = None) -> str:
    """Text in which every character that isn't seen is written as an escape, such as ``\\x1b``.

    Parameters
    ----------
    text : object
        What to show; anything but a string is converted by ``str``. Bytes of a file's name that are
        not text are shown as ``\\xff``.
    lines : bool
        Keep ends of lines and tabs, for text of several lines.
    most : int, optional
        Maximum number of characters; of longer text the beginning and ``...`` are shown.
    """
    shown = text if isinstance(text, str) else str(text)
    if most is not None and len(shown) > most:
        shown = f"{shown[:most]}..."
    if shown.isprintable() and shown.isascii():
        return shown
    kept = f"{_JOINERS}\n\t" if lines else _JOINERS
    return "".join(
        char if char in kept or unicodedata.category(char) not in _UNSEEN else _escaped(char)
        for char in shown
    )


def _escaped(char: str) -> str:
    if "\udc80" <= char <= "\udcff":  # how Python holds a byte that is not text
        return f"\\x{ord(char) - 0xDC00:02x}"
    return char.encode("unicode_escape").decode("ascii")


class _Printable:
    """A text stream that writes only what is seen; everything else is the given stream's."""

    def __init__(self, stream: TextIO):
        self._stream = stream

    def write(self, text: str) -> int:
        return self._stream.write(printable(text, lines=True))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


@contextmanager
def printing_safely() -> Iterator[None]:
    """Within this context, what is printed on standard output passes through :func:`printable`.

    Ends of lines pass unchanged, because tables have them: what a name has of them is to be escaped
    where the name is put into a line.
    """
    if sys.stdout is None:  # it was closed before the start
        yield
        return
    with redirect_stdout(_Printable(sys.stdout)):
        yield
