"""What listeners mind and no ratio of energies shows: clicks, musical noise, jumps of level.

BSS Eval says how much of an estimate is wrong, not how it sounds. Three things are heard at once
even where they carry hardly any energy. Each measure compares a stem with the true one, or with
the mixture, because drums are full of clicks that belong there.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hiphopss.config import SignalConfig

CREST = 30.0
"""How far a click stands out, in medians of what surrounds it."""

_ORDER = 5  # of the differences, which leave little of what is smooth
_SURROUNDINGS = 256  # samples whose median is taken, some 6 ms
_NEAR = 64  # samples around a click in which another signal may have one, too
_LESS = 3.0  # how many times less another signal stands out there
_INAUDIBLE = 1e-4  # of a signal's loudest differences, which are those of its brightest sounds

_SEGMENT = 64  # frames whose powers have a kurtosis, some 0.75 s
_FEWEST = 16  # frames of a segment in which the stem is silent
_SILENT = 10 ** (-15 / 10)  # share of the mixture's power below which a stem is taken for silent

_SIDE = 4096  # samples before and after a place whose levels are compared
_BAND_EDGES_HZ = (0, 150, 300, 600, 1200, 2400, 4800, 9600, 22050)
_LOUDNESS = 0.25  # exponent of power, as of sones
_FLOOR = 1e-4  # share of a stem's loudest place that is added to all levels: 40 dB below
_BETWEEN = (0.25, 0.375, 0.5, 0.625, 0.75)  # shares of the way from a place to the next

Samples = NDArray[np.floating]


def clicks(stem: Samples, *others: Samples) -> NDArray[np.intp]:
    """Places where a stem has a click that the mixture and the true stem don't have.

    A click is a few samples that their neighbours don't predict: a jump, or a corner. As in audio
    restoration, the predictable part is filtered away, and a sample that stands out of what is left
    is a click (S. Godsill and P. Rayner, *Digital Audio Restoration*, Springer 1998, chapter 5).
    The filter is the fifth difference instead of a fitted one, so that a stem and the mixture go
    through the same. A click stands out of what is around it by ``CREST`` medians, and three times
    as much as anything within 64 samples in the other signals. So most jumps as large as a stem
    is loud on average are found, but not where the stem itself is as bright as a click.

    Parameters
    ----------
    stem : np.ndarray [shape=(n_samples,)]
        The stem, separated.
    *others : np.ndarray [shape=(n_samples,)]
        What may have clicks of its own: the mixture, the true stem.

    Returns
    -------
    np.ndarray [shape=(n_clicks,)]
        Places in samples. A good value is none, because overlapping frames with smooth windows
        make none.
    """
    from scipy.ndimage import maximum_filter1d

    sharp = _outstanding(stem)
    peak = maximum_filter1d(sharp, 2 * _NEAR + 1)
    found = np.flatnonzero((sharp > CREST) & (sharp == peak))
    for other in others:
        if not len(found):
            break
        theirs = maximum_filter1d(_outstanding(other), 2 * _NEAR + 1)
        found = found[sharp[found] > _LESS * theirs[found]]
    return found + (_ORDER + 1) // 2


def _outstanding(signal: Samples) -> NDArray[np.float64]:
    """How far each sample's difference stands out of its surroundings, in their medians."""
    from scipy.ndimage import maximum_filter1d

    sharp = np.abs(np.diff(signal.astype(np.float64), n=_ORDER))
    n_blocks = -(-len(sharp) // _SURROUNDINGS)
    padded = np.pad(sharp, (0, n_blocks * _SURROUNDINGS - len(sharp)), mode="reflect")
    medians = np.median(padded.reshape(n_blocks, _SURROUNDINGS), axis=1)
    # An attack stands out of the silence before it, but not of its own sound.
    around = np.repeat(maximum_filter1d(medians, 3), _SURROUNDINGS)[: len(sharp)]
    return sharp / (around + _INAUDIBLE * medians.max() + 1e-12)


def musical_noise(stem: Samples, true: Samples, mixture: Samples) -> float:
    """How much more tone-like than in the mixture the leftovers of other sources are.

    Where a stem should be silent, a mask leaves some of the rest. If it opens here and there for a
    moment, the leftovers are short tones that come and go, which is heard as a tinkling. Then a few
    large values are among many small ones in the power spectrum, and the kurtosis grows: its
    logarithm's growth is what listeners hear (Y. Uemura et al., "Automatic optimization scheme of
    spectral subtraction based on musical noise assessment via higher-order statistics", IWAENC
    2008; on source separation M. Torcoli, "An improved measure of musical noise based on spectral
    kurtosis", WASPAA 2019). Here it is taken in each bin over 0.75 s, of those frames in which the
    true stem is 15 dB below the mixture, and bins count as loud as their leftovers are, because
    what nobody hears may have any kurtosis.

    Parameters
    ----------
    stem, true, mixture : np.ndarray [shape=(n_samples,)]
        The stem, separated; the true one; and the mixture, at 44.1 kHz.

    Returns
    -------
    float
        Mean of the natural logarithm of the kurtosis ratio. 0 is the mixture itself, turned down;
        masks that are computed from the true stems (the ideal ratio mask) have what a good mask
        has, because also the true stem comes and goes. NaN if the stem is silent nowhere.
    """
    total = loudness = 0.0
    for separated, silent, mixed in _segments(stem, true, mixture):
        n = silent.sum(axis=0)
        used = n >= _FEWEST
        if not used.any():
            continue
        ratio = np.log(
            _kurtosis(separated[:, used], silent[:, used])
            / _kurtosis(mixed[:, used], silent[:, used])
        )
        loud = np.sqrt((separated * silent).sum(axis=0)[used] / n[used])
        total += float((loud * ratio).sum())
        loudness += float(loud.sum())
    return total / loudness if loudness else float("nan")


def _segments(
    stem: Samples, true: Samples, mixture: Samples
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Powers of stem and mixture, and where the true stem is silent `[shape=(n_frames, n_bins)]`"""
    from hiphopss.signal.transform import frame_count, stft

    config = SignalConfig()
    signals = np.stack([stem, true, mixture]).astype(np.float32)
    for start in range(0, frame_count(len(stem), config) - _SEGMENT + 1, _SEGMENT):
        spectra = stft(signals, config, start=start, stop=start + _SEGMENT).astype(np.complex128)
        separated, wanted, mixed = spectra.real**2 + spectra.imag**2
        audible = mixed > 1e-9 * mixed.max()
        yield separated, (wanted < _SILENT * mixed) & audible, mixed


def _kurtosis(powers: NDArray[np.float64], where: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Fourth moment of some powers over the square of their second one, in each bin."""
    n = where.sum(axis=0)
    powers = powers / (powers.max(axis=0) + 1e-30)
    second = np.square(powers).sum(axis=0, where=where) / n
    fourth = (powers**4).sum(axis=0, where=where) / n
    return (fourth + 1e-30) / (second**2 + 1e-30)


@dataclass(frozen=True)
class LevelSteps:
    """How much levels step at certain places, in dB.

    Attributes
    ----------
    there : float
        Mean step at the places, over bands.
    elsewhere : float
        Mean step between them.
    standard_error : float
        Of the mean difference of the two.
    n_places : int
        Number of places.
    """

    there: float
    elsewhere: float
    standard_error: float
    n_places: int

    @property
    def excess(self) -> float:
        """By how many dB the steps at the places are larger than elsewhere."""
        return self.there - self.elsewhere


def level_steps(stem: Samples, reference: Samples, places: NDArray[np.floating]) -> LevelSteps:
    """Compare the steps of a stem's level at places where processing changes with those elsewhere.

    In eight bands, about an octave each, the level of 93 ms before a place is compared with that of
    93 ms after it. Music steps, too, so what counts is by how much the stem's step differs from the
    reference's; and an estimate is never quite right, so the same is measured between the places.
    A border that can't be heard steps there as it does anywhere: ``excess`` is 0 but for chance,
    which ``standard_error`` tells. Trained listeners notice a step of some 1 dB (E. Zwicker and
    H. Fastl, *Psychoacoustics*, 2nd ed., Springer 1999, section 7.1), so that a mean excess of
    0.1 dB is one audible jump in ten places at most.

    Parameters
    ----------
    stem : np.ndarray [shape=(n_samples,)]
        The stem, separated.
    reference : np.ndarray [shape=(n_samples,)]
        The true stem; or the mixture, if there is none.
    places : np.ndarray [shape=(n_places,)]
        Samples at which processing changes, in ascending order.

    Returns
    -------
    LevelSteps
        Steps of the level relative to the reference's, at the places and between them.
    """
    places = np.asarray(places, float)
    ways = np.diff(places)
    inside = (places[:-1] >= _SIDE) & (places[1:] < len(stem) - _SIDE)
    starts, ways = places[:-1][inside], ways[inside]
    if not len(starts):
        raise ValueError("no two places with 4,096 samples on either side")
    there = _steps(stem, reference, starts)
    between = np.stack([_steps(stem, reference, starts + part * ways) for part in _BETWEEN])
    differences = there - between.mean(axis=0)
    return LevelSteps(
        float(there.mean()),
        float(between.mean()),
        float(differences.std(ddof=1) / np.sqrt(len(starts))) if len(starts) > 1 else float("inf"),
        len(starts),
    )


def _steps(stem: Samples, reference: Samples, places: NDArray[np.floating]) -> NDArray[np.float64]:
    """Mean over bands of how much a stem's level steps unlike the reference's `[(n_places,)]`."""
    before, after = _levels(stem, places - _SIDE), _levels(stem, places)
    was, will_be = _levels(reference, places - _SIDE), _levels(reference, places)
    floor = _FLOOR * (before + after).sum(axis=1).max() + 1e-20
    gained = 10 * np.log10((after + floor) / (before + floor) * (was + floor) / (will_be + floor))
    loudness = (before + after + floor) ** _LOUDNESS
    return (loudness * np.abs(gained)).sum(axis=1) / loudness.sum(axis=1)


def _levels(signal: Samples, starts: NDArray[np.floating]) -> NDArray[np.float64]:
    """Powers in bands of the samples from some places on `[shape=(n_places, n_bands)]`."""
    from scipy import fft

    window = np.hanning(_SIDE)
    edges = np.searchsorted(fft.rfftfreq(_SIDE, 1 / 44100), _BAND_EDGES_HZ)[:-1]
    first = np.round(starts).astype(int)
    frames = signal[first[:, None] + np.arange(_SIDE)] * window
    spectra = fft.rfft(frames, axis=1)
    return np.add.reduceat(spectra.real**2 + spectra.imag**2, edges, axis=1)
