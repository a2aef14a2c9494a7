"""The released training loss (docs/released-code.md, section 4), term by term."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass

import keras
import numpy as np
from keras import ops

from hiphopss.config import SOURCES, Fidelity, LossWeights

VOCALS, BASS, DRUMS, OTHER = map(SOURCES.index, ("vocals", "bass", "drums", "other"))
_LOGGED = 4  # number of patches of a large batch from which the logged terms are estimated


@dataclass(frozen=True)
class Term:
    """One term of the loss: ``weight`` times the sum of ``S(estimate_i, target_j)`` over ``pairs``.

    Dissimilarity terms have a negative weight, so that all terms can be added.
    """

    name: str
    weight: float
    pairs: tuple[tuple[int, int], ...]

    def matrix(self) -> np.ndarray:
        """Factors of ``S`` for each pair, `[shape=(n_sources, n_sources)]`."""
        matrix = np.zeros((len(SOURCES), len(SOURCES)), np.float32)
        for pair in self.pairs:
            matrix[pair] = self.weight
        return matrix


def loss_terms(fidelity: Fidelity, weights: LossWeights) -> list[Term]:
    """Terms of the loss: reconstruction terms are positive, dissimilarity terms negative."""
    three = (VOCALS, BASS, DRUMS)
    reconstructed = (*three, OTHER) if fidelity.reconstruct_other else three
    return [
        *(Term(f"reconstruction_{SOURCES[i]}", 1.0, ((i, i),)) for i in reconstructed),
        Term("alpha", -weights.alpha, tuple((i, j) for i in three for j in three if i != j)),
        Term("beta", -weights.beta, ((BASS, OTHER), (DRUMS, OTHER))),
        Term("beta_voc", -weights.beta_voc, ((VOCALS, OTHER),)),
    ]


def squared_distances(targets, estimates, matrix: np.ndarray):
    """The weighted sum of ``S(estimate_i, target_j)`` over pairs of sources and over the batch.

    It is written source by source, so that XLA makes one loop of the sum, one of its gradient and
    one of the masks before it: each reads the batch once.

    Parameters
    ----------
    targets, estimates : sequence of tensor [shape=(n, n_frames, n_bins)]
        A batch, as one tensor for each source.
    matrix : np.ndarray [shape=(n_sources, n_sources)]
        Weight of each pair: estimate ``i`` in rows, target ``j`` in columns.

    Returns
    -------
    tensor
        The sum, a scalar.
    """
    pairs = _weighted_pairs(matrix)
    n_sources = len(estimates)

    @ops.custom_gradient
    def weighted_sum(*both):
        e, t = both[:n_sources], both[n_sources:]
        squares = sum(weight * ops.square(e[i] - t[j]) for weight, i, j in pairs)

        def gradient(*arguments, upstream=None):  # backends pass it in different ways
            upstream = arguments[0] if upstream is None else upstream
            slopes = [ops.zeros_like(source) for source in e]
            for weight, i, j in pairs:
                slopes[i] += 2 * weight * (e[i] - t[j])
            return *(upstream * slope for slope in slopes), *map(ops.zeros_like, t)

        # Sum over bins first: one sum over everything would add one number after the other in
        # single precision, with errors of up to 5e-4.
        return ops.sum(ops.sum(squares, axis=-1)), gradient

    return weighted_sum(*estimates, *targets) if pairs else ops.zeros(())


def _weighted_pairs(matrix: np.ndarray) -> list[tuple[float, int, int]]:
    """The entries of a matrix that are not 0: weight, row, column."""
    return [(float(matrix[i, j]), int(i), int(j)) for i, j in np.argwhere(matrix)]


@keras.saving.register_keras_serializable(package="hiphopss")
class SeparationLoss(keras.losses.Loss):
    """The loss of a batch, summed (not averaged) over its patches.

    Parameters
    ----------
    fidelity : Fidelity
        Whether there is a term for ``other`` (Q9) and an absolute value (Q10).
    weights : LossWeights
        Weights of the dissimilarity terms.
    """

    def __init__(
        self, fidelity: Fidelity, weights: LossWeights | None = None, name="separation_loss"
    ):
        super().__init__(name=name, reduction=None)
        self.fidelity = fidelity
        self.weights = weights or LossWeights()
        self.terms = loss_terms(fidelity, self.weights)

    def call(self, y_true, y_pred):
        targets, estimates = _by_source(y_true, y_pred)
        total = squared_distances(targets, estimates, self._matrix())
        return ops.abs(total) if self.fidelity.absolute_loss else total

    def of_patches(self, y_true, y_pred):
        """What each patch adds to the loss, before the absolute value `[shape=(n,)]`."""
        t, e = _by_source(y_true, y_pred)
        pairs = _weighted_pairs(self._matrix())
        squares = sum(weight * ops.square(e[i] - t[j]) for weight, i, j in pairs)
        return ops.sum(ops.sum(squares, axis=-1), axis=-1)

    def _matrix(self) -> np.ndarray:
        """Weights of all pairs, of all terms together `[shape=(n_sources, n_sources)]`."""
        n_sources = len(SOURCES)
        nothing = np.zeros((n_sources, n_sources), np.float32)
        return sum((term.matrix() for term in self.terms), start=nothing)

    def metrics(self) -> list[keras.metrics.Metric]:
        """One metric for each term, the term's mean over batches, for the training log.

        In batches of 8 or more, a term is estimated from at least 4 evenly spaced patches: all
        terms of all patches would take a fifth of a training step.
        """
        return [
            keras.metrics.MeanMetricWrapper(_value_of(term), name=term.name) for term in self.terms
        ]

    def get_config(self):
        return {"fidelity": asdict(self.fidelity), "weights": asdict(self.weights)}

    @classmethod
    def from_config(cls, config):
        return cls(Fidelity(**config["fidelity"]), LossWeights(**config["weights"]))


def _by_source(*batches, every: int = 1) -> list[list]:
    """Split every ``every``-th patch of batches `[shape=(n, n_sources, ...)]` into sources.

    Splitting first lets XLA compute nothing for the patches that are left out.
    """
    return [[source[::every] for source in ops.unstack(batch, axis=1)] for batch in batches]


def _value_of(term: Term) -> Callable:
    """The metric function of a term. It has a name, because Keras reads ``__name__``."""

    def value(y_true, y_pred):
        n_patches = y_true.shape[0] or 0  # None if the batch size is not fixed, as in `fit`
        step = max(1, n_patches // _LOGGED)
        targets, estimates = _by_source(y_true, y_pred, every=step)
        total = squared_distances(targets, estimates, term.matrix())
        return total * (n_patches / len(range(0, n_patches, step)) if step > 1 else 1)

    value.__name__ = term.name
    return value
