"""A drum machine: synthesised one-shots, patterns, and the sound of the box."""

from __future__ import annotations

from typing import Any

import numpy as np

from hiphopss.datasets.generated.effects import RATE, band, crush, normalise, reverberate, saturate
from hiphopss.datasets.generated.grid import STEPS, Grid
from hiphopss.datasets.generated.tones import add

PARTS = ("kick", "snare", "hat", "open", "perc")
ROLLS = {"r": 2, "t": 3}  # strokes within one sixteenth
ROLL_FORCE = 0.7
METAL = (1840.0, 2800.0, 2950.0, 3320.0, 4110.0, 5910.0)  # Hz, squares that beat like a cymbal


def time_of(seconds: float) -> np.ndarray:
    """Seconds since the hit, for a sound that long [shape=(n_samples,)]."""
    return np.arange(int(seconds * RATE)) / RATE


def falling(time: np.ndarray, decay: float) -> np.ndarray:
    """Exponential decay to -60 dB within ``decay`` seconds."""
    return np.exp(-np.log(1000) / decay * time)


def _kick(facts: dict[str, float], rng: np.random.Generator) -> np.ndarray:
    """A sine that sweeps down, and a click."""
    time = time_of(facts["decay"] * 1.6)
    bend = facts["start"] - facts["end"]
    cycles = facts["end"] * time + bend * facts["sweep"] * (1 - np.exp(-time / facts["sweep"]))
    body = np.sin(2 * np.pi * cycles) * falling(time, facts["decay"] * 1.6)
    click = band(rng.standard_normal(len(time)), low=1200, high=7000) * falling(time, 0.02)
    return saturate(normalise(body + facts["click"] * click), facts["drive"])


def _struck(facts: dict[str, Any], rng: np.random.Generator) -> np.ndarray:
    """Snare or small percussion: a drum head's tones, a band of noise, perhaps a clap."""
    time = time_of(facts["decay"] * 1.5)
    bent = time + 0.004 * (1 - np.exp(-time / 0.01))  # the head is tighter while it is hit
    tones = sum(
        np.sin(2 * np.pi * hz * bent) / (order + 1) for order, hz in enumerate(facts["tones"])
    )
    low, high = facts["noise"]
    noise = normalise(band(rng.standard_normal(len(time)), low=low, high=high))
    mix = min(facts["tone"], 1.0)
    out = mix * tones * falling(time, facts["decay"] * 0.7)
    out += (1 - mix) * 1.4 * noise * falling(time, facts["decay"])
    if facts["clap"] > 0:
        burst = normalise(band(rng.standard_normal(len(time)), low=900, high=4500))
        burst *= facts["clap"] * falling(time, facts["decay"] * 0.6)
        for late in (0.0, 0.011, 0.022, 0.030):
            add(out, burst, int(late * RATE))
    return normalise(out)


def _hat(facts: dict[str, float], decay: float, rng: np.random.Generator) -> np.ndarray:
    """Beating squares and noise, without their low end."""
    time = time_of(decay * 1.3)
    turns = facts["pitch"] * time
    metal = sum(np.sign(np.sin(2 * np.pi * hz * turns + hz)) for hz in METAL) / len(METAL)
    metallic = min(facts["metal"], 1.0)
    raw = metallic * metal + (1 - metallic) * 0.5 * rng.standard_normal(len(time))
    return normalise(band(raw, low=facts["highpass"], order=4) * falling(time, decay))


def one_shots(kit: dict[str, Any], rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Each drum of a kit once, at full force [shape=(n_samples,)]."""
    hat = kit["hat"]
    shots = {
        "kick": _kick(kit["kick"], rng),
        "snare": _struck(kit["snare"], rng),
        "hat": _hat(hat, hat["decay"], rng),
        "open": _hat(hat, hat["open"], rng),
        "perc": _struck(kit["perc"], rng),
    }
    return {part: kit["levels"][part] * shot for part, shot in shots.items()}


def strokes(pattern: str) -> list[tuple[float, float]]:
    """Read a row of a pattern: (position in sixteenths, force 0..1) of each stroke."""
    hits = []
    for step, sign in enumerate(pattern.replace(" ", "")):
        if sign in ROLLS:
            count = ROLLS[sign]
            hits += [(step + stroke / count, ROLL_FORCE) for stroke in range(count)]
        elif sign != ".":
            hits.append((float(step), int(sign) / 9))
    return hits


def row_in(pattern: str, bar: int) -> str:
    """The sixteenths of a bar in a row of a pattern, which repeats."""
    row = pattern.replace(" ", "")
    at = bar * STEPS % len(row)
    return row[at : at + STEPS]


def lasting(pattern: str, bar: int) -> list[tuple[float, float, float]]:
    """(sixteenth, force, length) of each stroke of a bar; each lasts up to the next or the end."""
    hits = strokes(row_in(pattern, bar))
    ends = [position for position, _ in hits[1:]] + [STEPS]
    return [(at, force, end - at) for (at, force), end in zip(hits, ends, strict=True)]


def _bar(
    pattern: dict[str, str], fill: dict[str, str] | None, bar: int
) -> dict[str, list[tuple[float, float]]]:
    """Strokes of one bar; its second half is the fill if there is one."""
    rows = {}
    for part in PARTS:
        row = row_in(pattern[part], bar)
        if fill is not None and part in fill:
            row = row[: STEPS - len(fill[part])] + fill[part]
        rows[part] = strokes(row)
    return rows


def perform(
    grid: Grid,
    bars: list[bool],
    *,
    kit: dict[str, Any],
    pattern: dict[str, str],
    fills: list[dict[str, str]],
    humanise: float,
    rng: np.random.Generator,
) -> tuple[np.ndarray, list[int]]:
    """Play the drums of a song.

    Parameters
    ----------
    grid : Grid
    bars : list of bool
        In which bars the drums play.
    kit, pattern : dict
        Tables ``kits`` and ``patterns`` of the style.
    fills : list of dict
        Each fourth bar ends in one of these or in none.
    humanise : float
        Standard deviation of the timing in seconds; kick and snare stay on the grid.
    rng : np.random.Generator

    Returns
    -------
    x : np.ndarray [shape=(n_samples,)]
    kicks : list of int
        Samples at which the kick hits.
    """
    shots = one_shots(kit, rng)
    out = np.zeros(grid.n_samples)
    kicks = []
    for bar, playing in enumerate(bars):
        fill = None
        if bar % 4 == 3 and rng.random() < 0.8:
            fill = fills[rng.integers(len(fills))]
        if not playing:
            continue
        for part, hits in _bar(pattern, fill, bar).items():
            for position, force in hits:
                start = grid.at(bar * STEPS + position)
                if part == "kick" and start < grid.n_samples:
                    kicks.append(start)
                elif part not in ("kick", "snare"):
                    start += round(humanise * RATE * rng.standard_normal())
                    force *= rng.uniform(0.85, 1.0)
                add(out, force**1.3 * shots[part], start)
    sound = kit["sound"]
    out = band(crush(normalise(out), round(sound["bits"])), high=sound["lowpass"])
    out = saturate(out, sound["drive"])
    out = reverberate(out, decay=sound["room"], wet=sound["wet"], lowpass=6000, rng=rng)
    return out, kicks
