"""Comparing the separations of others with this project's in one table, song by song.

The paper's demo page has, for one song, the true stems and the stems of several models
(docs/released-code.md, section 10). A folder laid out like that page, or any folders of estimates,
are scored on the same samples and compared song by song with one of the models.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from hiphopss.datasets.layouts import plain_name
from hiphopss.datasets.songs import Song, song_at, song_folders
from hiphopss.errors import HiphopssError
from hiphopss.eval.aggregate import Summary, format_summary, summarise, summary_path
from hiphopss.eval.evaluation import Baselines, computed_models, named_folders, write_results
from hiphopss.eval.matching import (
    Estimates,
    estimate_stems,
    find_estimates,
    named_estimates,
    require_distinct,
)
from hiphopss.eval.paired import (
    Difference,
    format_differences,
    paired_differences,
    paired_path,
    write_differences,
)
from hiphopss.eval.protocols import Averaging, Scoring
from hiphopss.eval.scoring import score
from hiphopss.eval.table import Row, csv_path
from hiphopss.util.executor import Executor
from hiphopss.util.files import require_writable

GROUND_TRUTH = "ground_truth"
"""Name of the folder with the true stems on the demo page."""


@dataclass(frozen=True)
class Comparison:
    """Result of :func:`compare`.

    Attributes
    ----------
    rows : list of Row
        Rows of the table.
    summaries : list of Summary
        Means over songs, or what the protocol says instead.
    against : str
        Name of the model with which the others are compared.
    differences : dict of (str, str) to list of Difference
        Differences by model and subset.
    """

    rows: list[Row]
    summaries: list[Summary]
    against: str
    differences: dict[tuple[str, str], list[Difference]]

    def text(self) -> str:
        """Summaries and differences as text tables for the terminal, without a final newline."""
        paired = format_differences(self.differences, self.against)
        return "\n\n".join(part for part in (format_summary(self.summaries), paired) if part)


def compare(
    estimates: str | Path | Sequence[str | Path],
    output: str | Path,
    *,
    references: str | Path | Sequence[Song] | None = None,
    ours: Sequence[str | Path] = (),
    against: str | None = None,
    how: Scoring | None = None,
    where: Executor | None = None,
    baselines: Baselines | None = None,
    subset: str | None = None,
    progress: bool = True,
) -> Comparison:
    """Score models on the same songs, and compare them with one of them.

    Parameters
    ----------
    estimates : path-like or sequence of path-like
        Without ``references``: a folder laid out like the paper's demo page, with
        ``songs/<model>/<stem>.mp3`` and ``songs/ground_truth/<stem>.mp3``, or, with several songs,
        ``songs/<model>/<song>/<stem>.mp3``, in any format; it may also be the folder ``songs``. A
        model's folder may hold a ``separation.json`` as in :func:`hiphopss.eval.evaluate`.
        With ``references``: folders ``<song>/<stem>.wav``, one for each model.
    output : path-like
        Table to write, ``<name>.csv``; ``<name>.json``, ``<name>_summary.csv`` and the differences,
        ``<name>_paired.csv``, are written beside it.
    references : path-like or sequence of Song, optional
        As in :func:`hiphopss.eval.evaluate`.
    ours : sequence of path-like
        More folders of estimates, one for each model. For a page with one song, the stems may be in
        the folder itself, or in the only song folder in it, whatever its name.
    against : str, optional
        Name of the model with which the others are compared; by default the first.
    how, where, baselines, progress
        As in :func:`hiphopss.eval.evaluate`.
    subset : str, optional
        With ``references``, as in :func:`hiphopss.eval.evaluate`; else the label of a page's songs.

    Returns
    -------
    Comparison
        Rows, summaries and differences.

    Raises
    ------
    HiphopssError
        If songs, files or options don't match; the message names them.
    """
    how, where = how or Scoring(), where or Executor()
    how.check()
    where.check()
    require_writable(csv_path(output))
    require_writable(summary_path(output))
    given = [folder for _, folder in named_folders(estimates)]
    if references is not None:
        models = [find_estimates(references, f, subset=subset) for f in [*given, *ours]]
    elif len(given) == 1:
        models = _page_models(Path(given[0]), ours, subset or "")
    else:
        raise HiphopssError(
            f"{len(given)} folders of estimates, but no true stems: give their folder as "
            "references, or one folder laid out as the demo page"
        )
    names = [model.model for model in models]
    against = names[0] if against is None else against
    if against not in names:
        raise HiphopssError(f"no model named {against!r}: choose one of {', '.join(names)}")
    models += computed_models(baselines, references, models)
    require_distinct(models)
    results = score(models, how, where, progress=progress)
    write_results(results, output)
    rows = results.rows
    averaging = how.resolved().averaging
    differences = _differences(rows, against, averaging)
    write_differences(paired_path(output), differences, against)
    return Comparison(rows, summarise(rows, averaging), against, differences)


def _differences(
    rows: Sequence[Row], against: str, averaging: Averaging
) -> dict[tuple[str, str], list[Difference]]:
    """The differences of every other model, by subset, if both models were scored there."""
    scored = dict.fromkeys((row.model, row.subset) for row in rows)
    return {
        (model, subset): paired_differences(
            rows, model, against, subset=subset, averaging=averaging
        )
        for model, subset in scored
        if model != against and (against, subset) in scored
    }


def _page_models(page: Path, ours: Sequence[str | Path], subset: str) -> list[Estimates]:
    """The models of a folder laid out like the demo page, and those in other folders."""
    root = page / "songs" if (page / "songs").is_dir() else page
    truth = root / GROUND_TRUTH
    if not truth.is_dir():
        raise HiphopssError(
            f"{truth}: no such folder: put the true stems there, or give the references' folder"
        )
    songs = _page_songs(page, truth, subset)
    own = [f for f in song_folders(root) if f != truth and (_has_stems(f) or _inner(f))]
    if not own:
        raise HiphopssError(f"{root}: no model's stems beside {GROUND_TRUTH}: put them there")
    return [named_estimates(f, _matched(Path(f), songs, truth)) for f in [*own, *ours]]


def _page_songs(page: Path, truth: Path, subset: str) -> list[Song]:
    """The true stems: one song, named after the page, or several songs in their own folders."""
    if _has_stems(truth):
        whole = page.resolve()
        name = whole.parent.name if whole.name == "songs" else whole.name
        return [song_at(truth, subset=subset, name=name)]
    songs = [song_at(folder, subset=subset) for folder in _inner(truth)]
    if not songs:
        raise HiphopssError(f"{truth}: no stems in it: put vocals, bass, drums and other there")
    return songs


def _matched(
    folder: Path, songs: Sequence[Song], truth: Path
) -> list[tuple[Song, dict[str, Path]]]:
    """Pair a model's stems with their references."""
    inner = _inner(folder)
    if _has_stems(truth):  # one song, which has no name of its own
        if not _has_stems(folder) and len(inner) != 1:
            raise HiphopssError(
                f"{folder}: {len(inner)} songs, but {truth} is one: put the stems into the folder"
            )
        return [(songs[0], estimate_stems(folder if _has_stems(folder) else inner[0]))]
    by_name = {plain_name(song.name): song for song in songs}
    for found in inner:
        if plain_name(found.name) not in by_name:
            raise HiphopssError(
                f"{found}: {truth} has no song of this name: rename or remove the folder"
            )
    if not inner:
        raise HiphopssError(
            f"{folder}: no folders of songs as in {truth}: put the stems into <song>/"
        )
    return [(by_name[plain_name(found.name)], estimate_stems(found)) for found in inner]


def _has_stems(folder: Path) -> bool:
    """Whether the folder itself contains stems."""
    return bool(song_at(folder).stems)


def _inner(folder: Path) -> list[Path]:
    """The folders in a folder that contain stems."""
    return [inner for inner in song_folders(folder) if _has_stems(inner)]
