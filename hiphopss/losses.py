"""The released training loss (reference page, section 4), term by term."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass

import keras
import numpy as np
from keras import ops

from hiphopss.config import SOURCES, Fidelity, LossWeights

VOCALS, BASS, DRUMS, OTHER = range(len(SOURCES))


@dataclass(frozen=True)
class Term:
    """One term of the loss: ``weight`` times the sum of ``S(estimate_i, target_j)`` over ``pairs``.

    The weight is negative for dissimilarity, so that the terms simply add up.
    """

    name: str
    weight: float
    pairs: tuple[tuple[int, int], ...]

    def matrix(self) -> np.ndarray:
        """What ``S`` is multiplied by, `[shape=(n_sources, n_sources)]`."""
        matrix = np.zeros((len(SOURCES), len(SOURCES)), np.float32)
        for pair in self.pairs:
            matrix[pair] = self.weight
        return matrix


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


def squared_distances(targets, estimates):
    """``S(estimate_i, target_j)`` for all pairs of sources, summed over the batch.

    With the residual ``r_i = estimate_i - target_i`` it is ``|r_i|^2 + 2 <r_i, target_i - target_j>
    + |target_i - target_j|^2``: exact where an estimate is right, and a matrix product where twelve
    separate sums would read the batch twelve times.

    Parameters
    ----------
    targets, estimates : tensor [shape=(n, n_sources, n_frames, n_bins)]
        A batch.

    Returns
    -------
    tensor [shape=(n_sources, n_sources)]
        Row ``i``, column ``j``.
    """
    n_sources, n_frames, n_bins = targets.shape[1:]
    targets = ops.reshape(targets, (-1, n_sources, n_frames * n_bins))
    residuals = ops.reshape(estimates, (-1, n_sources, n_frames * n_bins)) - targets
    own = ops.diagonal(_inner_products(residuals, residuals))  # (n_sources,)
    cross = _inner_products(residuals, targets)  # (n_sources, n_sources)
    gram = _inner_products(targets, targets)
    energy = ops.diagonal(gram)
    shifted = 2 * (ops.diagonal(cross)[:, None] - cross)
    return own[:, None] + shifted + (energy[:, None] + energy[None, :] - 2 * gram)


def _inner_products(a, b):
    """Inner products of the rows of ``a`` and ``b``, summed over the batch.

    Also where only the diagonal is wanted: the backends' plain sums add up in single precision one
    after the other, and were wrong by up to 5e-4 of a batch's loss; matrix products, by 1e-6.
    """
    return ops.sum(ops.matmul(a, ops.transpose(b, (0, 2, 1))), axis=0)


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
        matrix = sum(term.matrix() for term in self.terms)
        total = ops.sum(matrix * squared_distances(y_true, y_pred))
        return ops.abs(total) if self.fidelity.absolute_loss else total

    def metrics(self) -> list[keras.metrics.Metric]:
        """One metric a term, each the term's mean over batches, for the training log."""
        return [
            keras.metrics.MeanMetricWrapper(_value_of(term), name=term.name) for term in self.terms
        ]

    def get_config(self):
        return {"fidelity": asdict(self.fidelity), "weights": asdict(self.weights)}

    @classmethod
    def from_config(cls, config):
        return cls(Fidelity(**config["fidelity"]), LossWeights(**config["weights"]))


def _value_of(term: Term) -> Callable:
    """A plain function of a term: Keras names metrics by ``__name__``."""

    def value(y_true, y_pred):
        return ops.sum(term.matrix() * squared_distances(y_true, y_pred))

    value.__name__ = term.name
    return value
