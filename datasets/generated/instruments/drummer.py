"""Played drums: an acoustic kit that answers to force, a drummer's hands, and microphones."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.fft import irfft, next_fast_len, rfft

from hiphopss.datasets.generated.effects import (
    RATE,
    band,
    compress,
    normalise,
    reverberate,
    saturate,
)
from hiphopss.datasets.generated.grid import STEPS, Grid
from hiphopss.datasets.generated.instruments.drums import falling, row_in, strokes, time_of
from hiphopss.datasets.generated.tones import add

CYMBALS = ("hat", "half", "open", "pedal", "ride", "bell", "crash")
PARTS = ("kick", "snare", "stick", "tom1", "tom2", "tom3", *CYMBALS, "shaker")
HATS = ("hat", "half", "open", "pedal")  # each stroke on it ends the one before
LAYERS = 8  # levels of force that sound different
TAKES = 3  # different strokes of one force
REFLECTIONS = 9
MEMORY = 0.7  # of a drummer's deviations, from one stroke to the next


def _head(
    time: np.ndarray,
    hz: float,
    bend: float,
    modes: list[float],
    decay: float,
    rng: np.random.Generator,
) -> np.ndarray:
    """A drum head: modes that start high, because the blow tightens it, and die one by one."""
    settle = 0.025
    cycles = hz * (time + bend * settle * (1 - np.exp(-time / settle)))
    out = np.zeros(len(time))
    for order, ratio in enumerate(modes):
        level = rng.uniform(0.8, 1.2) / (1 + 1.3 * order)
        wave = np.sin(2 * np.pi * ratio * cycles + rng.uniform(0, 0.3))
        out += level * wave * falling(time, decay / (1 + 0.6 * order))
    return out


def _noise(
    time: np.ndarray, low: float, high: float, decay: float, rng: np.random.Generator
) -> np.ndarray:
    """A band of decaying noise with a peak of about 1."""
    out = np.zeros(len(time))
    heard = time[time < 1.3 * decay]
    x = band(rng.standard_normal(len(heard)), low=low, high=high)
    out[: len(heard)] = normalise(x) * falling(heard, decay)
    return out


def _kick(facts: dict[str, Any], force: float, rng: np.random.Generator) -> np.ndarray:
    """Head and beater; a harder blow bends the head and brightens the beater."""
    time = time_of(facts["decay"] * 1.3)
    out = _head(
        time, facts["hz"], facts["bend"] * (0.5 + force), [1, 1.6, 2.3], facts["decay"], rng
    )
    beater = _noise(time, 700, facts["beater_hz"] * (0.5 + 0.7 * force), 0.025, rng)
    return normalise(out) + facts["beater"] * (0.3 + force) * beater


def _snare(facts: dict[str, Any], force: float, rng: np.random.Generator) -> np.ndarray:
    """Head and wires; the wires of a ghost note are dark and short."""
    time = time_of(facts["wires_decay"] * 1.6)
    ratios = [hz / facts["modes"][0] for hz in facts["modes"]]
    out = _head(time, facts["modes"][0], 0.3 * force, ratios, facts["decay"], rng)
    low, high = facts["wires_band"]
    decay = facts["wires_decay"] * (0.55 + 0.45 * force)
    wires = _noise(time, low, high * (0.35 + 0.65 * force), decay, rng)
    snap = _noise(time, 2500, 14000, 0.012, rng)
    return normalise(out) * (1 - 0.3 * force) + facts["wires"] * wires + 0.5 * force * snap


def _stick(facts: dict[str, Any], force: float, rng: np.random.Generator) -> np.ndarray:
    """The stick laid across the snare's rim: wood."""
    time = time_of(0.12)
    out = _head(time, 2.1 * facts["modes"][0], 0.0, [1, 2.3, 4.1], 0.07, rng)
    return normalise(out + 0.5 * _noise(time, 1500, 6000, 0.02, rng))


def _tom(facts: dict[str, Any], hz: float, force: float, rng: np.random.Generator) -> np.ndarray:
    time = time_of(facts["decay"] * 1.3)
    out = normalise(_head(time, hz, 0.6 * force, [1, 1.59, 2.14, 2.65], facts["decay"], rng))
    return out + facts["stick"] * (0.2 + force) * _noise(time, 800, 5000, 0.03, rng)


