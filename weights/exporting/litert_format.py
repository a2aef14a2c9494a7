"""The network as a LiteRT file (formerly TensorFlow Lite), made by TensorFlow's converter."""

from __future__ import annotations

from pathlib import Path
from tempfile import gettempdir
from typing import Any

import numpy as np

from hiphopss.errors import HiphopssError
from hiphopss.network.forward import NumpyNetwork
from hiphopss.util.interrupts import held
from hiphopss.util.keras_backend import import_keras, notices_held_back
from hiphopss.weights.exporting.facts import INPUT, OUTPUT
from hiphopss.weights.exporting.formats import Masks
from hiphopss.weights.exporting.keras_format import plain_model


@held()
def write(path: Path, network: NumpyNetwork, facts: dict[str, Any]) -> None:
    """Write the network; its facts are for a file beside it.

    Raises
    ------
    HiphopssError
        If Keras does not use TensorFlow, or its temporary files can't be written.
    """
    keras = import_keras()
    backend = keras.backend.backend()
    if backend != "tensorflow":
        raise HiphopssError(
            f"KERAS_BACKEND {backend}: LiteRT files are made by TensorFlow: set it to tensorflow"
        )
    model = plain_model(network)
    named = keras.Model(model.input, {OUTPUT: model.output}, name=model.name)
    import tensorflow as tf

    try:
        with notices_held_back():
            named.export(path, format="litert", verbose=False)
    except tf.errors.OpError as error:  # it writes several times the file's size there
        raise HiphopssError(
            f"{gettempdir()}: TensorFlow can't write its temporary files: make "
            "room, or set TMPDIR to a folder on another disk"
        ) from error


def masks_of(path: Path) -> Masks:
    """Load such a file into LiteRT."""
    with notices_held_back():
        from ai_edge_litert.interpreter import Interpreter

        run = Interpreter(str(path)).get_signature_runner()

    def masks(patches: np.ndarray) -> np.ndarray:
        with notices_held_back():
            return run(**{INPUT: patches})[OUTPUT]

    return masks
