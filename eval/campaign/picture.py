"""Models against the original network, song by song, as a picture.

Conventions
-----------
One panel for each target, one dot for each song: to the right is better for the original network,
upwards for the model. A dot above the diagonal is a song that the model separates better. Songs on
which the original was trained are hollow. The colours are those of Okabe and Ito.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from hiphopss.eval.campaign.pairs import TARGETS, Beside, Pair
from hiphopss.eval.figure import SETTINGS
from hiphopss.util.files import written_whole

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
_MARKERS = ("o", "s", "^", "D", "v", "P")
_MARGIN_DB = 1.0
_PANEL_INCHES = 2.3


def plot_pairs(beside: Beside, path: str | Path) -> Path:
    """Draw the SDR of each song and write it as PNG.

    Parameters
    ----------
    beside : Beside
        The comparison, with at least one pair.
    path : path-like
        PNG file to write.

    Returns
    -------
    Path
        The file. The same numbers and version of matplotlib give an identical one.
    """
    from matplotlib import rc_context

    with rc_context(SETTINGS):
        figure = draw_pairs(beside)
        with written_whole(path) as temporary:
            figure.savefig(temporary, format="png", dpi=200, metadata={"Software": None})
    return Path(path)


def draw_pairs(beside: Beside) -> Figure:
    """Draw the picture with matplotlib's current settings.

    Parameters
    ----------
    beside : Beside
        The comparison, with at least one pair.

    Returns
    -------
    matplotlib.figure.Figure
        The figure, which pyplot does not manage, so that it need not be closed.
    """
    from matplotlib.figure import Figure

    known = beside.campaign
    shown = [pair for pair in beside.pairs if pair.metric == "SDR"]
    models = list(dict.fromkeys(pair.model for pair in shown))
    targets = [target for target in TARGETS if any(pair.target == target for pair in shown)]
    size = _PANEL_INCHES * len(targets), _PANEL_INCHES + 0.8
    figure = Figure(figsize=size, layout="constrained")
    panels = figure.subplots(1, len(targets), squeeze=False)[0]
    for axes, target in zip(panels, targets, strict=True):
        _draw_panel(axes, [p for p in shown if p.target == target], models, known.trained_on)
        axes.set_title(target, fontsize=8.5)
        axes.set_xlabel(f"{known.original}, SDR in dB")
    panels[0].set_ylabel("model, SDR in dB")
    _add_legend(figure, models)
    notes = [
        f"Each dot is a song, its {beside.average} over windows. Above the line, the model is "
        f"better than {known.original} ({known.title})."
    ]
    if any(pair.subset == known.trained_on for pair in shown):
        notes.append(f"Hollow: {known.trained_on}, on which {known.original} was trained.")
    figure.supxlabel("\n".join(notes), fontsize=6.5, color="0.25")
    return figure


def _draw_panel(axes: Axes, pairs: list[Pair], models: list[str], trained_on: str) -> None:
    """Draw the songs of one target."""
    from matplotlib.ticker import MaxNLocator

    ends = [value for pair in pairs for value in (pair.score, pair.original)]
    limits = min(ends) - _MARGIN_DB, max(ends) + _MARGIN_DB
    axes.plot(limits, limits, color="0.3", linewidth=0.8, zorder=1)
    for pair in pairs:
        colour, marker = _style(models.index(pair.model))
        hollow = pair.subset == trained_on
        axes.plot(
            pair.original,
            pair.score,
            linestyle="none",
            marker=marker,
            markersize=3.6,
            mec=colour if hollow else "white",
            mew=0.7 if hollow else 0.4,
            mfc="none" if hollow else colour,
        )
    axes.set_xlim(*limits)
    axes.set_ylim(*limits)
    axes.set_aspect("equal")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(MaxNLocator(6, integer=True, steps=[1, 2, 5, 10]))
    axes.grid(color="0.85", linewidth=0.5)
    axes.set_axisbelow(True)


def _style(index: int) -> tuple[str, str]:
    """Colour and marker of a model."""
    return _COLOURS[index % len(_COLOURS)], _MARKERS[index % len(_MARKERS)]


def _add_legend(figure: Figure, models: list[str]) -> None:
    """Name the models above the panels."""
    from matplotlib.lines import Line2D

    handles = []
    for index, model in enumerate(models):
        colour, marker = _style(index)
        handles.append(
            Line2D([], [], color=colour, marker=marker, linestyle="none", markersize=4, label=model)
        )
    figure.legend(
        handles=handles, loc="outside upper center", ncols=min(len(handles), 6), frameon=False
    )
