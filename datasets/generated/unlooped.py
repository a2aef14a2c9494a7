"""What keeps a song from repeating: a moving tempo, bars of their own, tape, time stretching."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.interpolate import CubicSpline
from scipy.signal import oaconvolve

from hiphopss.datasets.generated.effects import RATE
from hiphopss.datasets.generated.grid import STEPS, Grid
from hiphopss.datasets.generated.style import draw, load
from hiphopss.datasets.generated.tones import add

MEMORY = 0.6  # of a bar's tempo, from one bar to the next
MODULATION = 8  # bars between two changes of key in a composed song
STROKES_CHANGED = 0.25  # share of a composed bar's sixteenths
SWAYS = ((0.5, 1.0), (1.8, 0.12), (7.0, 0.01))  # of tape: Hz and depth, relative to the slowest
RESPONSE = 4096  # samples of a response that changes phases
PHASE_WIDTH = 90.0  # Hz over which its phases are alike
CROSSFADE = int(0.02 * RATE)


@dataclass(frozen=True)
class WanderingGrid(Grid):
    """A metre whose tempo moves.

    Attributes
    ----------
    ahead : tuple of float
        For each bar line, by how many sixteenths the players are ahead of the mean tempo.
    """

    ahead: tuple[float, ...] = (0.0,)

    def time(self, position: float) -> float:
        """Sample at which a position in sixteenths lies."""
        bars = position / STEPS
        last = len(self.ahead) - 1
        bar = min(max(int(bars), 0), last)
        share = min(max(bars - bar, 0.0), 1.0)
        ahead = self.ahead[bar] + share * (self.ahead[min(bar + 1, last)] - self.ahead[bar])
        return super().time(position) - ahead * self.step


def unrepeated(
    kind: str, chosen: dict[str, Any], grid: Grid, rng: np.random.Generator
) -> tuple[dict[str, Any], Grid]:
    """A band's song in the way that ``unlooped.toml`` describes.

    Parameters
    ----------
    kind : str
        A table of ``unlooped.toml``; empty leaves the song as it is, and draws nothing.
    chosen : dict
        From :func:`hiphopss.datasets.generated.band.choose`.
    grid : Grid
    rng : np.random.Generator
    """
    if not kind:
        return chosen, grid
    facts = draw(rng, load("unlooped")[kind])
    chosen = {"kind": kind, **facts, **chosen}
    if facts.get("composed"):
        chosen |= _composed(chosen, grid.n_bars, rng)
    if "wander" in facts:
        grid = _wandering(grid, facts["wander"], facts.get("drift", 0.0), rng)
    return chosen, grid


def _wandering(grid: Grid, wander: float, drift: float, rng: np.random.Generator) -> Grid:
    """A grid whose bars are longer and shorter than the mean."""
    n = grid.n_bars + 2
    bars = np.empty(n)
    state = 0.0
    for bar in range(n):
        state = MEMORY * state + math.sqrt(1 - MEMORY**2) * rng.standard_normal()
        bars[bar] = wander * state
    ramp = drift * (np.arange(n) / (n - 1) - 0.5) * rng.choice([-1.0, 1.0])
    ahead = np.concatenate([[0.0], np.cumsum(STEPS * (bars + ramp))])
    return WanderingGrid(
        grid.sample_rate,
        grid.tempo,
        grid.swing,
        grid.n_samples,
        tuple((ahead - ahead.min()).tolist()) if ahead.min() < 0 else tuple(ahead.tolist()),
    )


def _composed(chosen: dict[str, Any], n_bars: int, rng: np.random.Generator) -> dict[str, Any]:
    """A chord and a bar of drums for each bar, none of which comes again with the others."""
    progression = chosen["progression"]
    known = [*progression["verse"], *progression["hook"]]
    chords, key = [], 0
    for bar in range(n_bars):
        if bar and bar % MODULATION == 0:
            key = (key + int(rng.choice([2, 3, 5, 7, 10]))) % 12
        root, quality = known[rng.integers(len(known))]
        chords.append([(root + key) % 12, quality])
    groove = {
        section: {part: _rewritten(row, n_bars, rng) for part, row in rows.items()}
        for section, rows in chosen["groove"].items()
        if section != "name"
    }
    return {
        "progression": {**progression, "verse": chords, "hook": chords},
        "groove": {"name": chosen["groove"]["name"], **groove},
    }


def _rewritten(row: str, n_bars: int, rng: np.random.Generator) -> str:
    """A row of a groove for each bar, with some strokes left out and others added."""
    strokes = (row.replace(" ", "") * (n_bars * STEPS // len(row) + 1))[: n_bars * STEPS]
    signs = list(strokes)
    for step in np.flatnonzero(rng.random(len(signs)) < STROKES_CHANGED):
        signs[step] = "." if signs[step] != "." else str(rng.integers(3, 9))
    return "".join(signs)


def taped(
    stems: dict[str, np.ndarray], depth: float, rng: np.random.Generator
) -> dict[str, np.ndarray]:
    """The same stems from a tape whose speed sways, all of them together.

    Parameters
    ----------
    stems : dict of str to np.ndarray [shape=(..., n_samples)]
    depth : float
        Seconds by which they are early or late (standard deviation).
    rng : np.random.Generator
    """
    n = next(iter(stems.values())).shape[-1]
    late = np.zeros(n)
    for hz, size in SWAYS:
        count = int(n / RATE * hz * 2) + 4
        knots = np.linspace(0, n, count)
        late += CubicSpline(knots, size * depth * RATE * rng.standard_normal(count))(np.arange(n))
    place = np.clip(np.arange(n) + late, 0, n - 1)
    return {
        source: np.apply_along_axis(lambda y: np.interp(place, np.arange(n), y), -1, x)
        for source, x in stems.items()
    }


def stretched(x: np.ndarray, period: float, rng: np.random.Generator) -> np.ndarray:
    """The same sound with other phases in each copy of a loop, as time stretching leaves it.

    Parameters
    ----------
    x : np.ndarray [shape=(..., n_samples)]
    period : float
        Samples after which the loop begins again.
    rng : np.random.Generator
    """
    n = x.shape[-1]
    out = np.zeros_like(x)
    slope = np.sin(np.linspace(0, np.pi / 2, CROSSFADE)) ** 2
    for turn in range(int(n / period) + 1):
        begin, end = round(turn * period), min(n, round((turn + 1) * period) + CROSSFADE)
        if end - begin <= CROSSFADE:
            break
        piece = x[..., begin:end].copy()
        if begin:
            piece[..., :CROSSFADE] *= slope
        if end < n:
            piece[..., -CROSSFADE:] *= slope[::-1]
        response = _dispersion(rng)
        moved = oaconvolve(piece, response.reshape((1,) * (x.ndim - 1) + (-1,)), axes=-1)
        for target, source in zip(np.atleast_2d(out), np.atleast_2d(moved), strict=True):
            add(target, source, begin - RESPONSE // 2)
    return out


def _dispersion(rng: np.random.Generator) -> np.ndarray:
    """A response that passes all frequencies alike, with phases that wander [shape=(n,)]."""
    hz = np.arange(RESPONSE // 2 + 1) * RATE / RESPONSE
    knots = np.arange(0, RATE / 2 + PHASE_WIDTH, PHASE_WIDTH)
    phase = np.interp(hz, knots, rng.uniform(-np.pi, np.pi, len(knots)))
    return np.roll(np.fft.irfft(np.exp(1j * phase)), RESPONSE // 2)
