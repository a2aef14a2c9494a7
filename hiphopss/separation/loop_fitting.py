"""Fits the constants of the loop stage: ``python -m hiphopss.separation.loop_fitting SET...``.

Each SET is one of generated songs (``hiphopss generate SET --set loops``, and ``--set unlooped``
for songs that must not be touched), of which the Dev songs are used, in mono. Each song is heard
once, whole, with the default weights. Then a few seconds of it, spread over the song, are separated
again and again: the constants are tried one after the other, each at a few values (:data:`TRIED`),
and the best value is kept, if it is better by more than :data:`WORTH`.

What grows is the SDR that the loop stage gains over the network alone, measured on spectra, in the
mean over songs and sources. A source that gets worse counts much more than one that gets better
(:func:`objective`), because a song that the loop stage can't help is to be left as it is.

The other constants have values for a reason, and are not fitted:

- ``most_copies``: each copy costs time; with six, what is left of the voices is some 8 dB below one
  of them, and the objective was no lower than with eight.
- ``least_likeness``: a song below it has nothing that repeats for long. It decides whether the loop
  stage is used at all, which no song of a set of clear cases can tell to a decimal.
- ``voice_apart`` and ``voice_alike``: what the network's voices of two places are like if
  different words are sung over the same beat, or if a hook was copied.
"""

from __future__ import annotations

import argparse
import pickle
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np

from hiphopss.config import SOURCES
from hiphopss.datasets.roots import find_root
from hiphopss.datasets.songs import Song, read_songs
from hiphopss.datasets.stems import load_stems
from hiphopss.loops.beat import Constants, Material, split, unleaked
from hiphopss.loops.grid import FRAME, Grid
from hiphopss.loops.parts import Part
from hiphopss.loops.separator import Looped, LoopSeparator, Network
from hiphopss.loops.spool import Spool
from hiphopss.separation.separator import Separator
from hiphopss.util.files import write_text
from hiphopss.util.progress import progress_bar, tell
from hiphopss.util.text import printable
from hiphopss.util.threads import ordered_map, processor_count

TRIED: dict[str, tuple[float, ...]] = {
    "gate": (0.05, 0.1, 0.2, 0.3),
    "sure": (0.6, 0.7, 0.8, 0.9),
    "disagreement": (1.0, 1.5, 2.0, 3.0, 4.0),
    "leakage": (0.25, 0.5, 0.75),
    "few": (0.5, 1.0, 2.0),
    "voice_repeats": (0.01, 0.03, 0.1),
    "rest_repeats": (0.8, 0.85, 0.9, 0.95, 0.97),
    "averaged": (0.0, 0.1, 0.3),
    "floor": (0.005, 0.02, 0.05),
    "rounds": (1, 2, 3, 4, 6),
}
"""Constants that are fitted, and values that are tried."""

WORTH = 0.03
"""What a change must be worth, in dB of the objective."""

ROUNDS = 2
"""How often all constants are tried."""

_LOSS = 0.1  # dB that a source may lose
_PENALTY = 10.0  # for each dB beyond that
_SILENCE = 1e-8  # of the mixture's energy: a source with less isn't scored
_PIECE = 2**16  # samples that the loop stage is given together


@dataclass
class Excerpt:
    """Frames of a song, and what their sources are.

    Attributes
    ----------
    material : Material
        What is known of the frames.
    sources : np.ndarray [shape=(n_sources, n_frames, n_bins)]
        Spectra of the sources.
    """

    material: Material
    sources: np.ndarray

    def alone(self) -> np.ndarray:
        """The network's estimates, as :attr:`sources`."""
        here = self.material.here
        mixture = here.parts[0] + 1j * here.parts[1]
        return here.powers / (here.powers.sum(axis=0) + 1e-12) * mixture

    def separated(self, constants: Constants) -> np.ndarray:
        """The loop stage's estimates, as :attr:`sources`."""
        here, copies, agreements, shares = self.material
        return split(here, copies, agreements, unleaked(shares, constants), constants).stems()[:, 0]


