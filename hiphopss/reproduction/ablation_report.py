"""The report of an ablation: a table for people, the same as CSV, all scores, and a picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from hiphopss.config import SOURCES, resolve_preset
from hiphopss.eval.aggregate import MEAN, finite_average
from hiphopss.eval.figure import save_figure
from hiphopss.eval.table import Row, write_csv, write_rows
from hiphopss.reproduction.quirks import NULL, Comparison, Effect
from hiphopss.reproduction.report import data_lines, origin, settings_lines
from hiphopss.reproduction.results import Outcome
from hiphopss.reproduction.stages import Stages
from hiphopss.util.files import write_text, written_whole
from hiphopss.util.text import printable

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_CERTAIN, _UNCERTAIN = "#0072B2", "0.45"  # colours of effects that stand out, and of others
_WIDTH_INCHES, _LINE_INCHES = 7.16, 0.26  # two columns of the paper's format; one effect
_MARGIN = 0.08  # of the axis, beyond what must be inside
_SIGNS = {True: "yes", False: "no", None: "can't tell"}


def write_ablation(
    output: Path,
    stages: Stages,
    chosen: Sequence[Comparison],
    scores: dict[int, list[Row]],
    effects: Sequence[Effect],
) -> Outcome:
    """Write the files of an ablation.

    Parameters
    ----------
    output : Path
        Folder of the run.
    stages : Stages
        Settings and data of the run.
    chosen : sequence of Comparison
        Comparisons.
    scores : dict of int to list of Row
        Scores of models and variants, by seed.
    effects : sequence of Effect
        Effects from :func:`hiphopss.reproduction.quirks.measure`.

    Returns
    -------
    Outcome
        The table for people, and the files.
    """
    paths = {
        "ablation": output / "ablation.md",
        "figure": output / "ablation.png",
        "effects": output / "ablation.csv",
        "scores": output / "ablation_scores.csv",
    }
    write_rows(
        paths["scores"],
        [
            replace(row, model=f"{row.model}, seed {seed}")
            for seed, rows in scores.items()
            for row in rows
        ],
    )
    _write_effects(paths["effects"], effects)
    title = "Generated songs, not music" if stages.songs.generated else None
    save_figure(paths["figure"], partial(draw_effects, effects, title=title))
    subsets = dict.fromkeys(effect.subset for effect in effects)
    own = {subset: _own_scores(chosen, scores, subset) for subset in subsets}
    tables = [
        "\n".join(
            [
                *(f"## {subset}", "", *effect_lines(effects, chosen, subset), ""),
                _own_scores_line(own[subset]),
            ]
        )
        for subset in subsets
    ]
    parts = [
        "# What each quirk of the released code does",
        origin(stages),
        _definition(stages),
        "![The effect of each quirk on the mean SDR](ablation.png)",
        *tables,
        _READING,
        "\n".join(["## What was run", "", *settings_lines(stages, list(scores))]),
        "\n".join(data_lines(stages)),
    ]
    write_text(paths["ablation"], printable("\n\n".join(parts), lines=True) + "\n")
    return Outcome("\n\n".join(tables), paths, effects=effects, own_scores=own)


def _definition(stages: Stages) -> str:
    name = resolve_preset(stages.preset).name
    turned = {
        "released": "has all quirks but Q6, and each is taken away",
        "corrected": "has no quirks, and each is added",
    }
    return (
        f"The preset `{name}` {turned[name]} alone. An effect is the mean SDR with the quirk "
        "minus that without it, the same songs and seeds on both sides: **a positive effect means "
        "that the quirk helps**. Q6 is in neither preset; it is added at separation."
    )


def _own_scores(
    chosen: Sequence[Comparison], scores: dict[int, list[Row]], subset: str
) -> dict[str, float]:
    """What the preset's own models score, to which effects can be compared: SDR in dB by model."""
    rows = [row for own in scores.values() for row in own if row.subset == subset]
    found = {}
    for name in dict.fromkeys(comparison.model.name for comparison in chosen):
        value = finite_average(row.SDR for row in rows if row.model == name)
        if value is not None:
            found[name] = value
    return found


