"""The paper's Fig. 1: SDR, SIR and SAR of all models, with one panel for each test set.

Conventions
-----------
Points are means over songs of the mean over sources, and bars are their 95 % confidence intervals.
Values that would compress the rest, such as an interval of two songs or the mixture's SAR, are cut
off and end in an arrow; a mean beyond the axis is written as a number. The colours are those of
Okabe and Ito, which colour-blind people can distinguish; metrics also have different markers.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from pathlib import Path
from textwrap import fill
from typing import TYPE_CHECKING, Any

from hiphopss.errors import HiphopssError
from hiphopss.eval.aggregate import MEAN, Summary
from hiphopss.eval.baselines.bounds import IDEAL_RATIO_MASK, MIXTURE
from hiphopss.eval.baselines.nmf import NMF
from hiphopss.eval.bss.scores import PAPER_METRICS
from hiphopss.eval.protocols import Protocol
from hiphopss.util.files import written_whole

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.typing import RcKeyType

BASELINES = (MIXTURE, NMF, IDEAL_RATIO_MASK)
"""Models that are drawn apart from the others, in this order."""

LEAK_MARK = "†"

_STYLES = {  # colour, marker and marker size of each metric (the sizes look alike)
    "SDR": ("#0072B2", "o", 4.0),
    "SIR": ("#D55E00", "s", 3.8),
    "SAR": ("#009E73", "^", 4.8),
}
_OFFSETS = {"SDR": -0.24, "SIR": 0.0, "SAR": 0.24}
_ARROW_SIZE = 3.4
_SIZE_INCHES = (7.16, 3.3)  # two columns of the paper's format
_BEYOND_DB = 20.0  # a baseline's mean farther than this from all models' is beyond the axis
_INTERVAL_DB = 6.0  # the part of an interval that may widen the axis
_MARGIN_DB = 1.5
SETTINGS: dict[RcKeyType, Any] = {
    "font.family": "DejaVu Sans",  # included in matplotlib, so the figure looks the same everywhere
    "font.size": 7.5,
    "axes.linewidth": 0.6,
    "svg.hashsalt": "hiphopss",
    "svg.fonttype": "path",
}
"""Settings of matplotlib for all pictures of scores."""


def plot_fig1(
    summaries: Sequence[Summary],
    path: str | Path,
    *,
    subsets: Sequence[str] | Mapping[str, str],
    models: Sequence[str],
    marks: Collection[str] = (),
    title: str | None = None,
    protocol: Protocol | None = None,
) -> list[Path]:
    """Draw the figure and write it as PNG and as SVG.

    Parameters
    ----------
    summaries : sequence of Summary
        Summaries from :func:`hiphopss.eval.summarise`.
    path : path-like
        ``<name>.png``, ``<name>.svg`` or ``<name>``: both are written.
    subsets : sequence of str, or mapping of str to str
        Subset of each panel, from left to right (two test sets in the paper); a mapping also gives
        the panels' titles.
    models : sequence of str
        Trained models, from left to right. The mixture, NMF and the ideal ratio mask follow at some
        distance, if they have scores.
    marks : collection of str
        Models that were trained on test songs (Q3), which get a dagger and a footnote.
    title : str, optional
        Title above the panels.
    protocol : Protocol, optional
        How the scores were made, ``Scoring(...).resolved()``, which the footnote then says.

    Returns
    -------
    list of Path
        The PNG and the SVG. The same numbers and version of matplotlib give identical files.

    Raises
    ------
    HiphopssError
        If a subset or a model has no scores, or the folder can't be written to.
    """
    draw = partial(
        draw_fig1,
        summaries,
        subsets=subsets,
        models=models,
        marks=marks,
        title=title,
        protocol=protocol,
    )
    return save_figure(path, draw)


def save_figure(path: str | Path, draw: Callable[[], Figure]) -> list[Path]:
    """Write a figure as PNG and as SVG, in the style that all figures share.

    Parameters
    ----------
    path : path-like
        ``<name>.png``, ``<name>.svg`` or ``<name>``: both are written.
    draw : callable
        Draws the figure with matplotlib's current settings.

    Returns
    -------
    list of Path
        The PNG and the SVG.

    Raises
    ------
    HiphopssError
        If the folder can't be written to.
    """
    from matplotlib import rc_context

    stem = Path(path)
    stem = stem.with_suffix("") if stem.suffix.lower() in (".png", ".svg") else stem
    files = [stem.with_name(f"{stem.name}{suffix}") for suffix in (".png", ".svg")]
    with rc_context(SETTINGS):
        figure = draw()
        for file in files:  # the second is drawn where the first one's parts were laid out
            with written_whole(file) as temporary:
                # Leave out dates, so that the same figure is the same file.
                metadata = {"Date": None} if file.suffix == ".svg" else {"Software": None}
                figure.savefig(temporary, dpi=300, metadata=metadata)
            figure.set_layout_engine("none")
    return files


def draw_fig1(
    summaries: Sequence[Summary],
    *,
    subsets: Sequence[str] | Mapping[str, str],
    models: Sequence[str],
    marks: Collection[str] = (),
    title: str | None = None,
    protocol: Protocol | None = None,
) -> Figure:
    """Draw the figure with matplotlib's current settings.

    Parameters
    ----------
    summaries, subsets, models, marks, title, protocol
        As in :func:`plot_fig1`.

    Returns
    -------
    matplotlib.figure.Figure
        The figure, which pyplot does not manage, so that it need not be closed.

    Raises
    ------
    HiphopssError
        If a subset or a model has no scores.
    """
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    titles = dict(subsets) if isinstance(subsets, Mapping) else {name: name for name in subsets}
    cells = {(s.subset, s.model): s for s in summaries if s.source == MEAN}
    trained = [name for name in models if name not in BASELINES]
    _require_scores(cells, titles, trained)
    baselines = [n for n in BASELINES if any((subset, n) in cells for subset in titles)]
    figure = Figure(figsize=_SIZE_INCHES, layout="constrained")
    panels = figure.subplots(1, len(titles), sharey=True, squeeze=False)[0]
    panels[0].set_ylim(*_limits(cells, titles, trained, baselines))
    clipped = False
    for axes, (subset, heading) in zip(panels, titles.items(), strict=True):
        shown = {model: cells.get((subset, model)) for model in [*trained, *baselines]}
        clipped |= _draw_panel(axes, shown, len(trained), marks)
        n_songs = max(summary.n_songs for summary in shown.values() if summary)
        songs = "1 song" if n_songs == 1 else f"{n_songs} songs"
        axes.set_title(f"{heading or 'All songs'} ({songs})", fontsize=8.5)
    panels[0].set_ylabel("dB")
    panels[0].yaxis.set_major_locator(MaxNLocator(integer=True, steps=[1, 2, 5, 10]))
    notes = _notes(summaries[0], protocol, clipped, set(marks) & set(trained))
    _annotate(figure, title, notes)
    return figure


def _require_scores(cells: dict, subsets: Collection[str], models: Sequence[str]) -> None:
    """Raise if a panel would be empty, or if a model would be in no panel."""
    if not subsets or not models:
        raise HiphopssError("the figure needs a subset and a model: name one of each at least")
    for subset in subsets:
        if not any((subset, model) in cells for model in models):
            known = ", ".join(dict.fromkeys(repr(name) for name, _ in cells)) or "nothing"
            raise HiphopssError(f"no scores of subset {subset!r}: the table has {known}")
    for model in models:
        if not any((subset, model) in cells for subset in subsets):
            known = ", ".join(dict.fromkeys(name for _, name in cells))
            raise HiphopssError(f"no scores of model {model!r}: the table has {known}")


def _limits(
    cells: dict, subsets: Collection[str], models: Sequence[str], baselines: Sequence[str]
) -> tuple[float, float]:
    """Limits of the axis that all panels share, in dB."""
    centres, ends = [0.0], [0.0]
    for group in (models, baselines):
        low, high = min(centres), max(centres)
        for subset in subsets:
            for summary in filter(None, (cells.get((subset, model)) for model in group)):
                for metric in PAPER_METRICS:
                    mean, half = summary.mean[metric], summary.ci95[metric] or 0.0
                    near = mean is not None and low - _BEYOND_DB <= mean <= high + _BEYOND_DB
                    if near or (mean is not None and group is models):
                        centres.append(mean)
                        ends += [mean - half, mean + half]
    low = max(min(ends), min(centres) - _INTERVAL_DB)
    high = min(max(ends), max(centres) + _INTERVAL_DB)
    return min(low, min(centres)) - _MARGIN_DB, max(high, max(centres)) + _MARGIN_DB


def _draw_panel(
    axes: Axes, shown: dict[str, Summary | None], n_trained: int, marks: Collection[str]
) -> bool:
    """Draw one test set; return whether anything was cut off."""
    gap = 0.5  # between the trained models and the others
    places = [i + gap * (i >= n_trained) for i in range(len(shown))]
    for number, place in enumerate(places):
        if number % 2:
            axes.axvspan(place - 0.5, place + 0.5, color="0.95", linewidth=0, zorder=0)
    if n_trained < len(shown):
        axes.axvline(places[n_trained] - 0.5 - gap / 2, color="0.3", linewidth=0.8)
    axes.axhline(0, color="0.3", linewidth=0.6, zorder=1)
    clipped = False
    for place, summary in zip(places, shown.values(), strict=True):
        if summary is None:
            continue
        for metric in PAPER_METRICS:
            mean, half = summary.mean[metric], summary.ci95[metric]
            if mean is not None:
                clipped |= _draw_score(axes, metric, place + _OFFSETS[metric], mean, half or 0.0)
    labels = [fill(name, 12) + LEAK_MARK * (name in marks) for name in shown]
    axes.set_xticks(places, labels, rotation=40, ha="right", rotation_mode="anchor")
    axes.set_xlim(places[0] - 0.6, places[-1] + 0.6)
    axes.tick_params(axis="x", length=0, pad=2)
    axes.grid(axis="y", color="0.85", linewidth=0.5)
    axes.set_axisbelow(True)
    return clipped


def _draw_score(axes: Axes, metric: str, x: float, mean: float, half: float) -> bool:
    """Draw a mean and its interval; return whether anything was cut off."""
    colour, marker, size = _STYLES[metric]
    low, high = axes.get_ylim()
    inset = 0.015 * (high - low)  # keeps arrows inside the panel
    style: dict[str, Any] = {"color": colour, "linestyle": "none", "clip_on": False}
    if not low <= mean <= high:
        above = mean > high
        end, inwards = (high, -1) if above else (low, 1)
        arrow = "^" if above else "v"
        axes.plot(x, end + inwards * inset, marker=arrow, markersize=_ARROW_SIZE, **style)
        axes.annotate(
            f"{mean:.0f}",
            (x, end),
            xytext=(0, inwards * 7),
            textcoords="offset points",
            ha="center",
            va="top" if above else "bottom",
            fontsize=6,
            color=colour,
        )
        return True
    bottom, top = mean - half, mean + half
    axes.vlines(x, max(bottom, low), min(top, high), color=colour, linewidth=1.1)
    cut = False
    ends = ((bottom, low + inset, "v"), (top, high - inset, "^")) if half else ()
    for end, inside, arrow in ends:
        if low <= end <= high:
            axes.plot(x, end, marker="_", markersize=4, markeredgewidth=0.9, **style)
        else:
            axes.plot(x, inside, marker=arrow, markersize=_ARROW_SIZE, **style)
            cut = True
    axes.plot(x, mean, marker=marker, markersize=size, mec="white", mew=0.4, zorder=3, **style)
    return cut


def _notes(
    summary: Summary, protocol: Protocol | None, clipped: bool, marked: Collection[str]
) -> str:
    """The footnotes."""
    averages = summary.averaging.songs_text.capitalize()
    if summary.averaging.songs == "mean":
        averages += " with 95 % confidence intervals"
    notes = [f"{averages}."]
    if clipped:
        notes.append("Arrows: beyond the axis.")
    if marked:
        notes.append(f"{LEAK_MARK} trained on test songs (Q3).")
    lines = ["  ".join(notes)]
    if protocol is not None:  # a line of its own, because both would be wider than the figure
        lines.insert(0, f"Protocol {protocol.name}: {protocol.what}.")
    return "\n".join(lines)


def _annotate(figure: Figure, title: str | None, notes: str) -> None:
    """Add the legend above and the footnotes below."""
    from matplotlib.lines import Line2D

    handles = [
        Line2D([], [], color=colour, marker=marker, markersize=size, linewidth=1.1, label=metric)
        for metric, (colour, marker, size) in _STYLES.items()
    ]
    # Make the title that of the legend: the layout would put a figure's own title over the legend.
    figure.legend(
        handles=handles,
        loc="outside upper center",
        ncols=len(handles),
        frameon=False,
        title=title,
        title_fontsize=9.5,
    )
    figure.supxlabel(notes, fontsize=6.5, color="0.25")
