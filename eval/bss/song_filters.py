"""BSS Eval v4: scores in short windows, with the distortion filters of the whole song.

BSS Eval v3 finds the filters of each window anew, as :mod:`hiphopss.eval.bss.engine` does. In v4
(Stöter, Liutkus and Ito 2018, "The 2018 Signal Separation Evaluation Campaign") they are found once
for the song, so windows may be short. Energies of projections then don't follow from correlations
any more: each window of the references is filtered. With P e and Q e as in that module,

    SDR = |s|^2 / |e - s|^2             ISR = |s|^2 / |P e - s|^2
    SIR = |P e|^2 / |Q e - P e|^2       SAR = |Q e|^2 / |e - Q e|^2

where, as in museval, only the references' samples of the window enter the filters, and the 511
samples that these add at the end count as well. A transform that is longer than both together turns
filtering into products, and energies are those of spectra, so nothing is transformed back.
"""

from __future__ import annotations

import numpy as np

from hiphopss.eval.bss.correlation import FILTER_TAPS, correlate_windows
from hiphopss.eval.bss.engine import (
    FILLED,
    TOO_SHORT,
    UNCERTAIN,
    channels,
    decibels,
    distinct_channels,
    is_filled,
)
from hiphopss.eval.bss.projection import SINGULAR, Projection
from hiphopss.eval.bss.scores import METRICS, Scores, silence_notes, sound

_BATCH = 4
"""Number of windows that are transformed together: few, so that they fit the memory."""


