"""What tests of networks have in common: random weights, magnitudes, and masks patch by patch."""

import numpy as np

from hiphopss import SignalConfig
from hiphopss.network.forward import NumpyNetwork
from hiphopss.weights.files import network_arrays

CONFIG = SignalConfig()


def magnitudes(n_frames, n_bins, seed=0):
    """As loud as scaled spectrograms, with bins and frames of silence."""
    x = np.random.default_rng(seed).gamma(0.3, 0.5, (n_frames, n_bins)).astype(np.float32)
    x[10:13] = 0
    x[:, -40:] = 0
    return x


def both_networks(fidelity, config=CONFIG):
    """The same random weights in both; biases are not 0."""
    from hiphopss.network.model import build_model

    model = build_model(fidelity, config=config, seed=3)
    rng = np.random.default_rng(4)
    model.set_weights(
        [w if w.any() else rng.uniform(-0.05, 0.1, w.shape) for w in model.get_weights()]
    )
    return model, NumpyNetwork(network_arrays(model), config, fidelity)


def masks_of(network, patches):
    """Of each patch alone, `(n, 4, context, n_bins)`."""
    alone = np.ones((1, patches.shape[1]))
    return np.array([network.joined_masks(patch, alone) for patch in patches])
