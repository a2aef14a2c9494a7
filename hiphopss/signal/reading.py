"""Audio files in, at any rate and sample type that libsndfile knows, averaged and resampled.

Integer samples are divided by the largest value of their type (32767 for 16 bit), as the released
code does, and multiplied by it on the way out (:mod:`hiphopss.signal.writing`), so what is read and
written unchanged is unchanged.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from hiphopss.errors import HiphopssError
from hiphopss.signal.writing import BITS

if TYPE_CHECKING:
    from soundfile import SoundFile

AUDIO_SUFFIXES = (
    *(".wav", ".flac", ".mp3", ".ogg", ".oga", ".opus"),
    *(".aif", ".aiff", ".aifc", ".caf", ".au", ".w64", ".rf64"),
)
"""Endings of audio files that libsndfile reads, lower case."""

_BLOCK = 2**17  # samples read at a time, 3 s
_END = 1000  # samples read to see that a file has its end
# libsndfile's codes; those above are of particular formats
_UNKNOWN_FORMAT, _SYSTEM_ERROR, _MALFORMED, _UNKNOWN_ENCODING = 1, 2, 3, 4


class AudioError(HiphopssError):
    """An audio file can't be used; others may well be."""


@dataclass(frozen=True)
class Audio:
    """A decoded file.

    Attributes
    ----------
    waveform : np.ndarray [shape=(n_samples, n_channels)]
        In single precision, where full scale is 1, unless it was read exactly (:func:`read`).
    sample_rate : int
        In Hz.
    subtype : str
        libsndfile's name of the file's sample type, such as ``"PCM_16"``.
    """

    waveform: np.ndarray
    sample_rate: int
    subtype: str


@dataclass(frozen=True)
class Header:
    """What a file's header says.

    Attributes
    ----------
    n_samples : int
        Of each channel.
    sample_rate : int
        In Hz.
    n_channels : int
        Channels.
    subtype : str
        As that of :class:`Audio`.
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
    """Read a file whole.

    Parameters
    ----------
    path : path-like
        WAV, FLAC, OGG, MP3 or anything else that libsndfile reads.
    exact : bool
        Give double precision, and integer types as libsndfile scales them: divided by a power of
        two, so that no digit is lost. Scores don't depend on the scale.

    Returns
    -------
    Audio
        Its samples, rate and sample type.

    Raises
    ------
    AudioError
        If the file is missing, unreadable, empty, damaged, or has samples that are not finite.
    """
    with opened(path) as file:
        if exact:
            waveform = require_finite(file.read(dtype="float64", always_2d=True), path)
        else:
            waveform = _decode(file, -1, path)
        return Audio(waveform, file.samplerate, file.subtype)


def read_blocks(path: str | Path) -> Iterator[np.ndarray]:
    """Read a file block by block, so that memory does not grow with its length.

    Parameters
    ----------
    path : path-like
        As :func:`read`.

    Yields
    ------
    np.ndarray [shape=(n_block, n_channels)]
        Consecutive samples, together those that :func:`read` gives.

    Raises
    ------
    AudioError
        As :func:`read`; for damage, and samples that are not finite, when it comes to them.
    """
    with opened(path) as file:
        while len(block := _decode(file, _BLOCK, path)):
            yield block


def _decode(file: SoundFile, n_samples: int, path: str | Path) -> np.ndarray:
    """The next samples of an open file, -1 for all, divided by their type's largest value."""
    waveform = require_finite(file.read(n_samples, dtype="float32", always_2d=True), path)
    if file.subtype in BITS:  # libsndfile divides by 2^(bits - 1)
        half = 2 ** (BITS[file.subtype] - 1)
        waveform *= np.float32(half / (half - 1))
    return waveform


def require_finite(samples: np.ndarray, path: str | Path) -> np.ndarray:
    """Give samples of a file back; raise :class:`AudioError` if some are not finite."""
    if not np.isfinite(samples).all():
        raise AudioError(f"{path}: has samples that are not finite: export it again")
    return samples


def read_header(path: str | Path, *, end: bool = False) -> Header:
    """What a file's header says, without decoding it; errors as :func:`read`.

    Parameters
    ----------
    path : path-like
        As :func:`read`.
    end : bool
        See that the last samples can be read, too, which is quick: the header of a FLAC that is cut
        off names a length that isn't there. Other formats then end where they are cut off.
    """
    with opened(path) as file:
        header = Header(file.frames, file.samplerate, file.channels, file.subtype)
        if end:
            file.seek(max(file.frames - _END, 0))
            file.read(_END)
    return header


@contextmanager
def opened(path: str | Path) -> Iterator[SoundFile]:
    """Open an audio file for reading, as a ``soundfile.SoundFile``.

    Raises
    ------
    AudioError
        If the file is missing, unreadable or empty, or if the body comes upon damage.
    """
    import soundfile

    if not Path(path).is_file():
        raise AudioError(f"{path}: no such file: check the path")
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
