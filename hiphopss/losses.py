"""The released training loss (reference page, section 4), term by term."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass

import keras
from keras import ops

from hiphopss.config import SOURCES, Fidelity

VOCALS, BASS, DRUMS, OTHER = range(len(SOURCES))


@dataclass(frozen=True)
class LossWeights:
    """Weights of the dissimilarity terms.

    Attributes
    ----------
    alpha : float
        Between different ones of vocals, bass and drums.
    beta : float
        Bass and drums against ``other``.
    beta_voc : float
        Vocals against ``other``.
    """

    alpha: float = 0.001
    beta: float = 0.01
    beta_voc: float = 0.03


@dataclass(frozen=True)
class Term:
    """One term of the loss: ``weight`` times the sum of ``S(estimate_i, target_j)`` over ``pairs``.

    The weight is negative for dissimilarity, so that the terms simply add up.
    """

    name: str
    weight: float
    pairs: tuple[tuple[int, int], ...]

    def __call__(self, targets, estimates):
        """Value for a batch of targets and estimates `[shape=(n, 4, n_frames, n_bins)]`."""
        differences = (estimates[:, i] - targets[:, j] for i, j in self.pairs)
        return self.weight * sum(ops.sum(ops.square(d)) for d in differences)


def loss_terms(fidelity: Fidelity, weights: LossWeights) -> list[Term]:
    """The terms that add up to the loss: reconstruction positive, dissimilarity negative."""
    three = (VOCALS, BASS, DRUMS)
    reconstructed = (*three, OTHER) if fidelity.reconstruct_other else three
    return [
        *(Term(f"reconstruction_{SOURCES[i]}", 1.0, ((i, i),)) for i in reconstructed),
        Term("alpha", -weights.alpha, tuple((i, j) for i in three for j in three if i != j)),
        Term("beta", -weights.beta, ((BASS, OTHER), (DRUMS, OTHER))),
        Term("beta_voc", -weights.beta_voc, ((VOCALS, OTHER),)),
    ]


@keras.saving.register_keras_serializable(package="hiphopss")
class SeparationLoss(keras.losses.Loss):
    """The loss of a batch, summed (not averaged) over its patches.

    Parameters
    ----------
    fidelity : Fidelity
        Whether there is a term for ``other`` (Q9) and an absolute value (Q10).
    weights : LossWeights
        Of the dissimilarity terms.
    """

    def __init__(
        self, fidelity: Fidelity, weights: LossWeights | None = None, name="separation_loss"
    ):
        super().__init__(name=name, reduction=None)
        self.fidelity = fidelity
        self.weights = weights or LossWeights()
        self.terms = loss_terms(fidelity, self.weights)

    def call(self, y_true, y_pred):
        total = sum(term(y_true, y_pred) for term in self.terms)
        return ops.abs(total) if self.fidelity.absolute_loss else total

    def metrics(self) -> list[keras.metrics.Metric]:
        """One metric a term, each the term's mean over batches, for the training log."""
        return [
            keras.metrics.MeanMetricWrapper(_named(term), name=term.name) for term in self.terms
        ]

    def get_config(self):
        return {"fidelity": asdict(self.fidelity), "weights": asdict(self.weights)}

    @classmethod
    def from_config(cls, config):
        return cls(Fidelity(**config["fidelity"]), LossWeights(**config["weights"]))


def _named(term: Term) -> Callable:
    """A plain function of a term: Keras names metrics by ``__name__``."""

    def value(y_true, y_pred):
        return term(y_true, y_pred)

    value.__name__ = term.name
    return value