def _cymbal(
    facts: dict[str, Any], decay: float, force: float, rng: np.random.Generator
) -> np.ndarray:
    """Dense noise in bands that die the sooner the higher they are, and some clear partials."""
    n = next_fast_len(int(min(decay * 1.1, 4.0) * RATE), real=True)
    time = np.arange(n) / RATE
    spectrum = rfft(rng.standard_normal(n))
    octaves = np.log2(np.maximum(np.arange(len(spectrum)) * RATE / n, 1.0))
    out = np.zeros(n)
    for order, centre in enumerate(np.log2(np.geomspace(facts["low"], 15000, 6))):
        weight = np.exp(-0.5 * ((octaves - centre) / 0.45) ** 2)
        level = 10 ** ((facts["tilt"] * order * (1.6 - force)) / 20)
        noise = normalise(irfft(spectrum * weight, n))
        out += level * noise * falling(time, decay * (1.0 - 0.09 * order))
    out *= 1 - np.exp(-time / (0.0005 + facts["bloom"]))  # a cymbal takes some time to fill
    for hz in facts["partials"]:
        wave = np.sin(2 * np.pi * hz * rng.uniform(0.99, 1.01) * time + rng.uniform(0, 6))
        out += facts["clear"] * wave * falling(time, decay * 0.6)
    tick = _noise(time, 3000, 16000, 0.01, rng)
    return normalise(normalise(out) + facts["tick"] * force * tick)


class Kit:
    """An acoustic kit; each stroke is made when it is first asked for.

    Parameters
    ----------
    facts : dict
        One of the bands' ``kits``.
    rng : np.random.Generator
    """

    def __init__(self, facts: dict[str, Any], rng: np.random.Generator):
        self.facts, self.seed = facts, int(rng.integers(2**31))
        self._strokes: dict[tuple[str, int, int], np.ndarray] = {}

    def stroke(self, part: str, force: float, take: int) -> np.ndarray:
        """One stroke at its level.

        Parameters
        ----------
        part : str
            One of ``PARTS``.
        force : float
            0..1.
        take : int
            Strokes of the same force differ by their take.

        Returns
        -------
        x : np.ndarray [shape=(n_samples,)]
        """
        layer = max(1, round(force * LAYERS))
        key = (part, layer, take % TAKES)
        if key not in self._strokes:
            rng = np.random.default_rng([self.seed, PARTS.index(part), layer, take % TAKES])
            self._strokes[key] = self._make(part, layer / LAYERS, rng)
        return self.facts["levels"][part] * force**1.4 * self._strokes[key]

    def _make(self, part: str, force: float, rng: np.random.Generator) -> np.ndarray:
        facts = self.facts
        if part == "kick":
            return _kick(facts["kick"], force, rng)
        if part == "snare":
            return _snare(facts["snare"], force, rng)
        if part == "stick":
            return _stick(facts["snare"], force, rng)
        if part.startswith("tom"):
            return _tom(facts["toms"], facts["toms"]["hz"][int(part[3]) - 1], force, rng)
        if part == "shaker":
            time = time_of(0.12)
            return _noise(time, 5000, 14000, 0.1, rng) * np.minimum(1, time / 0.015)
        cymbal = facts[{"ride": "ride", "bell": "bell", "crash": "crash"}.get(part, "hats")]
        decay = cymbal["decay"] if part in ("ride", "bell", "crash") else cymbal[part]
        return _cymbal(cymbal, decay, force, rng)


class _Hands:
    """A drummer's deviations: slow ones that last over strokes, and a limb's own lateness.

    The facts give ``jitter`` and ``late`` (in seconds) and ``dynamics`` (share of a force).
    """

    def __init__(self, facts: dict[str, Any], rng: np.random.Generator):
        self.facts, self.rng = facts, rng
        self.timing = self.dynamics = 0.0

    def play(self, part: str, position: float, force: float) -> tuple[float, float]:
        """Seconds that a stroke is late, and its force, from what is written."""
        innovation = np.sqrt(1 - MEMORY**2)
        self.timing = MEMORY * self.timing + innovation * self.rng.standard_normal()
        self.dynamics = MEMORY * self.dynamics + innovation * self.rng.standard_normal()
        late = self.facts["late"].get(part, 0.0) + self.facts["jitter"] * self.timing
        if part in ("hat", "ride", "shaker") and position % 4 >= 1:
            force *= self.facts["weak"]  # between the beats the hand falls, not strikes
        force *= 1 + self.facts["dynamics"] * self.dynamics
        return late, float(np.clip(force, 0.08, 1.0))


def _fill(
    rows: dict[str, list[tuple[float, float]]], fill: dict[str, str]
) -> dict[str, list[tuple[float, float]]]:
    """The fill in place of the last sixteenths of a bar."""
    length = len(next(iter(fill.values())))
    start = STEPS - length
    kept = {part: [hit for hit in hits if hit[0] < start] for part, hits in rows.items()}
    for part, row in fill.items():
        hits = [(start + at, force) for at, force in strokes(row)]
        kept[part] = kept.get(part, []) + hits
    return kept


