"""The network of a weight file, trained on batches of new mixtures.

Its loss is the squared error of each source over that source's own energy in the batch, so that a
quiet source counts as much as a loud one. That is not the released loss, which is for the paper's
trainings: on generated songs it ended 1 dB higher.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from hiphopss.adaptation.mixing import EVERY
from hiphopss.adaptation.settings import AdaptationSettings
from hiphopss.config import SOURCES, Fidelity
from hiphopss.network.spec import MASK_EPSILON
from hiphopss.util.interrupts import held
from hiphopss.util.keras_backend import import_keras
from hiphopss.weights.files import WeightsInfo, assign_arrays, loaded_model, network_arrays

if TYPE_CHECKING:
    import keras

_FLOOR = 0.01  # of the sources' mean energy: a source that hardly sounds in a batch counts less
_MOST_NORM = 1.0  # of the gradient
_WORTH_COMPILING = 50  # least number of steps: it takes some seconds
_WARM_UP = 0.05  # share of the steps in which the learning rate rises


class Trainee:
    """A network that is trained.

    Parameters
    ----------
    info : WeightsInfo
        Settings of the network.
    arrays : dict of str to np.ndarray
        Its weights, from :func:`hiphopss.weights.files.read_weights`.
    settings : AdaptationSettings
        Learning rate, and the number of batches over which it falls.
    origin : str
        Name of the weight file in messages.

    Attributes
    ----------
    model : keras.Model
        The whole network, with the weights of this moment.
    """

    @held()
    def __init__(
        self,
        info: WeightsInfo,
        arrays: dict[str, np.ndarray],
        settings: AdaptationSettings,
        *,
        origin: str,
    ):
        keras = import_keras()
        self.model = loaded_model(info, arrays, origin=origin)
        self._origin = origin
        self._decoding = _decoding_some_frames(self.model)
        n_rising = max(1, int(_WARM_UP * settings.steps))
        rate = keras.optimizers.schedules.CosineDecay(
            0.0,
            max(1, settings.steps - n_rising),
            warmup_target=settings.learning_rate,
            warmup_steps=n_rising,
        )
        self._decoding.compile(
            optimizer=keras.optimizers.Adam(rate, global_clipnorm=_MOST_NORM),
            loss=_Loss(info.fidelity).of,
            jit_compile=settings.steps >= _WORTH_COMPILING and keras.backend.backend() != "torch",
        )
        self._decoding.optimizer.build(self._decoding.trainable_variables)

    @held()
    def restart(self, arrays: dict[str, np.ndarray]) -> None:
        """Begin anew with these weights."""
        assign_arrays(self.model, arrays, origin=self._origin)
        for variable in self._decoding.optimizer.variables:
            variable.assign(np.zeros(variable.shape, variable.dtype))

    @held()
    def step(self, mixture: np.ndarray, frames: np.ndarray, targets: np.ndarray) -> float:
        """Train on a batch of :class:`hiphopss.adaptation.mixing.MixedBatches`; return its loss."""
        return float(self._decoding.train_on_batch([mixture, frames], targets))

    @held()
    def estimates(self, mixture: np.ndarray, frames: np.ndarray) -> np.ndarray:
        """Estimates of the sources in some frames, `[shape=(n, n_sources, n_frames, n_bins)]`."""
        return self._decoding.predict_on_batch([mixture, frames])

    @contextmanager
    def using(self, arrays: dict[str, np.ndarray]) -> Iterator[None]:
        """In this context, these are the weights."""
        before = self.arrays
        assign_arrays(self.model, arrays, origin=self._origin)
        yield
        assign_arrays(self.model, before, origin=self._origin)

    @property
    def arrays(self) -> dict[str, np.ndarray]:
        """A copy of the weights, by name."""
        return {name: array.copy() for name, array in network_arrays(self.model).items()}


class _Loss:
    """The loss of a network: of the sources that its preset trains (Q9)."""

    def __init__(self, fidelity: Fidelity):
        trained = [source != "other" or fidelity.reconstruct_other for source in SOURCES]
        self._weights = np.array(trained, np.float32)

    def of(self, targets: Any, estimates: Any) -> Any:
        """The squared error of each source over its energy in the batch, summed over sources."""
        from keras import ops

        errors = ops.sum(ops.square(targets - estimates), axis=(0, 2, 3))
        energies = ops.sum(ops.square(targets), axis=(0, 2, 3))
        floor = _FLOOR * ops.mean(energies) + 1e-9
        return ops.sum(self._weights * errors / (energies + floor))


def _decoding_some_frames(model: keras.Model) -> keras.Model:
    """The same network with the same weights, of which only some frames are decoded.

    Most of the work of a training step is in the last layer, of which two thirds are left out.
    """
    import keras
    from keras import ops

    mixture = keras.Input(model.input_shape[1:], name="mixture")
    frames = keras.Input((model.input_shape[1] // EVERY,), dtype="int32", name="frames")
    hidden = keras.Model(model.input, model.get_layer("output").output)(mixture)
    hidden = ops.take(hidden, frames[0], axis=2)
    outputs = model.get_layer("conv1")(hidden, inverse=True)
    raised = ops.relu(outputs) + MASK_EPSILON
    masks = raised / ops.sum(raised, axis=1, keepdims=True)
    return keras.Model([mixture, frames], masks * ops.take(mixture, frames[0], axis=1)[:, None])
