"""Which estimates belong to which references.

Conventions
-----------
Estimates and references are matched by the names of the song's folder and of the stem, never by
their order. A folder of estimates is one model's; ``separation.json`` in it says what made them. A
baseline has no folder: its estimates are computed when they are scored.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from hiphopss.config import SEPARATION_RECORD, SOURCES
from hiphopss.datasets.songs import Song, find_audio, find_songs, song_folders
from hiphopss.errors import HiphopssError
from hiphopss.eval.baselines.baseline import Baseline
from hiphopss.eval.table import read_json_object

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Estimates:
    """One model's estimates, matched with their references.

    Attributes
    ----------
    model : str
        Its name in tables.
    folder : Path or None
        Where the estimates are; None if they are computed.
    songs : list of (Song, dict of str to Path)
        Reference, with the subset that the table names, and the estimates by source.
    provenance : dict or None
        What ``separation.json`` says.
    baseline : Baseline or None
        What computes them.
    """

    model: str
    folder: Path | None
    songs: list[tuple[Song, dict[str, Path]]]
    provenance: dict | None
    baseline: Baseline | None = None

    @classmethod
    def computed(cls, baseline: Baseline, songs: Iterable[Song]) -> Estimates:
        """What a baseline makes of songs, which is computed when it is scored.

        Parameters
        ----------
        baseline : Baseline
            The model.
        songs : iterable of Song
            They need their mixtures.
        """
        by_name = sorted(songs, key=lambda song: song.name)
        return cls(baseline.model, None, [(s, {}) for s in by_name], baseline.record, baseline)

    @property
    def trained_on_test(self) -> bool:
        """Whether the model was trained on test songs (Q3), by its own record."""
        return bool((self.provenance or {}).get("released_test_leak"))


def find_estimates(
    references: str | Path | Sequence[Song],
    folder: str | Path,
    *,
    model: str | None = None,
    subset: str | None = None,
) -> Estimates:
    """The estimates in a folder, by song.

    Parameters
    ----------
    references : path-like or sequence of Song
        As in :func:`hiphopss.eval.evaluate`.
    folder : path-like
        ``<folder>/<song>/{vocals,bass,drums,other}.wav``.
    model : str, optional
        By default the name in ``separation.json``, else that of the folder.
    subset : str, optional
        Only songs of this subset; songs without one are labelled with it.

    Returns
    -------
    Estimates
        Of one song at least, by name.

    Raises
    ------
    HiphopssError
        If songs, stems or ``separation.json`` don't fit.
    """
    songs = [
        (replace(song, subset=song.subset or subset or ""), estimate_stems(song_folder))
        for song, song_folder in match_songs(references, folder, subset)
    ]
    return named_estimates(folder, songs, model)


def named_estimates(
    folder: str | Path,
    songs: Sequence[tuple[Song, dict[str, Path]]],
    model: str | None = None,
) -> Estimates:
    """Matched songs with the name and the record of the model that made them.

    Parameters
    ----------
    folder : path-like
        The model's folder.
    songs : sequence of (Song, dict of str to Path)
        As in :class:`Estimates`.
    model : str, optional
        As in :func:`find_estimates`.

    Returns
    -------
    Estimates
        All of it.

    Raises
    ------
    HiphopssError
        If ``separation.json`` can't be read.
    """
    provenance = read_json_object(Path(folder) / SEPARATION_RECORD)
    name = str(model or (provenance or {}).get("model") or Path(folder).resolve().name)
    return Estimates(name, Path(folder), list(songs), provenance)


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
        Song and folder of its estimates, in order of name. Reference songs without estimates are
        left out, and a warning is logged.

    Raises
    ------
    HiphopssError
        If estimates have no reference or more than one, or nothing matches.
    """
    by_name: dict[str, list[Song]] = {}
    if isinstance(references, str | Path):
        told, references = str(references), find_songs(references)
    else:
        told = "the list of songs"
    for song in references:
        by_name.setdefault(song.name, []).append(song)
    pairs = []
    for folder in song_folders(estimates):
        songs = by_name.get(folder.name)
        if songs is None:
            raise HiphopssError(
                f"{folder}: {told} has no song of this name with stems: rename or remove the folder"
            )
        wanted = [song for song in songs if subset in (None, "", song.subset) or not song.subset]
        if len(wanted) > 1:
            raise HiphopssError(
                f"{folder}: is a song of {' and of '.join(song.subset for song in wanted)}: "
                "say which subset is meant"
            )
        pairs += [(song, folder) for song in wanted]
    if not pairs:
        raise HiphopssError(
            f"{estimates}: no folder of estimates for a song of {told}"
            f"{f' ({subset})' if subset else ''}: separate its mixtures first"
        )
    _tell_missing(estimates, by_name, [song for song, _ in pairs])
    return pairs


def _tell_missing(
    estimates: str | Path, by_name: dict[str, list[Song]], matched: Iterable[Song]
) -> None:
    """Log which songs of the matched subsets have no estimates."""
    keys = {song.key for song in matched}
    subsets = {subset for subset, _ in keys}
    songs = (song for songs in by_name.values() for song in songs)
    missing = [s.name for s in songs if s.subset in subsets and s.key not in keys]
    if missing:
        logger.warning("%s: no estimates, not evaluated: %s", estimates, ", ".join(missing))


def estimate_stems(folder: Path) -> dict[str, Path]:
    """The estimates of a song, by source.

    Parameters
    ----------
    folder : Path
        The song's folder.

    Returns
    -------
    dict of str to Path
        In the order of ``SOURCES``.

    Raises
    ------
    HiphopssError
        If one is missing.
    """
    found = {source: find_audio(folder, source) for source in SOURCES}
    stems = {}
    for source, path in found.items():
        if path is None:
            raise HiphopssError(f"{folder / source}.wav: no such file: separate the song again")
        stems[source] = path
    return stems


def require_distinct(models: Sequence[Estimates]) -> None:
    """See that no two folders have a model of the same name.

    Raises
    ------
    HiphopssError
        If two have.
    """
    names = [estimates.model for estimates in models]
    for name, estimates in zip(names, models, strict=True):
        if names.count(name) > 1:
            raise HiphopssError(
                f"{estimates.folder}: another folder's model is called {name!r} too: "
                "name one with `separate --model NAME`, or in its separation.json"
            )
