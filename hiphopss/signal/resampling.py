"""Channels and sampling rates: averaging to mono, and resampling, whole or block by block."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import numpy as np


def to_mono(waveform: np.ndarray) -> np.ndarray:
    """Average the channels: `[shape=(n_samples, n_channels)]` to `[shape=(n_samples,)]`."""
    if waveform.shape[1] == 1:  # nothing to average, which takes time
        return waveform[:, 0]
    return waveform.mean(axis=1, dtype=waveform.dtype)


def resample(waveform: np.ndarray, rate_in: int, rate_out: int) -> np.ndarray:
    """Resample with soxr (very high quality).

    Parameters
    ----------
    waveform : np.ndarray [shape=(n_samples, n_channels)]
        Samples.
    rate_in, rate_out : int
        In Hz.

    Returns
    -------
    np.ndarray [shape=(resampled_length(...), n_channels)]
        The same array if the rates are equal.
    """
    if rate_in == rate_out:
        return waveform
    import soxr

    n_samples = resampled_length(len(waveform), rate_in, rate_out)
    resampled = soxr.resample(waveform, rate_in, rate_out, quality="VHQ")[:n_samples]
    return np.pad(resampled, [(0, n_samples - len(resampled)), (0, 0)])


def resample_blocks(
    blocks: Iterable[np.ndarray],
    rate_in: int,
    rate_out: int,
    *,
    n_samples: Callable[[], int] | None = None,
) -> Iterator[np.ndarray]:
    """As :func:`resample`, block by block.

    Parameters
    ----------
    blocks : iterable of np.ndarray [shape=(n_block, n_channels)]
        Consecutive samples in single precision.
    rate_in, rate_out : int
        In Hz.
    n_samples : callable, optional
        Called when the blocks have ended: how many samples are to come out. By default
        :func:`resampled_length` of those that went in.

    Yields
    ------
    np.ndarray [shape=(n_block, n_channels)]
        The blocks themselves if the rates are equal.
    """
    if rate_in == rate_out:
        yield from blocks
        return
    import soxr

    stream, n_in, n_out = None, 0, 0
    for block in blocks:
        if stream is None:
            n_channels = block.shape[1]
            stream = soxr.ResampleStream(rate_in, rate_out, n_channels, "float32", quality="VHQ")
        n_in += len(block)
        resampled = stream.resample_chunk(np.ascontiguousarray(block))
        n_out += len(resampled)
        yield resampled
    if stream is None:
        return
    wanted = n_samples() if n_samples else resampled_length(n_in, rate_in, rate_out)
    rest = stream.resample_chunk(np.zeros((0, n_channels), np.float32), last=True)
    rest = rest[: wanted - n_out]  # the filter's delay keeps more than this back
    yield np.pad(rest, [(0, wanted - n_out - len(rest)), (0, 0)])


def resampled_length(n_samples: int, rate_in: int, rate_out: int) -> int:
    """Samples that :func:`resample` makes of ``n_samples``; at least 1."""
    return max(1, round(n_samples * rate_out / rate_in))
