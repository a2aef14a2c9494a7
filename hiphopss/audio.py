"""Audio files in and out, at any rate and sample type that libsndfile knows.

Integer samples are divided by the largest value of their type (32767 for 16 bit), as the released
code does, and multiplied by it on the way out, so what is read and written unchanged is unchanged.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hiphopss.errors import HiphopssError

OUTPUT_SUBTYPES = ("PCM_16", "PCM_24", "FLOAT")
OUTPUT_FORMATS = {
    **{".wav": "WAV", ".flac": "FLAC", ".aif": "AIFF", ".aiff": "AIFF"},
    **{".ogg": "OGG", ".mp3": "MP3"},
}
"""What files are written by ending, lower case."""
LOSSY_SUBTYPES = {"OGG": "VORBIS", "MP3": "MPEG_LAYER_III"}
"""Formats that have one sample type of their own."""
AUDIO_SUFFIXES = (
    *(".wav", ".flac", ".mp3", ".ogg", ".oga", ".opus"),
    *(".aif", ".aiff", ".aifc", ".caf", ".au", ".w64", ".rf64"),
)
"""Endings of audio files that libsndfile reads, lower case."""

_BLOCK = 2**17  # samples read at a time, 3 s
_CACHED = 2**14  # samples converted at a time
_BITS = {"PCM_S8": 8, "PCM_U8": 8, "PCM_16": 16, "PCM_24": 24, "PCM_32": 32}


@dataclass(frozen=True)
class Audio:
    """A decoded file.

    Attributes
    ----------
    waveform : np.ndarray [shape=(n_samples, n_channels)]
        In single precision; full scale is 1.
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


def read(path: str | Path) -> Audio:
    """Read a file whole.

    Parameters
    ----------
    path : path-like
        WAV, FLAC, OGG, MP3 or anything else that libsndfile reads.

    Returns
    -------
    Audio
        Its samples, rate and sample type.

    Raises
    ------
    HiphopssError
        If the file is missing, unreadable, empty, or has samples that are not finite.
    """
    with opened(path) as file:
        return Audio(_decode(file, -1, path), file.samplerate, file.subtype)


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
    HiphopssError
        As :func:`read`; for samples that are not finite when it comes to them.
    """
    with opened(path) as file:
        while len(block := _decode(file, _BLOCK, path)):
            yield block


def _decode(file, n_samples: int, path) -> np.ndarray:
    """The next samples of an open file, -1 for all, divided by their type's largest value."""
    waveform = file.read(n_samples, dtype="float32", always_2d=True)
    if not np.isfinite(waveform).all():
        raise HiphopssError(f"{path}: has samples that are not finite: export it again")
    if file.subtype in _BITS:  # libsndfile divides by 2^(bits - 1)
        half = 2 ** (_BITS[file.subtype] - 1)
        waveform *= np.float32(half / (half - 1))
    return waveform


def read_header(path: str | Path) -> Header:
    """What a file's header says, without decoding it; errors as :func:`read`."""
    with opened(path) as file:
        return Header(file.frames, file.samplerate, file.channels, file.subtype)


def read_shape(path: str | Path) -> tuple[int, int]:
    """Number of samples and sampling rate in Hz, from a file's header; errors as :func:`read`."""
    header = read_header(path)
    return header.n_samples, header.sample_rate


@contextmanager
def opened(path: str | Path) -> Iterator:
    """Open an audio file for reading, as a ``soundfile.SoundFile``.

    Raises
    ------
    HiphopssError
        If the file is missing, unreadable or empty.
    """
    import soundfile

    if not Path(path).is_file():
        raise HiphopssError(f"{path}: no such file: check the path")
    try:
        with soundfile.SoundFile(path) as file:
            if file.frames == 0:
                raise HiphopssError(f"{path}: has no samples: use another file")
            yield file
    except UnicodeError as error:
        raise HiphopssError(
            f"{str(path)!r}: the file's name is not in the system's encoding: rename it"
        ) from error
    except (soundfile.SoundFileError, OSError) as error:
        raise HiphopssError(
            f"{path}: not an audio file that libsndfile reads: convert it to WAV or FLAC"
        ) from error


def find(folder: Path, name: str) -> Path | None:
    """The audio file ``<name>.<suffix>`` in a folder, or None.

    Parameters
    ----------
    folder : Path
        The song's folder.
    name : str
        Name of the source, or ``"mixture"``.

    Returns
    -------
    Path or None
        The file.

    Raises
    ------
    HiphopssError
        If there are two, such as ``vocals.wav`` and ``vocals.flac``.
    """
    if not folder.is_dir():
        return None
    found = sorted(
        p for p in folder.iterdir() if p.stem == name and p.suffix.lower() in AUDIO_SUFFIXES
    )
    if len(found) > 1:
        raise HiphopssError(f"{found[0]}: there is also {found[1].name}: keep one of them")
    return found[0] if found else None


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


