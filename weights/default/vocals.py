"""Vocals: phrases of Kokoro ("kokoro") and of people ("speech") as rap, and both sung ("sung").

Rap is speech, faster, at other pitches, on the beat, with doubles, ad-libs, the sound of a
microphone, and effects.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import Path

import numpy as np
import soxr
from scipy.signal import correlate

from hiphopss.datasets.generated.effects import RATE, band, echo, equalise, normalise
from hiphopss.weights.default.effects import (
    add_at,
    colour,
    drive,
    match_octaves,
    read_mono,
    repitch,
    room,
    squeeze,
    without_lows,
)
from hiphopss.weights.default.facts import FACTS, Sources
from hiphopss.weights.default.kokoro import RATE as PHRASE_RATE
from hiphopss.weights.default.plan import SECONDS, Plan, random_for
from hiphopss.weights.default.singing import sing

QUIET = 0.03  # of the peak: what counts as silence at a phrase's ends
PHRASE = (1.2, 4.5)  # seconds of recorded speech that are one phrase
GRAIN = 1024  # samples that are moved together when speech is made faster


def make_vocals(number: int, kind: str, sources: Sources) -> np.ndarray:
    """One song's vocals of a kind."""
    sung = kind == "sung"
    rng = random_for(f"vocals {kind}", number)
    plan = Plan(number, "band" if sung and rng.random() < 0.6 else "beat")
    x = _arranged(plan, _singer(kind, plan, sources, rng), rng)
    if kind != "speech":  # the synthesiser stops at 12 kHz
        x = x + rng.uniform(0, 0.8) * _air(x, rng)
    x = without_lows(x, rng, (60, 160))
    if rng.random() < FACTS["vocals"]["matched"]:
        spread = rng.normal(0, 2.5, len(FACTS["vocals"]["octaves"]["hz"]))
        x = match_octaves(x, FACTS["vocals"]["octaves"], spread)
    x = squeeze(
        x,
        threshold=rng.uniform(-4, 4),
        ratio=rng.uniform(2, 8),
        attack=0.004,
        release=rng.uniform(0.05, 0.15),
    )
    x = colour(x, rng, 4)
    x = equalise(x, kind="mid", hz=rng.uniform(2500, 6000), gain=rng.uniform(0, 5))
    if rng.random() < 0.75:
        x = room(x, rng, (0.15, 1.8), (-28, -12))
    if rng.random() < 0.2:
        delay = int(plan.beat * rng.choice([0.5, 0.75, 1]) * RATE)
        x = echo(x, delay=delay, feedback=0.3, wet=rng.uniform(0.1, 0.3))
    return drive(x, rng, (0.1, 1.5))


