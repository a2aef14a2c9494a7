"""The test songs, and keeping them out of the training.

The paper tests on the 5 Test songs of HHDS and on "the 3 songs labeled as HipHop from test set of
DSD100", "which are not used to train any of the models" (section 4.3). DSD100's own list has
exactly three Test songs of a Hip-Hop style: 001, 002 and 027. The archive of HHDS holds three songs
of DSD100, too, but other ones: 001, 002 and 052, and 052 is in DSD100's Dev half, on which the
model DSD was trained (docs/released-code.md, section 7).
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from hiphopss.datasets.dsd100 import is_hip_hop, listed, listed_song, named_as_dsd100
from hiphopss.datasets.names import match_name, near_names, numbered_title
from hiphopss.datasets.roots import (
    RECORD,
    all_songs,
    facts,
    find_root,
    generated_songs,
    is_generated,
    song_root,
)
from hiphopss.datasets.songs import Song
from hiphopss.errors import HiphopssError

logger = logging.getLogger(__name__)

PAPER, HHDS_ARCHIVE = "paper", "hhds-archive"
TEST_SETS = (PAPER, HHDS_ARCHIVE)
"""Names of the second test sets to choose from."""

_WHY = {
    PAPER: "the songs of DSD100's Test half whose style is Hip-Hop in its own list, which are "
    "exactly three: the paper's second test set is \"the 3 songs labeled as HipHop from test set "
    'of DSD100", "not used to train any of the models"',
    HHDS_ARCHIVE: "the three songs of DSD100 that the archive of HHDS holds; 027 of the paper's "
    "three is not among them, and 052 is in DSD100's Dev half, on which the model DSD is trained",
}


@dataclass(frozen=True)
class TestSet:
    """The second test set of a run.

    Attributes
    ----------
    name : str
        One of ``TEST_SETS``, ``"generated"`` or ``"named"``.
    songs : list of Song
        Its songs.
    why : str
        Why these songs, as the end of a sentence for people.
    missing : tuple of str
        Names of the songs that belong to it, but are nowhere.
    """

    __test__ = False  # for pytest, which would take this class for a test

    name: str
    songs: list[Song]
    why: str
    missing: tuple[str, ...] = ()


@lru_cache
def song_names(test_set: str) -> tuple[str, ...]:
    """Names of the songs of a test set, as in DSD100.

    Parameters
    ----------
    test_set : str
        One of ``TEST_SETS``.

    Raises
    ------
    HiphopssError
        If there is no such test set.
    """
    if test_set not in TEST_SETS:
        raise HiphopssError(
            f"no test set named {test_set!r}: choose one of {', '.join(TEST_SETS)}, or name songs"
        )
    guests = facts()["hhds"]["guests"]
    return tuple(
        song.folder_name
        for song in listed()
        if (
            song.number in guests
            if test_set == HHDS_ARCHIVE
            else song.subset == "Test" and is_hip_hop(song.style)
        )
    )


def second_test_set(
    *,
    dsd100: str | Path | None = None,
    hhds: str | Path | None = None,
    test_set: str | None = None,
    names: Sequence[str] | None = None,
) -> TestSet:
    """Find the songs of the paper's second test set, from wherever they are.

    Parameters
    ----------
    dsd100, hhds : path-like, optional
        Roots of the available data sets; MUSDB18 may stand in for DSD100.
    test_set : str, optional
        One of ``TEST_SETS``; by default the paper's if DSD100 is available, otherwise the songs in
        the archive of HHDS. If a generated set replaces DSD100, they are its Test songs in hip-hop
        style.
    names : sequence of str, optional
        Other songs to use instead; case, spacing and the number in front don't matter.

    Returns
    -------
    TestSet
        Songs in the order of the names; each is taken from DSD100's folder or else from HHDS's.

    Raises
    ------
    HiphopssError
        If no song is found, if a given name fits no song or several, or as in
        :func:`hiphopss.datasets.roots.all_songs`.

    Logs
    ----
    WARNING
        If some of the songs are missing, or if HHDS's archive decides which songs they are.
    """
    roots = [find_root(root) for root in (dsd100, hhds) if root is not None]
    if not roots:
        raise HiphopssError(
            "no data set given: name the folder of DSD100 (DSD_PATH) or of the archive of HHDS "
            "(HHDS_PATH), which both hold hip-hop test songs"
        )
    collections = [all_songs(root) for root in roots]
    if dsd100 is not None:
        collections[0] = named_as_dsd100(collections[0], roots[0])
    if names is not None:
        return TestSet("named", _named(names, collections), "the songs that were named for it")
    if dsd100 is not None and is_generated(roots[0]):
        if test_set not in (None, PAPER):
            raise HiphopssError(
                f"{roots[0]}: a generated set, which has no test set {test_set!r}: leave it out"
            )
        songs = _generated_test_songs(roots[0])
        return TestSet("generated", songs, "the generated Test songs whose style is Hip-Hop")
    chosen = test_set or (HHDS_ARCHIVE if dsd100 is None else PAPER)
    found, missing = _look_for(song_names(chosen), collections)
    where = " and ".join(str(root) for root in roots)
    if not found:
        raise HiphopssError(
            f"{where}: none of the hip-hop test songs ({', '.join(missing)}): name the folder of "
            "DSD100 or of HHDS as unpacked, or name songs to test on"
        )
    if missing:
        logger.warning("%s: hip-hop test songs without %s", where, ", ".join(missing))
    if test_set is None and chosen == HHDS_ARCHIVE:
        logger.warning(
            "%s: without DSD100, the second test set is %s",
            *(where, _WHY[chosen]),
        )
    return TestSet(chosen, found, _WHY[chosen], tuple(missing))


def _look_for(
    wanted: Sequence[str], collections: Sequence[list[Song]]
) -> tuple[list[Song], list[str]]:
    """The songs of these names, each once, and the names of those that are nowhere."""
    found = {name: _matching(name, collections) for name in wanted}
    return [songs[0] for songs in found.values() if songs], [n for n in wanted if not found[n]]


def is_hhds_guest(song: Song) -> bool:
    """Whether a song is one of DSD100's that the archive of HHDS also holds."""
    known = listed_song(song.name)
    return known is not None and known.number in facts()["hhds"]["guests"]


