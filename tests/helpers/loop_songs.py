"""Signals that repeat after any number of samples, and how much like another one a signal is."""

import numpy as np


def periodic(period, n_samples, seed, *, band=0.3):
    """Noise that repeats after ``period`` samples, a fraction too; `[shape=(n_samples,)]`.

    It has no frequencies above the share ``band`` of the sampling rate.
    """
    rng = np.random.default_rng(seed)
    n = int(period * band)
    lines = np.concatenate([[0], rng.standard_normal(n) + 1j * rng.standard_normal(n)])
    size = 1 << int(np.ceil(np.log2(16 * period)))
    table = np.fft.irfft(lines, size)
    at = np.arange(n_samples) / period % 1 * size
    low = at.astype(int)
    values = table[low] + (at - low) * (table[(low + 1) % size] - table[low])
    return (values / values.std()).astype(np.float32)


def sdr(truth, estimate):
    """Ratio of a signal to the error of its estimate, in dB."""
    return 10 * np.log10(np.sum(np.abs(truth) ** 2) / np.sum(np.abs(truth - estimate) ** 2))
