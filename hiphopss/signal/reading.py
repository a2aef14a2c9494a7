"""Reading audio files of any rate and sample type that libsndfile or ffmpeg decode, and resampling.

The streams of a stem file (:mod:`hiphopss.signal.containers`) are read like files.

A file is read to its real end, whatever its header says (:mod:`hiphopss.signal.decoding`). It is
called cut off where the header states a length that isn't there; what is there can still be used.

Integer samples of 16 bits and more are divided by the largest value of their type (32767 for 16
bit), as in the released code, and :mod:`hiphopss.signal.writing` multiplies by it, so that a file
that is read and written again is unchanged. Samples of 8 bits are divided by 128: by 127, a file
would become 0.07 dB louder than others, and clip.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from hiphopss.errors import AudioError
from hiphopss.signal import containers
from hiphopss.signal.decoded import stream_header
from hiphopss.signal.decoding import Header, Reader, opened

logger = logging.getLogger(__name__)

__all__ = [
    *("AUDIO_SUFFIXES", "BITS", "FFMPEG_SUFFIXES", "Audio", "AudioError", "Header", "Reader"),
    *("opened", "read", "read_blocks", "read_header", "require_finite", "resample"),
    *("resample_blocks", "resampled_length", "to_mono", "warn_if_cut_off"),
]

AUDIO_SUFFIXES = (
    *(".wav", ".wave", ".bwf", ".flac", ".mp3", ".ogg", ".oga", ".opus"),
    *(".aif", ".aiff", ".aifc", ".caf", ".au", ".w64", ".rf64", ".bw64"),
)
"""Suffixes of audio files that libsndfile reads, in lower case."""

FFMPEG_SUFFIXES = (
    *(".m4a", ".m4b", ".mp4", ".m4v", ".mov", ".3gp", ".aac", ".wma", ".wmv", ".asf", ".mka"),
    *(".mkv", ".webm", ".avi", ".amr", ".ape", ".wv", ".tta", ".tak", ".mpc", ".dsf", ".dff"),
    *(".ac3", ".dts", ".ra", ".rm", ".flv", ".ts", ".mpg", ".mpeg"),
)
"""Suffixes of files that only ffmpeg decodes, in lower case."""

BITS = {"PCM_S8": 8, "PCM_U8": 8, "PCM_16": 16, "PCM_24": 24, "PCM_32": 32}
"""Bits of the integer sample types, by libsndfile's names."""

_BLOCK = 2**17  # samples read at a time, 3 s


@dataclass(frozen=True)
class Audio:
    """A decoded file.

    Attributes
    ----------
    waveform : np.ndarray [shape=(n_samples, n_channels)]
        In single precision with full scale at 1, unless it was read exactly (:func:`read`).
    sample_rate : int
        Sampling rate in Hz.
    subtype : str
        libsndfile's name of the file's sample type, such as ``"PCM_16"``; ffmpeg's name of the
        codec in upper case, such as ``"AAC"``, for a lossy one that libsndfile doesn't decode.
    """

    waveform: np.ndarray
    sample_rate: int
    subtype: str


def read(path: str | Path, *, exact: bool = False) -> Audio:
    """Read a whole file.

    Parameters
    ----------
    path : path-like
        A WAV, FLAC, OGG, MP3 or any other file that libsndfile or ffmpeg decodes, or the stream of
        a stem file.
    exact : bool
        Return double precision, with integers as libsndfile scales them: divided by a power of
        two, so that no digit is lost. Scores don't depend on the scale.

    Returns
    -------
    Audio
        Its samples, rate and sample type.

    Raises
    ------
    AudioError
        If the file is missing, unreadable, empty, damaged, or has samples that are not finite.
    HiphopssError
        If a stem file can't be decoded for want of ffmpeg or of space.

    Logs
    ----
    WARNING
        If the file is cut off, or ends early because it is damaged.
    """
    with opened(path) as reader:
        warn_if_cut_off(path, reader.header)
        header = reader.header
        if exact:
            waveform = require_finite(reader.read(dtype="float64"), path)
        else:
            waveform = _decode(reader, -1, path)
        return Audio(waveform, header.sample_rate, header.subtype)


