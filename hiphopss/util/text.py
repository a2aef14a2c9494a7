"""Showing text that others wrote: names of files, titles, and what files say of themselves.

Such text may hold codes that move a terminal's cursor or colour it, that turn the direction of
writing round so that a name looks like another one, or that begin a new line.
"""

from __future__ import annotations

import unicodedata

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
