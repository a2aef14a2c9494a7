"""What all stems of one song agree on: tempo, swing, key, chords; and its random numbers."""

from __future__ import annotations

import zlib

import numpy as np

SECONDS = 30.0
STEPS = 16  # sixteenths of a bar
MINOR, MAJOR = (0, 2, 3, 5, 7, 8, 10), (0, 2, 4, 5, 7, 9, 11)


def random_for(what: str, number: int) -> np.random.Generator:
    """Random numbers that depend on a name and a song's number only."""
    return np.random.default_rng([zlib.crc32(what.encode()), number])


class Plan:
    """The grid and harmony of a song.

    Parameters
    ----------
    number : int
        Of the song; the same number gives the same plan for every stem and kind.
    manner : str
        ``"beat"`` (hip hop: slow, swung, one to four chords) or ``"band"``.
    """

    def __init__(self, number: int, manner: str = "beat"):
        rng = random_for(manner, number)
        beat = manner == "beat"
        self.beat = 60 / (rng.uniform(70, 108) if beat else rng.uniform(72, 168))
        self.swing = rng.choice([0, rng.uniform(0.05, 0.3)]) if beat else 0.0
        self.bars = int(SECONDS / (4 * self.beat)) + 1
        self.root = int(rng.integers(12))
        self.scale = MINOR if rng.random() < (0.8 if beat else 0.5) else MAJOR
        n_chords = int(rng.choice([1, 2, 4] if beat else [2, 4, 4, 8]))
        self.chords = [0, *rng.choice([0, 2, 3, 4, 5, 6], n_chords - 1).tolist()]

    def at(self, bar: int, step: int) -> float:
        """Seconds at which a sixteenth of a bar begins."""
        late = step % 2 * self.beat / 4 * (1 + self.swing)
        return bar * 4 * self.beat + step // 2 * self.beat / 2 + late

    def pitch(self, degree: int) -> int:
        """Semitones above C of a step of the scale, 0 being the root."""
        return self.root + self.scale[degree % 7] + 12 * (degree // 7)

    def chord(self, bar: int, n_notes: int = 3) -> list[int]:
        """Semitones above C of the notes of a bar's chord."""
        degree = self.chords[bar % len(self.chords)]
        return [self.pitch(degree + third) for third in range(0, 2 * n_notes, 2)]
