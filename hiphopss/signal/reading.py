"""Audio files in, at any rate and sample type that libsndfile knows.

Integer samples are divided by the largest value of their type (32767 for 16 bit), as the released
code does, and multiplied by it on the way out (:mod:`hiphopss.signal.writing`), so what is read and
written unchanged is unchanged.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hiphopss.errors import HiphopssError
from hiphopss.signal.writing import BITS

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


def _decode(file, n_samples: int, path) -> np.ndarray:
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
def opened(path: str | Path) -> Iterator:
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
