"""The loss on patches that do not train, as comparable with the loss of the training."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from hiphopss.datasets.features.file import FeatureFile, Rows
from hiphopss.training.processes import Share
from hiphopss.training.split import Split
from hiphopss.training.steps import patches_in_place, read_ahead
from hiphopss.util.interrupts import held
from hiphopss.util.keras_backend import frames_in_place, tensor_of

if TYPE_CHECKING:
    import keras

_BATCH = 32  # patches that are computed together; the loss does not depend on it
_AT_ONCE = 16  # batches in a call


class Validation:
    """Computes the loss of a model on the validation patches of a split.

    Parameters
    ----------
    model : keras.Model
        Model from :func:`hiphopss.training.steps.compile_model`; it is not changed.
    split : Split
        The patches, whose file must stay open.
    batch_size : int
        Number of patches in a batch of the training.
    share : Share
        The part of the patches that this process computes.
    """

    def __init__(self, model: keras.Model, split: Split, batch_size: int, share: Share):
        self.patches, self.batch_size, self.share = split.validation, batch_size, share
        self.absolute = split.file.fidelity.absolute_loss
        self._losses = _losses_of(model, split.validation_file)

    @held()
    def loss(self) -> float:
        """The mean loss of batches as large as in the training (docs/released-code.md, section 4).

        The patches are divided into such batches in one order, the same in every epoch. A last,
        smaller batch counts in proportion, so that each patch has the same weight.
        """
        n_patches, n_processes = len(self.patches), self.share.n_processes
        n_each = -(-n_patches // n_processes)
        padded = np.pad(self.patches, (0, n_each * n_processes - n_patches), mode="edge")
        own = padded.reshape(n_processes, n_each)[self.share.process]
        losses = self.share.gathered(self._losses(own)).reshape(-1)[:n_patches]
        sums = np.add.reduceat(losses, np.arange(0, n_patches, self.batch_size), dtype=np.float64)
        total = np.abs(sums).sum() if self.absolute else sums.sum()
        return float(total * self.batch_size / n_patches)


def _losses_of(model: keras.Model, file: FeatureFile) -> Callable[[np.ndarray], np.ndarray]:
    """Make a function from patch indices `[shape=(n,)]` to the loss of each."""
    from keras import ops

    def losses(mixture: Any, targets: Any) -> Any:
        return model.loss.of_patches(targets, model(mixture, training=False))

    def losses_in_place(frames: tuple, rows: Rows) -> Any:
        def of_batch(number: Any) -> Any:
            return losses(*patches_in_place(file.config, frames, rows, number))

        return ops.map(of_batch, ops.arange(len(rows.mixture)))

    # A copy on a GPU would take memory that the frames of the training need.
    frames = frames_in_place(file.mixture, file.sources, copies=False)
    call = _compiled(model, losses_in_place if frames else losses)
    at_once = _AT_ONCE if frames else 1

    def calls(batches: np.ndarray) -> Iterator[tuple]:
        """The arguments of each call."""
        if frames:
            for some in batches:
                yield frames, Rows(*map(tensor_of, file.rows(some)))
        else:
            yield from read_ahead(file, batches[:, 0], tensor_of)

    def of_patches(patches: np.ndarray) -> np.ndarray:
        n_together = min(at_once, -(-len(patches) // _BATCH)) * _BATCH
        padded = np.pad(patches, (0, -len(patches) % n_together), mode="edge")
        batches = padded.reshape(-1, n_together // _BATCH, _BATCH)
        now = call()
        found = [ops.convert_to_numpy(now(*arguments)) for arguments in calls(batches)]
        return np.concatenate(found, axis=None)[: len(patches)]

    return of_patches


def _compiled(model: keras.Model, function: Callable) -> Callable[[], Callable]:
    """Compile a function that uses a model.

    Each call of what is returned gives the function with the weights of that moment.
    """
    import keras

    backend = keras.backend.backend()
    if backend == "tensorflow":
        import tensorflow as tf

        compiled = tf.function(function, jit_compile=model.jit_compile)
        return lambda: compiled
    if backend != "jax":
        return lambda: function
    import jax

    @jax.jit
    def with_weights(weights: list, *arguments: Any) -> Any:
        state = list(zip(model.variables, weights, strict=True))
        with keras.StatelessScope(state_mapping=state):
            return function(*arguments)

    def now() -> Callable:
        # Plain arrays, because JAX could not use on one device what is distributed over several.
        weights = [variable.numpy() for variable in model.variables]
        return lambda *arguments: with_weights(weights, *arguments)

    return now
