"""The test songs, and keeping them out of the training.

The paper tests on the 5 Test songs of HHDS and on "the 3 songs labeled as HipHop" of DSD100, "which
are not used to train any of the models" (section 4.3). One of the three is in DSD100's Dev half
(docs/released-code.md, section 7), so leaving out the Test half would not be enough.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from pathlib import Path

from hiphopss.datasets.dsd100 import is_hip_hop, styles
from hiphopss.datasets.names import match_name, near_names, numbered_title
from hiphopss.datasets.roots import RECORD, all_songs, facts, find_root, song_root
from hiphopss.datasets.songs import Song
from hiphopss.errors import HiphopssError

logger = logging.getLogger(__name__)


def hip_hop_test_songs(
    *,
    dsd100: str | Path | None = None,
    hhds: str | Path | None = None,
    names: Sequence[str] | None = None,
) -> list[Song]:
    """List the songs of the paper's second test set, from wherever they are.

    By default these are the three songs by ANiMAL, each once, from DSD100's folder or else from the
    archive of HHDS, which also contains them. They may be in Dev or Test. If a generated set
    replaces DSD100, they are its Test songs in hip-hop style.

    Parameters
    ----------
    dsd100, hhds : path-like, optional
        Roots of the available data sets.
    names : sequence of str, optional
        Other songs to use instead; case, spacing and the number in front don't matter.

    Returns
    -------
    list of Song
        Songs in the order of the names.

    Raises
    ------
    HiphopssError
        If no song is found, if a given name fits no song or several, or as in
        :func:`hiphopss.datasets.roots.all_songs`.

    Logs
    ----
    WARNING
        If some of the three songs are missing.
    """
    roots = [find_root(root) for root in (dsd100, hhds) if root is not None]
    if not roots:
        raise HiphopssError(
            "no data set given: name the folder of DSD100 (DSD_PATH) or of the archive of HHDS "
            "(HHDS_PATH), which both hold the hip-hop test songs"
        )
    if names is not None:
        return _named(names, [all_songs(root) for root in roots])
    if dsd100 is not None and _is_generated(roots[0]):
        return _generated_test_songs(roots[0])
    wanted = facts()["styles"]["Hip-Hop"]
    collections = [all_songs(root) for root in roots]
    found = {name: matches[0] for name in wanted if (matches := _matching(name, collections))}
    missing = ", ".join(name for name in wanted if name not in found)
    where = " and ".join(str(root) for root in roots)
    if not found:
        raise HiphopssError(
            f"{where}: none of the hip-hop test songs ({missing}): name the folder of DSD100 or of "
            "HHDS as unpacked, or name songs to test on"
        )
    if missing:
        logger.warning("%s: hip-hop test songs without %s", where, missing)
    return list(found.values())


def is_paper_test_song(song: Song) -> bool:
    """Whether a song's name is one of the three DSD100 songs on which the paper tests."""
    return bool(match_name(song.name, facts()["styles"]["Hip-Hop"]))


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
        tests.setdefault(numbered_title(song.name)[1], []).append(song)
    return [
        song
        for song in songs
        if not any(_same(song, test) for test in tests.get(numbered_title(song.name)[1], ()))
    ]


def _same(song: Song, other: Song) -> bool:
    """Whether two songs of the same title are the same song."""
    numbers = {numbered_title(song.name)[0], numbered_title(other.name)[0]} - {None}
    if len(numbers) < 2:
        return True
    roots = {song_root(song), song_root(other)}
    return len(roots) == 2 and not any(_is_generated(root) for root in roots)


def _is_generated(root: Path) -> bool:
    return (root / RECORD).exists()


def _generated_test_songs(root: Path) -> list[Song]:
    style = styles(root)
    songs = [
        song
        for song in all_songs(root)
        if song.subset == "Test" and is_hip_hop(style.get(song.name, ""))
    ]
    if not songs:
        raise HiphopssError(
            f"{root / RECORD}: no Test song in it of the style Hip-Hop: generate the set again, "
            "or name songs to test on"
        )
    return songs


def _named(names: Sequence[str], collections: list[list[Song]]) -> list[Song]:
    found: dict[Path, Song] = {}
    for name in names:
        matches = _matching(name, collections)
        if not matches:
            there = [song.name for songs in collections for song in songs]
            near = ", ".join(near_names(name, there)) or "none is similar"
            raise HiphopssError(f"{name!r}: no song of this name: check it, near ones are: {near}")
        if len(matches) > 1:
            several = ", ".join(song.name for song in matches)
            raise HiphopssError(f"{name!r}: several songs have this name: take one of: {several}")
        found[matches[0].folder] = matches[0]
    return list(found.values())


def _matching(name: str, collections: list[list[Song]]) -> list[Song]:
    """The songs of this name in the first data set that has any."""
    for songs in collections:
        matches = match_name(name, [song.name for song in songs])
        if matches:
            return [song for song in songs if song.name in matches]
    return []
