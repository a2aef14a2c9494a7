"""Training steps: feeding patches to the network, and combining steps into backend calls.

If the backend can use the file's frames directly (:func:`training_steps`), a step gets the row at
which each of its patches begins, and takes the patch from there; one call then does many steps.
Otherwise batches are read in a thread, one per call. Both ways do the same steps in the same order.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from hiphopss.config import Fidelity, LossWeights, SignalConfig, resolve_preset
from hiphopss.datasets.features.file import FeatureFile, Rows
from hiphopss.training.processes import Share
from hiphopss.util.interrupts import held
from hiphopss.util.keras_backend import frames_in_place, import_keras

if TYPE_CHECKING:
    import keras

LEARNING_RATE = 1.0
_AT_ONCE = 512  # patches in a call, in whole batches (16 of 32): a call costs a fifth of a step
_AHEAD = 1  # batches to read in advance; more would push others out of the cache


def compile_model(
    model: keras.Model,
    preset: str | Fidelity = "released",
    *,
    learning_rate: float = LEARNING_RATE,
    loss_weights: LossWeights | None = None,
    jit_compile: bool = True,
) -> keras.Model:
    """Compile a model with the released loss and optimiser (docs/released-code.md, section 4).

    ``model.train_on_batch(mixture, targets, return_dict=True)`` then returns the loss of the batch
    before the update, and each of its terms
    (:meth:`hiphopss.network.losses.SeparationLoss.metrics`).

    Parameters
    ----------
    model : keras.Model
        Model from :func:`hiphopss.network.model.build_model`.
    preset : str or Fidelity
        Decides on the term for ``other`` (Q9) and on the absolute value (Q10).
    learning_rate : float
        Learning rate of Adadelta, whose rho is 0.95 and whose epsilon is 1e-6.
    loss_weights : LossWeights
        Weights of the dissimilarity terms; by default the released ones.
    jit_compile : bool
        Let XLA fuse masks, loss, gradients and updates into few loops. With TensorFlow this takes
        some seconds at the first batch and halves the time of the others. JAX always does it.

    Returns
    -------
    keras.Model
        The same model.
    """
    keras = import_keras()
    from hiphopss.network.losses import SeparationLoss

    loss = SeparationLoss(resolve_preset(preset), loss_weights)
    model.compile(
        optimizer=keras.optimizers.Adadelta(learning_rate, rho=0.95, epsilon=1e-6),
        loss=loss,
        metrics=loss.metrics(),
        jit_compile=jit_compile or keras.backend.backend() == "jax",
    )
    return model


@held()
def training_steps(
    model: keras.Model, features: FeatureFile, share: Share
) -> Callable[[np.ndarray], Iterator[tuple[int, dict[str, float]]]]:
    """Make a function that trains a compiled model on batches of a feature file.

    Parameters
    ----------
    model : keras.Model
        Model from :func:`compile_model`.
    features : FeatureFile
        Feature file, which must stay open during the training.
    share : Share
        The part of each batch that this process gets.

    Returns
    -------
    callable
        Takes patch indices `[shape=(n_batches, batch_size)]` and returns an iterator that trains on
        them. After each call of the backend it yields the number of batches in the call, and the
        means of the loss and its terms over all batches so far.
    """
    if share.n_processes == 1:
        frames = frames_in_place(features.mixture, features.sources)
        if frames:
            return _steps_in_place(model, features, frames)

    def steps(batches: np.ndarray) -> Iterator[tuple[int, dict[str, float]]]:
        for means in train_batches(model, read_ahead(features, share.of(batches), share.convert)):
            yield 1, means

    return steps


def _steps_in_place(model: keras.Model, features: FeatureFile, frames: tuple) -> Callable:
    """Steps that use the frames in place, many in one call."""
    from keras import backend, ops

    repeated = {"tensorflow": _repeated_on_tensorflow, "jax": _repeated_on_jax}
    call = repeated[backend.backend()](model, partial(patches_in_place, features.config))
    model.optimizer.build(model.trainable_variables)

    def steps(batches: np.ndarray) -> Iterator[tuple[int, dict[str, float]]]:
        model.reset_metrics()
        at_once = min(max(1, _AT_ONCE // batches.shape[1]), len(batches))
        for first in range(0, len(batches), at_once):
            some = batches[first : first + at_once]
            n_missing = at_once - len(some)  # padding, so that all calls have one shape
            rows = features.rows(np.pad(some, ((0, n_missing), (0, 0)), mode="edge"))
            rows = Rows(*map(ops.convert_to_tensor, rows))
            call(frames, rows, ops.convert_to_tensor(len(some)))
            means = model.get_metrics_result()
            yield len(some), {name: float(value) for name, value in means.items()}

    return steps


def _repeated_on_tensorflow(model: keras.Model, patches: Callable) -> Callable:
    """Make a function of frames, rows of batches, and the number of these batches to train on."""
    import tensorflow as tf

    @tf.function(jit_compile=model.jit_compile)
    def call(frames, batches, n_batches):
        def step(number):
            model.train_step(patches(frames, batches, number))
            return (number + 1,)

        tf.while_loop(lambda number: number < n_batches, step, (0,), parallel_iterations=1)

    return call


def _repeated_on_jax(model: keras.Model, patches: Callable) -> Callable:
    """Make a function of frames, rows of batches, and the number of these batches to train on."""
    import jax

    nothing = np.zeros((1, *model.output_shape[1:]), np.float32)
    model.compute_metrics(None, nothing, nothing)  # creates variables, which JAX can't in a step
    model.reset_metrics()

    @jax.jit
    def trained(state, frames, batches, n_batches):
        def step(number, state):
            _, state = model.train_step(state, patches(frames, batches, number))
            return state

        return jax.lax.fori_loop(0, n_batches, step, state)

    def call(*arguments):
        groups = (
            model.trainable_variables,
            model.non_trainable_variables,
            model.optimizer.variables,
            model.metrics_variables,
        )
        state = tuple([variable.value for variable in group] for group in groups)
        for group, values in zip(groups, trained(state, *arguments), strict=True):
            for variable, value in zip(group, values, strict=True):
                variable.assign(value)

    return call


def patches_in_place(config: SignalConfig, frames: tuple, batches: Rows, number):
    """A batch made from the frames of a feature file, equal to :meth:`FeatureFile.read`'s."""
    from keras import ops

    rows = Rows(*(part[number] for part in batches))
    within = ops.arange(config.context)

    def patches(frames, first, gain):
        return ops.take(frames, first[:, None] + within, axis=0) * gain

    mixture, sources = frames
    # Source by source, so that XLA computes each on its own.
    targets = [
        patches(sources, first, gain[:, None, None])
        for first, gain in zip(
            ops.unstack(rows.sources, axis=1), ops.unstack(rows.gains, axis=1), strict=True
        )
    ]
    return patches(mixture, rows.mixture, np.float32(config.scale)), ops.stack(targets, axis=1)


