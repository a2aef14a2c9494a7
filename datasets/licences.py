"""Which known data sets songs belong to, and the licences that features and weights inherit.

Songs of DSD100 and of MUSDB18 are recognised by their names, which are listed in ``dsd100.csv`` and
``musdb18.csv``, the latter with a licence for each song; HHDS by what its archive holds; generated
sets by their record. Other songs are the user's own, of which nothing is said.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from pathlib import Path

from hiphopss.datasets import dsd100, musdb18
from hiphopss.datasets.layouts import SUBSETS, is_stem_file, layout_of
from hiphopss.datasets.names import numbered_title
from hiphopss.datasets.roots import facts, is_generated, song_root
from hiphopss.datasets.songs import Song, song_folders

logger = logging.getLogger(__name__)

_told: set[tuple[str, str]] = set()  # what this process has said already


def data_of(songs: Iterable[Song]) -> list[dict[str, str]]:
    """Tell the known data sets to which songs belong, and their licences.

    Parameters
    ----------
    songs : iterable of Song
        Songs from anywhere.

    Returns
    -------
    list of dict
        For each data set a dict with ``"set"``, its title, and ``"licence"``: the different
        licences of these songs, joined by semicolons. Sorted by title; without the user's own
        songs.
    """
    found: dict[str, set[str]] = {}
    for song in songs:
        known = _set_and_licence(song)
        if known is not None:
            found.setdefault(known[0], set()).add(known[1])
    return [
        {"set": facts()[dataset]["title"], "licence": "; ".join(sorted(licences))}
        for dataset, licences in sorted(found.items())
    ]


def tell_licences(data: Iterable[dict[str, str]]) -> None:
    """Log the licences of data sets, each once in a run; generated songs need none.

    Parameters
    ----------
    data : iterable of dict
        As from :func:`data_of`.
    """
    for known in data:
        line = known["set"], known["licence"]
        if known["set"] != facts()["generated"]["title"] and line not in _told:
            _told.add(line)
            logger.info("%s: licence: %s; features and weights made of these songs say so", *line)


def merged(*data: Iterable[dict[str, str]]) -> list[dict[str, str]]:
    """Join lists from :func:`data_of`, with each statement once."""
    return list({tuple(known.values()): known for some in data for known in some}.values())


def _set_and_licence(song: Song) -> tuple[str, str] | None:
    """The name of a song's data set in ``sets.toml`` and its licence; None if it isn't known."""
    root = song_root(song)
    if is_generated(root):
        return "generated", facts()["generated"]["licence"]
    number, title = numbered_title(song.name)
    in_musdb18, layout = musdb18.listed_song(song.name), layout_of(root)
    of_dsd100 = layout.name == "DSD100" if layout else number is not None
    if of_dsd100 and dsd100.listed_song(title):
        return "dsd100", facts()["dsd100"]["licence"]
    if in_musdb18 is not None:
        licence = facts()["licences"].get(in_musdb18.licence, in_musdb18.licence)
        return ("musdb18" if is_stem_file(song.folder) else "musdb18hq"), licence
    return ("hhds", facts()["hhds"]["licence"]) if _is_hhds(root) else None


def _is_hhds(root: Path) -> bool:
    """Whether a root holds what the archive of HHDS does: 13 and 5 songs, and some of DSD100."""
    songs = {
        subset: [folder.name for folder in song_folders(root / "Sources" / subset)]
        for subset in SUBSETS
        if (root / "Sources" / subset).is_dir()
    }
    own = {
        subset: sum(dsd100.listed_song(name) is None for name in names)
        for subset, names in songs.items()
    }
    more = sum(map(len, songs.values())) > sum(own.values())
    return more and own == facts()["hhds"]["sizes"]
