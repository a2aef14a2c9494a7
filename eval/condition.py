"""How well a window of references determines its scores.

BSS Eval projects each estimate on delayed copies of all references. Where a frequency band is empty
(audio resampled in floating point), or where references are copies of one another (channels of a
mono file made stereo), these copies depend on one another to working precision: SIR, SAR and ISR
then change by decibels with the order of additions, in any implementation.
"""

from __future__ import annotations

import numpy as np

FILTER_TAPS = 512
"""Delays of each reference that BSS Eval v3 allows."""

SINGULAR = float(np.finfo(np.float64).eps)
"""Reciprocal condition below which scores are called uncertain.

Measured on four stems: swapping two of them changed no score by more than 5e-5 dB where the
reciprocal condition was 1e-15, but by up to 1e-3 dB at 1e-17 and up to 11 dB where it was 0. With
the same stems rounded to 16 bit it was 1e-11, and nothing changed by more than 1e-9 dB.
"""


def reciprocal_condition(signals: np.ndarray) -> float:
    """Reciprocal condition of the Gram matrix of all delayed copies of some signals.

    Parameters
    ----------
    signals : np.ndarray [shape=(n_signals, n_samples)]
        Every channel of every reference.

    Returns
    -------
    float
        In the 1-norm, as LAPACK estimates it: 1 is best; 0 where the matrix is not positive
        definite to working precision.
    """
    from scipy.linalg import lapack

    gram = gram_matrix(signals)
    norm = np.abs(gram).sum(axis=0).max()
    factor, failed = lapack.dpotrf(gram)
    return 0.0 if failed else float(lapack.dpocon(factor, norm)[0])


def gram_matrix(signals: np.ndarray) -> np.ndarray:
    """Inner products of delayed copies of signals.

    Parameters
    ----------
    signals : np.ndarray [shape=(n_signals, n_samples)]
        Waveforms.

    Returns
    -------
    np.ndarray [shape=(n_signals * 512, n_signals * 512)]
        Symmetric; signal by signal, delays of 0 to 511 samples each.
    """
    from scipy.fft import irfft, next_fast_len, rfft
    from scipy.linalg import toeplitz

    n_signals, n_samples = signals.shape
    n_fft = next_fast_len(n_samples + FILTER_TAPS - 1, real=True)
    spectra = rfft(signals, n_fft, axis=1)
    blocks = np.empty((n_signals, FILTER_TAPS, n_signals, FILTER_TAPS))
    for i in range(n_signals):
        for j in range(i + 1):
            correlation = irfft(spectra[i] * spectra[j].conj(), n_fft)
            # Row a, column b: signal i delayed by a, times signal j delayed by b.
            column = np.append(correlation[0], correlation[:-FILTER_TAPS:-1])
            block = toeplitz(column, correlation[:FILTER_TAPS])
            blocks[i, :, j] = block
            blocks[j, :, i] = block.T
    return blocks.reshape(n_signals * FILTER_TAPS, -1)
