"""Settings of an adaptation."""

from __future__ import annotations

import math
from dataclasses import dataclass

from hiphopss.errors import HiphopssError


@dataclass(frozen=True)
class Augmentation:
    """How the songs' stems are mixed anew, for each excerpt that trains.

    Attributes
    ----------
    apart : float
        Chance that each stem is of another song and another time. Otherwise all stems of an excerpt
        are of one song and play together, as they do there.
    gain_db : float
        Standard deviation of each stem's change of level, in dB.
    speed : float
        Standard deviation of the logarithm of the factor by which a stem plays faster, and higher.
    silent : float
        Chance of a stem to be silent.
    """

    apart: float = 0.8
    gain_db: float = 1.0
    speed: float = 0.03
    silent: float = 0.05


@dataclass(frozen=True)
class AdaptationSettings:
    """Settings of an adaptation, besides its songs and what it starts from.

    Attributes
    ----------
    steps : int
        Number of batches, if the training is not stopped early.
    batch_size : int
        Number of patches in a batch.
    learning_rate : float
        Adam's, at its highest; it rises for a twentieth of the steps and then falls like a cosine.
    patience : int
        Stop after so many checks on the songs held out without an improvement.
    keep : float
        Share of the beginning's weights in what is written: the mean of both networks separates the
        new style as well as the trained one, and other styles better.
    seed : int
        Seed of all random choices.
    augmentation : Augmentation
        How stems are mixed anew.
    """

    steps: int = 600
    batch_size: int = 64
    learning_rate: float = 1e-3
    patience: int = 4
    keep: float = 0.25
    seed: int = 0
    augmentation: Augmentation = Augmentation()

    def check(self) -> None:
        """Raise :class:`HiphopssError` if a setting makes no sense."""
        rate = self.learning_rate
        if min(self.steps, self.batch_size, self.patience) < 1 or self.seed < 0:
            raise HiphopssError(
                f"steps {self.steps}, batch size {self.batch_size}, patience {self.patience}, seed "
                f"{self.seed}: give positive numbers (a seed may be 0)"
            )
        if not 0 <= self.keep < 1:
            raise HiphopssError(f"keep {self.keep:g}: give a share from 0 to less than 1")
        if not 0 < rate < math.inf:
            raise HiphopssError(f"learning rate {rate:g}: give a positive number")
