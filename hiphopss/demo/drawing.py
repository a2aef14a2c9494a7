"""Drawings of a track for the page: peaks of its waveform, and its spectrogram."""

from __future__ import annotations

import json
from collections.abc import Iterable
from itertools import chain
from pathlib import Path

import numpy as np

from hiphopss.signal import reading

N_PEAKS = 2000  # about the width of a wide screen in pixels
N_COLUMNS = 1000
N_BANDS = 128
RANGE_DB = 80.0  # range of levels that the colours cover
_COLOURS = "magma"  # perceptually uniform, and legible for the colour-blind
_FRAME_SECONDS = 0.046  # 2048 samples at 44.1 kHz
_LOWEST_HZ = 30.0


def write_peaks(track: Path, target: Path, n_samples: int) -> None:
    """Write the peaks of a track's waveform as JSON.

    Parameters
    ----------
    track : Path
        Audio file to read.
    target : Path
        JSON file to write, with ``samples_per_peak``, and with ``min`` and ``max`` of every such
        stretch of samples, over all channels.
    n_samples : int
        Number of samples of the track.
    """
    per_peak = -(-n_samples // N_PEAKS)
    n_peaks = -(-n_samples // per_peak)
    lowest, highest = np.full(n_peaks, np.inf), np.full(n_peaks, -np.inf)
    done = 0
    for block in reading.read_blocks(track):
        first, last = done // per_peak, (done + len(block) - 1) // per_peak
        starts = np.maximum(np.arange(first, last + 1) * per_peak - done, 0)
        stretch = slice(first, last + 1)
        samples, starts = block.reshape(-1), starts * block.shape[1]  # of all channels
        below = np.minimum.reduceat(samples, starts)
        above = np.maximum.reduceat(samples, starts)
        lowest[stretch] = np.minimum(lowest[stretch], below)
        highest[stretch] = np.maximum(highest[stretch], above)
        done += len(block)
    peaks = {
        "samples_per_peak": per_peak,
        "min": np.round(lowest, 3).tolist(),
        "max": np.round(highest, 3).tolist(),
    }
    target.write_text(json.dumps(peaks, separators=(",", ":")), "utf-8")


def spectrogram(blocks: Iterable[np.ndarray], n_samples: int, sample_rate: int) -> np.ndarray:
    """Compute levels over time and mel frequency, for a whole song in a fixed number of columns.

    Parameters
    ----------
    blocks : iterable of np.ndarray [shape=(n_block, n_channels)]
        Consecutive samples.
    n_samples : int
        Number of samples in all blocks.
    sample_rate : int
        Sampling rate in Hz.

    Returns
    -------
    np.ndarray [shape=(N_COLUMNS, N_BANDS)]
        Levels in dB, with low frequencies first.
    """
    length = 2 ** round(np.log2(_FRAME_SECONDS * sample_rate))
    per_column = -(-n_samples // (N_COLUMNS * length))  # enough frames to cover all samples
    n_frames = N_COLUMNS * per_column
    starts = np.round((np.arange(n_frames) + 0.5) * n_samples / n_frames).astype(int) - length // 2
    window = np.hanning(length).astype(np.float32)
    bands = _mel_bands(length, sample_rate)
    powers = np.empty((n_frames, N_BANDS), np.float32)
    silence = np.zeros(length, np.float32)
    mono = chain((reading.to_mono(block) for block in blocks), [silence])
    held, origin, done = silence, -length, 0  # held starts at sample `origin`
    for block in mono:
        held = np.concatenate([held, block])
        stop = np.searchsorted(starts, origin + len(held) - length, side="right")
        frames = held[(starts[done:stop] - origin)[:, None] + np.arange(length)]
        powers[done:stop] = np.abs(np.fft.rfft(frames * window)) ** 2 @ bands
        done = stop
        if done < n_frames:
            held, origin = held[starts[done] - origin :], starts[done]
    columns = powers.reshape(N_COLUMNS, per_column, N_BANDS).mean(axis=1)
    return 10 * np.log10(columns / window.sum() ** 2 + 1e-12)


def _mel_bands(length: int, sample_rate: int) -> np.ndarray:
    """Triangular filters evenly spaced in mel, at least a bin wide, `[shape=(n_bins, N_BANDS)]`."""
    lowest, highest = 2595 * np.log10(1 + np.array([_LOWEST_HZ, sample_rate / 2]) / 700)
    mel = np.linspace(lowest, highest, N_BANDS)
    centres = 700 * (10 ** (mel / 2595) - 1)
    widths = np.maximum(np.gradient(centres), sample_rate / length)
    hertz = np.arange(length // 2 + 1)[:, None] * sample_rate / length
    return np.maximum(0, 1 - np.abs(hertz - centres) / widths).astype(np.float32)


def write_spectrogram(levels: np.ndarray, target: Path, *, top: float) -> None:
    """Write levels as a PNG: time from left to right, low frequencies at the bottom.

    Parameters
    ----------
    levels : np.ndarray [shape=(N_COLUMNS, N_BANDS)]
        Levels from :func:`spectrogram`.
    target : Path
        PNG file to write.
    top : float
        Level of the brightest colour in dB; the darkest colour is ``RANGE_DB`` below it.
    """
    from matplotlib.image import imsave

    imsave(
        target, levels.T, vmin=top - RANGE_DB, vmax=top, cmap=_COLOURS, origin="lower", format="png"
    )
