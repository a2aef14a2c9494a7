"""DSD100: its songs, and its own list of them (docs/released-code.md, section 7).

100 songs, stereo, 44.1 kHz: 001-050 are Test, 051-100 Dev. All of them are also in MUSDB18, which
can therefore stand in for DSD100. The list is ``dsd100.csv``, worked out from the ``dsd100.xlsx``
that comes with the data set.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

from hiphopss.datasets.layouts import SUBSETS, layout_of
from hiphopss.datasets.listing import read_list
from hiphopss.datasets.names import numbered_title, split_number
from hiphopss.datasets.roots import all_songs, find_root, warn_unless_complete
from hiphopss.datasets.songs import Song


@dataclass(frozen=True)
class ListedSong:
    """A song in DSD100's own list.

    Attributes
    ----------
    number : int
        From 1.
    name : str
        Artist and title.
    genre, style : str
        As in the list; a genre has several styles.
    duration_s : int
        Length in seconds.
    subset : str
        ``"Dev"`` or ``"Test"``.
    """

    number: int
    name: str
    genre: str
    style: str
    duration_s: int
    subset: str

    @property
    def folder_name(self) -> str:
        """Name of the song's folder in DSD100: number, artist and title."""
        return f"{self.number:03d} - {self.name}"


@lru_cache
def listed() -> tuple[ListedSong, ...]:
    """DSD100's own list, by number."""
    return tuple(
        ListedSong(
            number=int(line["number"]),
            name=line["name"],
            genre=line["genre"],
            style=line["style"],
            duration_s=int(line["duration_s"]),
            subset=line["subset"],
        )
        for line in read_list("dsd100")
    )


@lru_cache
def _by_title() -> dict[str, ListedSong]:
    return {numbered_title(song.name)[1]: song for song in listed()}


def listed_song(name: str) -> ListedSong | None:
    """Find a song in the list.

    Parameters
    ----------
    name : str
        Name in any spelling; a number in front must be the song's own.

    Returns
    -------
    ListedSong or None
        None if it is no song of DSD100.
    """
    number, title = numbered_title(name)
    if number is None and title not in _by_title():  # perhaps a number without a dash after it
        number, title = split_number(title)
    song = _by_title().get(title)
    return song if song and number in (None, song.number) else None


def is_hip_hop(style: str) -> bool:
    """Whether a style is hip-hop in any spelling: ``HipHop``, ``UK Hip-Hop``, ..."""
    return "hiphop" in "".join(char for char in style.lower() if char.isalpha())


def dsd100_songs(root: str | Path) -> list[Song]:
    """List the songs of DSD100, from its own folder or from MUSDB18.

    Parameters
    ----------
    root : path-like
        Folder of the unpacked archive, or of a set that replaces it: a generated one, or MUSDB18 or
        MUSDB18-HQ.

    Returns
    -------
    list of Song
        Songs by subset, then name: 50 Dev and 50 Test. Those from MUSDB18 have the names and
        subsets of DSD100, and MUSDB18's other 50 songs are left out.

    Raises
    ------
    HiphopssError
        As in :func:`hiphopss.datasets.roots.all_songs`.

    Logs
    ----
    WARNING
        If there are not 50 of each; a generated set may have any number.
    """
    root = find_root(root)
    songs = named_as_dsd100(all_songs(root), root)
    warn_unless_complete("dsd100", songs, root)
    return songs


def named_as_dsd100(songs: Iterable[Song], root: Path) -> list[Song]:
    """Give songs of MUSDB18 the names and subsets that they have in DSD100.

    Parameters
    ----------
    songs : iterable of Song
        Songs of a data set.
    root : Path
        Its root.

    Returns
    -------
    list of Song
        The songs of DSD100 by subset and name, if the root has MUSDB18's layout and holds any;
        otherwise all songs as they are.
    """
    songs = list(songs)
    layout = layout_of(root)
    if layout is None or layout.name != "MUSDB18":
        return songs
    found = [
        replace(song, name=known.folder_name, subset=known.subset)
        for song in songs
        if (known := listed_song(song.name))
    ]
    return sorted(found, key=lambda song: (SUBSETS.index(song.subset), song.name)) or songs