def excerpts(network: Network, song: Song, seconds: float) -> list[Excerpt] | None:
    """Hear a song, and keep some of its frames.

    Parameters
    ----------
    network : Network
        What separates without loops.
    song : Song
        A song with stems; their sum, in mono, is what is heard.
    seconds : float
        Length of what is kept.

    Returns
    -------
    list of Excerpt or None
        Frames spread over the song, with all copies that any value of ``gate`` lets pass; None if
        nothing repeats.
    """
    rate = network.config.sample_rate
    stems = load_stems(song, rate)
    constants = replace(Constants(), gate=min(TRIED["gate"]))
    with Spool((1,), np.float32) as samples:
        samples.append(stems.sum(axis=0)[:, None])
        part = Part(samples, 0, samples.n_records)
        period = LoopSeparator(network, constants).period(part)
        if period is None:
            return None
        with Looped(network, part, period, constants) as looped:
            looped.listen(None)
            longest = max(last - first for first, last in looped.plan) * looped.grid.hop / rate
            n_kept = min(len(looped.plan), max(1, round(seconds / longest)))
            kept = (np.arange(n_kept) + 0.5) / n_kept * len(looped.plan)
            return [
                Excerpt(looped.material(n), _spectra(looped.grid, stems, *looped.plan[n]))
                for n in kept.astype(int)
            ]


def _spectra(grid: Grid, stems: np.ndarray, first: int, last: int) -> np.ndarray:
    begin = int(grid.starts(first, first + 1)[0])
    end = int(grid.starts(last - 1, last)[0]) + FRAME
    low, high = max(begin, 0), min(end, stems.shape[1])
    inside = np.pad(stems[:, low:high], [(0, 0), (low - begin, end - high)])
    return grid.analyse(inside, begin, first, last)


class Ratios:
    """SDR of estimates that arrive in parts; a different gain of the whole is no error."""

    def __init__(self) -> None:
        self._source, self._both, self._estimate = np.zeros((3, len(SOURCES)))

    def add(self, sources: np.ndarray, estimates: np.ndarray) -> None:
        """Count some frames `[shape=(n_sources, n_frames, n_bins)]`."""
        for n, (source, estimate) in enumerate(zip(sources, estimates, strict=True)):
            self._source[n] += np.vdot(source, source).real
            self._both[n] += np.vdot(source, estimate).real
            self._estimate[n] += np.vdot(estimate, estimate).real

    def decibels(self) -> np.ndarray:
        """SDR `[shape=(n_sources,)]`, NaN for silent sources."""
        heard = self._source > _SILENCE * self._source.sum()
        source = np.where(heard, self._source, np.nan)
        target = self._both**2 / source
        return 10 * np.log10((target + 1e-12) / (np.maximum(self._estimate - target, 0) + 1e-12))


def objective(gains: np.ndarray) -> float:
    """What is maximised.

    Parameters
    ----------
    gains : np.ndarray [shape=(n_songs, n_sources)]
        What the SDR gains in dB, NaN for silent sources.

    Returns
    -------
    float
        The mean gain, less ten times what sources lose beyond 0.1 dB each, in the mean.
    """
    lost = np.maximum(-gains - _LOSS, 0)
    return float(np.nanmean(gains) - _PENALTY * np.nanmean(lost))


def improve(
    score: Callable[[list[Any]], list[float]],
    start: Any,
    tried: Mapping[str, Sequence[float]],
    *,
    worth: float = WORTH,
    rounds: int = ROUNDS,
) -> Any:
    """Improve constants one after the other.

    Parameters
    ----------
    score : callable
        Gives the objective of each of some constants.
    start : dataclass
        Constants to start from.
    tried : dict of str to sequence of float
        Values that are tried of some fields.
    worth : float
        A value is kept if it is better by more than this.
    rounds : int
        How often all fields are tried; it ends sooner if nothing changes.

    Returns
    -------
    dataclass
        The best constants.
    """
    best, (highest,) = start, score([start])
    for _ in range(rounds):
        before = best
        for name, values in tried.items():
            others = [replace(best, **{name: v}) for v in values if v != getattr(best, name)]
            if not others:
                continue
            scores = score(others)
            number = int(np.argmax(scores))
            if scores[number] > highest + worth:
                best, highest = others[number], scores[number]
        if best == before:
            break
    return best


