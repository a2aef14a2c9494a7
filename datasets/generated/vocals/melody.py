"""Melodies for sung lines."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from hiphopss.datasets.generated.grid import STEPS

UNIT = 2  # sixteenths of the shortest syllable, where there is room


@dataclass(frozen=True)
class Note:
    """A note of a melody.

    Attributes
    ----------
    start, length : float
        In sixteenths from the start of the song.
    midi : float
        Pitch, as a MIDI note number.
    """

    start: float
    length: float
    midi: float


def rhythm(n: int, room: int, weights: np.ndarray, rng: np.random.Generator) -> list[int]:
    """Lengths of ``n`` syllables in sixteenths: heavy ones and the last are held.

    Parameters
    ----------
    n : int
        Number of syllables.
    room : int
        Sixteenths that they may take.
    weights : np.ndarray [shape=(n,)]
        How readily a syllable is held.
    rng : np.random.Generator
    """
    unit = UNIT if n * UNIT <= room else 1
    lengths = np.full(n, unit)
    chances = weights / weights.sum()
    chances[-1] += 0.5
    while lengths.sum() + unit <= room:
        chosen = rng.choice(n, p=chances / chances.sum())
        lengths[chosen] += unit
        chances[chosen] *= 0.35
    return lengths.tolist()


class Singable:
    """The notes that a singer has for a song.

    Parameters
    ----------
    tonic : int
        Pitch class of the key, 0 (C) .. 11.
    scale : list of int
        Semitones above the tonic.
    register : int
        Lowest MIDI note.
    compass : int
        Semitones from there to the highest.
    """

    def __init__(self, tonic: int, scale: list[int], register: int, compass: int):
        classes = {(tonic + step) % 12 for step in scale}
        notes = range(register, register + compass + 1)
        self.notes = [midi for midi in notes if midi % 12 in classes]

    def nearest(self, place: int, classes: set[int]) -> int:
        """Index of the note of those pitch classes that is nearest to ``place``."""
        fitting = [i for i, midi in enumerate(self.notes) if midi % 12 in classes]
        return min(fitting, key=lambda i: (abs(i - place), i)) if fitting else place

    def third_above(self, midi: float) -> float:
        """The note two steps of the scale higher (or lower, at the top)."""
        place = self.notes.index(int(midi))
        return self.notes[place + 2 if place + 2 < len(self.notes) else place - 2]


def compose(
    lengths: list[int],
    start: int,
    singable: Singable,
    chord_at: Callable[[int], set[int]],
    *,
    centre: float,
    rng: np.random.Generator,
) -> list[Note]:
    """Pitches for a line: steps of the scale, and chord tones where it matters.

    Parameters
    ----------
    lengths : list of int
        Of the syllables, in sixteenths.
    start : int
        Sixteenth of the song at which the line starts.
    singable : Singable
    chord_at : callable
        Gives the pitch classes of the chord at a bar.
    centre : float
        Where in the singer's compass the line lies, 0..1.
    rng : np.random.Generator

    Returns
    -------
    notes : list of Note
    """
    top = len(singable.notes) - 1
    home = centre * top
    place = singable.nearest(round(home), chord_at(start // STEPS))
    notes, at = [], start
    for turn, length in enumerate(lengths):
        if turn:
            # an arch: up in the first half of the line, and back to its centre in the second
            pull = 0.25 * (home - place) + 0.8 * (0.5 - turn / len(lengths))
            step = round(float(np.clip(pull + rng.choice([-2, -1, -1, 0, 1, 1, 2]), -3, 3)))
            place = int(np.clip(place + step, 0, top))
        if at % 8 == 0 or length >= 4 or turn == len(lengths) - 1:
            place = singable.nearest(place, chord_at(at // STEPS))
        notes.append(Note(at, length, singable.notes[place]))
        at += length
    return notes
