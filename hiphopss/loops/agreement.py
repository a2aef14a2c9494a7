"""Where copies of a beat agree, and which sources repeat.

Two copies are compared in bands, over about a second, after the network's voice has been taken out
of them: what is left is alike if the same beat plays in both. The same is asked of the network's
four sources one by one, which tells how much of each repeats: of a voice usually nothing, but all
of it in a hook that was copied, and then it is not taken for the beat's opposite.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hiphopss.loops.grid import N_BINS
from hiphopss.util.threads import ordered_map, processor_count

_N_BANDS = 20
_LOWEST_EDGE = 8  # bins, some 86 Hz
_MOST_OF_A_BAND = 16  # bins of a band that are compared, of those in it
_SMOOTH_FRAMES = 17  # twice, so that some 1.5 seconds count
_QUIET = 0.1  # of the voice's mean power: with less, it hardly matters whose voice it is
_STEPS_OF_MASK = 255  # masks are kept in bytes

Array = NDArray[np.float32]


def _edges() -> NDArray[np.intp]:
    edges = np.geomspace(_LOWEST_EDGE, N_BINS, _N_BANDS).round().astype(np.intp)
    return np.concatenate([[0], edges])


EDGES = _edges()
"""First bin of each band, and the number of bins."""

WIDTHS = np.diff(EDGES)
"""Number of bins of each band."""


def _compared() -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """The bins that are compared, and where each band starts among them."""
    kept = [
        np.unique(np.linspace(low, high - 1, min(high - low, _MOST_OF_A_BAND)).astype(np.intp))
        for low, high in itertools.pairwise(EDGES)
    ]
    starts = np.cumsum([0, *map(len, kept)])[:-1]
    return np.concatenate(kept), starts


BINS, STARTS = _compared()
"""Bins that are compared, and where each band starts among them."""

_COMPARED = np.diff([*STARTS, len(BINS)])  # number of bins of each band that are compared


def spread(banded: Array) -> Array:
    """Values of bands `[shape=(..., n_bands)]` for each bin `[shape=(..., N_BINS)]`."""
    return np.repeat(banded, WIDTHS, axis=-1)


@dataclass(frozen=True)
class Features:
    """What of a song is compared.

    Attributes
    ----------
    spectra : np.ndarray [shape=(n_frames, n_compared)]
        Bins ``BINS`` of the mixture's mean over channels.
    masks : np.ndarray [shape=(n_sources, n_frames, n_compared)]
        The network's masks there, in bytes.
    frames_per_step : int
        Number of frames from one copy to the next.
    """

    spectra: NDArray[np.complex64]
    masks: NDArray[np.uint8]
    frames_per_step: int

    def source(self, number: int) -> NDArray[np.complex64]:
        """The network's estimate of a source there."""
        return self.spectra * (self.masks[number] * np.float32(1 / _STEPS_OF_MASK))

    def beat(self) -> NDArray[np.complex64]:
        """The network's estimate of everything but the voice."""
        kept = _STEPS_OF_MASK - self.masks[0]
        return self.spectra * (kept * np.float32(1 / _STEPS_OF_MASK))


class Coherence:
    """Compares a signal with itself some frames later, and with another one.

    Parameters
    ----------
    signal : np.ndarray [shape=(n_frames, n_compared)]
        Its spectra in ``BINS``.

    Attributes
    ----------
    energy : np.ndarray [shape=(n_frames, n_bands)]
        Its power in bands, in the mean over time around each frame.
    """

    def __init__(self, signal: NDArray[np.complex64]):
        # Real and imaginary parts side by side are multiplied faster than complex numbers are.
        self._parts = np.ascontiguousarray(signal, np.complex64).view(np.float32)
        self.energy = _energy(_in_bands(self._parts, self._parts))
        self._least = _least(self.energy)

    def later(self, n_frames: int) -> Array:
        """Likeness to what comes ``n_frames`` later `[shape=(n_frames - n, n_bands)]`, -1..1."""
        product = _smooth(_in_bands(self._parts[:-n_frames], self._parts[n_frames:]))
        scale = np.sqrt(self.energy[:-n_frames] * self.energy[n_frames:])
        # At the ends fewer products than energies are averaged.
        likeness = np.clip(product / np.maximum(scale, self._least), -1, 1)
        return likeness.astype(np.float32, copy=False)

    def broad(self, n_frames: int) -> Array:
        """Likeness in the mean over bands, in which loud ones count more `[shape=(n,)]`."""
        weights = np.sqrt(np.sqrt(self.energy[:-n_frames] * self.energy[n_frames:]))
        total = (weights * self.later(n_frames)).sum(axis=1)
        return (total / (weights.sum(axis=1) + 1e-12)).astype(np.float32)


