"""Effects: equalisation, dynamics, saturation, echo and reverberation.

Signals are ``[shape=(n_samples,)]`` and stay as long as they are.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from scipy.signal import butter, lfilter, oaconvolve, sosfilt

RATE = 44100
"""Sampling rate of everything in the set, in Hz."""


@lru_cache(256)
def _butterworth(order: int, hz: float, kind: str) -> np.ndarray:
    """Second-order sections; the design takes as long as filtering a short sound."""
    return butter(order, hz, kind, fs=RATE, output="sos")


def band(x: np.ndarray, *, low: float = 0.0, high: float = 0.0, order: int = 2) -> np.ndarray:
    """Butterworth high-pass at ``low`` and low-pass at ``high`` Hz; 0 leaves that side open."""
    ceiling = 0.49 * RATE
    if low > 0:
        x = sosfilt(_butterworth(order, min(low, ceiling), "highpass"), x)
    if 0 < high < ceiling:
        x = sosfilt(_butterworth(order, high, "lowpass"), x)
    return x


def equalise(x: np.ndarray, *, kind: str, hz: float, gain: float) -> np.ndarray:
    """One section of an equaliser (the biquads of R. Bristow-Johnson's cookbook).

    Parameters
    ----------
    x : np.ndarray [shape=(n_samples,)]
    kind : str
        ``"low"`` and ``"high"`` are shelves, ``"mid"`` a bell an octave and a half wide.
    hz, gain : float
        Corner or centre frequency, and gain in dB.
    """
    amplitude = 10 ** (gain / 40)
    omega = 2 * math.pi * hz / RATE
    cosine = math.cos(omega)
    if kind == "mid":
        alpha = math.sin(omega) / 2
        numerator = [1 + alpha * amplitude, -2 * cosine, 1 - alpha * amplitude]
        denominator = [1 + alpha / amplitude, -2 * cosine, 1 - alpha / amplitude]
    else:
        sign = 1 if kind == "low" else -1
        root = 2 * math.sqrt(amplitude) * math.sin(omega) / math.sqrt(2)
        plus, minus = amplitude + 1, amplitude - 1
        numerator = [
            amplitude * (plus - sign * minus * cosine + root),
            sign * 2 * amplitude * (minus - sign * plus * cosine),
            amplitude * (plus - sign * minus * cosine - root),
        ]
        denominator = [
            plus + sign * minus * cosine + root,
            -sign * 2 * (minus + sign * plus * cosine),
            plus + sign * minus * cosine - root,
        ]
    return lfilter(numerator, denominator, x)


def saturate(x: np.ndarray, drive: float) -> np.ndarray:
    """Soft clipping; full scale stays full scale, and a drive near 0 does nothing."""
    return np.tanh(drive * x) / math.tanh(drive)


def normalise(x: np.ndarray) -> np.ndarray:
    """Scale to a peak of 1; silence stays silence."""
    peak = np.abs(x).max(initial=0.0)
    return x / peak if peak > 0 else x


def crush(x: np.ndarray, bits: float) -> np.ndarray:
    """Round to as many bits, as early samplers did; 16 and more pass untouched."""
    if bits >= 16:
        return x
    scale = 2 ** (bits - 1)
    return np.round(x * scale) / scale


def excite(x: np.ndarray, amount: float) -> np.ndarray:
    """Add overtones of the upper band: the speech synthesiser has nothing above 11 kHz."""
    upper = band(x, low=3500)
    return x + amount * band(np.abs(upper) * 2 + upper, low=7000)


def compress(x: np.ndarray, *, threshold: float, ratio: float) -> np.ndarray:
    """Feed-forward compressor on the smoothed power (about 20 ms), normalised to a peak of 1.

    Parameters
    ----------
    x : np.ndarray [shape=(n_samples,)]
        With a peak of about 1.
    threshold : float
        In dB below full scale.
    ratio : float
        Input over output, in dB above the threshold.
    """
    stride = 64  # the gain moves slowly: compute it at 689 Hz
    power = np.add.reduceat(x * x, np.arange(0, len(x), stride)) / stride
    pole = math.exp(-stride / (0.020 * RATE))
    level = 10 * np.log10(np.maximum(lfilter([1 - pole], [1, -pole], power), 1e-9))
    gain = 10 ** (-np.maximum(level - threshold, 0) * (1 - 1 / ratio) / 20)
    return normalise(x * np.interp(np.arange(len(x)), np.arange(len(gain)) * stride, gain))


def duck(x: np.ndarray, hits: Sequence[int], *, depth: float, release: float) -> np.ndarray:
    """Dip by ``depth`` (0..1) at each hit (a sample) and come back within ``release`` s."""
    impulses = np.zeros(len(x) // 64 + 1)
    impulses[np.asarray(hits, int) // 64] = 1.0
    pole = math.exp(-64 / (release * RATE / 3))
    dip = np.minimum(lfilter([1.0], [1, -pole], impulses), 1.0)
    return x * (1 - depth * np.interp(np.arange(len(x)), np.arange(len(dip)) * 64, dip))


def echo(x: np.ndarray, *, delay: int, feedback: float, wet: float) -> np.ndarray:
    """Repeats every ``delay`` samples, each ``feedback`` times the last and duller."""
    out, repeat, gain = x.copy(), x, wet
    while gain > 0.01 and delay < len(x):
        repeat = band(np.concatenate([np.zeros(delay), repeat[:-delay]]), high=3500, order=1)
        out += gain * repeat
        gain *= feedback
    return out


def reverberate(
    x: np.ndarray, *, decay: float, wet: float, lowpass: float, rng: np.random.Generator
) -> np.ndarray:
    """Convolve with decaying noise and add that to the signal.

    Parameters
    ----------
    x : np.ndarray [shape=(n_samples,)]
    decay : float
        Seconds to -60 dB.
    wet : float
        Level of the reverberation, relative to the dry signal's.
    lowpass : float
        Its upper end, in Hz.
    rng : np.random.Generator
    """
    n = int(decay * RATE)
    noise = rng.standard_normal(n) * 10 ** (-3 * np.arange(n) / n)
    noise[: int(0.008 * RATE)] = 0  # the first reflection comes late
    response = band(noise, low=250, high=lowpass, order=1)
    response /= math.sqrt(np.sum(response**2))
    return x + wet * oaconvolve(x, response)[: len(x)]


def wow(x: np.ndarray, *, percent: float, rng: np.random.Generator) -> np.ndarray:
    """Read at a speed that sways by as many per cent, as an off-centre record does."""
    time = np.arange(len(x))
    hz = rng.uniform(0.45, 0.9)
    sway = percent / 100 * RATE / (2 * math.pi * hz)
    phase = rng.uniform(0, 2 * math.pi)
    return np.interp(time + sway * np.sin(2 * math.pi * hz / RATE * time + phase), time, x)


def vinyl(n: int, rng: np.random.Generator) -> np.ndarray:
    """Hiss and crackle of a record, with a peak of about 1 [shape=(n,)]."""
    out = 0.03 * rng.standard_normal(n)
    clicks = rng.integers(0, n, size=n * 9 // RATE)
    np.add.at(out, clicks, rng.exponential(0.35, len(clicks)) * rng.choice([-1, 1], len(clicks)))
    return band(out, low=300, high=7000)


def process(
    x: np.ndarray,
    settings: dict[str, Any],
    *,
    step: float,
    hits: Sequence[int],
    rng: np.random.Generator,
) -> np.ndarray:
    """Put a stem through its bus; stages that the settings lack are skipped.

    Parameters
    ----------
    x : np.ndarray [shape=(n_samples,)]
    settings : dict
        One drawn table ``effects`` of the style.
    step : float
        Length of a sixteenth in samples, for the echo.
    hits : sequence of int
        Samples at which the kick drum hits, for ducking.
    rng : np.random.Generator
    """
    x = normalise(band(x, low=settings["highpass"]))
    if "compress" in settings:
        x = compress(x, **settings["compress"])
    for kind in ("low", "mid", "high"):
        x = equalise(x, kind=kind, **settings[kind])
    if "excite" in settings:
        x = excite(x, settings["excite"])
    x = saturate(normalise(x), settings["drive"])
    if "echo" in settings:
        sent = settings["echo"]
        delay = round(sent["steps"] * step)
        x = echo(x, delay=delay, feedback=sent["feedback"], wet=sent["wet"])
    if "reverb" in settings:
        x = reverberate(x, **settings["reverb"], rng=rng)
    if "duck" in settings:
        x = duck(x, hits, **settings["duck"])
    return normalise(x)
