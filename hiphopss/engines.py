"""What separates: the network in NumPy, or in Keras. Both give the same masks, to rounding."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from hiphopss.config import SOURCES, SignalConfig
from hiphopss.errors import HiphopssError
from hiphopss.forward import NumpyNetwork, array_shapes, fit_arrays
from hiphopss.patches import cut, overlap_add
from hiphopss.weights import WeightsInfo, load_model, read_weights

if TYPE_CHECKING:
    import keras

ENGINES = ("numpy", "keras")
"""Names of the engines, the default one first."""

_BATCH = 128  # patches a call of the Keras network


class KerasNetwork:
    """The Keras network, from magnitudes of consecutive frames to joined masks.

    Parameters
    ----------
    model : keras.Model
        From :func:`hiphopss.model.build_model`.
    config : SignalConfig
        Context and overlap.
    """

    parallel = False  # Keras uses all processors by itself

    def __init__(self, model: keras.Model, config: SignalConfig):
        from hiphopss.model import mask_model

        self._config = config
        self._masks = mask_model(model)

    def joined_masks(self, magnitudes: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """As :meth:`hiphopss.forward.NumpyNetwork.joined_masks`."""
        config, n_patches = self._config, len(weights)
        patches = cut(magnitudes, n_patches, config)
        masks = np.empty((n_patches, len(SOURCES), config.context, config.bins), np.float32)
        for first in range(0, n_patches, _BATCH):
            batch = patches[first : first + _BATCH]
            # one batch size, so that the network is compiled once
            padded = np.pad(batch, [(0, _BATCH - len(batch)), (0, 0), (0, 0)])
            masks[first : first + _BATCH] = self._masks.predict_on_batch(padded)[: len(batch)]
        masks *= weights[:, None, :, None].astype(np.float32)
        nothing = np.zeros((len(SOURCES), config.overlap, config.bins), np.float32)
        return overlap_add(masks, nothing, config)


def load_network(
    path: str | Path, *, engine: str = "numpy", standalone_script: bool = False
) -> tuple[NumpyNetwork | KerasNetwork, WeightsInfo]:
    """Build the network that a weight file of either kind is for, and load it.

    Parameters
    ----------
    path : path-like
        An own ``.weights.h5`` or a published ``.pkl``.
    engine : str
        One of ``ENGINES``.
    standalone_script : bool
        As the released stand-alone script separates (Q6).

    Returns
    -------
    network : NumpyNetwork or KerasNetwork
        Ready to use.
    info : WeightsInfo
        What the file says of itself.

    Raises
    ------
    HiphopssError
        As :func:`hiphopss.weights.read_arrays`, or if there is no engine of that name.
    """
    if engine not in ENGINES:
        raise HiphopssError(f"no engine named {engine!r}: choose {' or '.join(ENGINES)}")
    if engine == "keras":
        model, info = load_model(path, standalone_script=standalone_script)
        return KerasNetwork(model, info.config), info
    info, arrays = read_weights(path, standalone_script=standalone_script)
    shapes = array_shapes(info.config, info.fidelity)
    fitted = fit_arrays(arrays, shapes, origin=str(path))
    return NumpyNetwork(fitted, info.config, info.fidelity), info
