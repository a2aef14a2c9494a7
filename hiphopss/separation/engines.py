"""Engines that compute masks: the network in NumPy or in Keras, equal up to rounding."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal, overload

import numpy as np

from hiphopss.config import SOURCES, SignalConfig
from hiphopss.errors import HiphopssError
from hiphopss.network.forward import NumpyNetwork
from hiphopss.network.spec import array_shapes, fit_arrays
from hiphopss.signal.patches import cut, overlap_add
from hiphopss.weights.files import WeightsInfo, loaded_model, read_weights

if TYPE_CHECKING:
    import keras

ENGINES = ("numpy", "keras")
"""Names of the engines, the default one first."""

_BATCH = 128  # patches in one call of the Keras network


class KerasNetwork:
    """The Keras network: computes joined masks from magnitudes of consecutive frames.

    Parameters
    ----------
    model : keras.Model
        Model from :func:`hiphopss.network.model.build_model`.
    config : SignalConfig
        Gives the context and overlap of patches.
    """

    parallel = False  # Keras uses all processors by itself

    def __init__(self, model: keras.Model, config: SignalConfig):
        from hiphopss.network.model import mask_model

        self._config = config
        self._masks = mask_model(model)

    def joined_masks(self, magnitudes: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """Like :meth:`hiphopss.network.forward.NumpyNetwork.joined_masks`."""
        config, n_patches = self._config, len(weights)
        patches = cut(magnitudes, n_patches, config)
        masks = np.empty((n_patches, len(SOURCES), config.context, config.bins), np.float32)
        for first in range(0, n_patches, _BATCH):
            batch = patches[first : first + _BATCH]
            # All batches have the same size, so that the network is compiled only once.
            padded = np.pad(batch, [(0, _BATCH - len(batch)), (0, 0), (0, 0)])
            masks[first : first + _BATCH] = self._masks.predict_on_batch(padded)[: len(batch)]
        masks *= weights[:, None, :, None].astype(np.float32)
        nothing = np.zeros((len(SOURCES), config.overlap, config.bins), np.float32)
        return overlap_add(masks, nothing, config)


@overload
def load_network(
    path: str | Path, *, engine: Literal["numpy"] = ...
) -> tuple[NumpyNetwork, WeightsInfo]: ...
@overload
def load_network(
    path: str | Path, *, engine: str
) -> tuple[NumpyNetwork | KerasNetwork, WeightsInfo]: ...
def load_network(
    path: str | Path, *, engine: str = "numpy"
) -> tuple[NumpyNetwork | KerasNetwork, WeightsInfo]:
    """Build the network for a weight file of either kind, and load the file.

    Parameters
    ----------
    path : path-like
        The project's own ``.weights.h5`` or a published ``.pkl``.
    engine : str
        One of ``ENGINES``.

    Returns
    -------
    network : NumpyNetwork or KerasNetwork
        Network that is ready to use.
    info : WeightsInfo
        Settings and provenance recorded in the file.

    Raises
    ------
    HiphopssError
        As in :func:`hiphopss.weights.files.read_weights`, or if no engine has this name.
    """
    info, arrays = read_weights(path)
    return build_network(info, arrays, engine=engine, origin=str(path)), info


def build_network(
    info: WeightsInfo, arrays: dict[str, np.ndarray], *, engine: str = "numpy", origin: str
) -> NumpyNetwork | KerasNetwork:
    """Build the network for some arrays, with the arrays as its weights.

    Parameters
    ----------
    info : WeightsInfo
        Describes the network's wiring and its masks (Q6).
    arrays : dict of str to np.ndarray
        Arrays from :func:`hiphopss.weights.files.read_weights`.
    engine : str
        One of ``ENGINES``.
    origin : str
        Name of the arrays' origin in messages.

    Returns
    -------
    NumpyNetwork or KerasNetwork
        Network that is ready to use.
    """
    if engine not in ENGINES:
        raise HiphopssError(f"no engine named {engine!r}: choose {' or '.join(ENGINES)}")
    if engine == "keras":
        return KerasNetwork(loaded_model(info, arrays, origin=origin), info.config)
    fitted = fit_arrays(arrays, array_shapes(info.config, info.fidelity), origin=origin)
    return NumpyNetwork(fitted, info.config, info.fidelity)
