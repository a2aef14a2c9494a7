"""Specification of the network: its constants, the shapes of its arrays, and fitting arrays to it.

From docs/released-code.md, section 3. The Keras model and its NumPy copies both follow it.
"""

from __future__ import annotations

import numpy as np

from hiphopss.config import SOURCES, Fidelity, SignalConfig
from hiphopss.errors import HiphopssError

N_FILTERS = 50
TIME_FILTER = 15
BOTTLENECK = 128
MASK_EPSILON = 1e-8
STANDALONE_MASK_EPSILON = 1e-18  # part of Q6


def array_shapes(config: SignalConfig, fidelity: Fidelity) -> dict[str, tuple[int, ...]]:
    """Shape of every array of the network by name, in the order of the published files.

    Parameters
    ----------
    config : SignalConfig
        Number of frames of a patch and of bins of a frame.
    fidelity : Fidelity
        Wiring (Q1 and Q8).

    Returns
    -------
    dict of str to tuple of int
        Under the names that :func:`hiphopss.weights.files.network_arrays` uses.
    """
    encoded = N_FILTERS * (config.context - TIME_FILTER + 1)
    shapes: dict[str, tuple[int, ...]] = {}
    for conv, kernel in (
        ("conv1", (N_FILTERS, 1, 1, config.bins)),
        ("conv2", (N_FILTERS, N_FILTERS, TIME_FILTER, 1)),
    ):
        biases = ("bias", "extra_bias") if fidelity.redundant_biases else ("bias",)
        shapes[f"{conv}/kernel"] = kernel
        shapes |= {f"{conv}/{bias}": (N_FILTERS,) for bias in biases}
    shapes |= {"bottleneck/kernel": (encoded, BOTTLENECK), "bottleneck/bias": (BOTTLENECK,)}
    for source in decoded_sources(fidelity):
        shapes[f"decoder_{source}/kernel"] = (BOTTLENECK, encoded)
        shapes[f"decoder_{source}/bias"] = (encoded,)
    return shapes | {"output/bias": (len(SOURCES),)}


def fit_arrays(
    arrays: dict[str, np.ndarray], shapes: dict[str, tuple[int, ...]], *, origin: str
) -> dict[str, np.ndarray]:
    """Fit arrays to a network, converting between the two wirings.

    Redundant biases that the file lacks become 0, and those that the network lacks are added to the
    other biases. If the file has no decoder for ``other``, that of ``bass`` is copied. The network
    then computes exactly what the file's own network does.

    Parameters
    ----------
    arrays : dict of str to np.ndarray
        Arrays by name.
    shapes : dict of str to tuple of int
        Shapes of the network's arrays, for example from :func:`array_shapes`.
    origin : str
        Name of the arrays' origin in messages.

    Returns
    -------
    dict of str to np.ndarray
        Fitted arrays in the order of ``shapes``.

    Raises
    ------
    HiphopssError
        If an array is missing, superfluous or of the wrong shape.
    """
    arrays = dict(arrays)
    for conv in ("conv1", "conv2"):
        extra = f"{conv}/extra_bias"
        if extra in shapes and extra not in arrays:
            arrays[extra] = np.zeros(shapes[extra], np.float32)
        elif extra in arrays and extra not in shapes:
            arrays[f"{conv}/bias"] = arrays[f"{conv}/bias"] + arrays.pop(extra)
    for part in ("kernel", "bias"):
        if f"decoder_other/{part}" in shapes and f"decoder_other/{part}" not in arrays:
            arrays[f"decoder_other/{part}"] = arrays[f"decoder_bass/{part}"]
    if "decoder_other/kernel" in arrays and "decoder_other/kernel" not in shapes:
        raise HiphopssError(
            f"{origin}: has a decoder of its own for 'other', which the preset 'released' lacks "
            "(its quirk Q1: 'other' uses the decoder of 'bass'): use the preset 'corrected'"
        )
    for name, shape in shapes.items():
        found = arrays[name].shape if name in arrays else "nothing"
        if found != shape:
            raise HiphopssError(
                f"{origin}: array {name}: found {found}, expected {shape}: "
                "use a weight file of this network"
            )
    return {name: arrays[name] for name in shapes}


def decoded_sources(fidelity: Fidelity) -> tuple[str, ...]:
    """Sources with a decoder of their own: all, or all except ``other`` (Q1)."""
    return tuple(s for s in SOURCES if not (s == "other" and fidelity.shared_other_decoder))


def mask_noise(shape: tuple[int, int], seed: int = 0) -> np.ndarray:
    """The fixed random numbers ``u`` of the soft masks, uniform on (0, 1].

    Parameters
    ----------
    shape : (int, int)
        ``(context, n_bins)``.
    seed : int
        Seed of the numbers. The released code draws new ones in every run.

    Returns
    -------
    np.ndarray [shape=(context, n_bins)]
        In double precision.
    """
    # random() is in [0, 1); the subtraction makes it (0, 1], so that no sum of masks is 0.
    return 1 - np.random.default_rng(seed).random(shape)
