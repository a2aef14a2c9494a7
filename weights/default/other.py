"""Everything else: of the soundfont ("gm"), the same as a sampled record ("vinyl"), synthesisers
("synth"), and guitars, organs, pianos and strings as a band plays them ("played")."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np
from scipy.signal import sawtooth, square

from hiphopss.datasets.generated.effects import RATE, band
from hiphopss.weights.default.effects import (
    add_at,
    colour,
    drive,
    read_mono,
    repitch,
    rms_of,
    room,
    squeeze,
    without_lows,
)
from hiphopss.weights.default.facts import FACTS, Sources
from hiphopss.weights.default.plan import SECONDS, STEPS, Plan, random_for
from hiphopss.weights.default.soundfont import Played, play

SCRATCHES = ("vinyl_scratch", "vinyl_rewind", "vinyl_backspin")


def make_other(number: int, kind: str, sources: Sources) -> np.ndarray:
    """One song's other instruments of a kind."""
    played = kind == "played"
    plan = Plan(number, "band" if played else "beat")
    rng = random_for(f"other {kind}", number)
    out = np.zeros(int(SECONDS * RATE))
    for layer in range(int(rng.choice([1, 2, 3, 4], p=[0.25, 0.35, 0.25, 0.15]))):
        if played:
            x = _band_layer(plan, sources.soundfont, rng)
        elif kind == "synth":
            x = _synthesised(_layer(plan, layer, rng), rng)
        else:
            families = FACTS["other"]["families"]
            shares = [family["share"] for family in families]
            programs = families[int(rng.choice(len(families), p=shares))]["programs"]
            x = play(sources.soundfont, _layer(plan, layer, rng), int(rng.choice(programs)))
        x = x / rms_of(x) * rng.uniform(0.3, 1)
        if not played and rng.random() < 0.3:
            x = drive(x, rng, (0.5, 3)) * rms_of(x)
        out += x
    if kind == "vinyl":
        out = _as_sample(out, plan, sources.samples, rng)
    out = colour(without_lows(out, rng, (60, 250)), rng, 5)
    if rng.random() < 0.7:
        out = room(out, rng, (0.3, 2.5), (-20, -6))
    if rng.random() < 0.5:
        out = squeeze(
            out,
            threshold=rng.uniform(-3, 4),
            ratio=rng.uniform(2, 4),
            attack=0.01,
            release=0.15,
        )
    return drive(out, rng, (0.1, 1.2))


def _layer(plan: Plan, layer: int, rng: np.random.Generator) -> list[Played]:
    """One part: chords held, stabbed or broken, a melody or a riff."""
    manner = rng.choice(["pad", "stab", "arpeggio", "melody", "riff"])
    octave = int(rng.choice([48, 60]))
    steps = sorted(rng.choice(STEPS, int(rng.integers(2, 7)), replace=False).tolist())
    riff = [(step, int(rng.integers(0, 8))) for step in steps]
    stabs = rng.choice(STEPS, int(rng.integers(1, 4)), replace=False).tolist()
    n_notes = 4 if rng.random() < 0.5 else 3
    rests = set(rng.choice(8, int(rng.integers(0, 4)), replace=False).tolist())
    notes: list[Played] = []

    def add(start: float, beats: float, key: int) -> None:
        notes.append(Played(start, beats * plan.beat, key, int(rng.uniform(60, 112))))

    for bar in range(plan.bars):
        if layer and bar % 8 in rests:
            continue
        chord = [octave + pitch for pitch in plan.chord(bar, n_notes)]
        if manner == "pad":
            for i, key in enumerate(chord):
                add(plan.at(bar, 0) + 0.012 * i, 3.95, key)
        elif manner == "stab":
            for step in stabs:
                for key in chord:
                    add(plan.at(bar, step), 0.5, key)
        elif manner == "arpeggio":
            for i, step in enumerate(range(0, STEPS, 2)):
                add(plan.at(bar, step), 0.4, 12 + chord[i % n_notes])
        elif manner == "melody":
            places = rng.choice(STEPS, int(rng.integers(2, 7)), replace=False)
            for step in sorted(places.tolist()):
                key = octave + 12 + plan.pitch(int(rng.integers(0, 8)))
                add(plan.at(bar, step), rng.uniform(0.3, 1.2), key)
        else:
            degree = plan.chords[bar % len(plan.chords)]
            for step, above in riff:
                add(plan.at(bar, step), 0.6, octave + plan.pitch(degree + above))
    return notes


