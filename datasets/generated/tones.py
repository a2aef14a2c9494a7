"""Single notes of synthesised instruments."""

from __future__ import annotations

from typing import Any, TypeVar

import numpy as np

from hiphopss.datasets.generated.effects import RATE

Pitch = TypeVar("Pitch", float, np.ndarray)


def hertz(midi: Pitch) -> Pitch:
    """Frequency of a MIDI note number (69 is 440 Hz)."""
    return 440.0 * 2 ** ((midi - 69) / 12)


def _phase(instrument: dict[str, Any], hz: float, n: int) -> np.ndarray:
    """Phase of the fundamental in radians; it falls into pitch if the instrument glides."""
    time = np.arange(n) / RATE
    cycles = hz * time
    if glide := instrument.get("glide", 0.0):
        settle = 0.035
        cycles += hz * (2 ** (glide / 12) - 1) * settle * (1 - np.exp(-time / settle))
    return 2 * np.pi * cycles


def _additive(instrument: dict[str, Any], hz: float, n: int) -> np.ndarray:
    """Sum of decaying partials below 16 kHz."""
    count = min(int(instrument["partials"]), int(16000 / hz))
    orders = np.arange(1, count + 1)
    levels = orders ** -float(instrument["tilt"])
    levels[1::2] *= instrument.get("even", 1.0)
    if pluck := instrument.get("pluck", 0.0):
        levels *= np.abs(np.sin(np.pi * pluck * orders))
    rates = np.log(1000) / instrument["decay"] * (1 + instrument["damp"] * (orders - 1))
    time = np.arange(n) / RATE
    phase = _phase(instrument, hz, n)
    out = np.zeros(n)
    stretch = instrument.get("inharmonic", 0.0)
    # sin(k p) = 2 cos(p) sin((k - 1) p) - sin((k - 2) p): one sine for all harmonic partials
    twice, before, current = 2 * np.cos(phase), np.zeros(n), np.sin(phase)
    for order, level, rate in zip(orders, levels, rates, strict=True):
        if stretch and order > 1:
            current = np.sin(phase * (order * np.sqrt(1 + stretch * order**2)))
        elif order > 1:
            current, before = twice * current - before, current
        # after 60 dB a partial isn't worth its samples
        end = min(n, int(RATE * np.log(1000) / rate) + 1)
        out[:end] += level * current[:end] * np.exp(-rate * time[:end])
    return out


def _modulated(instrument: dict[str, Any], hz: float, n: int) -> np.ndarray:
    """Frequency modulation with a falling index, and the knock of a tine if it has a bell."""
    time = np.arange(n) / RATE
    phase = _phase(instrument, hz, n)
    rate = np.log(1000) / instrument["decay"]
    index = instrument["index"] * np.exp(-rate * instrument["damp"] / 3 * time)
    out = np.sin(phase + index * np.sin(instrument["ratio"] * phase))
    if bell := instrument.get("bell", 0.0):
        out += bell * np.sin(14 * phase) * np.exp(-25 * time)
    return out * np.exp(-rate * time)


def note(
    instrument: dict[str, Any], midi: float, n_samples: int, rng: np.random.Generator
) -> np.ndarray:
    """One note, with its release.

    Parameters
    ----------
    instrument : dict
        One table of instruments of the style.
    midi : float
        Pitch, as a MIDI note number.
    n_samples : int
        How long the key is held.
    rng : np.random.Generator
        For the phases of voices that are out of tune, and for breath.

    Returns
    -------
    x : np.ndarray [shape=(n_samples + release,)]
    """
    release = int(instrument["release"] * RATE)
    n = n_samples + release
    make = {"additive": _additive, "fm": _modulated}[instrument["kind"]]
    if detune := instrument.get("detune", 0.0):
        offset = detune * rng.uniform(0.8, 1.2)
        x = make(instrument, hertz(midi - offset), n) + make(instrument, hertz(midi + offset), n)
    else:
        x = make(instrument, hertz(midi), n)
    time = np.arange(n) / RATE
    if depth := instrument.get("tremolo", 0.0):
        x *= 1 - depth / 2 * (1 + np.sin(2 * np.pi * rng.uniform(4.5, 6.0) * time))
    if breath := instrument.get("breath", 0.0):
        x += breath * rng.standard_normal(n)
    envelope = np.minimum(1.0, time / instrument["attack"])
    envelope[n_samples:] *= np.linspace(1, 0, release)
    return x * envelope


def add(out: np.ndarray, x: np.ndarray, start: int) -> None:
    """Add ``x`` to ``out`` from sample ``start`` on; what lies outside ``out`` is lost."""
    if start < 0:
        x, start = x[-start:], 0
    end = min(len(out), start + len(x))
    if end > start:
        out[start:end] += x[: end - start]
