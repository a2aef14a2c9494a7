"""The Keras network behind the interface of its NumPy copy: magnitudes to joined masks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from hiphopss.config import SOURCES, SignalConfig
from hiphopss.signal.patches import cut, overlap_add
from hiphopss.util.interrupts import held

if TYPE_CHECKING:
    import keras

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

    @held()
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