def _own_scores_line(found: dict[str, float], n_decimals: int = 2) -> str:
    told = [f"{name} {value:.{n_decimals}f} dB" for name, value in found.items()]
    return f"Mean SDR of the preset's own models, over songs, seeds and sources: {', '.join(told)}."


_READING = """## How to read this

Songs and seeds are two sources of chance. *Over songs* is half the 95 % confidence interval \
(Student's t) of each song's mean over the seeds: what other songs would change. *Over seeds* is \
that of each seed's mean over the songs: what training again would change. An effect stands out \
only if neither interval contains 0; of twenty effects that are nothing, one may still do so. \
The line `null` compares a model with itself, trained with another seed: effects of its size are \
noise (but for Q6: both of its sides have the same weights). Where a quirk did nothing at all \
(`exactly 0`), the two trainings gave the same weights."""


def effect_lines(
    effects: Sequence[Effect], chosen: Sequence[Comparison], subset: str, n_decimals: int = 2
) -> list[str]:
    """Make a Markdown table of the effects on a test set.

    Parameters
    ----------
    effects : sequence of Effect
        Effects of all test sets and sources.
    chosen : sequence of Comparison
        Comparisons, which describe the quirks.
    subset : str
        Test set.
    n_decimals : int
        Number of decimals of effects in dB.

    Returns
    -------
    list of str
        A line for each quirk and model.
    """
    cells = {(e.quirk, e.model, e.source): e for e in effects if e.subset == subset}
    lines = [
        "| quirk | | model | effect, dB SDR | over songs | over seeds | each seed "
        f"| {' | '.join(SOURCES)} | stands out |",
        "|---|---|---|---:|---:|---:|---|" + "---:|" * len(SOURCES) + "---|",
    ]

    def signed(value: float | None) -> str:
        return "-" if value is None else f"{value:+.{n_decimals}f}"

    def half(value: float | None) -> str:
        return "-" if value is None else f"± {value:.{n_decimals}f}"

    for comparison in chosen:
        name, model = comparison.quirk.name, comparison.model.name
        effect = cells.get((name, model, MEAN))
        if effect is None:
            continue
        stems = [cells.get((name, model, source)) for source in SOURCES]
        told = [
            name,
            comparison.quirk.text,
            model,
            f"**{signed(effect.mean)}**" if effect.stands_out else signed(effect.mean),
            half(effect.ci95_songs),
            half(effect.ci95_seeds),
            " ".join(map(signed, effect.by_seed.values())),
            *(signed(stem.mean if stem else None) for stem in stems),
            "exactly 0" if effect.is_nothing else _SIGNS[effect.stands_out],
        ]
        lines.append(f"| {' | '.join(told)} |")
    return lines


def _write_effects(path: Path, effects: Sequence[Effect]) -> None:
    """Write effects as CSV; effects of seeds are one cell, separated by spaces."""
    columns = {
        "quirk": lambda e: e.quirk,
        "model": lambda e: e.model,
        "subset": lambda e: e.subset,
        "source": lambda e: e.source,
        "mean": lambda e: e.mean,
        "ci95_songs": lambda e: e.ci95_songs,
        "n_songs": lambda e: len(e.by_song),
        "ci95_seeds": lambda e: e.ci95_seeds,
        "n_seeds": lambda e: len(e.by_seed),
        "by_seed": lambda e: " ".join(map(repr, e.by_seed.values())),
        "stands_out": lambda e: e.stands_out,
    }
    lines = ([cell(effect) for cell in columns.values()] for effect in effects)
    with written_whole(path) as temporary:
        write_csv(temporary, list(columns), lines)