class Songs:
    """Songs that were heard, in files of a folder.

    Parameters
    ----------
    folder : Path
        Folder for temporary files.
    """

    def __init__(self, folder: Path):
        self._folder = folder
        self.names: list[str] = []

    def hear(self, songs: Sequence[Song], seconds: float) -> None:
        """Hear songs, and keep ``seconds`` of each in which something repeats."""
        network = Separator.from_weights()
        for song in progress_bar(songs, show=True, desc="hear", unit="song"):
            kept = excerpts(network, song, seconds)
            if kept is not None:
                self._path(len(self.names)).write_bytes(pickle.dumps(kept))
                self.names.append(song.name)

    def gains(self, tried: Sequence[Constants]) -> np.ndarray:
        """What SDR gains `[shape=(n_tried, n_songs, n_sources)]`, in dB."""
        found = np.zeros((len(tried), len(self.names), len(SOURCES)))
        for number in range(len(self.names)):
            kept = pickle.loads(self._path(number).read_bytes())
            alone, loops = Ratios(), [Ratios() for _ in tried]
            for one in kept:
                alone.add(one.sources, one.alone())
            tasks = [
                (one, ratios, c) for one in kept for ratios, c in zip(loops, tried, strict=True)
            ]
            estimates = ordered_map(
                lambda task: task[0].separated(task[2]), tasks, n_threads=processor_count()
            )
            for (one, ratios, _), estimate in zip(tasks, estimates, strict=True):
                ratios.add(one.sources, estimate)
            found[:, number] = [ratios.decibels() - alone.decibels() for ratios in loops]
        return found

    def _path(self, number: int) -> Path:
        return self._folder / str(number)


def as_toml(constants: Constants, made_from: str) -> str:
    """The constants' file, whose comment says what it was made from."""
    lines = [
        "# Constants of the loop stage: hiphopss.loops.beat says what each means. They were fitted",
        "# by `python -m hiphopss.separation.loop_fitting`, which says why some were not, on",
        f"# {made_from}.",
        *(f"{name} = {value!r}" for name, value in asdict(constants).items()),
    ]
    return "\n".join(lines) + "\n"


def table(before: Constants, after: Constants) -> str:
    """What each constant was and is."""
    rows = [(f.name, getattr(before, f.name), getattr(after, f.name)) for f in fields(before)]
    return "\n".join(f"{name:16} {old:8g} {new:8g}" for name, old, new in rows)


def main(arguments: list[str] | None = None) -> None:
    """Fit the constants, tell what they are, and write them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sets", metavar="SET", nargs="+", type=Path)
    parser.add_argument("--seconds", type=float, default=12.0, help="of each song (default: 12)")
    parser.add_argument(
        "--output",
        type=Path,
        default=Path(str(files("hiphopss.loops").joinpath("constants.toml"))),
        help="file to write (default: the constants of this installation)",
    )
    options = parser.parse_args(arguments)
    songs = [song for root in options.sets for song in read_songs(find_root(root), ("Dev",))]
    with tempfile.TemporaryDirectory() as folder:
        heard = Songs(Path(folder))
        heard.hear(songs, options.seconds)
        before = Constants()
        with progress_bar(show=True, desc="fit", unit="trial") as bar:

            def score(tried: list[Constants]) -> list[float]:
                scores = [objective(gains) for gains in heard.gains(tried)]
                bar.update(len(tried))
                bar.set_postfix(objective=f"{max(scores):.3f}")
                return scores

            after = improve(score, before, TRIED)
        gains = heard.gains([before, after])
    for name, old, new in zip(heard.names, *gains, strict=True):
        tell(f"{name}: gains {old.round(2)} dB before, {new.round(2)} dB after")
    for when, found in zip(("before", "after"), gains, strict=True):
        tell(f"{when}: mean gain {np.nanmean(found):.3f} dB, objective {objective(found):.3f} dB")
    tell(table(before, after))
    sets = ", ".join(printable(root.resolve().name) for root in options.sets)
    made_from = (
        f"{options.seconds:g} s of each of {len(heard.names)} songs (of {len(songs)} Dev songs in "
        f"{sets}, the others don't repeat)"
    )
    write_text(options.output, as_toml(after, made_from))


if __name__ == "__main__":
    main()
