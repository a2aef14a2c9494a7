"""Names of songs, compared as people write them.

DSD100 calls a song ``002 - ANiMAL - Rockshow``, its successor ``ANiMAL - Rockshow``, a list perhaps
``animal_rockshow``. Case, accents, spacing and punctuation never count. The number in front counts
only where it must: within one data set it tells two songs of the same title apart, and in a name
like ``001 - song`` it is all that there is.
"""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Iterable, Sequence

_NUMBERED = re.compile(r"\s*(\d{1,3})\s*[-\u2013\u2014_.]\s*(?=\S+.*?[-\u2013\u2014_])")


def numbered_title(name: str) -> tuple[int | None, str]:
    """Number and title of a song, such that equal titles mean the same song.

    A number is a song's place in its set only before an artist and a title: ``24 - song`` keeps
    it, and so do ``50 Cent - In Da Club`` and ``112 - Peaches``, where it is the artist.

    Parameters
    ----------
    name : str
        Folder name.

    Returns
    -------
    number : int or None
    title : str
        Artist and title: letters and digits only, lower case, without accents.
    """
    found = _NUMBERED.match(name)
    number = int(found[1]) if found else None
    return number, _squeezed(name[found.end() :] if found else name)


def match_name(wanted: str, names: Iterable[str]) -> list[str]:
    """Those of some names that may be the wanted one.

    Parameters
    ----------
    wanted : str
        As someone wrote it.
    names : iterable of str
        Names of songs.

    Returns
    -------
    list of str
        The names equal to it, number and all; else those equal without any number in front.
    """
    names = list(names)
    exact = [name for name in names if numbered_title(name) == numbered_title(wanted)]
    return exact or [name for name in names if _unnumbered(name) == _unnumbered(wanted)]


def near_names(wanted: str, names: Sequence[str]) -> list[str]:
    """At most three names that someone may have meant, the nearest first.

    Parameters
    ----------
    wanted : str
        What matched no name.
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
    return squeezed.lstrip("0123456789") or squeezed


def _squeezed(name: str) -> str:
    """Letters and digits only, lower case; a name without any is taken as it is."""
    plain = unicodedata.normalize("NFKD", name).casefold()
    return "".join(char for char in plain if char.isalnum()) or name.strip()