def draw_effects(effects: Sequence[Effect], *, title: str | None = None) -> Figure:
    """Draw the effects on the mean SDR, with one panel for each test set.

    Parameters
    ----------
    effects : sequence of Effect
        Effects of all test sets.
    title : str, optional
        Title above the panels.

    Returns
    -------
    matplotlib.figure.Figure
        A dot for each quirk and model, with the intervals over songs (thick) and over seeds
        (thin), and a tick for each seed. The grey band is the null comparison's wider interval.
        Intervals over seeds, which are wide with few of them, end in arrows where they are cut off.
    """
    from matplotlib.figure import Figure

    means = [effect for effect in effects if effect.source == MEAN]
    subsets = list(dict.fromkeys(effect.subset for effect in means))
    places = {
        key: place for place, key in enumerate(dict.fromkeys((e.quirk, e.model) for e in means))
    }
    height = 1.2 + _LINE_INCHES * len(places)
    figure = Figure(figsize=(_WIDTH_INCHES, height), layout="constrained")
    panels = figure.subplots(1, len(subsets), sharex=True, sharey=True, squeeze=False)[0]
    panels[0].set_xlim(*_limits(means))
    for axes, subset in zip(panels, subsets, strict=True):
        own = [effect for effect in means if effect.subset == subset]
        for effect in own:
            _draw_effect(axes, effect, places[effect.quirk, effect.model])
        songs = _number(max(len(effect.by_song) for effect in own), "song")
        seeds = _number(max(len(effect.by_seed) for effect in own), "seed")
        axes.set_title(f"{subset or 'All songs'} ({songs}, {seeds})", fontsize=8.5)
        axes.axvline(0, color="0.3", linewidth=0.8, zorder=1)
        axes.grid(axis="x", color="0.85", linewidth=0.5)
        axes.set_axisbelow(True)
        axes.tick_params(axis="y", length=0)
    panels[0].set_yticks(list(places.values()), [f"{q}  {model}" for q, model in places])
    panels[0].set_ylim(len(places) - 0.4, -0.6)
    figure.supxlabel(
        "dB of mean SDR: with the quirk minus without it. Thick: 95 % interval over songs; thin: "
        "over seeds (arrow: cut off);\nticks: each seed. Filled: neither interval contains 0. Grey "
        "band: null, the same model trained with another seed",
        fontsize=7,
    )
    if title:
        figure.suptitle(title, fontsize=9)
    return figure


def _number(n: int, what: str) -> str:
    return f"{n} {what}" if n == 1 else f"{n} {what}s"


def _limits(effects: Sequence[Effect]) -> tuple[float, float]:
    """Limits of the axis: all seeds and all intervals over songs are inside."""
    ends = [0.0]
    for effect in effects:
        half = effect.ci95_songs or 0.0
        ends += [effect.mean - half, effect.mean + half, *effect.by_seed.values()]
    margin = _MARGIN * (max(ends) - min(ends)) or 1.0
    return min(ends) - margin, max(ends) + margin


def _draw_effect(axes: Axes, effect: Effect, place: int) -> None:
    """Draw one line of a panel."""
    songs, seeds = effect.ci95_songs or 0.0, effect.ci95_seeds or 0.0
    middle, colour = effect.mean, _CERTAIN if effect.stands_out else _UNCERTAIN
    if effect.quirk == NULL:
        wider = max(songs, seeds)
        axes.axvspan(middle - wider, middle + wider, color="0.92", linewidth=0, zorder=0)
    low, high = axes.get_xlim()
    ends = max(middle - seeds, low), min(middle + seeds, high)
    axes.hlines(place, *ends, colors=colour, linewidth=0.8)
    inset = 0.008 * (high - low)  # keeps arrows inside the panel
    if ends[0] == low:
        axes.plot(low + inset, place, "<", color=colour, markersize=4)
    if ends[1] == high:
        axes.plot(high - inset, place, ">", color=colour, markersize=4)
    axes.hlines(place, middle - songs, middle + songs, colors=colour, linewidth=2.4, alpha=0.6)
    each = list(effect.by_seed.values())
    axes.plot(each, [place] * len(each), "|", color=colour, markersize=6, markeredgewidth=0.8)
    fill = colour if effect.stands_out else "white"
    axes.plot(middle, place, "o", color=colour, markerfacecolor=fill, markersize=4.5, zorder=3)
