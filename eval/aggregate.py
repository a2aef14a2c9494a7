"""Means over songs, with 95 % confidence intervals, or medians.

Conventions
-----------
A song's score is the mean over its windows; a summary is the mean over songs, with the half-width
of the 95 % confidence interval of Student's t over songs (the paper's Fig. 1 and section 4 give
means with 95 % confidence intervals). A protocol may say medians instead, which get no interval.
Undefined scores are left out, and so are infinite ones (a window in which no other source sounds
has no interference), because a mean can't use them. The source ``"mean"`` is each song's mean over
its four sources: the accompaniment, which is the sum of three of them, isn't in it. Names identify
songs and sources.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import median

from hiphopss.config import SOURCES
from hiphopss.eval.bss.scores import PAPER_METRICS
from hiphopss.eval.protocols import ACCOMPANIMENT, Averaging
from hiphopss.eval.table import METRICS, Row, write_csv
from hiphopss.util.files import written_whole
from hiphopss.util.text import printable

MEAN = "mean"
"""Name of the row that is the mean over a song's sources."""


@dataclass(frozen=True)
class Summary:
    """Scores of one model on one subset, for one source or their mean.

    Attributes
    ----------
    model, subset, source : str
        The model, subset and source that are summarised.
    mean, ci95 : dict of float or None
        By metric, in dB: the mean over songs (or their median, as ``averaging`` says), and half the
        width of its 95 % confidence interval. None if undefined (without songs; for the interval,
        with fewer than two, and for a median).
    n_songs : int
        Number of songs with a defined SDR.
    averaging : Averaging
        Mean or median over windows, and over songs.
    """

    model: str
    subset: str
    source: str
    mean: dict = field(default_factory=dict)
    ci95: dict = field(default_factory=dict)
    n_songs: int = 0
    averaging: Averaging = field(default_factory=Averaging)


def summarise(rows: Iterable[Row], averaging: Averaging | None = None) -> list[Summary]:
    """Summarise one or more tables.

    Parameters
    ----------
    rows : iterable of Row
        Rows in any order.
    averaging : Averaging, optional
        The protocol's (``Scoring.resolved().averaging``); by default means.

    Returns
    -------
    list of Summary
        Summaries by model and subset in order of first appearance, then by source, ``"mean"`` last.
    """
    averaging = averaging or Averaging()
    windows = defaultdict(list)  # scores of the windows, by model, subset, song, source, metric
    for row in rows:
        key = row.model, row.subset, row.song, row.source
        for metric in METRICS:
            windows[*key, metric].append(getattr(row, metric))
    songs = defaultdict(list)  # a song's score, by model, subset, source, metric
    stems = defaultdict(list)  # a source's score, by model, subset, song, metric
    for (model, subset, song, source, metric), values in windows.items():
        value = finite_average(values, averaging.windows)
        songs[model, subset, source, metric].append(value)
        if source != ACCOMPANIMENT:
            stems[model, subset, song, metric].append(value)
    for (model, subset, _, metric), values in stems.items():
        songs[model, subset, MEAN, metric].append(finite_average(values))
    groups = dict.fromkeys((model, subset) for model, subset, *_ in songs)
    sources = sorted({source for _, _, source, _ in songs}, key=source_order)
    return [
        _summary(songs, *group, source, averaging)
        for group in groups
        for source in sources
        if (*group, source, "SDR") in songs
    ]


def _summary(songs: dict, model: str, subset: str, source: str, averaging: Averaging) -> Summary:
    """Summarise one group of songs' scores."""
    interval = confidence_interval if averaging.songs == "mean" else _no_interval
    values = {metric: finite(songs[model, subset, source, metric]) for metric in METRICS}
    return Summary(
        model=model,
        subset=subset,
        source=source,
        mean={metric: finite_average(values[metric], averaging.songs) for metric in METRICS},
        ci95={metric: interval(values[metric]) for metric in METRICS},
        n_songs=len(values["SDR"]),
        averaging=averaging,
    )


def _no_interval(values: Sequence[float]) -> None:
    """The interval of a median, for which Student's t says nothing."""


def source_order(source: str) -> tuple:
    """Sort key: the known sources in their order, then others by name, then the mean."""
    rank = SOURCES.index(source) if source in SOURCES else len(SOURCES)
    return source == MEAN, rank, source


def finite(values: Iterable[float | None]) -> list[float]:
    """The values that a mean can use."""
    return [value for value in values if value is not None and math.isfinite(value)]


def finite_average(values: Iterable[float | None], kind: str = "mean") -> float | None:
    """Mean or median of the finite values; None if there are none."""
    usable = finite(values)
    return average(usable, kind) if usable else None


def average(values: Sequence[float], kind: str) -> float:
    """Mean or median of at least one value."""
    return mean(values) if kind == "mean" else median(values)


def mean(values: Sequence[float]) -> float:
    """Mean of at least one value, rounded once."""
    return math.fsum(values) / len(values)


