"""The loops of a beat: drums, bass, chords, melody, further layers and chopped vocals."""

from __future__ import annotations

from typing import Any

import numpy as np
import soxr

from hiphopss.datasets.generated.effects import (
    RATE,
    band,
    crush,
    normalise,
    reverberate,
    saturate,
    vinyl,
    wow,
)
from hiphopss.datasets.generated.grid import STEPS, Grid
from hiphopss.datasets.generated.instruments import drummer
from hiphopss.datasets.generated.instruments.bass import pitch_above
from hiphopss.datasets.generated.instruments.drums import (
    PARTS,
    falling,
    one_shots,
    row_in,
    strokes,
    time_of,
)
from hiphopss.datasets.generated.instruments.keys import LoopPlayer, chord_loop, melody_loop
from hiphopss.datasets.generated.studio.arranging import Bar
from hiphopss.datasets.generated.studio.loops import EDGE, Hit, Loop
from hiphopss.datasets.generated.style import load
from hiphopss.datasets.generated.tones import add, note
from hiphopss.datasets.generated.vocals.rap import Rapper

EXACT = ("kick", "snare")  # on the grid
CHOP_PITCHES = (0.75, 0.84, 1.19, 1.33)  # speeds at which a vocal is sampled


def kit_shots(kit: dict[str, Any], rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Each drum of a kit once, and a cymbal; a kit of a band is sampled, stroke by stroke."""
    if "acoustic" in kit:
        played = drummer.Kit(load("band")["kits"][kit["acoustic"]], rng)
        strokes_of = {part: played.stroke(name, 0.9, 0) for part, name in kit["strokes"].items()}
        shots = {part: kit["levels"][part] * shot for part, shot in strokes_of.items()}
    else:
        shots = one_shots(kit, rng) | {"crash": crash(rng)}
    bits = kit["sound"]["bits"]
    return {part: crush(shot, bits) for part, shot in shots.items()}


def drum_loop(
    shots: dict[str, np.ndarray],
    pattern: dict[str, str],
    n_bars: int,
    *,
    humanise: float,
    grid: Grid,
    rng: np.random.Generator,
) -> Loop:
    """A pattern, with timing and forces that are drawn once.

    Parameters
    ----------
    shots : dict of str to np.ndarray
        Each drum once.
    pattern : dict of str to str
    n_bars : int
    humanise : float
        Standard deviation of the timing in seconds.
    grid : Grid
    rng : np.random.Generator
    """
    hits = []
    for bar in range(n_bars):
        for part in PARTS:
            for at, force in strokes(row_in(pattern[part], bar)):
                if n_bars > 2 and bar == n_bars - 1 and part == "kick" and at >= 8:
                    at = float((at + 3) % 8 + 8)  # the loop's last bar turns around
                position = bar * STEPS + at
                if part not in EXACT:
                    late = humanise * RATE / grid.step * rng.standard_normal()
                    position = max(0.0, position + float(late))
                    force *= rng.uniform(0.8, 1.0)
                hits.append(Hit(position, shots[part], force**1.3, part == "kick"))
    return Loop(n_bars, tuple(hits))


def fill_hits(
    shots: dict[str, np.ndarray], fills: list[dict[str, str]], bars: list[Bar]
) -> list[tuple[float, Hit]]:
    """The drums' fills and cymbals: (position in sixteenths, hit)."""
    played: list[tuple[float, Hit]] = []
    for index, bar in enumerate(bars):
        if bar.crash and bar.stop > 0 and "drums" in bar.loops:
            played.append((index * STEPS, Hit(0.0, shots["crash"], 1.0)))
        if bar.fill < 0:
            continue
        fill = fills[bar.fill]
        for part, row in fill.items():
            for at, force in strokes(row):
                position = (index + 1) * STEPS - len(row) + at
                if position < index * STEPS + bar.stop:
                    hit = Hit(0.0, shots[part], force**1.3, part == "kick")
                    played.append((position, hit))
    return played


def crash(rng: np.random.Generator) -> np.ndarray:
    """A cymbal, at its level among the one-shots."""
    time = time_of(1.8)
    noise = band(rng.standard_normal(len(time)), low=3000, high=14000)
    return 0.4 * normalise(noise * falling(time, 1.8))


def drum_sound(x: np.ndarray, sound: dict[str, float], rng: np.random.Generator) -> np.ndarray:
    """The box's output: what doesn't change with time, so that equal hits stay equal."""
    out = saturate(band(normalise(x), high=sound["lowpass"]), sound["drive"])
    return reverberate(out, decay=sound["room"], wet=sound["wet"], lowpass=6000, rng=rng)


def bass_loop(
    instrument: dict[str, Any],
    line: list[list[int]],
    n_bars: int,
    *,
    tonic: int,
    chords: list[list],
    grid: Grid,
    rng: np.random.Generator,
) -> Loop:
    """A bass line over the chords, with forces that are drawn once.

    Parameters as of :func:`hiphopss.datasets.generated.instruments.bass.perform`.
    """
    register = round(instrument["register"])
    notes: dict[tuple[float, int], np.ndarray] = {}
    hits = []
    for bar in range(n_bars):
        root = pitch_above(register, tonic, chords[bar % len(chords)][0])
        for step, length, height in line:
            key = (root + height, length)
            if key not in notes:
                notes[key] = note(instrument, key[0], int(length * 0.95 * grid.step), rng)
            hits.append(Hit(bar * STEPS + step, notes[key], float(rng.uniform(0.85, 1.0))))
    return Loop(n_bars, tuple(hits))


def key_loop(
    kind: str,
    instrument: dict[str, Any],
    texture: dict[str, Any],
    n_bars: int,
    *,
    harmony: dict[str, Any],
    treatment: dict[str, Any],
    grid: Grid,
    rng: np.random.Generator,
) -> Loop:
    """Chords or a melody, sampled: what the sampler does to it is in the loop.

    Parameters
    ----------
    kind : str
        ``"chords"`` or ``"lead"``.
    instrument, texture : dict
        What plays it and how.
    n_bars : int
    harmony : dict
        ``tonic``, ``chords``, ``qualities`` and ``scale``.
    treatment : dict
        ``humanise`` and ``tail`` in seconds, whether the loop is ``cut`` at its end and whether
        the ``vinyl`` is in the loop.
    grid : Grid
    rng : np.random.Generator
    """
    player = LoopPlayer(instrument, grid, treatment["tail"], rng, n_bars)
    tonic, humanise = harmony["tonic"], treatment["humanise"]
    if kind == "chords":
        chord_loop(player, texture, harmony["chords"], harmony["qualities"], tonic, humanise)
    else:
        melody_loop(player, texture, harmony["scale"], tonic, humanise)
    sample = texture["sample"]
    out = wow(crush(normalise(player.out), sample["bits"]), percent=sample["wow"], rng=rng)
    out = band(out, high=sample["lowpass"])
    if "vowel" in sample:
        formants = [
            band(out, low=0.85 * hz, high=1.18 * hz) / (order + 1)
            for order, hz in enumerate(sample["vowel"])
        ]
        out = normalise(np.sum(formants, axis=0))
    length = grid.at(player.bars * STEPS)
    if treatment["vinyl"] and sample["vinyl"] > 0:
        out[:length] += sample["vinyl"] * normalise(vinyl(length, rng))
    if treatment["cut"]:
        out = out[:length]
        out[-EDGE:] *= np.linspace(1, 0, EDGE)
    return Loop(player.bars, audio=out)


def vocal_chop(
    text: str, voice: dict[str, Any], n_bars: int, *, grid: Grid, rng: np.random.Generator
) -> Loop:
    """A shout that was sampled from elsewhere, at another pitch, on some sixteenths of a loop."""
    rapper = Rapper(voice, grid)
    shout = np.concatenate(rapper.say(text, steps=0).pieces)
    speed = CHOP_PITCHES[rng.integers(len(CHOP_PITCHES))]
    shout = normalise(soxr.resample(shout, RATE * speed, RATE, quality="HQ"))
    slice_ = shout[: int(4 * grid.step)].copy()
    slice_[-EDGE:] *= np.linspace(1, 0, len(slice_[-EDGE:]))
    n_bars = min(n_bars, grid.n_bars)
    out = np.zeros(grid.at(n_bars * STEPS))
    places = np.sort(rng.choice(np.arange(0, n_bars * STEPS, 2), 2 + n_bars // 2, replace=False))
    for turn, place in enumerate(places):
        add(out, slice_ if turn % 3 else shout[: int(8 * grid.step)], grid.at(int(place)))
    return Loop(n_bars, audio=band(out, low=200, high=7000))


def risers(out: np.ndarray, bars: list[Bar], grid: Grid, rng: np.random.Generator) -> None:
    """Noise that rises over a bar and ends where the next section begins."""
    n = grid.at(STEPS)
    rise = np.linspace(0, 1, n) ** 2
    noise = rng.standard_normal(n)
    bright = band(noise, low=5000, high=12000)
    sound = 0.5 * rise * (rise * bright + (1 - rise) * band(noise, low=800, high=3000))
    for index, bar in enumerate(bars):
        if bar.riser:
            add(out, sound, grid.at(index * STEPS))
