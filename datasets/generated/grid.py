"""Where the beats of a song fall."""

from __future__ import annotations

from dataclasses import dataclass

STEPS = 16
"""Sixteenths in a bar of four beats."""


@dataclass(frozen=True)
class Grid:
    """The metre of a song of four-beat bars, counted in sixteenths ("steps").

    Attributes
    ----------
    sample_rate : int
        In Hz.
    tempo : float
        Beats a minute.
    swing : float
        Share of each pair of sixteenths that the first one takes; 0.5 is straight.
    n_samples : int
        Length of the song.
    """

    sample_rate: int
    tempo: float
    swing: float
    n_samples: int

    @property
    def step(self) -> float:
        """Mean length of a sixteenth, in samples."""
        return self.sample_rate * 15 / self.tempo

    @property
    def n_bars(self) -> int:
        """Bars that the song has, the last one perhaps cut short."""
        return max(1, -int(-self.n_samples // (STEPS * self.step)))

    def at(self, position: float) -> int:
        """Sample at which a position in sixteenths (from 0, fractions allowed) lies."""
        return round(self.time(position))

    def time(self, position: float) -> float:
        """The same as a number of samples that need not be whole."""
        pair, rest = divmod(position, 2)
        if rest < 1:
            swung = rest * 2 * self.swing
        else:
            swung = 2 * self.swing + (rest - 1) * 2 * (1 - self.swing)
        return (pair * 2 + swung) * self.step
