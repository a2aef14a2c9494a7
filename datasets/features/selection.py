"""Choosing the songs of a feature file."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from hiphopss.config import LENGTH_TOLERANCE_S, Fidelity
from hiphopss.datasets.alike import require_tolerance
from hiphopss.datasets.layouts import layout_of
from hiphopss.datasets.musdb18 import training_part
from hiphopss.datasets.roots import all_songs, find_root
from hiphopss.datasets.songs import Song, read_songs
from hiphopss.datasets.testsets import held_out, training_songs
from hiphopss.errors import HiphopssError

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class SongChoice:
    """Which songs of a data set are used, and how unlike their files may be.

    Attributes
    ----------
    part : {"train", "validation"}, optional
        Of MUSDB18's training songs, use only those on which it is customary to validate (13 of the
        14: the other one is a test song of the paper), or only the others; by default all.
    length_tolerance_s : float
        If a song's files differ in length by less than this, in seconds, the longer ones are cut to
        the shortest, with a warning.
    """

    part: str | None = None
    length_tolerance_s: float = LENGTH_TOLERANCE_S

    def __post_init__(self) -> None:
        require_tolerance(self.length_tolerance_s)


def origin_of(dataset: str | Path | Sequence[Song]) -> str:
    """How messages call a data set."""
    return str(dataset) if isinstance(dataset, str | Path) else "these songs"


def select_songs(
    dataset: str | Path | Sequence[Song],
    fidelity: Fidelity,
    subsets: Sequence[str],
    *,
    part: str | None = None,
) -> list[Song]:
    """Choose the songs of a data set from which features are made.

    Parameters
    ----------
    dataset : path-like or sequence of Song
        A root, from which the paper's test songs are left out, or a list of songs.
    fidelity : Fidelity
        Switches of the preset.
    subsets : sequence of str
        Subsets of a root.
    part : str, optional
        Part of MUSDB18's training songs; see :func:`hiphopss.datasets.musdb18.training_part`.

    Returns
    -------
    list of Song
        Training songs, then test songs if their subset was asked for.

    Raises
    ------
    HiphopssError
        If no song is left, two have the same name, or a name is not in UTF-8.

    Logs
    ----
    WARNING
        If songs are left out, or lack vocals or a mixture.
    """
    origin = origin_of(dataset)
    songs: Sequence[Song]
    if isinstance(dataset, str | Path):
        songs = _read_without_tests(dataset, subsets, part)
    else:
        songs = dataset
    songs = list(songs) if part is None else training_part(songs, part)
    for song in songs:
        if _is_no_unicode(song.name):
            raise HiphopssError(
                f"{origin}: the name of the song {song.name!r} is not in UTF-8, as names in "
                "feature files are: rename its folder"
            )
    names = [song.key for song in songs]
    for subset, name in names:
        if names.count((subset, name)) > 1:
            raise HiphopssError(f"{origin}: two songs of {subset} are called {name!r}: rename one")
    if all(song.subset == "Test" for song in songs):
        raise HiphopssError(f"{origin}: no songs to train on: put some in Sources/Dev")
    without = [s.name for s in songs if s.subset != "Test" and "vocals" not in s.stems]
    if without:
        fate = "left out" if fidelity.skip_songs_without_vocals else "their vocals are silence"
        logger.warning("%s: no vocals in %s: %s", origin, ", ".join(without), fate)
    unmixed = [s.name for s in songs if s.subset != "Test" and s.mixture is None]
    if fidelity.normalised_mixture and unmixed:
        logger.warning(
            "%s: no mixture.wav of %s: the stems are taken at their own level",
            *(origin, ", ".join(unmixed)),
        )
    return songs


def _is_no_unicode(name: str) -> bool:
    """Whether a name has bytes that are no text, which Python keeps as lone surrogates."""
    return any("\ud800" <= char <= "\udfff" for char in name)


def _read_without_tests(root: str | Path, subsets: Sequence[str], part: str | None) -> list[Song]:
    """Songs of a data set; Dev songs that are also in Test or in the paper's test are left out."""
    root = find_root(root)
    layout = layout_of(root)
    if part is not None and (layout is None or layout.name != "MUSDB18"):
        raise HiphopssError(f"{root}: has no parts, which are of MUSDB18: leave out --part")
    songs, every = read_songs(root, subsets), all_songs(root)
    papers = held_out(every)
    tests = [song for song in every if song.subset == "Test"] + papers
    dev = [song for song in songs if song.subset != "Test"]
    kept = training_songs(dev, tests)
    dropped = ", ".join(song.name for song in dev if song not in kept)
    if dropped:
        logger.warning(
            "%s: songs of Test, or of the paper's test set, left out of the training: %s",
            *(root, dropped),
        )
    return kept + [song for song in songs if song.subset == "Test" and song not in papers]
