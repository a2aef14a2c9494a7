"""The network as a Keras model of Keras's own layers, which Keras alone can load.

The network for training, from :func:`hiphopss.build_model`, has layers of its own: whoever loads a
file of it needs hiphopss.
"""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hiphopss.config import SOURCES
from hiphopss.network.forward import NumpyNetwork
from hiphopss.network.spec import BOTTLENECK, N_FILTERS, TIME_FILTER
from hiphopss.util.interrupts import held
from hiphopss.util.keras_backend import import_keras, notices_held_back
from hiphopss.weights.exporting.facts import INPUT
from hiphopss.weights.exporting.formats import Masks, decoders_of_sources

if TYPE_CHECKING:
    import keras

_METADATA = "metadata.json"  # of Keras, with the time of day
_EARLIEST = (1980, 1, 1, 0, 0, 0)  # of ZIP archives


@held()
def write(path: Path, network: NumpyNetwork, facts: dict[str, Any]) -> None:
    """Write the network; its facts are for a file beside it."""
    model = plain_model(network)
    with notices_held_back():  # of TensorFlow, which Keras looks for whatever its backend
        model.save(path)
    path.write_bytes(_without_time(path.read_bytes()))


def _without_time(archive: bytes) -> bytes:
    """The same archive without the time at which it was made."""
    memory = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(archive)) as given,
        zipfile.ZipFile(memory, "w") as made,
    ):
        for name in given.namelist():
            content = given.read(name)
            if name == _METADATA:
                told = json.loads(content)
                told.pop("date_saved", None)
                content = json.dumps(told).encode()
            made.writestr(zipfile.ZipInfo(name, _EARLIEST), content)
    return memory.getvalue()


@held()
def masks_of(path: Path) -> Masks:
    """Load such a file, on the processor: GPUs round to fewer digits unless told otherwise."""
    keras = import_keras()
    with keras.device("cpu:0"), notices_held_back():
        model = keras.saving.load_model(path, compile=False)

    @held()
    def masks(patches: np.ndarray) -> np.ndarray:
        with keras.device("cpu:0"):
            return model.predict_on_batch(patches)

    return masks


@held()
def plain_model(network: NumpyNetwork) -> keras.Model:
    """Build the network from layers of Keras, with its weights.

    Parameters
    ----------
    network : NumpyNetwork
        The network.

    Returns
    -------
    keras.Model
        From scaled magnitudes `[shape=(n, context, n_bins)]` to masks `[shape=(n, n_sources,
        context, n_bins)]`.
    """
    keras = import_keras()
    from keras import layers, ops

    config, n_decoders, n_encoded = network.config, len(network.sources), network.n_encoded
    conv2 = network.conv2_kernel.reshape(TIME_FILTER, N_FILTERS, N_FILTERS)

    # encoder
    mixture = keras.Input((config.context, config.bins), name=INPUT)
    x = layers.Dense(N_FILTERS, name="conv1")(mixture)  # (n, 30, 50)
    x = layers.Conv1D(N_FILTERS, TIME_FILTER, data_format="channels_last", name="conv2")(x)
    x = layers.Flatten(data_format="channels_last", name="flatten")(x)  # (n, 800)
    x = layers.Dense(BOTTLENECK, "relu", name="bottleneck")(x)

    # decoders, side by side
    x = layers.Dense(n_decoders * n_encoded * N_FILTERS, "relu", name="decoders")(x)
    x = layers.Reshape((n_decoders, n_encoded, N_FILTERS), name="unflatten")(x)
    x = layers.Conv2DTranspose(
        *(N_FILTERS, (1, TIME_FILTER)),
        use_bias=False,
        data_format="channels_last",
        name="conv2_inverse",
    )(x)  # (n, n_decoders, 30, 50)
    x = layers.Dense(config.bins, use_bias=False, name="conv1_inverse")(x)

    # masks
    if n_decoders < len(SOURCES):  # Q1
        x = ops.take(x, decoders_of_sources(network), axis=1)
    x = ops.relu(x + (network.lift - network.floor)[:, :1, :1])
    x = x + network.floor[:, : config.bins]
    masks = x / ops.sum(x, axis=1, keepdims=True)

    model = keras.Model(mixture, masks, name="hiphopss")
    model.set_weights(
        [
            *(network.conv1_kernel, network.conv1_bias, conv2, network.conv2_bias),
            *(network.bottleneck_kernel, network.bottleneck_bias),
            *(network.decoder_kernel, network.decoder_bias),
            *(conv2[None], network.conv1_kernel.T),
        ]
    )
    return model
