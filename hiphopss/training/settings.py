"""Settings of a training run."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from hiphopss.config import Fidelity, LossWeights, default_loss_weights
from hiphopss.errors import HiphopssError
from hiphopss.training.split import Split
from hiphopss.training.steps import LEARNING_RATE


@dataclass(frozen=True)
class TrainingSettings:
    """Settings of a training run, besides its features and its initial weights.

    Attributes
    ----------
    epochs : int
        Total number of epochs, including those of a checkpoint.
    seed : int
        Seed of the initial weights and of the order of patches.
    batch_size : int
        Number of patches in a batch.
    learning_rate : float
        Learning rate of Adadelta.
    loss_weights : LossWeights, optional
        Weights of the dissimilarity terms; by default the preset's, for this augmentation (Q5).
    patches_per_epoch : int, optional
        Train each epoch on a random choice of this many patches, in whole batches; by default on
        all. Training sets of different sizes then take the same time.
    fidelity : Fidelity, optional
        Switches of the network, the loss and the order; by default those of the features, with
        which they must agree in what the features depend on.
    validation : float or path-like, optional
        Songs on which the loss is computed after each epoch: the share of the feature file's songs
        that does not train, or a feature file of other songs
        (:func:`hiphopss.training.split.split_patches`). By default, as in the paper, none.
    patience : int, optional
        End the training after so many epochs without a lower validation loss.
    keep : str, optional
        Epoch whose weights are written: ``"best"`` has the least validation loss, and is the
        default if there is a validation; ``"last"`` is the last one, the default if there is none.
    """

    epochs: int = 40
    seed: int = 0
    batch_size: int = 32
    learning_rate: float = LEARNING_RATE
    loss_weights: LossWeights | None = None
    patches_per_epoch: int | None = None
    fidelity: Fidelity | None = None
    validation: float | str | Path | None = None
    patience: int | None = None
    keep: Literal["best", "last"] | None = None

    @property
    def keeps_best(self) -> bool:
        """Whether the weights of the best epoch are written, not those of the last."""
        return (self.keep or ("last" if self.validation is None else "best")) == "best"

    def check(self) -> None:
        """Raise :class:`HiphopssError` if a setting makes no sense."""
        rate = self.learning_rate
        if self.epochs < 1 or self.batch_size < 1 or not 0 < rate < math.inf or self.seed < 0:
            raise HiphopssError(
                f"epochs {self.epochs}, batch size {self.batch_size}, learning rate {rate}, seed "
                f"{self.seed}: all must be positive and finite (a seed may be 0)"
            )
        if self.patches_per_epoch is not None and self.patches_per_epoch < 1:
            raise HiphopssError(f"patches per epoch {self.patches_per_epoch}: give 1 or more")
        if isinstance(self.validation, int | float) and not 0 < self.validation < 1:
            raise HiphopssError(
                f"validation {self.validation}: give a share of the songs between 0 and 1, or a "
                "feature file"
            )
        if self.patience is not None and self.patience < 1:
            raise HiphopssError(f"patience {self.patience}: give 1 epoch or more")
        if self.keep not in (None, "best", "last"):
            raise HiphopssError(f"keep {self.keep!r}: give best or last")
        if self.validation is None and (self.patience is not None or self.keeps_best):
            raise HiphopssError(
                f"{'keep best' if self.patience is None else f'patience {self.patience}'}: only a "
                "validation says which epoch is best: add --validation"
            )

    def told(self, split: Split) -> dict[str, Any]:
        """The settings that a checkpoint records with these patches.

        What only decides on the end of the run and on what is written is not among them: epochs,
        patience, and which weights are kept.
        """
        file = split.file
        weights = self.loss_weights or default_loss_weights(file.fidelity, file.augmentation)
        return {
            "features": file.identity,
            "seed": self.seed,
            "batch_size": self.batch_size,
            "learning_rate": self.learning_rate,
            "loss_weights": asdict(weights),
            "patches_per_epoch": self.patches_per_epoch,
            "validation": split.told,
        }