def confidence_interval(values: Sequence[float]) -> float | None:
    """Half the width of the 95 % confidence interval of a mean.

    Parameters
    ----------
    values : sequence of float
        One value for each song.

    Returns
    -------
    float or None
        ``t * s / sqrt(n)``, where t is the 97.5 % quantile of Student's t with n - 1 degrees of
        freedom and s the sample's standard deviation; None for fewer than two values.
    """
    n = len(values)
    if n < 2:
        return None
    from scipy.special import stdtrit  # scipy.stats would take a second more to import

    centre = mean(values)
    deviation = math.sqrt(math.fsum((value - centre) ** 2 for value in values) / (n - 1))
    return float(stdtrit(n - 1, 0.975)) * deviation / math.sqrt(n)


def summary_path(path: str | Path) -> Path:
    """Path ``<name>_summary.csv`` for the table ``<name>.csv``."""
    path = Path(path)
    return path.with_name(f"{path.stem}_summary.csv")


def write_summary(path: str | Path, summaries: Iterable[Summary]) -> None:
    """Write summaries as CSV: model, subset, source, mean and interval of each metric, n_songs.

    Columns are called ``SDR_median`` instead of ``SDR_mean`` where medians over songs are meant,
    and the last column, ``windows``, says what a song's score is of its windows.

    Parameters
    ----------
    path : path-like
        File to write, usually from :func:`summary_path`.
    summaries : iterable of Summary
        Summaries in the order of the lines.
    """
    summaries = list(summaries)
    over_songs = summaries[0].averaging.songs if summaries else "mean"
    header = ["model", "subset", "source"]
    header += [f"{metric}_{what}" for metric in METRICS for what in (over_songs, "ci95")]
    header += ["n_songs", "windows"]
    lines = (
        [s.model, s.subset, s.source]
        + [value[metric] for metric in METRICS for value in (s.mean, s.ci95)]
        + [s.n_songs, s.averaging.windows]
        for s in summaries
    )
    with written_whole(path) as temporary:
        write_csv(temporary, header, lines)


def format_summary(summaries: Sequence[Summary], *, what: str | None = None) -> str:
    """Format summaries as a text table for the terminal, one block for each subset.

    Parameters
    ----------
    summaries : sequence of Summary
        Summaries from :func:`summarise`.
    what : str
        Description of the numbers for the heading; by default, what they are averages of.

    Returns
    -------
    str
        Lines without a final newline; ``-`` marks undefined values. A metric has a column only if
        one is defined, but SDR, SIR and SAR always have.
    """
    shown = [
        replace(s, model=printable(s.model), subset=printable(s.subset), source=printable(s.source))
        for s in summaries
    ]
    return "\n\n".join(
        _format_block(what, subset, [s for s in shown if s.subset == subset])
        for subset in dict.fromkeys(s.subset for s in shown)
    )


def _format_block(what: str | None, subset: str, summaries: Sequence[Summary]) -> str:
    """The table of one subset, with a line for each model."""
    averaging = summaries[0].averaging
    interval = " ± half the 95 % confidence interval" if averaging.songs == "mean" else ""
    cells = {(s.model, s.source): s for s in summaries}
    models = list(dict.fromkeys(s.model for s in summaries))
    sources = sorted({s.source for s in summaries} - {MEAN}, key=source_order)
    there = {m for m in METRICS if any(s.mean.get(m) is not None for s in summaries)}
    metrics = [m for m in METRICS if m in there or m in PAPER_METRICS]
    first = max(len(model) for model in [*models, "model"])
    widths = [max(len(source), 6) + 1 for source in sources]
    lines = [
        f"{subset or 'All songs'}: {what or averaging.songs_text}{interval}, in dB",
        f"{'':{first}}      {'SDR of a source':^{sum(widths)}}   mean of the sources",
        f"{'model':{first}} songs"
        + "".join(f"{source:>{width}}" for source, width in zip(sources, widths, strict=True))
        + "".join(f"{metric.replace('_', '-'):>8}{'':6}" for metric in metrics),
    ]
    for model in models:
        mean = cells[model, MEAN]
        line = f"{model:{first}} {mean.n_songs:>5}"
        for source, width in zip(sources, widths, strict=True):
            summary = cells.get((model, source))
            line += f"{_number(summary.mean['SDR'] if summary else None):>{width}}"
        start = len(line)
        for column, metric in enumerate(metrics):
            # A wide interval uses space of the next column, whose position does not change.
            width = max(1, start + 14 * column + 7 - len(line))
            half = mean.ci95[metric]
            line += f" {_number(mean.mean[metric]):>{width}}"
            line += "" if half is None else f" ±{_number(half)}"
        lines.append(line)
    return "\n".join(line.rstrip() for line in lines)


def _number(value: float | None) -> str:
    """A score in dB to two decimals."""
    return "-" if value is None else f"{value:.2f}"
