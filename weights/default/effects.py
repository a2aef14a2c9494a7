"""What happens to a stem between an instrument and a record, beyond the generated songs' effects.

Signals are ``[shape=(n_samples,)]`` at 44.1 kHz.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import scipy.fft
import soundfile
import soxr

from hiphopss.datasets.generated.effects import RATE, band, equalise, reverberate, saturate
from hiphopss.errors import HiphopssError

STRIDE = 32  # samples between values of a compressor's gain
BELLS = 3  # of a random equaliser


def rms_of(x: np.ndarray) -> float:
    """Root of the mean square; never 0, so that it can divide."""
    return float(np.sqrt(np.mean(x**2) + 1e-12))


def read_mono(path: Path, rate: int = RATE) -> np.ndarray:
    """The samples of a file, as the mean of its channels, at a rate in Hz."""
    try:
        x, own = soundfile.read(path, always_2d=True)
    except (OSError, soundfile.LibsndfileError) as error:
        raise HiphopssError(f"{path}: can't be read ({error}): copy it again") from error
    x = x.mean(axis=1)
    return x if own == rate else soxr.resample(x, own, rate)


def repitch(x: np.ndarray, factor: float) -> np.ndarray:
    """Play at another speed: above 1 shorter and higher."""
    return np.interp(np.arange(0, len(x) - 1, factor), np.arange(len(x)), x)


def add_at(out: np.ndarray, x: np.ndarray, seconds: float, gain: float = 1.0) -> None:
    """Add a sound to a signal from a time on; what lies outside is left out."""
    start = round(seconds * RATE)
    x = x[max(-start, 0) :]
    start = max(start, 0)
    n = min(len(x), len(out) - start)
    if n > 0:
        out[start : start + n] += gain * x[:n]


def colour(x: np.ndarray, rng: np.random.Generator, amount: float) -> np.ndarray:
    """A few bells anywhere, of at most ``amount`` dB."""
    for _ in range(BELLS):
        hz = np.exp(rng.uniform(np.log(90), np.log(12000)))
        x = equalise(x, kind="mid", hz=float(hz), gain=rng.uniform(-amount, amount))
    return x


def squeeze(
    x: np.ndarray, *, threshold: float, ratio: float, attack: float, release: float
) -> np.ndarray:
    """A compressor that looks at peaks and lets them through for a moment.

    Parameters
    ----------
    x : np.ndarray [shape=(n_samples,)]
    threshold : float
        In dB above the root mean square.
    ratio : float
        Input over output, in dB above the threshold.
    attack, release : float
        Time constants in seconds.
    """
    peaks = np.sqrt(np.maximum.reduceat(x * x, np.arange(0, len(x), STRIDE)) + 1e-12)
    level = 20 * np.log10(peaks / rms_of(x))
    wanted = np.minimum(0, (threshold - level) * (1 - 1 / ratio))
    falling, rising = (np.exp(-STRIDE / RATE / seconds) for seconds in (attack, release))
    gain, now = np.empty_like(wanted), 0.0
    for i, value in enumerate(wanted.tolist()):
        pole = falling if value < now else rising
        now = pole * now + (1 - pole) * value
        gain[i] = now
    return x * 10 ** (np.interp(np.arange(len(x)), np.arange(len(gain)) * STRIDE, gain) / 20)


def room(
    x: np.ndarray,
    rng: np.random.Generator,
    decay: tuple[float, float],
    level: tuple[float, float],
) -> np.ndarray:
    """Reverberation with a decay (seconds) and a level (dB of the dry signal) in these ranges."""
    return reverberate(
        x,
        decay=rng.uniform(*decay),
        wet=10 ** (rng.uniform(*level) / 20),
        lowpass=rng.uniform(2500, 9000),
        rng=rng,
    )


def drive(x: np.ndarray, rng: np.random.Generator, amount: tuple[float, float]) -> np.ndarray:
    """Saturate after scaling to peaks of 1, rare ones apart."""
    return saturate(x / (np.percentile(np.abs(x), 99.7) + 1e-9), rng.uniform(*amount))


def match_octaves(x: np.ndarray, octaves: dict[str, list[float]], spread: np.ndarray) -> np.ndarray:
    """Equalise the loud parts of a signal towards given levels of its octaves.

    Parameters
    ----------
    x : np.ndarray [shape=(n_samples,)]
    octaves : dict
        ``hz``, the lower edges, and ``levels`` in dB of the whole.
    spread : np.ndarray [shape=(n_octaves,)]
        Added to the levels, in dB.
    """
    frames = x[: len(x) // 4096 * 4096].reshape(-1, 4096)
    energy = np.mean(frames**2, axis=1)
    frames = frames[energy > 1e-3 * energy.max(initial=0)]
    power = np.mean(np.abs(np.fft.rfft(frames * np.hanning(4096))) ** 2, axis=0)
    hz = np.fft.rfftfreq(4096, 1 / RATE)
    edges = np.array(octaves["hz"])
    found = np.array([power[(hz >= low) & (hz < 2 * low)].sum() for low in edges])
    levels = 10 * np.log10(found / power.sum() + 1e-9)
    gains = np.clip(np.array(octaves["levels"]) - levels + spread, -18, 14)
    n = scipy.fft.next_fast_len(len(x), real=True)
    spectrum = scipy.fft.rfft(x, n)
    place = np.log(np.arange(len(spectrum)) * RATE / n + 1)
    curve = np.interp(place, np.log(np.sqrt(2) * edges), gains)
    return scipy.fft.irfft(spectrum * 10 ** (curve / 20), n)[: len(x)]


def without_lows(x: np.ndarray, rng: np.random.Generator, hz: tuple[float, float]) -> np.ndarray:
    """A high-pass somewhere in a range, as on most tracks of a mix."""
    return band(x, low=rng.uniform(*hz))
