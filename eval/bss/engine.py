"""BSS Eval v3 computed from correlations alone.

An estimate e is projected on the delayed copies (0 to 511 samples) of its own reference, which
gives P e, and of all references, which gives Q e. In BSS Eval (Vincent et al. 2006, "Performance
measurement in blind audio source separation", the paper's measures) P e is the target, the
interference is Q e - P e, and the artifacts are e - Q e. In mode ``"images"`` the target is the
true image s, and P e - s is the spatial distortion.

The first space is part of the second, so these are orthogonal, and with energies written as |.|^2

    |Q e - P e|^2 = |Q e|^2 - |P e|^2        |e - P e|^2 = |e|^2 - |P e|^2
    |e - Q e|^2   = |e|^2 - |Q e|^2          |P e - s|^2 = |P e|^2 - 2 <e, s> + |s|^2

where the last follows from P s = s. The ratios need nothing else:

    mode "sources"                             mode "images"
    SDR = |P e|^2 / |e - P e|^2                SDR = |s|^2 / |e - s|^2
    SIR = |P e|^2 / |Q e - P e|^2              SIR   as in "sources"
    SAR = |Q e|^2 / |e - Q e|^2                SAR   as in "sources"
                                               ISR = |s|^2 / |P e - s|^2

Every channel of an image is projected on all channels, and energies are summed over channels.
:mod:`hiphopss.eval.bss.projection` explains how |P e|^2 and |Q e|^2 follow from correlations. No
signal is filtered, and P and Q are factorised once, whatever the number of estimates.

Differences of energies lose digits if a ratio is high: at 60 dB, scores are accurate to 1e-7 dB, at
100 dB to 1e-3 dB, and above 130 dB they are rounding errors. None exceeds 157 dB, the last digit of
double precision, except an infinite SIR if no other source can interfere. For identical signals
mir_eval gives 300 dB or infinity, which is also due to rounding.

In a short window the ratios say nothing. A filtered reference is 511 samples longer than a window
of n, and n + 511 independent copies of references make up anything: Q e = e, so there are no
artifacts, and all that is not the target counts as interference. So SIR and SAR are left undefined
if the references have as many copies, 512 for each signal, and all ratios if n is not above 512.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from hiphopss.eval.bss.correlation import FILTER_TAPS, correlate_windows
from hiphopss.eval.bss.projection import EPS, SINGULAR, Projection

UNCERTAIN = "references nearly dependent: SIR, SAR and ISR are uncertain"
UNDETERMINED = "references dependent: not determined"
TOO_SHORT = f"too short: BSS Eval needs more than {FILTER_TAPS} samples"
FILLED = "short: the references' filters fit anything, so SIR and SAR are not determined"

_KEPT_BYTES = 2**30
"""Limit of the memory for the factors of windows, in each object."""


@dataclass(frozen=True, eq=False)
class PairScores:
    """Scores of estimates against references in one window.

    Attributes
    ----------
    ratios : dict of np.ndarray [shape=(n_estimates, n_references)]
        Scores in dB, by metric; NaN if undefined, or if the pair was not wanted.
    note : str
        Remark that applies to all of them.
    """

    ratios: dict[str, np.ndarray]
    note: str = ""


@dataclass(frozen=True, eq=False)
class _Window:
    """The spaces of one window.

    ``rows`` are the signals that sound and are no copies, ``whole`` projects on all of them, and
    ``single`` maps a source to its own signals (positions in ``rows``) and the projection on these.
    """

    rows: np.ndarray
    whole: Projection
    single: dict[int, tuple[np.ndarray, Projection]]

    @property
    def nbytes(self) -> int:
        return self.whole.nbytes + sum(own.nbytes for _, own in self.single.values())


class CorrelationEngine:
    """BSS Eval of any number of estimates against the same references.

    Parameters
    ----------
    references : np.ndarray [shape=(n_sources, n_samples, n_channels)]
        Waveforms of the true sources.
    mode : str
        As in :func:`hiphopss.eval.bss_eval`.
    starts : np.ndarray of int [shape=(n_windows,)]
        First sample of each window.
    length : int
        Number of samples of a window.
    sounding : np.ndarray of bool [shape=(n_sources, n_windows)]
        References that are used; the others add nothing to the spaces.
    keep : bool
        Keep the factors for further estimates, in up to 1 GiB.
    """

    def __init__(
        self,
        references: np.ndarray,
        mode: str,
        starts: np.ndarray,
        length: int,
        sounding: np.ndarray,
        *,
        keep: bool = True,
    ):
        self._signals = channels(references)
        self._n_channels = references.shape[2]
        self._mode, self._starts, self._length = mode, starts, length
        self._sounding = sounding
        self._distinct = distinct_channels(self._signals, self._n_channels)
        self._too_short = length <= FILTER_TAPS
        if not self._too_short:
            self._correlations = correlate_windows(self._signals, self._signals, starts, length)
        self._room = _KEPT_BYTES if keep else 0
        self._kept: dict[int, _Window] = {}

    def windows(self, estimates: np.ndarray, wanted: np.ndarray) -> Iterator[PairScores]:
        """Score estimates window by window.

        Parameters
        ----------
        estimates : np.ndarray [shape=(n_sources, n_samples, n_channels)]
            Waveforms of the estimates.
        wanted : np.ndarray of bool [shape=(n_estimates, n_references, n_windows)]
            Pairs that are needed. Windows without any are skipped; in the others, all pairs with a
            reference that sounds are scored.

        Yields
        ------
        PairScores
            Scores of each window.
        """
        if self._too_short:
            for k in range(len(self._starts)):
                yield PairScores({}, TOO_SHORT if wanted[..., k].any() else UNDETERMINED)
            return
        signals = channels(estimates)
        products = correlate_windows(self._signals, signals, self._starts, self._length)
        for k, start in enumerate(self._starts):
            window = self._window(k) if wanted[..., k].any() else None
            if window is None:
                yield PairScores({}, UNDETERMINED)
                continue
            part = signals[:, start : start + self._length]
            energies = self._per_estimate(np.einsum("in,in->i", part, part))
            singular = window.whole.reciprocal_condition < SINGULAR
            ratios = self._ratios(window, k, products[k], energies)
            yield determined(
                PairScores(ratios, UNCERTAIN if singular else ""), self._length, len(window.rows)
            )

    def _window(self, k: int) -> _Window | None:
        """The spaces of window k; None if a source that is used has no energy."""
        if k in self._kept:
            return self._kept[k]
        correlations = self._correlations[k]
        energies = np.einsum("iit->ti", correlations)[0]
        source_of = np.arange(len(self._signals)) // self._n_channels
        # Squares of less than 1e-154 underflow, and a channel may be silent.
        audible = energies > np.finfo(float).tiny
        rows = np.flatnonzero(self._sounding[source_of, k] & audible & self._distinct)
        sources = np.unique(source_of[rows])
        if len(sources) < self._sounding[:, k].sum():
            return None
        projection = Projection(correlations[np.ix_(rows, rows)])
        single = {}
        for source in sources:
            own = np.flatnonzero(source_of[rows] == source)
            part = correlations[np.ix_(rows[own], rows[own])]
            single[source] = own, projection if len(sources) == 1 else Projection(part)
        window = _Window(rows, projection, single)
        if window.nbytes <= self._room:
            self._room -= window.nbytes
            self._kept[k] = window
        return window

    def _ratios(self, window: _Window, k: int, products: np.ndarray, energies: np.ndarray) -> dict:
        """Scores of one window by metric [shape=(n_estimates, n_references)].

        ``products`` are the correlations of references and estimates, ``energies`` are |e|^2.
        """
        sounding = products[window.rows]
        in_all = self._per_estimate(window.whole.energies(sounding))[:, None]
        in_own = np.full((len(energies), len(self._sounding)), np.nan)
        for source, (own, projection) in window.single.items():
            in_own[:, source] = self._per_estimate(projection.energies(sounding[own]))
        energies = energies[:, None]
        in_all = np.where(np.isnan(in_own), np.nan, in_all)
        ratios = {
            "SDR": decibels(in_own, energies - in_own, energies),
            "SIR": decibels(in_own, in_all - in_own, energies),
            "SAR": decibels(in_all, energies - in_all, energies),
        }
        if len(window.single) == 1:  # no other source can interfere
            ratios["SIR"][in_own > 0] = np.inf
        if self._mode == "images":
            images, inner = self._images(k, products)
            scale = np.maximum(energies, images)
            ratios["SDR"] = decibels(images, energies - 2 * inner + images, scale)
            ratios["ISR"] = decibels(images, in_own - 2 * inner + images, scale)
        return ratios

    def _images(self, k: int, products: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """|s|^2 of each source (NaN if it is not used), and <e, s> of each pair."""
        own = np.einsum("iit->ti", self._correlations[k])[0].reshape(-1, self._n_channels)
        images = np.where(self._sounding[:, k], own.sum(axis=1), np.nan)
        shape = (len(images), self._n_channels)
        inner = np.einsum("scec->es", products[..., 0].reshape(shape + shape))
        return images, inner

    def _per_estimate(self, energies: np.ndarray) -> np.ndarray:
        """Sum the energies of an estimate's channels."""
        return energies.reshape(-1, self._n_channels).sum(axis=1)


