"""Draws docs/adapt.png: ``python -m hiphopss.adaptation.figure WORK [--init FILE]``.

Weights are adapted to 1, 2, 5 and 13 songs of a generated producer whose style nothing shipped has
heard, and separate other songs of that producer, and songs of other styles. Everything that is made
is kept in WORK, so that an interrupted run goes on.
"""

from __future__ import annotations

import argparse
import csv
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hiphopss.adaptation.adapting import adapt
from hiphopss.adaptation.material import Piece, load_pieces
from hiphopss.adaptation.measuring import sdr_of
from hiphopss.adaptation.settings import AdaptationSettings
from hiphopss.config import SOURCES
from hiphopss.datasets.generated import generate
from hiphopss.datasets.songs import read_songs
from hiphopss.errors import HiphopssError
from hiphopss.eval.figure import save_figure
from hiphopss.util.files import write_text
from hiphopss.weights.files import read_weights
from hiphopss.weights.registry import resolve_weights

if TYPE_CHECKING:
    from matplotlib.figure import Figure

logger = logging.getLogger(__name__)

SIZES = (1, 2, 5, 13)
SECONDS = 30.0
SEED = 5000  # no training of shipped weights has songs of this seed


@dataclass(frozen=True)
class TestSet:
    """Songs that are separated, and how they are drawn."""

    __test__ = False  # for pytest

    collection: str
    title: str
    colour: str
    marker: str
    n_dev: int
    n_test: int


TEST_SETS = (
    TestSet("nocturne", "the producer's other songs", "#0072B2", "o", 13, 8),
    TestSet("hhds", "another producer's songs", "#D55E00", "s", 1, 5),
    TestSet("dsd100", "bands' songs of many styles", "#009E73", "^", 1, 6),
)

Scores = dict[tuple[int, int, str], np.ndarray]
"""SDR `[shape=(n_songs, n_sources)]` by number of songs heard, draw, and collection."""


def root_of(work: Path, test_set: TestSet) -> Path:
    """The folder of a generated set, which is made if it does not exist."""
    root = work / f"{test_set.collection}-{SEED}"
    if not root.exists():
        generate(
            root,
            collection=test_set.collection,
            seconds=SECONDS,
            n_dev=test_set.n_dev,
            n_test=test_set.n_test,
            seed=SEED,
        )
    return root


def measured(work: Path, init: Path, n_draws: int, settings: AdaptationSettings) -> Scores:
    """Adapt to each number of songs, in some draws of the songs, and score all test sets."""
    roots = {test_set.collection: root_of(work, test_set) for test_set in TEST_SETS}
    rate = read_weights(init)[0].config.sample_rate
    tests = {
        name: load_pieces(read_songs(root, ("Test",)), rate, progress=False)
        for name, root in roots.items()
    }
    producer = read_songs(roots[TEST_SETS[0].collection], ("Dev",))
    scores = {(0, 0, name): _scores(init, pieces, work) for name, pieces in tests.items()}
    for draw in range(n_draws):
        order = np.random.default_rng(draw).permutation(len(producer))
        for size in SIZES:
            if size == len(producer) and draw:
                continue  # all songs are drawn, so that the draws would be one
            path = work / f"{read_weights(init)[0].sha256[:8]}-{size}-{draw}.weights.h5"
            if not path.exists():
                try:
                    found = adapt([producer[n] for n in order[:size]], path, settings, init=init)
                    logger.info("%d songs, draw %d\n%s", size, draw, found.text())
                except HiphopssError as error:
                    logger.warning("%d songs, draw %d: %s", size, draw, error)
            used = path if path.exists() else init  # what is worse isn't used
            for name, pieces in tests.items():
                scores[size, draw, name] = _scores(used, pieces, work)
    return scores


def _scores(path: Path, pieces: Sequence[Piece], work: Path) -> np.ndarray:
    """SDR of each piece's sources; what is computed is kept in a file."""
    info, arrays = read_weights(path)
    kept = work / "scores" / f"{info.sha256[:16]}-{pieces[0].name[:3]}{len(pieces)}.npy"
    kept.parent.mkdir(exist_ok=True)
    if not kept.exists():
        np.save(kept, np.stack([sdr_of(piece, info, [arrays])[0] for piece in pieces]))
    return np.load(kept)


