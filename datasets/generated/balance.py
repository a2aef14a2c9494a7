"""Levels: how loud a stem is where it plays, and the balance of a song's stems."""

from __future__ import annotations

import numpy as np

from hiphopss.config import SOURCES
from hiphopss.datasets.generated.effects import RATE

GATE = 30.0  # dB under the loudest frame: what is quieter doesn't count as playing


def gated_rms(x: np.ndarray) -> float:
    """RMS over the 0.1 s frames that lie within 30 dB of the loudest; 0 for silence.

    Parameters
    ----------
    x : np.ndarray [shape=(n_samples,) or (n_channels, n_samples)]
    """
    n = x.shape[-1] // 4410 * 4410
    power = np.mean(x[..., :n].reshape(*x.shape[:-1], -1, 4410) ** 2, axis=-1)
    if power.ndim > 1:
        power = power.mean(axis=0)
    return float(np.sqrt(power[power >= power.max() * 10 ** (-GATE / 10)].mean()))


def _faded(x: np.ndarray) -> np.ndarray:
    """End without a click."""
    n = min(x.shape[-1], RATE // 50)
    x[..., x.shape[-1] - n :] *= np.linspace(1, 0, n)
    return x


def balanced(stems: dict[str, np.ndarray], levels: dict[str, float]) -> dict[str, np.ndarray]:
    """The stems at their levels (gated RMS in dB), faded out at the very end; silence stays."""
    return {
        source: _faded(
            stems[source] * 10 ** (levels[source] / 20) / (gated_rms(stems[source]) or 1.0)
        )
        for source in SOURCES
    }


def scaled(stems: dict[str, np.ndarray], peak: float, *, plain_sum: bool) -> dict[str, np.ndarray]:
    """All stems by one factor, so that the loudest one, or their plain sum, has that peak."""
    heard = [*stems.values(), sum(stems.values())] if plain_sum else list(stems.values())
    loudest = max(np.abs(x).max() for x in heard)
    return {source: stems[source] * (peak / loudest) for source in SOURCES}
