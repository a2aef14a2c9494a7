"""The grid of frames on which copies lie under each other, and its transform.

A period is no whole number of samples, nor of hops. So the hop is a whole part of the period: frame
``i`` is meant to be at ``i * hop``, lies at the nearest sample, and its spectrum is turned by the
rest. Then the frame that is one period later is always ``frames_per_step`` frames later.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

FRAME = 4096
"""Length of a frame in samples: longer than the network's, because a beat's tones are what the
copies have in common, and its time is known from the period."""

N_BINS = FRAME // 2 + 1
_NEAREST_HOP = FRAME // 2
_TURNED = 64  # numbers that are turned alike, but for one factor


@lru_cache
def window() -> np.ndarray:
    """The periodic Hann window `[shape=(FRAME,)]`, for analysis and synthesis."""
    values = (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(FRAME) / FRAME)).astype(np.float32)
    values.setflags(write=False)
    return values


def turns(angles: np.ndarray, n: int) -> np.ndarray:
    """Complex numbers that turn by each of some angles from one to the next.

    Parameters
    ----------
    angles : np.ndarray [shape=(n_angles,)]
        In radians.
    n : int
        How many there are for each angle; the first is 1.

    Returns
    -------
    np.ndarray [shape=(n_angles, n)]
        In single precision.
    """
    # The turn of a + b is the product of those of a and b, which takes few sines.
    coarse = np.exp(1j * angles[:, None] * np.arange(0, n, _TURNED)).astype(np.complex64)
    fine = np.exp(1j * angles[:, None] * np.arange(_TURNED)).astype(np.complex64)
    return (coarse[:, :, None] * fine[:, None]).reshape(len(angles), -1)[:, :n]


class Grid:
    """Frames of a song whose beat repeats after a step.

    Parameters
    ----------
    step : float
        Length of the step in samples.
    n_samples : int
        Length of the song.

    Attributes
    ----------
    frames_per_step : int
        Number of frames from one copy to the next.
    hop : float
        Samples between frames.
    n_frames : int
        Number of frames; each sample is in two of them.
    """

    def __init__(self, step: float, n_samples: int):
        self.frames_per_step = max(1, round(step / _NEAREST_HOP))
        self.hop = step / self.frames_per_step
        self.n_samples = n_samples
        self.n_frames = int(np.ceil(n_samples / self.hop)) + 1

    def starts(self, first: int, last: int) -> np.ndarray:
        """First samples of a range of frames; the first frame is centred on the first sample."""
        return np.round(np.arange(first, last) * self.hop).astype(int) - FRAME // 2

    def _turn(self, first: int, last: int) -> np.ndarray:
        """What turns the spectra of frames to where they are meant to be."""
        exact = np.arange(first, last) * self.hop
        return turns(2 * np.pi / FRAME * (exact - np.round(exact)), N_BINS)

    def analyse(
        self, samples: np.ndarray, offset: int, first: int, last: int, *, turned: bool = True
    ) -> np.ndarray:
        """Spectra of a range of frames.

        Parameters
        ----------
        samples : np.ndarray [shape=(n_signals, n)]
            Samples from ``offset`` on, which cover the frames; in single precision.
        offset : int
            Position of the first one in the song, which may be negative.
        first, last : int
            The frames.
        turned : bool
            Turn the spectra to where the frames are meant to be, which doesn't change their powers.

        Returns
        -------
        np.ndarray [shape=(n_signals, last - first, N_BINS)]
            In single precision.
        """
        from scipy import fft

        frames = np.empty((len(samples), last - first, FRAME), np.float32)
        for number, at in enumerate(self.starts(first, last) - offset):
            np.multiply(samples[:, at : at + FRAME], window(), out=frames[:, number])
        spectra = fft.rfft(frames, axis=-1, overwrite_x=True)
        if turned:
            spectra *= self._turn(first, last)
        return spectra

    def synthesise(self, spectra: np.ndarray, first: int) -> tuple[np.ndarray, int]:
        """Windowed frames, added where they overlap.

        Parameters
        ----------
        spectra : np.ndarray [shape=(n_signals, n_frames, N_BINS)]
            Turned spectra, as :meth:`analyse` gives them; they are used up.
        first : int
            The first frame.

        Returns
        -------
        samples : np.ndarray [shape=(n_signals, n)]
            Sums of frames, not yet divided by :meth:`weights`.
        offset : int
            Position of the first sample in the song.
        """
        from scipy import fft

        spectra *= np.conj(self._turn(first, first + spectra.shape[1]))
        frames = fft.irfft(spectra, FRAME, axis=-1, overwrite_x=True)
        frames *= window()
        starts = self.starts(first, first + spectra.shape[1])
        samples = np.zeros((len(spectra), starts[-1] + FRAME - starts[0]), np.float32)
        for number, start in enumerate(starts - starts[0]):
            samples[:, start : start + FRAME] += frames[:, number]
        return samples, int(starts[0])

    def weights(self, first: int, last: int) -> np.ndarray:
        """Sum of the squared windows of frames, from the first one's start `[shape=(n,)]`."""
        starts = self.starts(first, last)
        total = np.zeros(starts[-1] + FRAME - starts[0], np.float32)
        squared = window() ** 2
        for start in starts - starts[0]:
            total[start : start + FRAME] += squared
        return total
