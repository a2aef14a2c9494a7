"""Differences between two models on the same songs.

Conventions
-----------
Scores differ far more between songs than between models, so two models are compared song by song:
the result is the mean of the differences, with the half-width of the 95 % confidence interval of
Student's t over songs. Scores that one of the two models lacks are left out for both. A song's
difference is that of the two models' means over its windows (or medians, if the protocol says so);
the source ``"mean"`` is each song's mean over its four sources, without the accompaniment.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from hiphopss.errors import HiphopssError
from hiphopss.eval.aggregate import (
    MEAN,
    Summary,
    average,
    confidence_interval,
    finite,
    format_summary,
    mean,
    source_order,
)
from hiphopss.eval.protocols import ACCOMPANIMENT, Averaging
from hiphopss.eval.table import METRICS, Row, write_csv
from hiphopss.util.files import written_whole


@dataclass(frozen=True)
class Difference:
    """Difference between two models in one metric.

    Attributes
    ----------
    source : str
        The source, or ``"mean"``.
    metric : str
        One of :data:`hiphopss.eval.table.METRICS`.
    mean : float
        Mean over songs of the model's score minus the other's, in dB.
    ci95 : float or None
        Half the width of its 95 % confidence interval; None for one song.
    n_songs : int
        Number of songs for which both have a score.
    """

    source: str
    metric: str
    mean: float
    ci95: float | None
    n_songs: int


def paired_differences(
    rows: Iterable[Row],
    model: str,
    against: str,
    *,
    subset: str | None = None,
    averaging: Averaging | None = None,
) -> list[Difference]:
    """Compare two models song by song.

    Parameters
    ----------
    rows : iterable of Row
        Rows of a table with both models.
    model, against : str
        Names of the models.
    subset : str, optional
        Use only songs of this subset; by default all songs.
    averaging : Averaging, optional
        The protocol's, of which the windows count; by default means.

    Returns
    -------
    list of Difference
        Differences by source (``"mean"`` last) and metric, for which some song has both scores.

    Raises
    ------
    HiphopssError
        If the table lacks one of the models.
    """
    rows = [row for row in rows if subset in (None, row.subset)]
    for name in (model, against):
        if not any(row.model == name for row in rows):
            known = ", ".join(dict.fromkeys(row.model for row in rows)) or "nothing"
            raise HiphopssError(f"no model named {name!r} in the table: it has {known}")
    other_rows = {row.key[1:]: row for row in rows if row.model == against}
    over_windows = (averaging or Averaging()).windows
    windows = defaultdict(list)  # pairs of scores, by song, source, metric
    for row in rows:
        other = other_rows.get(row.key[1:]) if row.model == model else None
        if other is None:
            continue
        for metric in METRICS:
            pair = finite((getattr(row, metric), getattr(other, metric)))
            if len(pair) == 2:
                windows[(row.subset, row.song), row.source, metric].append(pair)
    stems = defaultdict(list)  # a source's difference, by song, metric
    songs = defaultdict(list)  # a song's difference, by source, metric
    for (song, source, metric), pairs in windows.items():
        own, others = (average(values, over_windows) for values in zip(*pairs, strict=True))
        songs[source, metric].append(own - others)
        if source != ACCOMPANIMENT:
            stems[song, metric].append(own - others)
    for (_, metric), values in stems.items():
        songs[MEAN, metric].append(mean(values))
    order = sorted(songs, key=lambda key: (source_order(key[0]), METRICS.index(key[1])))
    return [
        Difference(*key, mean(songs[key]), confidence_interval(songs[key]), len(songs[key]))
        for key in order
    ]


def paired_path(path: str | Path) -> Path:
    """Path ``<name>_paired.csv`` for the table ``<name>.csv``."""
    path = Path(path)
    return path.with_name(f"{path.stem}_paired.csv")


def write_differences(
    path: str | Path, differences: Mapping[tuple[str, str], Sequence[Difference]], against: str
) -> None:
    """Write differences as CSV: model, baseline, subset, source, metric, mean, interval, n_songs.

    Parameters
    ----------
    path : path-like
        File to write, usually from :func:`paired_path`.
    differences : dict of (str, str) to sequence of Difference
        Differences by model and subset.
    against : str
        Model from which the others differ.

    Raises
    ------
    HiphopssError
        If the folder can't be written to.
    """
    header = ["model", "baseline", "subset", "source", "metric", "mean", "ci95", "n_songs"]
    lines = (
        [model, against, subset, d.source, d.metric, d.mean, d.ci95, d.n_songs]
        for (model, subset), found in differences.items()
        for d in found
    )
    with written_whole(path) as temporary:
        write_csv(temporary, header, lines)


def format_differences(
    differences: Mapping[tuple[str, str], Sequence[Difference]], against: str
) -> str:
    """Format differences as a text table for the terminal, one block for each subset.

    Parameters
    ----------
    differences : dict of (str, str) to sequence of Difference
        Differences by model and subset.
    against : str
        Model from which the others differ.

    Returns
    -------
    str
        Lines without a final newline.
    """
    summaries = []
    for (model, subset), found in differences.items():
        cells = {(d.source, d.metric): d for d in found}
        for source in dict.fromkeys(d.source for d in found):
            of_source = {metric: cells.get((source, metric)) for metric in METRICS}
            summaries.append(
                Summary(
                    model=model,
                    subset=subset,
                    source=source,
                    mean={name: d and d.mean for name, d in of_source.items()},
                    ci95={name: d and d.ci95 for name, d in of_source.items()},
                    n_songs=max(d.n_songs for d in of_source.values() if d),
                )
            )
    return format_summary(summaries, what=f"differences to {against}, mean over songs")
