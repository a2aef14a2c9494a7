"""How far an exported network is from the NumPy engine."""

from __future__ import annotations

import math

import numpy as np

from hiphopss.config import SignalConfig
from hiphopss.errors import HiphopssError
from hiphopss.network.forward import NumpyNetwork
from hiphopss.weights.exporting.formats import Masks

LIMIT_DB = -80.0
"""Largest difference in dB. Rounding in single precision gives -120 to -150 dB, a mistake -60 or
more: that is what masks give which are wrong by a thousandth."""

_LEFT_OUT = 1e-3
"""Part of the points of a patch that are left out, those that differ most. Where all outputs of a
point are near 0, rounding decides on its masks: a few points of untrained networks give -70 dB."""

_LEAST_DB = -200.0  # given for equal masks, whose difference has no level in dB
_GAINS = (1e-4, 1e-2, 0.1, 0.3, 1.0, 3.0, 10.0)


def require_parity(masks_of: Masks, network: NumpyNetwork, *, origin: str) -> float:
    """Compare the masks of an exported network with those of the NumPy engine.

    Parameters
    ----------
    masks_of : callable
        The exported network.
    network : NumpyNetwork
        The engine with the same weights.
    origin : str
        Name of the exported file in messages.

    Returns
    -------
    float
        The largest difference in dB: of each source of each patch, the energy by which the two
        estimates (mask times mixture) differ, relative to the energy of the mixture, without one
        point in a thousand (:data:`_LEFT_OUT`).

    Raises
    ------
    HiphopssError
        If it is above :data:`LIMIT_DB`, or the masks have another shape than those of the engine.
    """
    patches = sample_patches(network.config)
    alone = np.ones((1, network.config.context))
    expected = np.array([network.joined_masks(patch, alone) for patch in patches])
    # One patch at a time and all at once: the batch has any size.
    found = [masks_of(patches[:1]), masks_of(patches)]
    shapes = [masks.shape for masks in found]
    if shapes != [(1, *expected.shape[1:]), expected.shape]:
        raise HiphopssError(f"{origin}: not written, as its masks have the shapes {shapes}")
    largest = max(difference_db(some, expected, patches) for some in found)
    if largest > LIMIT_DB:
        raise HiphopssError(
            f"{origin}: not written, as its masks differ from the NumPy engine's by {largest:.1f} "
            f"dB, more than {LIMIT_DB:g}: install other versions of the packages that write and "
            "run this format"
        )
    return largest


def difference_db(found: np.ndarray, expected: np.ndarray, patches: np.ndarray) -> float:
    """The largest difference of masks in dB, as :func:`require_parity` gives it; infinite with NaN.

    Parameters
    ----------
    found, expected : np.ndarray [shape=(n, n_sources, context, n_bins)]
        Masks of the first patches, and of all.
    patches : np.ndarray [shape=(n_patches, context, n_bins)]
        Magnitudes of the mixture; in silence, masks only have to be finite.
    """
    if not np.isfinite(found).all():
        return math.inf
    mixture = patches[: len(found), None].astype(np.float64)
    errors = ((found - expected[: len(found)]) * mixture) ** 2
    errors = np.sort(errors.reshape(*errors.shape[:2], -1))
    apart = errors[..., : -math.ceil(_LEFT_OUT * errors.shape[-1])].sum(axis=-1)
    ratio = apart / np.maximum((mixture**2).sum(axis=(2, 3)), np.finfo(float).tiny)
    return float(10 * np.log10(np.maximum(ratio, 10 ** (_LEAST_DB / 10))).max())


def sample_patches(config: SignalConfig) -> np.ndarray:
    """Magnitudes for the comparison: loud and soft, with the fall of music towards high bins.

    Returns
    -------
    np.ndarray [shape=(n_patches, context, n_bins)]
        Scaled as the network's input; the last patch is silence, and some frames and bins are.
    """
    rng = np.random.default_rng(0)
    shape = (len(_GAINS) + 1, config.context, config.bins)
    fall = 1 / (1 + np.arange(config.bins) / config.bins * 20)
    gains = np.array((*_GAINS, 0))[:, None, None]
    patches = rng.gamma(0.3, 0.5, shape) * fall * gains
    patches[:, 3:5] = 0
    patches[::2, :, -config.bins // 8 :] = 0
    return patches.astype(np.float32)