def interval(songs: np.ndarray) -> tuple[float, float]:
    """Mean over songs `[shape=(n_songs,)]`, and half its 95 % interval of Student's t."""
    from scipy.stats import t

    half = t.ppf(0.975, len(songs) - 1) * songs.std(ddof=1) / np.sqrt(len(songs))
    return float(songs.mean()), float(half)


def by_song(scores: Scores, size: int, collection: str) -> np.ndarray:
    """Mean SDR of each song over sources and draws `[shape=(n_songs,)]`."""
    draws = [
        np.nanmean(s, axis=1)
        for (n, _, name), s in scores.items()
        if (n, name) == (size, collection)
    ]
    return np.mean(draws, axis=0)


def draw_adaptation(scores: Scores) -> Figure:
    """Draw mean SDR against the number of songs that were heard."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4.6, 3.2), layout="constrained")
    axes = figure.subplots()
    sizes = (0, *SIZES)
    for index, test_set in enumerate(TEST_SETS):
        places = np.arange(len(sizes)) + 0.12 * (index - 1)
        means, halves = zip(
            *(interval(by_song(scores, size, test_set.collection)) for size in sizes), strict=True
        )
        axes.errorbar(
            places,
            means,
            halves,
            color=test_set.colour,
            marker=test_set.marker,
            markersize=4.5,
            markeredgecolor="white",
            markeredgewidth=0.4,
            linewidth=1.1,
            capsize=2.5,
            label=test_set.title,
        )
        for (size, _, name), found in scores.items():
            if name == test_set.collection and size:
                place = places[sizes.index(size)] + 0.06
                style: dict[str, Any] = {"markersize": 2.2, "color": test_set.colour, "alpha": 0.6}
                axes.plot(place, np.nanmean(found), marker=".", linestyle="none", **style)
    axes.set_xticks(range(len(sizes)), map(str, sizes))
    axes.set_xlabel("songs of the producer that the weights were adapted to, 30 s each")
    axes.set_ylabel("mean SDR of songs not heard, dB")
    axes.grid(axis="y", color="0.85", linewidth=0.5)
    axes.set_axisbelow(True)
    figure.legend(frameon=False, loc="outside upper center", ncols=2)
    return figure


def table(scores: Scores) -> str:
    """The numbers of the figure, in Markdown."""
    sources = " | ".join(SOURCES)
    lines = [
        f"| test songs | songs heard | mean SDR, dB | each draw | {sources} |",
        f"|---|---:|---:|---|{'---:|' * len(SOURCES)}",
    ]
    for test_set in TEST_SETS:
        for size in (0, *SIZES):
            key = size, test_set.collection
            found = [s for (n, _, name), s in scores.items() if (n, name) == key]
            mean, half = interval(by_song(scores, *key))
            draws = " ".join(f"{np.nanmean(s):.2f}" for s in found)
            each = " | ".join(f"{x:.2f}" for x in np.nanmean(np.concatenate(found), axis=0))
            lines.append(
                f"| {test_set.title} | {size} | {mean:.2f} ± {half:.2f} | {draws} | {each} |"
            )
    return "\n".join(lines) + "\n"


def main(arguments: list[str] | None = None) -> None:
    """Adapt, score, and write the figure and its numbers into WORK."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("work", type=Path)
    parser.add_argument("--init")
    parser.add_argument("--draws", type=int, default=3)
    parser.add_argument("--steps", type=int, default=AdaptationSettings.steps)
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    options.work.mkdir(parents=True, exist_ok=True)
    settings = AdaptationSettings(steps=options.steps)
    scores = measured(options.work, resolve_weights(options.init), options.draws, settings)
    with open(options.work / "scores.csv", "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(("collection", "songs", "draw", "song", *SOURCES))
        for (size, draw, name), found in scores.items():
            for number, row in enumerate(found):
                writer.writerow((name, size, draw, number, *(f"{x:.4f}" for x in row)))
    write_text(options.work / "adapt-table.md", table(scores))
    save_figure(options.work / "adapt", lambda: draw_adaptation(scores))


if __name__ == "__main__":
    main()