def held_out(songs: Sequence[Song]) -> list[Song]:
    """The songs of a data set on which the paper tests, and which are no training songs.

    Parameters
    ----------
    songs : sequence of Song
        All songs of a data set.

    Returns
    -------
    list of Song
        Songs of the paper's second test set, whatever their subset. In the archive of HHDS also the
        third guest, which is a training song of DSD100 but none of HHDS.
    """
    known = {song.name: listed_song(song.name) for song in songs}
    tests, guests = map(song_names, TEST_SETS)
    everywhere = {*tests, *guests}
    is_dsd100 = any(entry and entry.folder_name not in everywhere for entry in known.values())
    names = set(tests) if is_dsd100 else everywhere
    return [song for song in songs if (entry := known[song.name]) and entry.folder_name in names]


def training_songs(songs: Iterable[Song], test_songs: Iterable[Song]) -> list[Song]:
    """Select the songs that are in no test set.

    Songs are the same if their names have the same artist and title, whatever the number in front,
    so that a test song is recognised in another data set. Within one data set, songs with different
    numbers are different songs; so are they in generated sets, which draw titles from one list.

    Parameters
    ----------
    songs : iterable of Song
        Candidates for training.
    test_songs : iterable of Song
        Songs of all test sets.

    Returns
    -------
    list of Song
        Songs in the given order.
    """
    tests: dict[str, list[Song]] = {}
    for song in test_songs:
        tests.setdefault(_title(song), []).append(song)
    return [
        song for song in songs if not any(_same(song, test) for test in tests.get(_title(song), ()))
    ]


def _title(song: Song) -> str:
    """A song's title; of a song of DSD100 that of the list, even if its number has no dash."""
    known = listed_song(song.name)
    return numbered_title(known.name if known else song.name)[1]


def _same(song: Song, other: Song) -> bool:
    """Whether two songs of the same title are the same song."""
    numbers = {numbered_title(song.name)[0], numbered_title(other.name)[0]} - {None}
    if len(numbers) < 2:
        return True
    roots = {song_root(song), song_root(other)}
    return len(roots) == 2 and not any(is_generated(root) for root in roots)


def _generated_test_songs(root: Path) -> list[Song]:
    styles = {song["name"]: song.get("style") or "" for song in generated_songs(root) or ()}
    songs = [
        song
        for song in all_songs(root)
        if song.subset == "Test" and is_hip_hop(styles.get(song.name, ""))
    ]
    if not songs:
        raise HiphopssError(
            f"{root / RECORD}: no Test song in it of the style Hip-Hop: generate the set again, "
            "or name songs to test on"
        )
    return songs


def _named(names: Sequence[str], collections: Sequence[list[Song]]) -> list[Song]:
    found: dict[Path, Song] = {}
    for name in names:
        matches = _matching(name, collections)
        if not matches:
            there = [song.name for songs in collections for song in songs]
            near = ", ".join(near_names(name, there))
            hint = f"check it, near ones are: {near}" if near else "check it"
            raise HiphopssError(f"{name!r}: no song of this name: {hint}")
        if len(matches) > 1:
            several = ", ".join(song.name for song in matches)
            raise HiphopssError(f"{name!r}: several songs have this name: take one of: {several}")
        found[matches[0].folder] = matches[0]
    return list(found.values())


def _matching(name: str, collections: Sequence[list[Song]]) -> list[Song]:
    """The songs of this name in the first data set that has any."""
    for songs in collections:
        matches = match_name(name, [song.name for song in songs])
        if matches:
            return [song for song in songs if song.name in matches]
    return []
