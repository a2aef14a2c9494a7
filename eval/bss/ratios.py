"""Ratios that need no filters: SI-SDR, and the uSDR of the Music Demixing Challenge."""

from __future__ import annotations

import numpy as np

from hiphopss.eval.bss.engine import decibels
from hiphopss.eval.bss.scores import Scores, require_order

USDR_EPS = 1e-7
"""Energy that the challenge adds to both sides of the ratio, at a full scale of 1."""


def si_sdr(
    references: np.ndarray, estimates: np.ndarray, starts: np.ndarray, length: int
) -> np.ndarray:
    """Scale-invariant SDR (Le Roux et al. 2019, "SDR - half-baked or well done?").

    The target is the reference times the factor that brings it nearest to the estimate. All
    channels of a source are one long signal with one factor, so a wrong balance of the channels
    counts as distortion. Means are not subtracted.

    Parameters
    ----------
    references, estimates : np.ndarray [shape=(n_sources, n_samples, n_channels)]
        Waveforms.
    starts : np.ndarray of int [shape=(n_windows,)]
        First sample of each window.
    length : int
        Number of samples of a window.

    Returns
    -------
    np.ndarray [shape=(n_sources, n_windows)]
        Scores in dB, at most 157 dB, the last digit of double precision; NaN where one of the two
        is silent, and in windows of one sample, which a factor always fits.
    """
    require_order("references", references.shape)
    require_order("estimates", estimates.shape)
    scores = np.full((len(references), len(starts)), np.nan)
    for k, start in enumerate(starts):
        for i, (reference, estimate) in enumerate(zip(references, estimates, strict=True)):
            s, e = reference[start : start + length], estimate[start : start + length]
            own, energy = _inner(s, s), _inner(e, e)
            if own > 0 and energy > 0 and s.size > 1:
                factor = _inner(s, e) / own
                rest = e - factor * s
                scores[i, k] = decibels(factor**2 * own, _inner(rest, rest), energy)
    return scores


def usdr(references: np.ndarray, estimates: np.ndarray) -> Scores:
    """The uSDR of the Music Demixing Challenge: an SDR of whole songs that forgives nothing.

    Mitsufuji et al. 2022, "Music Demixing Challenge 2021": the energy of all channels of the
    reference over that of the error, with 1e-7 added to both, so that silence has a score, too.

    Parameters
    ----------
    references, estimates : np.ndarray [shape=(n_sources, n_samples, n_channels)]
        Waveforms at a full scale of 1.

    Returns
    -------
    Scores
        SDR [shape=(n_sources, 1)]; SIR, SAR and ISR are NaN.
    """
    require_order("references", references.shape)
    require_order("estimates", estimates.shape)
    sdr = np.empty((len(references), 1))
    for row, reference, estimate in zip(sdr, references, estimates, strict=True):
        rest = reference - estimate
        energy = _inner(reference, reference)
        row[:] = 10 * np.log10((energy + USDR_EPS) / (_inner(rest, rest) + USDR_EPS))
    nothing = np.full(sdr.shape, np.nan)
    return Scores(sdr, nothing, nothing, nothing, np.zeros(1, int), np.full(sdr.shape, ""))


def _inner(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Inner product over all channels, without a copy, whatever the layout of the arrays."""
    return np.einsum("nc,nc->", x, y)