def _air(x: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Noise above 9 kHz that follows the consonants."""
    return band(np.abs(band(x, low=4500)) * rng.standard_normal(len(x)), low=9000)


def _singer(
    kind: str, plan: Plan, sources: Sources, rng: np.random.Generator
) -> Callable[[], np.ndarray]:
    """A function that gives one phrase after the other of one voice, at 44.1 kHz."""
    ranges = FACTS["vocals"]["speeds"][kind]
    speed = rng.uniform(*ranges[int(rng.integers(len(ranges)))])
    faster = rng.uniform(1.0, 1.35) if kind == "speech" else 1.0
    centre = rng.uniform(*FACTS["vocals"]["centres"])
    throat = rng.uniform(*FACTS["vocals"]["throats"])
    recorded = kind == "speech" or (kind == "sung" and rng.random() < 0.4)
    found = _recorded(sources, rng) if recorded else _synthesised(sources.phrases, rng)

    def phrase() -> np.ndarray:
        x = next(found)
        if kind == "sung":
            # low voices have long throats, with exceptions
            size = throat * 2 ** ((centre - 58) / 60)
            x = sing(x, plan, centre=centre, throat=size, rng=rng)
        x = repitch(soxr.resample(x, PHRASE_RATE, RATE), speed)
        if faster > 1.05:
            x = _faster(x, faster)
        x = normalise(x)
        loud = np.flatnonzero(np.abs(x) > QUIET)
        return x[loud[0] : loud[-1] + 1] if len(loud) else x

    return phrase


def _synthesised(folder: Path, rng: np.random.Generator) -> Iterator[np.ndarray]:
    phrases = _phrases(folder)
    while True:
        yield phrases[int(rng.integers(len(phrases)))] / 32768


@lru_cache(1)
def _phrases(folder: Path) -> list[np.ndarray]:
    """All synthesised phrases, 16 bit at 24 kHz."""
    found = []
    for path in sorted(folder.glob("kokoro-*.npz")):
        with np.load(path) as bank:
            found += np.split(bank["audio"], bank["ends"])[:-1]
    return found


def _recorded(sources: Sources, rng: np.random.Generator) -> Iterator[np.ndarray]:
    speakers = sources.speakers()
    paths = speakers[str(rng.choice(sorted(speakers)))]
    while True:
        x = _recording(paths[int(rng.integers(len(paths)))])
        n = min(int(rng.uniform(*PHRASE) * PHRASE_RATE), len(x) - 1)
        start = int(rng.integers(len(x) - n))
        start, stop = _nearest_pause(x, start), _nearest_pause(x, start + n)
        if stop - start > PHRASE[0] * PHRASE_RATE / 2:
            yield x[start:stop]


@lru_cache(8)
def _recording(path: Path) -> np.ndarray:
    return read_mono(path, PHRASE_RATE).astype(np.float32)


def _nearest_pause(x: np.ndarray, place: int) -> int:
    """The quietest moment within half a second of a place."""
    reach, width = PHRASE_RATE // 2, PHRASE_RATE // 50
    first = max(place - reach, 0)
    near = x[first : place + reach]
    power = np.add.reduceat(near**2, np.arange(0, len(near), width))
    return first + int(np.argmin(power)) * width


def _arranged(plan: Plan, phrase: Callable[[], np.ndarray], rng: np.random.Generator) -> np.ndarray:
    """Phrases on half bars, with rests, doubled ends and ad-libs."""
    out = np.zeros(int(SECONDS * RATE))
    rests = set(rng.choice(12, int(rng.integers(0, 3)), replace=False).tolist())
    doubled = rng.random() < 0.5
    bar = 0
    while bar < plan.bars:
        if bar % 12 in rests:
            bar += 1
            continue
        x = phrase() * 10 ** (rng.uniform(-2, 2) / 20)
        length = len(x) / RATE / (4 * plan.beat)
        bars = max(1, round(length * rng.uniform(0.9, 1.1) * 2)) / 2
        x = repitch(x, float(np.clip(length / bars, 0.88, 1.14)))
        offset = int(rng.choice([0, 0, 0, 1, 2, -2]))  # -2: an upbeat
        start = plan.at(bar, max(offset, 0)) + min(offset, 0) * plan.beat / 4
        add_at(out, x, start)
        if doubled and rng.random() < 0.4:
            tail = x[-len(x) // 3 :]
            late = (len(x) - len(tail)) / RATE + rng.uniform(0.005, 0.025)
            double = repitch(tail, rng.uniform(0.985, 1.015))
            add_at(out, double, start + late, rng.uniform(0.3, 0.8))
        if rng.random() < 0.1:
            shout = phrase()[: RATE // 2]
            shout = shout * np.linspace(1, 0, len(shout))
            add_at(out, shout, start + rng.uniform(1, 3) * plan.beat, rng.uniform(0.2, 0.5))
        bar += max(1, int(np.ceil(bars - 0.3)))
    return out


def _faster(x: np.ndarray, factor: float) -> np.ndarray:
    """Shorter at the same pitch (WSOLA): grains overlap, each moved to where it fits the last."""
    hop, reach = GRAIN // 2, GRAIN // 4
    window = np.hanning(GRAIN)
    out = np.zeros(int(len(x) / factor) + 2 * GRAIN)
    previous = 0
    for place in range(0, len(out) - GRAIN, hop):
        start = int(place * factor)
        first = max(0, start - reach)
        if first + 2 * GRAIN >= len(x):
            break
        if place:
            wanted = x[previous + hop : previous + hop + GRAIN]
            near = x[first : first + GRAIN + 2 * reach]
            if len(wanted) == GRAIN and len(near) > GRAIN:
                start = first + int(np.argmax(correlate(near, wanted, "valid", "fft")))
        out[place : place + GRAIN] += window * x[start : start + GRAIN]
        previous = start
    return out[: int(len(x) / factor)]
