"""MUSDB18 and MUSDB18-HQ: their list of songs, and the customary validation songs.

150 songs, stereo, 44.1 kHz: 100 in ``train``, which is called Dev here, and 50 in ``test``. 100 of
them are the songs of DSD100, in other halves. MUSDB18 is a set of stem files (AAC, nothing above
16 kHz, and mixtures that are the sum of the stems only nearly); MUSDB18-HQ has WAV files.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from hiphopss.datasets.listing import read_list
from hiphopss.datasets.names import numbered_title, same_song
from hiphopss.datasets.roots import facts
from hiphopss.datasets.songs import Song
from hiphopss.errors import HiphopssError

PARTS = ("train", "validation")
"""Parts of the training songs that can be chosen."""


@dataclass(frozen=True)
class ListedSong:
    """A song of MUSDB18.

    Attributes
    ----------
    name : str
        Artist and title.
    genre : str
        Its genre.
    origin : str
        Where it comes from, such as ``"DSD"`` or ``"MedleyDB"``.
    licence : str
        ``"Restricted"`` (non-commercial, educational use only) or a Creative Commons licence.
    """

    name: str
    genre: str
    origin: str
    licence: str


@lru_cache
def listed() -> tuple[ListedSong, ...]:
    """The 150 songs, by name."""
    return tuple(ListedSong(**line) for line in read_list("musdb18"))


@lru_cache
def _by_title() -> dict[str, ListedSong]:
    return {numbered_title(song.name)[1]: song for song in listed()}


def listed_song(name: str) -> ListedSong | None:
    """Find a song in the list by its name in any spelling, whatever the number in front."""
    title = numbered_title(name)[1]
    return _by_title().get(title) or _by_title().get(title.lstrip("0123456789"))


def is_validation_song(song: Song) -> bool:
    """Whether a song is one of the 14 training songs on which it is customary to validate."""
    return any(same_song(song.name, name) for name in facts()["musdb18"]["validation"])


def training_part(songs: Iterable[Song], part: str) -> list[Song]:
    """Choose the training songs that are for validation, or the others.

    Parameters
    ----------
    songs : iterable of Song
        Training songs of MUSDB18.
    part : str
        One of ``PARTS``.

    Returns
    -------
    list of Song
        The songs of the part, in the given order.

    Raises
    ------
    HiphopssError
        If there is no such part, or it has no songs here.
    """
    if part not in PARTS:
        raise HiphopssError(f"part {part!r}: choose one of {', '.join(PARTS)}")
    found = [song for song in songs if is_validation_song(song) == (part == "validation")]
    if not found:
        raise HiphopssError(
            f"part {part!r}: no song of it is there: the parts are of MUSDB18's training songs"
        )
    return found
