"""Training steps: how patches reach the network, and how many steps are one call of the backend.

Where frames can be used where they are (:func:`training_steps`), a step is told which rows of the
feature file its patches begin at, and takes them there itself; many steps are then one call. Else
batches are read in a thread, and each is a call. Both do the same steps, in the same order.
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
from hiphopss.util.keras_backend import frames_in_place, import_keras

if TYPE_CHECKING:
    import keras

LEARNING_RATE = 1.0
_AT_ONCE = 512  # patches a call, in whole batches: 16 of 32; what a call costs is a fifth of a step
_AHEAD = 1  # batches that are read before they are needed; more would push others out of the cache


def compile_model(
    model: keras.Model,
    preset: str | Fidelity = "released",
    *,
    learning_rate: float = LEARNING_RATE,
    loss_weights: LossWeights | None = None,
    jit_compile: bool = True,
) -> keras.Model:
    """Compile with the released loss and optimiser (docs/released-code.md, section 4).

    ``model.train_on_batch(mixture, targets, return_dict=True)`` then gives the loss of that batch
    before its update, and each of its terms
    (:meth:`hiphopss.network.losses.SeparationLoss.metrics`).

    Parameters
    ----------
    model : keras.Model
        From :func:`hiphopss.network.model.build_model`.
    preset : str or Fidelity
        Decides on the term for ``other`` (Q9) and the absolute value (Q10).
    learning_rate : float
        Of Adadelta, whose rho is 0.95 and epsilon 1e-6.
    loss_weights : LossWeights
        Of the dissimilarity terms; by default the released ones.
    jit_compile : bool
        Have XLA make few loops of masks, loss, gradients and updates. On TensorFlow that takes
        some seconds at the first batch, and halves the time of the others. JAX always does it.

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


def training_steps(
    model: keras.Model, features: FeatureFile, share: Share
) -> Callable[[np.ndarray], Iterator[tuple[int, dict[str, float]]]]:
    """How to train a compiled model on batches of a feature file.

    Parameters
    ----------
    model : keras.Model
        From :func:`compile_model`.
    features : FeatureFile
        Open for as long as it is trained on.
    share : Share
        What of each batch falls to this process.

    Returns
    -------
    callable
        From patch indices `[shape=(n_batches, batch_size)]` to an iterator that trains on them. It
        gives, after each call of the backend, how many batches that was, and the means of loss and
        terms over all batches so far.
    """
    if share.n_processes == 1:
        frames = frames_in_place(features.mixture, features.sources)
        if frames:
            return _steps_in_place(model, features, frames)

    def steps(batches: np.ndarray) -> Iterator[tuple[int, dict[str, float]]]:
        for means in train_batches(model, _read_ahead(features, share.of(batches), share.convert)):
            yield 1, means

    return steps


def _steps_in_place(model: keras.Model, features: FeatureFile, frames: tuple) -> Callable:
    """Steps on frames where they are, many a call."""
    from keras import backend, ops

    repeated = {"tensorflow": _repeated_on_tensorflow, "jax": _repeated_on_jax}
    call = repeated[backend.backend()](model, partial(_patches, features.config))
    model.optimizer.build(model.trainable_variables)

    def steps(batches: np.ndarray) -> Iterator[tuple[int, dict[str, float]]]:
        model.reset_metrics()
        at_once = min(max(1, _AT_ONCE // batches.shape[1]), len(batches))
        for first in range(0, len(batches), at_once):
            some = batches[first : first + at_once]
            n_missing = at_once - len(some)  # so that one shape serves all
            rows = features.rows(np.pad(some, ((0, n_missing), (0, 0)), mode="edge"))
            rows = Rows(*map(ops.convert_to_tensor, rows))
            call(frames, rows, ops.convert_to_tensor(len(some)))
            means = model.get_metrics_result()
            yield len(some), {name: float(value) for name, value in means.items()}

    return steps


def _repeated_on_tensorflow(model: keras.Model, patches: Callable) -> Callable:
    """Takes frames, rows of batches, and how many of these batches to train on."""
    import tensorflow as tf

    @tf.function(jit_compile=model.jit_compile)
    def call(frames, batches, n_batches):
        def step(number):
            model.train_step(patches(frames, batches, number))
            return number + 1

        tf.while_loop(lambda number: number < n_batches, step, (0,), parallel_iterations=1)

    return call


def _repeated_on_jax(model: keras.Model, patches: Callable) -> Callable:
    """Takes frames, rows of batches, and how many of these batches to train on."""
    import jax

    nothing = np.zeros((1, *model.output_shape[1:]), np.float32)
    model.compute_metrics(None, nothing, nothing)  # JAX can't make their variables within a step
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


def _patches(config: SignalConfig, frames: tuple, batches: Rows, number):
    """A batch from the frames of a feature file, as :meth:`FeatureFile.read` makes it."""
    from keras import ops

    rows = Rows(*(part[number] for part in batches))
    within = ops.arange(config.context)

    def patches(frames, first, gain):
        return ops.take(frames, first[:, None] + within, axis=0) * gain

    mixture, sources = frames
    # source by source, so that XLA works them out on their own
    targets = [
        patches(sources, first, gain[:, None, None])
        for first, gain in zip(
            ops.unstack(rows.sources, axis=1), ops.unstack(rows.gains, axis=1), strict=True
        )
    ]
    return patches(mixture, rows.mixture, np.float32(config.scale)), ops.stack(targets, axis=1)


def _read_ahead(
    features: FeatureFile, batches: np.ndarray, convert: Callable = lambda array: array
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Read batches ahead of their use, and convert their arrays, in a thread.

    The arrays of a batch are good until the next one is asked for: memory that was used before is
    several times quicker to fill than new memory.
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
    """Train on batches; gives the means of loss and terms over those so far, after each.

    Keras would begin its metrics anew at each batch, which takes a tenth of the time of one.

    Parameters
    ----------
    model : keras.Model
        From :func:`compile_model`.
    batches : iterable of (mixture, targets)
        Arrays or tensors `[shape=(n, n_frames, n_bins)]`, `[shape=(n, n_sources, n_frames,
        n_bins)]`. One is not asked for before the one before it has been used.

    Yields
    ------
    dict of str to float
        By name.
    """
    model.reset_metrics()
    model.reset_metrics = lambda: None
    try:
        for mixture, targets in batches:
            yield model.train_on_batch(mixture, targets, return_dict=True)
    finally:
        del model.reset_metrics