def determined(scored: PairScores, length: int, n_signals: int) -> PairScores:
    """Leave SIR and SAR undefined where the references' filters can make up any estimate.

    Parameters
    ----------
    scored : PairScores
        Scores in one window.
    length : int
        Number of samples of the window.
    n_signals : int
        Number of references' channels on which estimates are projected.
    """
    if not scored.ratios or not is_filled(length, n_signals):
        return scored
    nothing = np.full_like(scored.ratios["SDR"], np.nan)
    return PairScores({**scored.ratios, "SIR": nothing, "SAR": nothing}, FILLED)


def is_filled(length: int, n_signals: int) -> bool:
    """Whether so many signals, filtered, can make up any signal of this length."""
    return length + FILTER_TAPS - 1 <= n_signals * FILTER_TAPS


def channels(signals: np.ndarray) -> np.ndarray:
    """Arrange every channel of every source as a signal of its own.

    Parameters
    ----------
    signals : np.ndarray [shape=(n_sources, n_samples, n_channels)]
        Waveforms of sources.

    Returns
    -------
    np.ndarray [shape=(n_sources * n_channels, n_samples)]
        The channels of the first source, then those of the second, and so on.
    """
    return np.moveaxis(signals, 2, 1).reshape(-1, signals.shape[1])


def distinct_channels(signals: np.ndarray, n_channels: int) -> np.ndarray:
    """Find the channels that are no copies of an earlier channel of the same source.

    The copies, as in a mono file that was duplicated to stereo, add nothing to the space on which
    estimates are projected, and would make its equations singular.

    Parameters
    ----------
    signals : np.ndarray [shape=(n_sources * n_channels, n_samples)]
        From :func:`channels`.
    n_channels : int
        Number of channels of each source.

    Returns
    -------
    np.ndarray of bool [shape=(n_sources * n_channels,)]
        True for the channels that count.
    """
    distinct = np.ones(len(signals), dtype=bool)
    for i, signal in enumerate(signals):
        earlier = signals[i - i % n_channels : i]
        distinct[i] = not any(np.array_equal(signal, other) for other in earlier)
    return distinct


def decibels(energy: np.ndarray, rest: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """Compute a ratio of energies that is not better than its rounding errors.

    Parameters
    ----------
    energy, rest : np.ndarray
        Energies.
    scale : np.ndarray
        Energy to whose last digit the rest is known.

    Returns
    -------
    np.ndarray
        Ratio of the energy to the rest, in dB.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        return 10 * np.log10(energy / np.maximum(rest, EPS * scale))