def song_windows(n_samples: int, window: int, hop: int) -> tuple[np.ndarray, int]:
    """Starts and length of museval's windows, in samples.

    Parameters
    ----------
    n_samples : int
        Length of the signal.
    window, hop : int
        Length of a window, and number of samples between the starts of windows.

    Returns
    -------
    starts : np.ndarray [shape=(n_windows,)]
        First sample of each full window; one window if the signal is shorter.
    length : int
        Number of samples of a window.
    """
    if window >= n_samples:
        return np.zeros(1, int), n_samples
    return np.arange((n_samples - window + hop) // hop) * hop, window


class SongFilterReferences:
    """One song's true sources, ready to score any number of estimates by BSS Eval v4.

    Parameters
    ----------
    references : np.ndarray [shape=(n_sources, n_samples, n_channels)]
        Waveforms of the true sources, finite.
    window, hop : int
        As in :func:`song_windows`.
    """

    def __init__(self, references: np.ndarray, window: int, hop: int):
        self._n_channels = references.shape[2]
        self._starts, self._length = song_windows(references.shape[1], window, hop)
        self._sounding = sound(references, self._starts, self._length)
        self._signals = channels(references)
        self._whole_song = np.zeros(1, int), references.shape[1]
        energies = np.einsum("in,in->i", self._signals, self._signals)
        audible = energies > np.finfo(float).tiny
        self._rows = np.flatnonzero(audible & distinct_channels(self._signals, self._n_channels))
        self._source_of = self._rows // self._n_channels
        self._used = self._signals
        if len(self._rows) < len(self._signals):  # else a copy would take time and memory
            self._used = self._signals[self._rows]
        self._whole: Projection | None = None
        self._single = {}
        self._too_short = references.shape[1] <= FILTER_TAPS
        if len(self._used) and not self._too_short:
            correlations = correlate_windows(self._used, self._used, *self._whole_song)[0]
            self._whole = Projection(correlations)
            for source in np.unique(self._source_of):
                own = np.flatnonzero(self._source_of == source)
                self._single[source] = own, Projection(correlations[np.ix_(own, own)])

    def score(self, estimates: np.ndarray) -> Scores:
        """Score estimates of these sources, each against the reference of its index.

        Parameters
        ----------
        estimates : np.ndarray [shape=(n_sources, n_samples, n_channels)]
            Waveforms, finite.

        Returns
        -------
        Scores
            Scores in arrays of ``(n_sources, n_windows)``; NaN where a source's reference or
            estimate is silent.
        """
        shape = self._sounding.shape
        ratios = {name: np.full(shape, np.nan) for name in METRICS}
        note = TOO_SHORT if self._too_short else ""
        if self._whole is not None:
            note = UNCERTAIN if self._whole.reciprocal_condition < SINGULAR else ""
            spectra = self._filter_spectra(channels(estimates))
            for first in range(0, len(self._starts), _BATCH):
                batch = slice(first, first + _BATCH)
                for name, values in self._windows(estimates, batch, *spectra).items():
                    ratios[name][:, batch] = values
            if is_filled(self._whole_song[1], len(self._used)):
                note = FILLED
                ratios["SIR"][:] = ratios["SAR"][:] = np.nan
        sounding = sound(estimates, self._starts, self._length)
        for values in ratios.values():
            values[~(sounding & self._sounding)] = np.nan
        notes = [
            silence_notes(note, ratios["SDR"][:, k], ~self._sounding[:, k], ~sounding[:, k])
            for k in range(shape[1])
        ]
        sdr, sir, sar, isr = ratios.values()
        return Scores(
            sdr,
            sir,
            sar,
            isr,
            self._starts,
            np.array(notes, dtype=str).T,
            window_length=self._length,
        )

    @property
    def _n_fft(self) -> int:
        """Length of transforms in which a filtered window has room."""
        from scipy.fft import next_fast_len

        return next_fast_len(self._length + FILTER_TAPS - 1, real=True)

    def _filter_spectra(self, signals: np.ndarray) -> tuple[np.ndarray, dict[int, np.ndarray]]:
        """Spectra of the filters that project each estimate on all references, and on its own.

        ``signals`` are the channels of all estimates. The first result has the shape (n_rows,
        n_sources * n_channels, n_bins), those by source have (n_own_rows, n_channels, n_bins).
        """
        from scipy.fft import rfft

        assert self._whole is not None
        products = correlate_windows(self._used, signals, *self._whole_song)[0]
        whole = rfft(self._whole.filters(products), self._n_fft)
        single = {}
        for source, (own, projection) in self._single.items():
            of_source = products[own][:, self._channels_of(source)]
            single[source] = rfft(projection.filters(of_source), self._n_fft)
        return whole, single

    def _windows(
        self,
        estimates: np.ndarray,
        batch: slice,
        whole: np.ndarray,
        single: dict[int, np.ndarray],
    ) -> dict[str, np.ndarray]:
        """Scores of some windows by metric [shape=(n_sources, n_windows)]; NaN without energy."""
        starts = self._starts[batch]
        true = self._spectra(self._signals, starts)
        rows = true[self._rows]
        in_all = np.einsum("ref,rbf->ebf", whole, rows)
        ratios = {name: np.full((len(estimates), len(starts)), np.nan) for name in METRICS}
        for source, (own, _) in self._single.items():
            s = true[self._channels_of(source)]
            e = self._spectra(estimates[source].T, starts)
            q = in_all[self._channels_of(source)]
            p = np.einsum("ref,rbf->ebf", single[source], rows[own])
            energies = self._energies(e)
            target, image = self._energies(p), self._energies(s)
            scale = np.maximum(energies, image)
            ratios["SDR"][source] = decibels(image, self._energies(e - s), scale)
            ratios["ISR"][source] = decibels(image, self._energies(p - s), scale)
            ratios["SIR"][source] = decibels(target, self._energies(q - p), energies)
            ratios["SAR"][source] = decibels(self._energies(q), self._energies(e - q), energies)
        if len(self._single) == 1:  # no other source can interfere
            ratios["SIR"][~np.isnan(ratios["SIR"])] = np.inf
        return ratios

    def _spectra(self, signals: np.ndarray, starts: np.ndarray) -> np.ndarray:
        """Spectra of windows of signals [shape=(n_signals, n_windows, n_bins)]."""
        from scipy.fft import rfft

        parts = [signals[:, start : start + self._length] for start in starts]
        return rfft(np.stack(parts, axis=1), self._n_fft)

    def _energies(self, spectra: np.ndarray) -> np.ndarray:
        """Energies of windows, summed over channels, from spectra of real signals."""
        squares = np.einsum("cbf,cbf->bf", spectra.real, spectra.real)
        squares += np.einsum("cbf,cbf->bf", spectra.imag, spectra.imag)
        twice = 2 * squares.sum(axis=1) - squares[:, 0]
        # An even length has a bin at half the sampling rate, which is there only once.
        return (twice if self._n_fft % 2 else twice - squares[:, -1]) / self._n_fft

    def _channels_of(self, source: int) -> slice:
        return slice(source * self._n_channels, (source + 1) * self._n_channels)