def read_ahead(
    features: FeatureFile, batches: np.ndarray, convert: Callable = lambda array: array
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Read batches before they are needed, and convert their arrays, in a thread.

    The arrays of a batch are valid until the next one is requested: memory that was used before is
    several times faster to fill than new memory.
    """

    def read(batch: np.ndarray, room: tuple) -> tuple:
        return tuple(map(convert, features.read(batch, out=room)))

    rooms = [features.room(batches.shape[1]) for _ in range(1 + _AHEAD)]
    coming: deque[Future[tuple]] = deque()
    with ThreadPoolExecutor(1) as pool:
        for number, batch in enumerate(batches):
            coming.append(pool.submit(read, batch, rooms[number % len(rooms)]))
            if len(coming) > _AHEAD:
                yield coming.popleft().result()
        while coming:
            yield coming.popleft().result()


def train_batches(model: keras.Model, batches: Iterable[tuple]) -> Iterator[dict[str, float]]:
    """Train on batches; after each, yield the means of the loss and its terms over all so far.

    Keras would reset its metrics in each batch, which takes a tenth of the batch's time.

    Parameters
    ----------
    model : keras.Model
        Model from :func:`compile_model`.
    batches : iterable of (mixture, targets)
        Arrays or tensors `[shape=(n, n_frames, n_bins)]`, `[shape=(n, n_sources, n_frames,
        n_bins)]`. A batch is requested only after the one before it has been used.

    Yields
    ------
    dict of str to float
        Means by name.
    """
    model.reset_metrics()
    model.reset_metrics = lambda: None
    try:
        for mixture, targets in batches:
            yield model.train_on_batch(mixture, targets, return_dict=True)
    finally:
        del model.reset_metrics
