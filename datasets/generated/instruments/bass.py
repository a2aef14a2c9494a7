"""Bass lines."""

from __future__ import annotations

from typing import Any

import numpy as np

from hiphopss.datasets.generated.effects import normalise, saturate
from hiphopss.datasets.generated.grid import STEPS, Grid
from hiphopss.datasets.generated.tones import add, note


def pitch_above(register: float, tonic: int, offset: int) -> float:
    """Lowest MIDI note of pitch class ``tonic + offset`` that isn't below the register."""
    return register + (tonic + offset - register) % 12


def perform(
    grid: Grid,
    bars: list[bool],
    *,
    instrument: dict[str, Any],
    lines: list[list[list[int]]],
    tonic: int,
    chords: list[list],
    rng: np.random.Generator,
) -> np.ndarray:
    """Play the bass of a song.

    Parameters
    ----------
    grid : Grid
    bars : list of bool
        In which bars the bass plays.
    instrument : dict
        One of the style's ``basses``.
    lines : list of list of [sixteenth, sixteenths, semitones]
        For each bar, start, length and height above the root of its notes.
    tonic : int
        Pitch class of the key, 0 (C) .. 11.
    chords : list of [semitones, quality]
        One chord a bar, counted from the tonic; they repeat.
    rng : np.random.Generator

    Returns
    -------
    x : np.ndarray [shape=(n_samples,)]
    """
    register = round(instrument["register"])
    notes: dict[tuple[float, int], np.ndarray] = {}
    out = np.zeros(grid.n_samples)
    for bar, playing in enumerate(bars):
        root = pitch_above(register, tonic, chords[bar % len(chords)][0])
        for step, length, height in lines[bar] if playing else []:
            midi = root + height
            key = (midi, length)
            if key not in notes:
                notes[key] = note(instrument, midi, int(length * 0.95 * grid.step), rng)
            add(out, notes[key] * rng.uniform(0.85, 1.0), grid.at(bar * STEPS + step))
    return saturate(normalise(out), instrument["drive"])