def output_subtype(subtype: str) -> str:
    """The one of ``OUTPUT_SUBTYPES`` that keeps most of what a file of ``subtype`` has."""
    nearest = {"PCM_24": "PCM_24", "PCM_32": "PCM_24", "FLOAT": "FLOAT", "DOUBLE": "FLOAT"}
    return nearest.get(subtype, "PCM_16")


def resampled_length(n_samples: int, rate_in: int, rate_out: int) -> int:
    """Samples that :func:`resample` makes of ``n_samples``; at least 1."""
    return max(1, round(n_samples * rate_out / rate_in))


class Writer:
    """Writes a file block by block, in an integer type rounded and clipped.

    The released code casts without clipping, so values beyond full scale wrap round (Q13); here
    they are clipped, and :meth:`close` warns with their number.

    Parameters
    ----------
    path : path-like
        The file.
    sample_rate : int
        In Hz.
    n_channels : int
        Channels.
    subtype : str
        One of ``OUTPUT_SUBTYPES``; that of ``LOSSY_SUBTYPES`` for a lossy format.
    label : str, optional
        What warnings call the file, if not ``path``.
    format : str
        One of the values of ``OUTPUT_FORMATS``.
    advice : str
        What the warning about clipped samples advises.
    """

    def __init__(
        self,
        path,
        sample_rate: int,
        n_channels: int,
        subtype: str,
        *,
        label=None,
        format: str = "WAV",
        advice: str = "use --subtype FLOAT to keep them",
    ):
        import soundfile

        self.n_clipped = 0
        self._label = label or str(path)
        self._lossy = format in LOSSY_SUBTYPES
        allowed = (LOSSY_SUBTYPES[format],) if self._lossy else OUTPUT_SUBTYPES
        if subtype not in allowed or not soundfile.check_format(format, subtype):
            allowed = [kind for kind in allowed if soundfile.check_format(format, kind)]
            raise HiphopssError(
                f"{self._label}: no sample type {subtype!r} in {format}: choose "
                f"{', '.join(allowed)}"
            )
        self._advice = advice
        self._bits = _BITS.get(subtype)
        with self._reported():
            self._file = soundfile.SoundFile(
                path, "w", sample_rate, n_channels, subtype, format=format
            )

    @contextmanager
    def _reported(self) -> Iterator[None]:
        import soundfile

        try:
            yield
        except soundfile.SoundFileError as error:
            raise HiphopssError(
                f"{self._label}: can't be written ({error}): is the disk full?"
            ) from error

    def write(self, waveform: np.ndarray) -> None:
        """Append samples `[shape=(n_samples, n_channels)]`."""
        samples = waveform.astype(np.float32, copy=False)
        if self._bits is not None:
            samples = self._to_integers(waveform)
        elif self._lossy:  # what plays it has integers
            samples = np.clip(samples, -1, 1)
            self.n_clipped += int(np.count_nonzero(samples != waveform))
        with self._reported():
            for start in range(0, len(samples), _CACHED):  # encoders keep a block on the stack
                self._file.write(samples[start : start + _CACHED])

    def _to_integers(self, waveform: np.ndarray) -> np.ndarray:
        """Round and clip, and count what was clipped."""
        full_scale = 2 ** (self._bits - 1) - 1
        kind, precise = (np.int16, np.float32) if self._bits == 16 else (np.int32, np.float64)
        integers = np.empty(waveform.shape, kind)
        for start in range(0, len(waveform), _CACHED):  # each piece stays in the cache
            piece = slice(start, start + _CACHED)
            scaled = np.multiply(waveform[piece], full_scale, dtype=precise)
            np.rint(scaled, out=scaled)
            if scaled.max() > full_scale or scaled.min() < -full_scale - 1:
                clipped = np.clip(scaled, -full_scale - 1, full_scale)
                self.n_clipped += int(np.count_nonzero(clipped != scaled))
                scaled = clipped
            integers[piece] = scaled
        return integers if self._bits == 16 else integers << (32 - self._bits)  # upper bits

    def close(self) -> None:
        """Finish the file; warn if samples were clipped."""
        with self._reported():
            self._file.close()
        if self.n_clipped:
            warnings.warn(
                f"{self._label}: {self.n_clipped} samples clipped at full scale: {self._advice}",
                stacklevel=2,
            )

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def write(path, waveform: np.ndarray, sample_rate: int, subtype: str = "PCM_16") -> None:
    """Write a whole WAV; see :class:`Writer`.

    Parameters
    ----------
    path : path-like
        The file.
    waveform : np.ndarray [shape=(n_samples, n_channels)] or [shape=(n_samples,)]
        Samples.
    sample_rate : int
        In Hz.
    subtype : str
        One of ``OUTPUT_SUBTYPES``.
    """
    waveform = waveform[:, None] if waveform.ndim == 1 else waveform
    with Writer(path, sample_rate, waveform.shape[1], subtype) as writer:
        writer.write(waveform)
