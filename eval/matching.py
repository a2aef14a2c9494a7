"""Matching estimates with their references.

Conventions
-----------
Estimates and references are matched by the names of the song's folder and of the stem, never by
their order. Names may differ in case, punctuation and the number in front, so that estimates of
DSD100's songs find their references in MUSDB18. A folder of estimates belongs to one model; its
``separation.json`` records what made them. A baseline has no folder, because its estimates are
computed during scoring.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from hiphopss.config import (
    LOOPS,
    SEPARATION_RECORD,
    SOURCES,
    TRACK_RECORD,
    SeparationRecord,
    TrackRecord,
)
from hiphopss.datasets.layouts import find_audio
from hiphopss.datasets.musdb18 import listed_song as is_known
from hiphopss.datasets.names import few, same_song
from hiphopss.datasets.songs import Song, find_songs, song_folders
from hiphopss.errors import HiphopssError
from hiphopss.eval.baselines.baseline import Baseline
from hiphopss.eval.table import LEAK_NOTE, LOOPS_NOTE
from hiphopss.util.records import read_object, read_record

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Estimates:
    """One model's estimates, matched with their references.

    Attributes
    ----------
    model : str
        Name of the model in tables.
    folder : Path or None
        Folder of the estimates; None if they are computed.
    songs : list of (Song, dict of str to Path)
        Each reference, with the subset for the table, and the estimates by source.
    provenance : dict or None
        Content of ``separation.json``.
    baseline : Baseline or None
        Baseline that computes the estimates.
    """

    model: str
    folder: Path | None
    songs: list[tuple[Song, dict[str, Path]]]
    provenance: dict | None
    baseline: Baseline | None = None

    @classmethod
    def computed(cls, baseline: Baseline, songs: Iterable[Song]) -> Estimates:
        """The estimates of a baseline, which are computed during scoring.

        Parameters
        ----------
        baseline : Baseline
            The model.
        songs : iterable of Song
            Songs, which need their mixtures.
        """
        by_name = sorted(songs, key=lambda song: song.name)
        return cls(baseline.model, None, [(s, {}) for s in by_name], baseline.record, baseline)

    @property
    def trained_on_test(self) -> bool:
        """Whether the model was trained on test songs (Q3), according to its own record."""
        return bool((self.provenance or {}).get("released_test_leak"))

    @property
    def loops(self) -> str | None:
        """Whether the stems were made with loops, one of :data:`hiphopss.config.LOOPS`.

        None if that is not known, because nothing is recorded of how they were made.
        """
        if self.provenance is None:
            return None
        return str(self.provenance.get("loops", SeparationRecord.loops))

    @cached_property
    def looped(self) -> list[str]:
        """Names of the songs whose stems were made with what repeats in them.

        Of a song without a record of its own, that is assumed.
        """
        if self.loops != LOOPS[0]:
            return []
        return [song.name for song, files in self.songs if _may_have_loop(files)]

    @property
    def notes(self) -> list[str]:
        """What the notes of all its rows say."""
        leak, loops = self.trained_on_test, bool(self.looped)
        return [LEAK_NOTE] * leak + [LOOPS_NOTE] * loops


def find_estimates(
    references: str | Path | Sequence[Song],
    folder: str | Path,
    *,
    model: str | None = None,
    subset: str | None = None,
) -> Estimates:
    """Find the estimates in a folder, by song.

    Parameters
    ----------
    references : path-like or sequence of Song
        As in :func:`hiphopss.eval.evaluate`.
    folder : path-like
        Folder with ``<song>/{vocals,bass,drums,other}.wav``.
    model : str, optional
        Name of the model; by default from ``separation.json``, otherwise the folder's name.
    subset : str, optional
        Use only songs of this subset; it is also the label of songs without a subset.

    Returns
    -------
    Estimates
        Estimates of at least one song, by name.

    Raises
    ------
    HiphopssError
        If songs, stems or ``separation.json`` don't match.
    """
    songs = [
        (replace(song, subset=song.subset or subset or ""), estimate_stems(song_folder))
        for song, song_folder in match_songs(references, folder, subset)
    ]
    found = named_estimates(folder, songs, model)
    _tell_known(found)
    return found


def _tell_known(estimates: Estimates) -> None:
    """Log the songs that the model was trained on, according to its own record."""
    trained = (estimates.provenance or {}).get("trained_on", [])
    if estimates.trained_on_test:
        return
    known = [s.name for s, _ in estimates.songs if any(same_song(s.name, t) for t in trained)]
    if known:
        logger.warning(
            "%s: %s was trained on %d of the %d songs that are scored: %s",
            *(estimates.folder, estimates.model, len(known), len(estimates.songs), few(known)),
        )


def named_estimates(
    folder: str | Path, songs: Sequence[tuple[Song, dict[str, Path]]], model: str | None = None
) -> Estimates:
    """Add the model's name and record to matched songs.

    Parameters
    ----------
    folder : path-like
        The model's folder.
    songs : sequence of (Song, dict of str to Path)
        Matched songs, as in :class:`Estimates`.
    model : str, optional
        As in :func:`find_estimates`.

    Returns
    -------
    Estimates
        The songs with the name and record.

    Raises
    ------
    HiphopssError
        If ``separation.json`` can't be read.
    """
    path, provenance = Path(folder) / SEPARATION_RECORD, None
    if path.exists():
        provenance = read_object(path, SeparationRecord, mend="mend or remove it")
    name = str(model or (provenance or {}).get("model") or Path(folder).resolve().name)
    found = Estimates(name, Path(folder), list(songs), provenance)
    if found.looped:
        n_looped, n_songs = len(found.looped), len(found.songs)
        logger.info("%s: loops were used in %d of %d songs", folder, n_looped, n_songs)
    return found


def _may_have_loop(stems: dict[str, Path]) -> bool:
    """Whether the record beside a song's stems says what repeats in it, or can't be read."""
    record = next(iter(stems.values())).parent / TRACK_RECORD if stems else None
    try:
        return record is None or read_record(record, TrackRecord, mend="").loop is not None
    except (HiphopssError, OSError):
        return True


def match_songs(
    references: str | Path | Sequence[Song], estimates: str | Path, subset: str | None = None
) -> list[tuple[Song, Path]]:
    """Pair the folders of estimates with their references, by name.

    Parameters
    ----------
    references, estimates, subset
        As in :func:`hiphopss.eval.evaluate`.

    Returns
    -------
    list of (Song, Path)
        Each song and the folder of its estimates, by name. Reference songs without estimates are
        left out, and a warning is logged.

    Raises
    ------
    HiphopssError
        If estimates have no reference or more than one, or if nothing matches.
    """
    by_name: dict[str, list[Song]] = {}
    if isinstance(references, str | Path):
        told, references = str(references), find_songs(references)
    else:
        told = "the list of songs"
    for song in references:
        by_name.setdefault(song.name, []).append(song)
    pairs: list[tuple[Song, Path]] = []
    matched: dict[tuple[str, str], Path] = {}
    others: list[str] = []  # songs of DSD100 or MUSDB18 that the references don't have
    for folder in song_folders(estimates):
        spellings = (name for name in by_name if same_song(name, folder.name))
        songs = by_name.get(folder.name) or [song for name in spellings for song in by_name[name]]
        if not songs and is_known(folder.name):
            others.append(folder.name)
            continue
        if not songs:
            raise HiphopssError(
                f"{folder}: {told} has no song of this name with stems: name the references first, "
                "then the folder of one model's estimates, <folder>/<song>/<stem>.wav"
            )
        wanted = [song for song in songs if subset in (None, "", song.subset) or not song.subset]
        if len({song.name for song in wanted}) > 1:
            raise HiphopssError(
                f"{folder}: may be any of {', '.join(song.name for song in wanted)}: rename it"
            )
        if len(wanted) > 1:
            raise HiphopssError(
                f"{folder}: is a song of {' and of '.join(song.subset for song in wanted)}: "
                "say which subset is meant"
            )
        for song in wanted:
            if song.key in matched:
                raise HiphopssError(
                    f"{folder}: is the song of {matched[song.key]}, too: take one of them out"
                )
            matched[song.key] = folder
            pairs.append((song, folder))
    if not pairs:
        mend = "separate its mixtures first"
        if any(find_audio(Path(estimates), source) for source in SOURCES):
            mend = "it holds stems itself, so name the folder that this one is in"
        raise HiphopssError(
            f"{estimates}: no folder of estimates for a song of {told}"
            f"{f' ({subset})' if subset else ''}: {mend}"
        )
    if others:
        logger.warning("%s: not in %s, not evaluated: %s", estimates, told, few(others))
    _tell_missing(estimates, by_name, [song for song, _ in pairs])
    return pairs


def _tell_missing(
    estimates: str | Path, by_name: dict[str, list[Song]], matched: Iterable[Song]
) -> None:
    """Log the songs of the matched subsets that have no estimates."""
    keys = {song.key for song in matched}
    subsets = {subset for subset, _ in keys}
    songs = (song for songs in by_name.values() for song in songs)
    missing = [s.name for s in songs if s.subset in subsets and s.key not in keys]
    if missing:
        logger.warning("%s: no estimates, not evaluated: %s", estimates, few(missing))


def estimate_stems(folder: Path) -> dict[str, Path]:
    """Find the estimates of a song, by source.

    Parameters
    ----------
    folder : Path
        The song's folder.

    Returns
    -------
    dict of str to Path
        Estimates in the order of ``SOURCES``.

    Raises
    ------
    HiphopssError
        If an estimate is missing.
    """
    found = {source: find_audio(folder, source) for source in SOURCES}
    stems = {}
    for source, path in found.items():
        if path is None:
            raise HiphopssError(f"{folder / source}.wav: no such file: separate the song again")
        stems[source] = path
    return stems


def require_distinct(models: Sequence[Estimates]) -> None:
    """Check that all models have different names.

    Raises
    ------
    HiphopssError
        If two have the same name.
    """
    names = [estimates.model for estimates in models]
    for name, estimates in zip(names, models, strict=True):
        if names.count(name) > 1:
            raise HiphopssError(
                f"{estimates.folder}: another folder's model is called {name!r} too: "
                "name one with `separate --model NAME`, or in its separation.json"
            )