class Agreement:
    """How alike a song's copies are.

    A copy in which the voice repeats as well tells nothing of what is voice and what is beat, so it
    counts as one that disagrees: a hook that was copied, or a voice that is in the loop.

    Parameters
    ----------
    features : Features
        What is compared.
    steps : sequence of int
        Distances that are tried, in steps.
    voice_apart, voice_alike : float
        Likeness of the network's voices of two places up to which they are taken for different
        ones (some of the beat is always in them), and from which for the same.

    Attributes
    ----------
    n_frames : int
        Number of frames.
    """

    def __init__(
        self, features: Features, steps: Sequence[int], *, voice_apart: float, voice_alike: float
    ):
        self._per_step = features.frames_per_step
        self.n_frames = len(features.spectra)
        beat, voice = Coherence(features.beat()), Coherence(features.source(0))
        loud = voice.energy.sum(axis=1)
        heard = loud / (loud + _QUIET * loud.mean() + 1e-20)

        def compared(step: int) -> NDArray[np.float16]:
            shift = step * self._per_step
            same = (voice.broad(shift) - voice_apart) / (voice_alike - voice_apart)
            same = np.clip(same, 0, 1) * np.sqrt(heard[:-shift] * heard[shift:])
            return (beat.later(shift) * (1 - same)[:, None]).astype(np.float16)

        found = ordered_map(compared, steps, n_threads=processor_count())
        self._later = dict(zip(steps, found, strict=True))

    def of(self, step: int, first: int, last: int) -> Array:
        """Likeness of frames to those ``step`` steps later (or before, if it is negative).

        Returns
        -------
        np.ndarray [shape=(last - first, n_bands)]
            0 where there is no copy.
        """
        values = self._later[abs(step)]
        shift = 0 if step > 0 else step * self._per_step
        result = np.zeros((last - first, values.shape[1]), np.float32)
        start, stop = first + shift, last + shift
        low, high = max(start, 0), min(stop, len(values))
        if low < high:
            result[low - start : high - start] = values[low:high]
        return result

    def scores(self, plan: Sequence[tuple[int, int]], gate: float) -> dict[int, NDArray]:
        """How much likeness there is above a gate, of each step in both directions.

        Parameters
        ----------
        plan : sequence of tuple of int
            First and last frames of what is looked at.
        gate : float
            Likeness that doesn't count.

        Returns
        -------
        dict of int to np.ndarray [shape=(len(plan),)]
            Sums of squares, by step; 0 where nothing is above the gate.
        """
        edges = np.array(plan)
        result = {}
        for step, values in self._later.items():
            over = np.maximum(values - np.float32(gate), 0)
            of_frames = np.square(over).sum(axis=1, dtype=np.float64)
            total = np.concatenate([[0.0], np.cumsum(of_frames)])
            for sign, shift in ((-1, step * self._per_step), (1, 0)):
                first, last = total[np.clip(edges - shift, 0, len(values))].T
                result[sign * step] = last - first
        return result

    def signed_steps(self) -> list[int]:
        """All distances, in both directions."""
        return [sign * step for step in self._later for sign in (-1, 1)]


def repeating(
    features: Features,
    agreement: Agreement,
    plan: Sequence[tuple[int, int]],
    choices: Sequence[Sequence[int]],
) -> Array:
    """How much of each of the network's sources repeats: its regression on the mean of its copies.

    A source's spectra are the mixture's times its masks. So a product of two of them is that of the
    mixture's, which all sources share, times both masks.

    Parameters
    ----------
    features : Features
        What is compared.
    agreement : Agreement
        How alike the copies are.
    plan : sequence of tuple of int
        First and last frames of what has the same copies.
    choices : sequence of sequence of int
        Steps to the copies, of each entry of the plan.

    Returns
    -------
    np.ndarray [shape=(n_sources, n_frames, n_bands)]
        0 where there are no copies.
    """
    n_frames = len(features.spectra)
    products, powers = np.empty((2, len(features.masks), n_frames, len(STARTS)), np.float32)
    for (first, last), steps in zip(plan, choices, strict=True):
        quality = np.zeros((1 + len(steps), last - first, len(STARTS)), np.float32)
        for number, step in enumerate(steps, 1):
            quality[number] = agreement.of(step, first, last)
        np.square(np.maximum(quality, 0, out=quality), out=quality)
        quality /= quality.sum(axis=0) + np.float32(1e-6)
        quality[0] = 1  # the place itself, which is compared with itself
        # What would be outside of the song counts nothing, so any frame may stand for it.
        there = features.frames_per_step * np.array([0, *steps])[:, None] + np.arange(first, last)
        there = np.clip(there, 0, n_frames - 1)
        parts = features.spectra[there].view(np.float32)
        parts *= parts[0]
        product = parts[..., ::2] + parts[..., 1::2]
        product *= np.repeat(quality, _COMPARED, axis=-1)
        masks = features.masks[:, there] * np.float32(1 / _STEPS_OF_MASK)
        of_copies = np.einsum("kfb,skfb->sfb", product[1:], masks[:, 1:])
        of_copies *= masks[:, 0]
        products[:, first:last] = np.add.reduceat(of_copies, STARTS, axis=-1)
        own = product[0] * np.square(masks[:, 0])
        powers[:, first:last] = np.add.reduceat(own, STARTS, axis=-1)
    result = np.empty_like(products)
    for share, product, power in zip(result, products, powers, strict=True):
        energy = _energy(power)
        np.divide(_smooth(product), np.maximum(energy, _least(energy)), out=share)
    return result


def _in_bands(parts: Array, others: Array) -> Array:
    """Products of spectra, summed over bands `[shape=(n_frames, n_bands)]`."""
    return np.add.reduceat(parts * others, 2 * STARTS, axis=1)


def _energy(power: Array) -> Array:
    """Power in the mean over time around each frame."""
    # Running sums leave rounding of either sign where a song is silent.
    return np.maximum(_smooth(power), 0)


def _least(energy: Array) -> float:
    """Energy below which nothing is compared."""
    return 1e-7 * float(energy.max(initial=0)) + 1e-20


def _smooth(values: Array) -> Array:
    from scipy.ndimage import uniform_filter1d

    once = uniform_filter1d(values, _SMOOTH_FRAMES, axis=0, mode="nearest")
    return uniform_filter1d(once, _SMOOTH_FRAMES, axis=0, mode="nearest")
