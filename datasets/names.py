"""Comparing the names of songs in their various spellings.

DSD100 calls a song ``002 - ANiMAL - Rockshow``, its successor ``ANiMAL - Rockshow``, a list perhaps
``animal_rockshow``. Case, accents, spacing and punctuation are ignored. The number in front matters
only where it is needed: in one data set it distinguishes songs of the same title, and in a name
like ``001 - song`` nothing else does.
"""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Iterable, Sequence

# Songs whose title is spelt in two ways, as :func:`_squeezed` gives it.
_ALIASES = {"patricktalbotsetmefree": "patricktalbotsetfreeme"}

_NUMBERED = re.compile(r"\s*(\d{1,3})\s*[-\u2013\u2014_.]\s*(?=\S+.*?[-\u2013\u2014_])")


def numbered_title(name: str) -> tuple[int | None, str]:
    """Split a song's name into its number and a title that is equal for the same song.

    A number counts as the song's place in its set only before an artist and a title: ``24 - song``
    keeps it in the title, and so do ``50 Cent - In Da Club`` and ``112 - Peaches`` (an artist).

    Parameters
    ----------
    name : str
        Name of the song's folder.

    Returns
    -------
    number : int or None
    title : str
        Artist and title: only letters and digits, in lower case, without accents.
    """
    found = _NUMBERED.match(name)
    number = int(found[1]) if found else None
    return number, _squeezed(name[found.end() :] if found else name)


def split_number(title: str) -> tuple[int, str]:
    """Split a title from :func:`numbered_title` into a number in front, 0 if none, and the rest."""
    plain = title.lstrip("0123456789")
    return int(title.removesuffix(plain) or "0") if plain else 0, _ALIASES.get(plain, plain)


def same_song(name: str, other: str) -> bool:
    """Whether two names are of the same song: the same title, and not two different numbers."""
    (number, title), (other_number, other_title) = numbered_title(name), numbered_title(other)
    return title == other_title and (None in (number, other_number) or number == other_number)


def match_name(wanted: str, names: Iterable[str]) -> list[str]:
    """Find the names that may be the wanted one.

    Parameters
    ----------
    wanted : str
        Name in any spelling.
    names : iterable of str
        Names of songs.

    Returns
    -------
    list of str
        Names that are equal including the number; if there are none, those equal without it.
    """
    names = list(names)
    exact = [name for name in names if numbered_title(name) == numbered_title(wanted)]
    return exact or [name for name in names if _unnumbered(name) == _unnumbered(wanted)]


def few(names: Sequence[str]) -> str:
    """Names for a line of text: all, or the first ten and the number of the others."""
    more = f" and {len(names) - 10} more" if len(names) > 10 else ""
    return ", ".join(names[:10]) + more


def near_names(wanted: str, names: Sequence[str]) -> list[str]:
    """Suggest at most three names that may have been meant, the nearest first.

    Parameters
    ----------
    wanted : str
        Name that matched no song.
    names : sequence of str
        Names of songs.
    """
    by_title = {_unnumbered(name): name for name in names}
    title = _unnumbered(wanted)
    inside = [key for key in by_title if title and title in key]
    near = inside + difflib.get_close_matches(title, by_title, n=3, cutoff=0.5)
    return [by_title[key] for key in dict.fromkeys(near)][:3]


def _unnumbered(name: str) -> str:
    squeezed = _squeezed(name)
    plain = squeezed.lstrip("0123456789") or squeezed
    return _ALIASES.get(plain, plain)


def _squeezed(name: str) -> str:
    """Letters and digits in lower case; a name that has neither is only stripped of spaces."""
    plain = unicodedata.normalize("NFKD", name).casefold()
    squeezed = "".join(char for char in plain if char.isalnum()) or name.strip()
    return _ALIASES.get(squeezed, squeezed)