def read_blocks(
    path: str | Path,
    *,
    tell: bool = True,
    most_seconds: float | None = None,
    first: int = 0,
    stop: int | None = None,
) -> Iterator[np.ndarray]:
    """Read a file block by block, so that memory use does not grow with its length.

    Parameters
    ----------
    path : path-like
        As in :func:`read`.
    tell : bool
        Log a warning if the file is cut off.
    most_seconds : float, optional
        As in :func:`opened`.
    first : int
        Number of the first sample to give. What is before it is only decoded where the format
        needs it.
    stop : int, optional
        Number of the sample at which to end; nothing from there on is decoded by libsndfile.

    Yields
    ------
    np.ndarray [shape=(n_block, n_channels)]
        Consecutive samples; together they are those that :func:`read` returns.

    Raises
    ------
    AudioError
        As in :func:`read`. Damage and samples that are not finite are found on reaching them.
    """
    with opened(path, most_seconds=most_seconds) as reader:
        if tell:
            warn_if_cut_off(path, reader.header)
        # Of many channels, fewer samples, so that memory is bounded.
        n_block = min(_BLOCK, 2 * _BLOCK // reader.header.n_channels)
        if first:
            reader.skip(first)
        n_left = math.inf if stop is None else stop - first
        while n_left and len(block := _decode(reader, int(min(n_block, n_left)), path)):
            n_left -= len(block)
            yield block


def _decode(reader: Reader, n_samples: int, path: str | Path) -> np.ndarray:
    """Read samples (all for -1), divided by their type's largest value."""
    waveform = require_finite(reader.read(n_samples), path)
    bits = BITS.get(reader.header.subtype, 8)
    if bits > 8:  # libsndfile divides by 2^(bits - 1)
        half = 2 ** (bits - 1)
        waveform *= np.float32(half / (half - 1))
    return waveform


def warn_if_cut_off(path: str | Path, header: Header) -> None:
    """Log a warning if a file is cut off, with how much of it there is."""
    if header.cut_off:
        logger.warning("%s: %s: get it again if you need the rest", path, header.cut_off)


def require_finite(samples: np.ndarray, path: str | Path) -> np.ndarray:
    """Return samples of a file; raise :class:`AudioError` if some are not finite."""
    if not np.isfinite(samples).all():
        raise AudioError(f"{path}: has samples that are not finite: export it again")
    return samples


def read_header(
    path: str | Path, *, end: bool = False, most_seconds: float | None = None
) -> Header:
    """Read a file's header, and find out how long it really is; errors as in :func:`read`.

    This decodes nothing but files that only ffmpeg decodes; the lengths of the streams of stem
    files are remembered.

    Parameters
    ----------
    path : path-like
        As in :func:`read`.
    end : bool
        Decode the file if its header states a length that is hardly possible, to count the samples.
    most_seconds : float, optional
        As in :func:`opened`.
    """
    if containers.is_inside(path):  # decoding it, at least once, has checked its end
        return Header(*stream_header(Path(path)), containers.SUBTYPE)
    with opened(path, most_seconds=most_seconds) as reader:
        header = reader.header
        if end and reader.is_doubtful:
            n_samples = 0
            while len(block := reader.read(_BLOCK // header.n_channels + 1)):
                n_samples += len(block)
            header = replace(header, n_samples=n_samples)
        return header


def to_mono(waveform: np.ndarray) -> np.ndarray:
    """Average the channels: `[shape=(n_samples, n_channels)]` to `[shape=(n_samples,)]`."""
    if waveform.shape[1] == 1:  # averaging one channel would only take time
        return waveform[:, 0]
    return waveform.mean(axis=1, dtype=waveform.dtype)


def resample(waveform: np.ndarray, rate_in: int, rate_out: int) -> np.ndarray:
    """Resample with soxr (very high quality).

    Parameters
    ----------
    waveform : np.ndarray [shape=(n_samples, n_channels)]
        Samples to resample.
    rate_in, rate_out : int
        Sampling rates before and after, in Hz.

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
    """Resample like :func:`resample`, block by block.

    Parameters
    ----------
    blocks : iterable of np.ndarray [shape=(n_block, n_channels)]
        Consecutive samples in single precision.
    rate_in, rate_out : int
        Sampling rates before and after, in Hz.
    n_samples : callable, optional
        Called after the last block; returns the number of samples that the output must have. By
        default that is :func:`resampled_length` of the input.

    Yields
    ------
    np.ndarray [shape=(n_block, n_channels)]
        Resampled blocks; the given blocks if the rates are equal.
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
    rest = rest[: wanted - n_out]  # the filter's delay holds back more samples than this
    yield np.pad(rest, [(0, wanted - n_out - len(rest)), (0, 0)])


def resampled_length(n_samples: int, rate_in: int, rate_out: int) -> int:
    """Number of samples that :func:`resample` makes of ``n_samples``; at least 1."""
    return max(1, round(n_samples * rate_out / rate_in))
