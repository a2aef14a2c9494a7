"""Reading audio files of any rate and sample type that libsndfile supports, and resampling.

The streams of a stem file (:mod:`hiphopss.signal.containers`) are read like files.

Integer samples are divided by the largest value of their type (32767 for 16 bit), as in the
released code, and :mod:`hiphopss.signal.writing` multiplies by it, so that a file that is read and
written again is unchanged.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from hiphopss.errors import AudioError
from hiphopss.signal import containers
from hiphopss.signal.decoded import decoded, stream_header

if TYPE_CHECKING:
    from soundfile import SoundFile

AUDIO_SUFFIXES = (
    *(".wav", ".wave", ".bwf", ".flac", ".mp3", ".ogg", ".oga", ".opus"),
    *(".aif", ".aiff", ".aifc", ".caf", ".au", ".w64", ".rf64"),
)
"""Suffixes of audio files that libsndfile reads, in lower case."""

BITS = {"PCM_S8": 8, "PCM_U8": 8, "PCM_16": 16, "PCM_24": 24, "PCM_32": 32}
"""Bits of the integer sample types, by libsndfile's names."""

_BLOCK = 2**17  # samples read at a time, 3 s
_END = 1000  # samples read to check that the end of a file is there
# libsndfile's error codes; higher ones belong to particular formats
_UNKNOWN_FORMAT, _SYSTEM_ERROR, _MALFORMED, _UNKNOWN_ENCODING = 1, 2, 3, 4


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
        libsndfile's name of the file's sample type, such as ``"PCM_16"``; ``"AAC"`` for the stream
        of a stem file.
    """

    waveform: np.ndarray
    sample_rate: int
    subtype: str


@dataclass(frozen=True)
class Header:
    """The content of a file's header.

    Attributes
    ----------
    n_samples : int
        Number of samples of each channel.
    sample_rate : int
        Sampling rate in Hz.
    n_channels : int
        Number of channels.
    subtype : str
        libsndfile's name of the sample type, as in :class:`Audio`.
    """

    n_samples: int
    sample_rate: int
    n_channels: int
    subtype: str

    @property
    def seconds(self) -> float:
        """Length in seconds."""
        return self.n_samples / self.sample_rate


def read(path: str | Path, *, exact: bool = False) -> Audio:
    """Read a whole file.

    Parameters
    ----------
    path : path-like
        A WAV, FLAC, OGG, MP3 or any other file that libsndfile reads, or the stream of a stem file.
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
    """
    with opened(path) as file:
        if exact:
            waveform = require_finite(file.read(dtype="float64", always_2d=True), path)
        else:
            waveform = _decode(file, -1, path)
        subtype = containers.SUBTYPE if containers.is_inside(path) else file.subtype
        return Audio(waveform, file.samplerate, subtype)


def read_blocks(path: str | Path) -> Iterator[np.ndarray]:
    """Read a file block by block, so that memory use does not grow with its length.

    Parameters
    ----------
    path : path-like
        As in :func:`read`.

    Yields
    ------
    np.ndarray [shape=(n_block, n_channels)]
        Consecutive samples; together they are those that :func:`read` returns.

    Raises
    ------
    AudioError
        As in :func:`read`. Damage and samples that are not finite are found on reaching them.
    """
    with opened(path) as file:
        while len(block := _decode(file, _BLOCK, path)):
            yield block


def _decode(file: SoundFile, n_samples: int, path: str | Path) -> np.ndarray:
    """Read samples (all for -1) of an open file, divided by their type's largest value."""
    waveform = require_finite(file.read(n_samples, dtype="float32", always_2d=True), path)
    if file.subtype in BITS:  # libsndfile divides by 2^(bits - 1)
        half = 2 ** (BITS[file.subtype] - 1)
        waveform *= np.float32(half / (half - 1))
    return waveform


def require_finite(samples: np.ndarray, path: str | Path) -> np.ndarray:
    """Return samples of a file; raise :class:`AudioError` if some are not finite."""
    if not np.isfinite(samples).all():
        raise AudioError(f"{path}: has samples that are not finite: export it again")
    return samples


def read_header(path: str | Path, *, end: bool = False) -> Header:
    """Read a file's header without decoding the file; errors as in :func:`read`.

    A stem file has to be decoded, but its streams' lengths are remembered.

    Parameters
    ----------
    path : path-like
        As in :func:`read`.
    end : bool
        Also check, quickly, that the last samples can be read: the header of a truncated FLAC file
        states a length that is not there. Other formats simply end where they are cut off.
    """
    if containers.is_inside(path):  # decoding it, at least once, has checked its end
        return Header(*stream_header(Path(path)), containers.SUBTYPE)
    with opened(path) as file:
        header = Header(file.frames, file.samplerate, file.channels, file.subtype)
        if end:
            file.seek(max(file.frames - _END, 0))
            file.read(_END)
    return header


@contextmanager
def opened(path: str | Path) -> Iterator[SoundFile]:
    """Open an audio file for reading, as a ``soundfile.SoundFile``.

    The stream of a stem file is opened as its decoded copy, whose samples are floating point.

    Raises
    ------
    AudioError
        If the file is missing, unreadable or empty, or if the body finds it damaged.
    HiphopssError
        As in :func:`read`.
    """
    import soundfile

    if containers.is_inside(path):
        with decoded(Path(path)) as copy, opened(copy) as file:
            yield file
        return
    if not Path(path).is_file():
        raise AudioError(f"{path}: no such file: check the path")
    if containers.is_container(path):
        raise AudioError(f"{path}: has several streams: name one, such as {Path(path) / 'mixture'}")
    damaged = f"{path}: damaged or cut off: copy, download or export it again"
    try:
        if not Path(path).stat().st_size:
            raise AudioError(f"{path}: empty: copy, download or export it again")
        file = soundfile.SoundFile(path)
    except UnicodeError as error:
        raise AudioError(
            f"{str(path)!r}: the file's name is not in the system's encoding: rename it"
        ) from error
    except (soundfile.SoundFileError, OSError, TypeError) as error:  # TypeError: NAME.raw
        told = {
            _MALFORMED: damaged,
            _SYSTEM_ERROR: f"{path}: can't be opened: check its permissions",
            **dict.fromkeys(
                (None, _UNKNOWN_FORMAT, _UNKNOWN_ENCODING),
                f"{path}: not an audio file that libsndfile reads: convert it to WAV or FLAC",
            ),
        }
        other = (
            f"{path}: not an audio file that libsndfile reads, or a damaged one: get it again, or "
            "convert it to WAV or FLAC"
        )
        raise AudioError(told.get(getattr(error, "code", None), other)) from error
    try:
        with file:
            if file.frames == 0:
                raise AudioError(f"{path}: has no samples: use another file")
            yield file
    except soundfile.SoundFileError as error:
        raise AudioError(damaged) from error


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
