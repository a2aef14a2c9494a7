"""What moves while a song plays: filters, faders, and a compressor on the whole mix."""

from __future__ import annotations

import math

import numpy as np
from scipy.signal import lfilter

from hiphopss.datasets.generated.effects import RATE, band

STRIDE = 32  # samples between two values of a gain
STEPS_OF_FILTER = 7  # low-passes that a sweep fades through
OPEN = 18000.0  # Hz


def gate(n: int, spans: list[tuple[int, int]], slope: int) -> np.ndarray:
    """0 within the spans of samples and 1 elsewhere, with slopes that lie inside [shape=(n,)]."""
    out = np.ones(n)
    for begin, end in spans:
        begin, end = max(0, begin), min(n, end)
        out[begin:end] = 0.0
        down = out[begin : min(end, begin + slope)]
        down[:] = np.linspace(1, 0, len(down))
        up = out[max(begin + len(down), end - slope) : end]
        up[:] = np.linspace(0, 1, len(up))
    return out


def swept(x: np.ndarray, corner: np.ndarray) -> np.ndarray:
    """A low-pass that moves, by fading between fixed ones.

    Parameters
    ----------
    x : np.ndarray [shape=(..., n_samples)]
    corner : np.ndarray [shape=(n_samples,)]
        Corner frequency in Hz; from 18 kHz on it is open.
    """
    if corner.min() >= OPEN:
        return x
    octaves = np.log2(np.minimum(corner, OPEN))
    place = (octaves - octaves.min()) / (math.log2(OPEN) - octaves.min()) * (STEPS_OF_FILTER - 1)
    out = np.zeros_like(x)
    for step in range(STEPS_OF_FILTER):
        weight = np.clip(1 - np.abs(place - step), 0, None)
        if weight.any():
            hz = 2 ** (
                octaves.min() + step / (STEPS_OF_FILTER - 1) * (math.log2(OPEN) - octaves.min())
            )
            out += weight * (x if step == STEPS_OF_FILTER - 1 else band(x, high=hz))
    return out


def bus_gain(
    x: np.ndarray, *, threshold: float, ratio: float, attack: float, release: float
) -> np.ndarray:
    """What a compressor on a mix multiplies it by.

    Parameters
    ----------
    x : np.ndarray [shape=(..., n_samples)]
    threshold : float
        In dB below the loudest level.
    ratio : float
    attack, release : float
        In seconds.

    Returns
    -------
    gain : np.ndarray [shape=(n_samples,)]
    """
    n = x.shape[-1]
    loud = np.abs(x) if x.ndim == 1 else np.abs(x).max(axis=0)
    power = np.add.reduceat(loud**2, np.arange(0, n, STRIDE)) / STRIDE
    smooth = math.exp(-STRIDE / (0.005 * RATE))
    level = 10 * np.log10(np.maximum(lfilter([1 - smooth], [1, -smooth], power), 1e-9))
    over = np.maximum(level - level.max() - threshold, 0) * (1 - 1 / ratio)
    down, up = (math.exp(-STRIDE / (time * RATE)) for time in (attack, release))
    state, reduction = 0.0, np.empty(len(over))
    for index, wanted in enumerate(over.tolist()):
        pole = down if wanted > state else up
        state = pole * state + (1 - pole) * wanted
        reduction[index] = state
    return 10 ** (-np.interp(np.arange(n), np.arange(len(over)) * STRIDE, reduction) / 20)
