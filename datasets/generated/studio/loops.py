"""Loops, and how they are laid along a song: hit by hit, or as sampled audio."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.signal import oaconvolve

from hiphopss.datasets.generated.effects import RATE
from hiphopss.datasets.generated.grid import STEPS, Grid
from hiphopss.datasets.generated.studio.arranging import Bar
from hiphopss.datasets.generated.tones import add

TIMINGS = ("hits", "loops", "fractions")
EDGE = int(0.004 * RATE)  # slopes of a loop that is cut
TAPS = 64  # of the filter that moves a loop by a fraction of a sample


@dataclass(frozen=True)
class Hit:
    """One sound in a loop.

    Attributes
    ----------
    position : float
        In sixteenths from the loop's start.
    sound : np.ndarray [shape=(n_samples,)]
    force : float
        What it is multiplied by.
    low : bool
        Whether it is the kick, which ducks other parts.
    """

    position: float
    sound: np.ndarray
    force: float
    low: bool = False


@dataclass(frozen=True)
class Loop:
    """A loop of hits, of audio, or of both.

    Attributes
    ----------
    bars : int
        Its length.
    hits : tuple of Hit
    audio : np.ndarray [shape=(n_samples,)] or None
        The loop as it was sampled; longer than its bars if it rings on.
    """

    bars: int
    hits: tuple[Hit, ...] = ()
    audio: np.ndarray | None = None

    def sampled(self, grid: Grid) -> np.ndarray:
        """The loop as audio."""
        if self.audio is not None:
            return self.audio
        ends = [grid.at(hit.position) + len(hit.sound) for hit in self.hits]
        out = np.zeros(max([grid.at(self.bars * STEPS), *ends]))
        for hit in self.hits:
            add(out, hit.force * hit.sound, grid.at(hit.position))
        return out


def shifted(x: np.ndarray, fraction: float) -> np.ndarray:
    """Move a sound later by a fraction of a sample (and by half of the filter's length)."""
    time = np.arange(TAPS) - TAPS // 2 - fraction
    return oaconvolve(x, np.sinc(time) * np.kaiser(TAPS + 1, 8.0)[:TAPS])


def place(out: np.ndarray, x: np.ndarray, time: float, *, whole: bool) -> None:
    """Add a sound at a time in samples, rounded if ``whole``."""
    if whole:
        add(out, x, round(time))
        return
    start = int(np.floor(time))
    add(out, shifted(x, time - start), start - TAPS // 2)


def lay(
    out: np.ndarray, part: str, loops: list[Loop], bars: list[Bar], grid: Grid, timing: str
) -> None:
    """Play a part's loops through the song.

    Parameters
    ----------
    out : np.ndarray [shape=(n_samples,)]
        What they are added to.
    part : str
        Which part of the beat it is.
    loops : list of Loop
        Its loops, as :attr:`Bar.loops` counts them.
    bars : list of Bar
    grid : Grid
    timing : str
        One of ``TIMINGS``.
    """
    if timing == "hits" and all(loop.audio is None for loop in loops):
        for position, hit in hits_of(part, loops, bars):
            add(out, hit.force * hit.sound, grid.at(position))
        return
    sounds = [loop.sampled(grid) for loop in loops]
    for first, last, place_in, variant in _runs(part, loops, bars):
        x = sounds[variant]
        begin = grid.at(place_in * STEPS)
        until = bars[last].plays_until(part)
        whole_end = place_in + last - first + 1 == loops[variant].bars and until == STEPS
        end = len(x) if whole_end else grid.at((place_in + last - first) * STEPS + until)
        x = x[begin:end].copy()
        if begin:
            x[:EDGE] *= np.linspace(0, 1, len(x[:EDGE]))
        if not whole_end:
            x[-EDGE:] *= np.linspace(1, 0, len(x[-EDGE:]))
        start = grid.time((first - place_in) * STEPS)
        place(out, x, start + begin, whole=timing != "fractions")


def hits_of(part: str, loops: list[Loop], bars: list[Bar]) -> list[tuple[float, Hit]]:
    """(position in sixteenths, hit) of everything that a part's loops play in the song."""
    played = []
    for index, bar in enumerate(bars):
        until = bar.plays_until(part)
        if until == 0:
            continue
        loop = loops[bar.loops[part]]
        first = (index - bar.start) % loop.bars * STEPS
        played += [
            (index * STEPS + hit.position - first, hit)
            for hit in loop.hits
            if first <= hit.position < first + until
        ]
    return played


def _runs(part: str, loops: list[Loop], bars: list[Bar]) -> list[tuple[int, int, int, int]]:
    """(first bar, last bar, bar of the loop, variant) of each stretch that one copy plays."""
    runs: list[tuple[int, int, int, int]] = []
    open_run = False
    for index, bar in enumerate(bars):
        if bar.plays_until(part) == 0:
            open_run = False
            continue
        variant = bar.loops[part]
        inside = (index - bar.start) % loops[variant].bars
        if open_run and inside and index != bar.start:
            first, _, place_in, _ = runs[-1]
            runs[-1] = (first, index, place_in, variant)
        else:
            runs.append((index, index, inside, variant))
        open_run = bar.plays_until(part) == STEPS
    return runs
