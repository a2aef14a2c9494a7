"""Correlations of signals at the 512 delays of BSS Eval, window by window.

For signals x and y in a window, and delays t = 0 .. 511,

    c[t] = sum over n of x[n] y[n + t],     both n and n + t inside the window.

Blocks of x are correlated with blocks of y that are 511 samples longer, by short FFTs: the
cross-spectra of the blocks are summed, and only the sum is transformed back. A window has two
parts: in its body, each x[n] is multiplied by all of y[n] .. y[n + 511]; in its tail of 511
samples, y ends with the window. The bodies of overlapping windows are split at each other's edges,
and each piece is correlated once for all windows that contain it. So nothing is subtracted.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np

FILTER_TAPS = 512
"""Number of delays of each reference that BSS Eval v3 allows."""

_N_FFT = 8192
"""FFT length: short enough for a processor's cache, long enough to need few blocks."""

_BATCH = 8
"""Number of blocks whose cross-spectra are summed in one matrix product per frequency."""


def correlate_windows(x: np.ndarray, y: np.ndarray, starts: np.ndarray, length: int) -> np.ndarray:
    """Correlate every signal in x with every signal in y, in each window.

    Parameters
    ----------
    x : np.ndarray [shape=(n_x, n_samples)]
        Signals.
    y : np.ndarray [shape=(n_y, n_samples)]
        Signals that are advanced relative to those in x.
    starts : np.ndarray of int [shape=(n_windows,)]
        First sample of each window, in increasing order.
    length : int
        Number of samples of a window.

    Returns
    -------
    np.ndarray [shape=(n_windows, n_x, n_y, 512)]
        The last axis is the delay, 0 to 511 samples.
    """
    ends = starts + length
    body_ends = np.maximum(starts, ends - (FILTER_TAPS - 1))
    result = np.zeros((len(starts), len(x), len(y), FILTER_TAPS))
    for begin, end in pairwise(np.unique([starts, body_ends])):
        holders = (starts <= begin) & (end <= body_ends)
        if holders.any():
            result[holders] += _correlate(x, y, begin, end, end + FILTER_TAPS - 1)
    for window, begin, end in zip(result, body_ends, ends, strict=True):
        window += _correlate(x, y, begin, end, end)
    return result


def _correlate(x: np.ndarray, y: np.ndarray, begin: int, end: int, y_end: int) -> np.ndarray:
    """Correlate ``x[begin:end]`` with ``y[begin:y_end]`` [shape=(n_x, n_y, 512)]."""
    from scipy.fft import irfft, next_fast_len, rfft

    overlap = FILTER_TAPS - 1
    n_fft = min(_N_FFT, next_fast_len(int(end - begin) + overlap, real=True))
    step = n_fft - overlap
    spectrum = np.zeros((n_fft // 2 + 1, len(x), len(y)), complex)
    blocks = range(begin, end, step)
    for first in range(0, len(blocks), _BATCH):
        batch = blocks[first : first + _BATCH]
        # (n_blocks, n_signals, n_bins); rfft pads with zeros
        X = np.stack([rfft(x[:, b : min(b + step, end)], n_fft) for b in batch])
        Y = np.stack([rfft(y[:, b : min(b + n_fft, y_end)], n_fft) for b in batch])
        spectrum += X.conj().transpose(2, 1, 0) @ Y.transpose(2, 0, 1)
    return np.moveaxis(irfft(spectrum, n_fft, axis=0)[:FILTER_TAPS], 0, -1)