def score(
    sections: list[str],
    bars: list[bool],
    groove: dict[str, dict[str, str]],
    fills: list[dict[str, str]],
    rng: np.random.Generator,
) -> list[tuple[float, str, float]]:
    """What is played: (position in sixteenths, part, force) of each stroke, in order.

    A section ends in a fill and the next begins with a crash; some other fourth bars have a fill.

    Parameters
    ----------
    sections : list of str
        Name of each bar's section.
    bars : list of bool
        In which bars the drums play.
    groove : dict of str to dict of str to str
        Patterns of a section (``verse``, ``hook``) by part.
    fills : list of dict
        One of these ends a section.
    rng : np.random.Generator
    """
    played = []
    for bar, section in enumerate(sections):
        fill = fills[rng.integers(len(fills))]
        also = rng.random() < 0.35
        if not bars[bar]:
            continue
        patterns = groove["hook" if section == "hook" else "verse"]
        rows = {part: strokes(row_in(row, bar)) for part, row in patterns.items()}
        ends = bar + 1 < len(sections) and sections[bar + 1] != section
        if ends or (bar % 4 == 3 and also):
            rows = _fill(rows, fill)
        if bar and (sections[bar - 1] != section or not bars[bar - 1]):
            rows["crash"] = [(0.0, 0.9)]
        played += [
            (bar * STEPS + at, part, force) for part, hits in rows.items() for at, force in hits
        ]
    return sorted(played)


def _room(x: np.ndarray, facts: dict[str, float], rng: np.random.Generator) -> np.ndarray:
    """What a distant microphone hears: early reflections and the room's tail, compressed."""
    out = np.zeros(len(x))
    for late in np.sort(rng.uniform(0.004, 0.032, REFLECTIONS)):
        add(out, rng.uniform(0.4, 1.0) * rng.choice([-1, 1]) * x, int(late * RATE))
    out = band(out, low=90, high=facts["dark"], order=1)
    out = reverberate(out, decay=facts["decay"], wet=1.0, lowpass=facts["dark"], rng=rng)
    return compress(normalise(out), threshold=-24, ratio=4.0)


def _recorded(
    close: np.ndarray, cymbals: np.ndarray, mics: dict[str, Any], rng: np.random.Generator
) -> np.ndarray:
    """The sum of the microphones: those near the drums, the overheads, the room."""
    overhead = cymbals + mics["bleed"] * band(close, low=200)
    out = close + mics["overhead"] * overhead
    room = _room(close + 0.7 * cymbals, mics["room"], rng)
    if power := np.mean(room**2):
        out += mics["room"]["level"] * np.sqrt(np.mean(out**2) / power) * room
    return saturate(normalise(out), mics["drive"])


def perform(
    grid: Grid,
    sections: list[str],
    bars: list[bool],
    *,
    kit: dict[str, Any],
    groove: dict[str, dict[str, str]],
    fills: list[dict[str, str]],
    hands: dict[str, Any],
    rng: np.random.Generator,
) -> tuple[np.ndarray, list[int]]:
    """Play the drums of a song.

    Parameters
    ----------
    grid : Grid
    sections, bars, groove, fills, rng
        As of :func:`score`; the groove is one of the style's ``grooves``.
    kit : dict
        One of the bands' ``kits``.
    hands : dict
        How the drummer plays.

    Returns
    -------
    x : np.ndarray [shape=(n_samples,)]
    kicks : list of int
        Samples at which the kick hits.
    """
    drums, player = Kit(kit, rng), _Hands(hands, rng)
    close, cymbals = np.zeros(grid.n_samples), np.zeros(grid.n_samples)
    kicks, ringing = [], None
    for position, part, force in score(sections, bars, groove, fills, rng):
        late, force = player.play(part, position, force)
        start = max(0, grid.at(position) + round(late * RATE))
        x = drums.stroke(part, force, int(rng.integers(TAKES)))
        if part == "kick" and start < grid.n_samples:
            kicks.append(start)
        if part in HATS:
            if ringing is not None:
                add(cymbals, _choked(*ringing, start), ringing[1])
            ringing = (x, start)
        else:
            add(cymbals if part in CYMBALS else close, x, start)
    if ringing is not None:
        add(cymbals, *ringing)
    return _recorded(close, cymbals, kit["mics"], rng), kicks


def _choked(x: np.ndarray, start: int, end: int) -> np.ndarray:
    """A hat that the next stroke on it stops."""
    n = max(0, end - start)
    if n >= len(x):
        return x
    fade = np.linspace(1, 0, int(0.015 * RATE))
    x = x[: n + len(fade)].copy()
    x[n:] *= fade[: len(x) - n]
    return x