def _band_layer(plan: Plan, font: Path, rng: np.random.Generator) -> np.ndarray:
    """One musician of a band, who plays what that instrument plays."""
    seats = FACTS["other"]["seats"]
    seat = seats[int(rng.choice(len(seats), p=[seat["share"] for seat in seats]))]
    manner = str(rng.choice(seat["manners"]))
    octave, loose = int(rng.choice(seat["octaves"])), rng.uniform(0.003, 0.012)
    notes: list[Played] = []

    def add(bar: int, step: int, sixteenths: float, key: int) -> None:
        start = max(plan.at(bar, step) + rng.normal(0, loose), 0)
        notes.append(Played(start, sixteenths * plan.beat / 4, key, int(rng.uniform(65, 115))))

    steps = sorted({0, *rng.choice(range(0, STEPS, 2), 4, replace=False).tolist()})
    for bar in range(plan.bars):
        chord = [octave + pitch % 12 for pitch in plan.chord(bar)]
        if manner == "power":  # roots and fifths in eighths
            for step in range(0, STEPS, 2):
                for key in (chord[0] - 12, chord[0] - 5, chord[0]):
                    add(bar, step, rng.uniform(0.8, 2), key)
        elif manner == "strum":
            for step in steps:
                for i, key in enumerate([*chord, chord[0] + 12]):
                    add(bar, step, 3, key)
                    last = notes[-1]
                    notes[-1] = Played(last.start + 0.012 * i, last.length, last.key, last.velocity)
        elif manner == "held":
            for key in (chord[0] - 12, *chord):
                add(bar, 0, 15.5, key)
        elif manner == "picked":
            for i, step in enumerate(range(0, STEPS, 2)):
                add(bar, step, 3, [*chord, chord[1]][i % 4])
        elif bar % 4 >= 2 or manner == "line":
            for step in steps:
                add(bar, step, rng.uniform(1, 4), octave + 12 + plan.pitch(int(rng.integers(0, 8))))
    x = play(font, notes, int(rng.choice(seat["programs"])))
    return room(x, rng, (0.2, 1.2), (-24, -12)) if rng.random() < 0.5 else x


def _synthesised(notes: list[Played], rng: np.random.Generator) -> np.ndarray:
    """A subtractive or FM synthesiser with two voices a note."""
    out = np.zeros(int(SECONDS * RATE))
    wave = rng.choice(["saw", "square", "pluck", "fm", "sine"])
    attack, decay = rng.uniform(0.002, 0.2), rng.uniform(0.1, 2)
    cut, detune = rng.uniform(600, 8000), rng.uniform(0, 0.01)
    decay = 0.15 if wave == "pluck" else decay
    for note in notes:
        n = int((note.length + 0.2) * RATE)
        t = np.arange(n) / RATE
        x = np.zeros(n)
        for side in (1 - detune, 1 + detune):
            phase = 2 * np.pi * 440 * 2 ** ((note.key - 69) / 12) * side * t
            if wave in ("saw", "pluck"):
                x += sawtooth(phase)
            elif wave == "square":
                x += square(phase)
            elif wave == "fm":
                x += np.sin(phase + 2 * np.exp(-t / 0.3) * np.sin(2 * phase))
            else:
                x += np.sin(phase)
        edges = np.minimum(1, t / attack) * np.minimum(1, (n / RATE - t) / 0.2)
        add_at(out, x * edges * np.exp(-t / decay), note.start, note.velocity / 127)
    return band(out, high=cut)


@lru_cache(1)
def _scratches(samples: Path) -> list[np.ndarray]:
    return [read_mono(samples / f"{name}.flac") for name in SCRATCHES]


def _as_sample(x: np.ndarray, plan: Plan, samples: Path, rng: np.random.Generator) -> np.ndarray:
    """What a sampler makes of a record: other speed, chops, filters, hiss, crackle, scratches."""
    n = len(x)
    x = np.resize(repitch(x, rng.uniform(0.75, 1.3)), n)
    if rng.random() < 0.5:
        x = _chopped(x, int(4 * plan.beat * RATE), rng)
    if rng.random() < 0.7:
        cut = float(np.exp(rng.uniform(np.log(1500), np.log(9000))))
        x = band(x, high=cut, order=int(rng.choice([1, 2])))
    if rng.random() < 0.5:
        x = band(x, low=rng.uniform(100, 500))
    if rng.random() < 0.6:
        level = rms_of(x)
        hiss = band(rng.standard_normal(n), high=rng.uniform(1000, 6000), order=1)
        crackle = np.zeros(n)
        clicks = rng.integers(0, n, int(rng.uniform(50, 500)))
        crackle[clicks] = rng.standard_normal(len(clicks))
        x = x + level * 10 ** (rng.uniform(-40, -18) / 20) * hiss
        x = x + level * rng.uniform(0.2, 2) * band(crackle, low=2500, order=1)
    if rng.random() < 0.15:
        scratches = _scratches(samples)
        sound = scratches[int(rng.integers(len(scratches)))]
        gain = 3 * rms_of(x)
        for bar in rng.choice(plan.bars, 3):
            start = plan.at(int(bar), int(rng.integers(STEPS)))
            add_at(x, repitch(sound, rng.uniform(0.6, 1.6)), start, gain)
    return x


def _chopped(x: np.ndarray, bar: int, rng: np.random.Generator) -> np.ndarray:
    """Eighths of two bars in another order, again and again."""
    eighth = bar // 8
    ramp = np.arange(eighth)
    fade = np.minimum(1, np.minimum(ramp, eighth - ramp) / 200)
    starts = bar + eighth * rng.integers(0, 2 * bar // eighth - 1, 8)
    return np.resize(np.concatenate([x[i : i + eighth] * fade for i in starts]), len(x))
