"""Bass lines: synthesised ("synth"), of the soundfont ("gm"), and as a band plays them ("band")."""

from __future__ import annotations

import numpy as np
from scipy.signal import sawtooth, square

from hiphopss.datasets.generated.effects import RATE, band
from hiphopss.weights.default.effects import add_at, colour, drive, squeeze
from hiphopss.weights.default.facts import FACTS, Sources
from hiphopss.weights.default.plan import SECONDS, STEPS, Plan, random_for
from hiphopss.weights.default.soundfont import Played, play

LOWEST, HIGHEST = 27, 50  # MIDI notes


def make_bass(number: int, kind: str, sources: Sources) -> np.ndarray:
    """One song's bass of a kind."""
    plan = Plan(number, "band" if kind == "played" else "beat")
    rng = random_for(f"bass {kind}", number)
    notes = _band_line(plan, rng) if kind == "played" else _line(plan, rng)
    if kind == "synth":
        x = _synthesised(notes, rng)
    else:
        x = play(sources.soundfont, notes, int(rng.choice(FACTS["bass"][kind])))
    if rng.random() < 0.5:
        x = band(x, high=rng.uniform(300, 5000), order=1)
    if rng.random() < 0.5:
        ratio = rng.uniform(2, 6)
        x = squeeze(x, threshold=rng.uniform(-3, 3), ratio=ratio, attack=0.01, release=0.1)
    return drive(colour(x, rng, 3), rng, (0.1, 2.5))


def _in_range(key: int) -> int:
    while key < LOWEST:
        key += 12
    while key > HIGHEST:
        key -= 12
    return key


def _line(plan: Plan, rng: np.random.Generator) -> list[Played]:
    """One rhythm for the song, mostly on the chords' roots."""
    others = rng.choice(STEPS, int(rng.integers(0, 6)), replace=False).tolist()
    rhythm = sorted({0, *others})
    legato = rng.uniform(0.4, 1.05)
    notes = []
    for bar in range(plan.bars):
        if bar % 8 == 7 and rng.random() < 0.2:
            continue
        for step, following in zip(rhythm, [*rhythm[1:], STEPS], strict=True):
            if step and rng.random() < 0.12:
                continue
            leap = int(rng.choice([0, 0, 0, 0, 7, 12, 3])) if rng.random() < 0.3 else 0
            key = _in_range(plan.chord(bar)[0] + leap + 24)
            length = (following - step) * plan.beat / 4 * legato
            notes.append(Played(plan.at(bar, step), length, key, int(rng.uniform(80, 120))))
    return notes


def _band_line(plan: Plan, rng: np.random.Generator) -> list[Played]:
    """Eighths or quarters on roots and fifths, with steps towards the next chord."""
    every = int(rng.choice([2, 2, 4, 8]))
    legato, walking = rng.uniform(0.6, 1.0), rng.uniform(0, 0.5)
    notes = []
    for bar in range(plan.bars):
        chord = plan.chord(bar)
        following = plan.chord(bar + 1)[0]
        for step in range(0, STEPS, every):
            key = chord[0] if step < 12 or rng.random() > walking else following + 2
            if step in (6, 8) and rng.random() < walking:
                key = chord[2]
            start = plan.at(bar, step) + rng.normal(0, 0.004)
            length = every * plan.beat / 4 * legato
            notes.append(Played(start, length, _in_range(key + 24), int(rng.uniform(75, 115))))
    return notes


def _synthesised(notes: list[Played], rng: np.random.Generator) -> np.ndarray:
    """An 808 or a simple synthesiser."""
    out = np.zeros(int(SECONDS * RATE))
    wave = rng.choice(["808", "sine", "tri", "saw", "square", "fm"])
    boom = wave == "808"
    decay, cut = rng.uniform(0.25, 1.2), rng.uniform(150, 1500)
    glide = rng.uniform(0.1, 0.6) if boom else rng.uniform(0, 0.15)
    for note in notes:
        n = int(max(note.length, 0.3 if boom else 0.02) * RATE)
        t = np.arange(n) / RATE
        f0 = 440 * 2 ** ((note.key - 69) / 12) * (1 + glide * np.exp(-t / 0.02))
        phase = 2 * np.pi * np.cumsum(f0) / RATE
        if wave == "saw":
            x = sawtooth(phase)
        elif wave == "tri":
            x = sawtooth(phase, 0.5)
        elif wave == "square":
            x = square(phase)
        elif wave == "fm":
            x = np.sin(phase + 1.5 * np.exp(-t / 0.15) * np.sin(phase))
        else:
            x = np.sin(phase)
        edges = np.minimum(1, t / 0.004) * np.minimum(1, (n / RATE - t) / 0.02)
        add_at(out, x * edges * np.exp(-t / decay), note.start, note.velocity / 127)
    if wave in ("saw", "square", "fm", "tri"):
        out = band(out, high=cut, order=int(rng.choice([1, 2])))
    return out
