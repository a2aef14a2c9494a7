"""Short-time Fourier transform and its inverse, as the released code computes them.

docs/released-code.md, section 1: the window is symmetric, half a frame of zeros precedes the signal
so that the first frame is centred on the first sample, and zeros after it fill the last frame.
Spectra are not scaled here: :func:`magnitude` divides by sqrt(1024); the network's scale factor
comes later.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import DTypeLike

from hiphopss.config import SignalConfig

_COSINE_TERMS = {"blackmanharris": (0.35875, -0.48829, 0.14128, -0.01168), "hann": (0.5, -0.5)}
_CACHED = 64  # frames transformed at a time, so that temporary arrays stay in the processor's cache


@lru_cache
def analysis_window(config: SignalConfig) -> np.ndarray:
    """The symmetric window, as ``scipy.signal.get_window(..., fftbins=False)`` gives it.

    Returns
    -------
    np.ndarray [shape=(frame,)]
        In double precision, read-only.
    """
    angle = 2 * np.pi * np.arange(config.frame) / (config.frame - 1)
    terms = _COSINE_TERMS[config.window]
    cosines = (weight * np.cos(k * angle) for k, weight in enumerate(terms))
    window = sum(cosines, start=np.zeros(config.frame))
    window.setflags(write=False)
    return window


def frame_count(n_samples: int, config: SignalConfig) -> int:
    """Number of frames of a signal of ``n_samples`` samples: ``ceil(L / hop) + 2``."""
    return -(-n_samples // config.hop) + 2


def stft(
    waveform: np.ndarray,
    config: SignalConfig | None = None,
    *,
    start: int = 0,
    stop: int | None = None,
) -> np.ndarray:
    """Short-time Fourier transform of all frames or of a range of them.

    Parameters
    ----------
    waveform : np.ndarray [shape=(..., n_samples)]
        Real samples in single or double precision, which the result keeps.
    config : SignalConfig
        Frame, hop and window.
    start, stop : int
        Range of frames. Only the samples that these frames cover are read.

    Returns
    -------
    np.ndarray [shape=(..., stop - start, n_bins)]
        Complex spectrum.
    """
    from scipy import fft

    config = config or SignalConfig()
    n_samples = waveform.shape[-1]
    stop = frame_count(n_samples, config) if stop is None else stop
    first = start * config.hop - config.hop  # the signal is preceded by `hop` zeros
    last = first + (stop - start - 1) * config.hop + config.frame
    inside = waveform[..., max(first, 0) : max(min(last, n_samples), 0)]
    if inside.shape[-1] < last - first:
        before = max(-first, 0)
        padded = np.zeros((*waveform.shape[:-1], last - first), waveform.dtype)
        padded[..., before : before + inside.shape[-1]] = inside
        inside = padded
    inside = np.ascontiguousarray(inside)  # interleaved channels would take three times as long
    frames = np.lib.stride_tricks.sliding_window_view(inside, config.frame, axis=-1)
    frames = frames[..., :: config.hop, :]  # (..., n_frames, frame)
    window = analysis_window(config).astype(waveform.dtype)
    if stop - start <= _CACHED:
        return fft.rfft(frames * window, axis=-1)
    kind = np.result_type(waveform.dtype, np.complex64)
    spectrum = np.empty((*frames.shape[:-1], config.bins), kind)
    for piece in (slice(at, at + _CACHED) for at in range(0, stop - start, _CACHED)):
        spectrum[..., piece, :] = fft.rfft(frames[..., piece, :] * window, axis=-1)
    return spectrum


def istft(spectrum: np.ndarray, n_samples: int, config: SignalConfig | None = None) -> np.ndarray:
    """Inverse of :func:`stft` by windowed overlap-add.

    Each inverse frame is multiplied by the same window, overlap-added, and divided by the
    overlap-added squared window.

    Parameters
    ----------
    spectrum : np.ndarray [shape=(..., n_frames, n_bins)]
        Complex spectrum of all frames.
    n_samples : int
        Length to which the result is cut.
    config : SignalConfig
        Frame, hop and window.

    Returns
    -------
    np.ndarray [shape=(..., n_samples)]
        Real samples.
    """
    config = config or SignalConfig()
    inverse = InverseTransform(spectrum.shape[:-2], spectrum.real.dtype, config)
    return inverse.push(spectrum)[..., config.hop :][..., :n_samples]


class InverseTransform:
    """Inverse transform of frames that arrive in consecutive groups.

    Parameters
    ----------
    leading_shape : tuple of int
        Shape of the axes before ``(n_frames, n_bins)``.
    dtype : dtype
        Type of the samples.
    config : SignalConfig
        Frame, hop and window.
    """

    def __init__(self, leading_shape: tuple[int, ...], dtype: DTypeLike, config: SignalConfig):
        self._config = config
        self._window = analysis_window(config).astype(dtype)
        self._tail = np.zeros((*leading_shape, config.hop), dtype)
        # Between the first and the last hop every sample lies in two frames, so the overlap-added
        # squared window is periodic there, and it is never 0 for the supported windows.
        squared = analysis_window(config) ** 2
        self._norm = (squared[: config.hop] + squared[config.hop :]).astype(dtype)

    def push(self, spectrum: np.ndarray) -> np.ndarray:
        """Add frames; return the ``hop`` samples that each frame completes.

        Parameters
        ----------
        spectrum : np.ndarray [shape=(..., n_frames, n_bins)]
            Next frames of the spectrum.

        Returns
        -------
        np.ndarray [shape=(..., n_frames * hop)]
            Samples that follow those of the last call. The very first ``hop`` samples are the
            zeros that :func:`stft` put before the signal: drop them.
        """
        from scipy import fft

        hop = self._config.hop
        frames = fft.irfft(spectrum, n=self._config.frame, axis=-1)
        frames *= self._window
        samples = frames[..., :hop]  # (..., n_frames, hop)
        samples[..., 1:, :] += frames[..., :-1, hop:]
        samples[..., 0, :] += self._tail
        self._tail = frames[..., -1, hop:].copy()
        samples /= self._norm
        return samples.reshape(*samples.shape[:-2], -1)

    def flush(self) -> np.ndarray:
        """Return the ``hop`` samples that only the last frame covers, `[shape=(..., hop)]`.

        This is only needed if the frames end before the signal does.
        """
        alone = analysis_window(self._config)[self._config.hop :] ** 2
        return self._tail / np.where(alone == 0, 1, alone).astype(self._tail.dtype)


def magnitude(spectrum: np.ndarray, config: SignalConfig) -> np.ndarray:
    """Magnitude as stored in feature files: ``|STFT| / sqrt(frame)``, without the scale factor.

    Parameters
    ----------
    spectrum : np.ndarray [shape=(..., n_bins)]
        Complex spectrum.

    Returns
    -------
    np.ndarray [shape=(..., n_bins)]
        In the precision of the spectrum.
    """
    magnitudes = np.abs(spectrum)
    magnitudes /= np.asarray(np.sqrt(config.frame), magnitudes.dtype)
    return magnitudes
