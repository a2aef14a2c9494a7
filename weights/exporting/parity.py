"""How far an exported network is from the NumPy engine."""

from __future__ import annotations

import numpy as np

from hiphopss.config import SignalConfig
from hiphopss.errors import HiphopssError
from hiphopss.network.forward import NumpyNetwork
from hiphopss.weights.exporting.formats import Masks

LIMIT_DB = -80.0
"""Largest difference in dB. Rounding in single precision gives some -130 dB, a mistake -30 or more.
Single bins may differ by more than rounding, where all outputs are near 0, hence the distance."""

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
        estimates (mask times mixture) differ, relative to the energy of the mixture.

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
    if not largest <= LIMIT_DB:  # nor is NaN
        raise HiphopssError(
            f"{origin}: not written, as its masks differ from the NumPy engine's by {largest:.1f} "
            f"dB, more than {LIMIT_DB:g}: install other versions of the packages that write and "
            "run this format"
        )
    return largest


def difference_db(found: np.ndarray, expected: np.ndarray, patches: np.ndarray) -> float:
    """The largest difference of masks in dB, as :func:`require_parity` gives it.

    Parameters
    ----------
    found, expected : np.ndarray [shape=(n, n_sources, context, n_bins)]
        Masks of the first patches, and of all.
    patches : np.ndarray [shape=(n_patches, context, n_bins)]
        Magnitudes of the mixture; patches of silence are left out, as nothing can be heard there.
    """
    mixture = patches[: len(found), None].astype(np.float64)
    apart = (((found - expected[: len(found)]) * mixture) ** 2).sum(axis=(2, 3))
    whole = (mixture**2).sum(axis=(2, 3))
    ratio = np.where(whole > 0, apart / np.where(whole > 0, whole, 1), np.where(apart > 0, 1, 0))
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
