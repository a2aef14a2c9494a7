"""Writing audio files: formats, sample types, and a writer that rounds and clips samples."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, Self

import numpy as np

from hiphopss.errors import HiphopssError
from hiphopss.signal.ogg_serial import number_by_content
from hiphopss.signal.reading import BITS
from hiphopss.util.disk import cannot_write
from hiphopss.util.interrupts import held

if TYPE_CHECKING:
    import soundfile

logger = logging.getLogger(__name__)

OUTPUT_SUBTYPES = ("PCM_16", "PCM_24", "FLOAT")
OUTPUT_FORMATS = {
    **{".wav": "WAV", ".flac": "FLAC", ".aif": "AIFF", ".aiff": "AIFF"},
    **{".ogg": "OGG", ".mp3": "MP3"},
}
"""Format of an output file for each suffix, in lower case."""
LOSSY_SUBTYPES = {"OGG": "VORBIS", "MP3": "MPEG_LAYER_III", "M4A": "AAC"}
"""Sample type of each lossy format, which supports only this one; ffmpeg writes M4A."""
_AAC_RATES = (
    *(7350, 8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000, 64000, 88200, 96000),
)
OUTPUT_LIMITS = {
    "WAV": (range(1, 2**31), 1024),
    "AIFF": (range(1, 2**31), 1024),
    "FLAC": (range(1, 655_351), 8),
    "OGG": (range(1, 200_001), 255),  # libvorbis crashes at higher rates
    "MP3": ((8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000), 2),
    "M4A": (_AAC_RATES, 2),
}
"""Sampling rates in Hz that a format supports, and the maximum number of channels."""

_CACHED = 2**14  # samples converted at a time
_BUFFER_BYTES = 1 << 16
_SET_ADD_PEAK_CHUNK = 0x1050  # libsndfile's number of this command


def output_subtype(subtype: str) -> str:
    """The entry of ``OUTPUT_SUBTYPES`` that keeps the most precision of a ``subtype`` file."""
    nearest = {"PCM_24": "PCM_24", "PCM_32": "PCM_24", "FLOAT": "FLOAT", "DOUBLE": "FLOAT"}
    return nearest.get(subtype, "PCM_16")


def to_integers(waveform: np.ndarray, bits: int) -> tuple[np.ndarray, int]:
    """Round and clip samples, and count those that were clipped.

    Parameters
    ----------
    waveform : np.ndarray [shape=(n_samples, n_channels)]
        Samples, with full scale at 1.
    bits : int
        16 or 24.

    Returns
    -------
    integers : np.ndarray [shape=(n_samples, n_channels)]
        16-bit integers, or 32-bit ones whose upper bits are the sample.
    n_clipped : int
        Number of samples that were beyond full scale.
    """
    full_scale, n_clipped = 2 ** (bits - 1) - 1, 0
    kind, precise = (np.int16, np.float32) if bits == 16 else (np.int32, np.float64)
    integers = np.empty(waveform.shape, kind)
    for start in range(0, len(waveform), _CACHED):  # each piece stays in the cache
        piece = slice(start, start + _CACHED)
        scaled = np.multiply(waveform[piece], full_scale, dtype=precise)
        np.rint(scaled, out=scaled)
        if scaled.max() > full_scale or scaled.min() < -full_scale - 1:
            clipped = np.clip(scaled, -full_scale - 1, full_scale)
            n_clipped += int(np.count_nonzero(clipped != scaled))
            scaled = clipped
        integers[piece] = scaled
    return integers if bits == 16 else integers << (32 - bits), n_clipped


class Tags(Protocol):
    """Title and so on of a file, as :class:`hiphopss.signal.encoding.tags.Tags` has them."""

    def put(self, file: soundfile.SoundFile) -> None:
        """Write them into a new file."""

    def id3(self) -> bytes:
        """What stands in front of an MP3 file."""


class Writer:
    """Writes a file block by block; integer sample types are rounded and clipped.

    The same samples give the same bytes: libsndfile's PEAK chunk, which has the time, is left out,
    and an Ogg stream, to which libsndfile gives a number by the time, gets one by its content.

    The released code does not clip, so values beyond full scale wrap round (Q13); here they are
    clipped, and :meth:`close` logs a warning with their number.

    Parameters
    ----------
    path : path-like
        File to write.
    sample_rate : int
        Sampling rate in Hz.
    n_channels : int
        Number of channels.
    subtype : str
        One of ``OUTPUT_SUBTYPES``; for a lossy format, its entry of ``LOSSY_SUBTYPES``.
    label : str, optional
        Name of the file in warnings, if it is not ``path``.
    format : str
        One of the values of ``OUTPUT_FORMATS``.
    advice : str
        Advice in the warning about clipped samples.
    options : dict, optional
        Further arguments of ``soundfile.SoundFile``, which set the bitrate.
    tags : Tags, optional
        Title and so on.

    Raises
    ------
    HiphopssError
        If the format does not support the sample type, the rate or the number of channels
        (``OUTPUT_LIMITS``), or if the file can't be written.
    """

    def __init__(
        self,
        path: str | Path,
        sample_rate: int,
        n_channels: int,
        subtype: str,
        *,
        label: str | Path | None = None,
        format: str = "WAV",
        advice: str = "use --subtype FLOAT to keep them",
        options: dict[str, Any] | None = None,
        tags: Tags | None = None,
    ):
        import soundfile

        self.n_clipped = 0
        self._path, self._label = path, label or str(path)
        self._lossy, self._is_ogg = format in LOSSY_SUBTYPES, format == "OGG"
        allowed = (LOSSY_SUBTYPES[format],) if self._lossy else OUTPUT_SUBTYPES
        if subtype not in allowed or not soundfile.check_format(format, subtype):
            able = [kind for kind in allowed if soundfile.check_format(format, kind)]
            raise HiphopssError(
                f"{self._label}: no sample type {subtype!r} in {format}: choose {', '.join(able)}"
            )
        require_limits(self._label, format, sample_rate, n_channels)
        self._advice = advice
        self._bits = BITS.get(subtype)
        front = tags.id3() if tags and format == "MP3" else b""
        self._sink = Sink(path, self._label, front=front)
        with self._reported("check that the format can hold this"):
            self._file = soundfile.SoundFile(
                self._sink, "w", sample_rate, n_channels, subtype, format=format, **(options or {})
            )
            _leave_out_time(self._file)
            if tags and not front:
                tags.put(self._file)

    @contextmanager
    def _reported(self, mend: str = "check the disk") -> Iterator[None]:
        import soundfile

        try:
            with self._sink.used():
                yield
        except soundfile.SoundFileError as error:
            # The whole message would begin with the temporary file's name.
            reason = getattr(error, "error_string", str(error)).removeprefix("Error : ")
            raise HiphopssError(
                f"{self._label}: can't be written ({reason.rstrip('.')}): {mend}"
            ) from error

    def write(self, waveform: np.ndarray) -> None:
        """Append samples `[shape=(n_samples, n_channels)]`."""
        samples = waveform.astype(np.float32, copy=False)
        if self._bits is not None:
            samples, n_clipped = to_integers(waveform, self._bits)
            self.n_clipped += n_clipped
        elif self._lossy:  # players decode these formats to integers
            samples = np.clip(samples, -1, 1)
            self.n_clipped += int(np.count_nonzero(samples != waveform))
        with self._reported():
            for start in range(0, len(samples), _CACHED):  # encoders keep each block on the stack
                self._file.write(samples[start : start + _CACHED])

    def close(self) -> None:
        """Finish the file; log a warning if samples were clipped."""
        try:
            with self._reported():
                self._file.close()
                self._sink.close()
            if self._is_ogg:
                number_by_content(self._path)
        except OSError as error:
            raise HiphopssError(f"{self._label}: {cannot_write(error)}") from error
        finally:
            self._sink.close()
        if self.n_clipped:
            logger.warning(
                "%s: %d samples clipped at full scale: %s",
                *(self._label, self.n_clipped, self._advice),
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, error: type[BaseException] | None, *_: object) -> None:
        if error is None:
            self.close()
            return
        with suppress(HiphopssError), self._sink.used():  # what was raised first is told
            self._file.close()
        self._sink.close()


class Sink:
    """A new file for libsndfile, which keeps the system's first error.

    libsndfile itself would only say "System error", and at the end of some formats say nothing.
    After an error, what it writes is dropped, and :meth:`used` raises.

    Parameters
    ----------
    path : path-like
        The file.
    label : str or Path, optional
        Name of the file in errors, if it is not ``path``.
    front : bytes
        What stands in front of the file that libsndfile writes, without its knowing.

    Raises
    ------
    HiphopssError
        If it can't be made.
    """

    def __init__(self, path: str | Path, label: str | Path | None = None, *, front: bytes = b""):
        self._label = label or path
        self._error: OSError | None = None
        self._place, self._n_front = 0, len(front)
        try:
            self._file = open(path, "wb", _BUFFER_BYTES)  # noqa: SIM115 (closed by the user)
        except OSError as error:
            raise HiphopssError(f"{self._label}: {cannot_write(error)}") from error
        self.write(front)

    @contextmanager
    def used(self) -> Iterator[None]:
        """A context for calls of libsndfile; at its end raise if something can't be written.

        They call this object's methods, in which nothing may be raised, not even an interrupt.

        Raises
        ------
        HiphopssError
            If something could not be written.
        """
        with held():
            yield
        if self._error is not None:
            raise HiphopssError(f"{self._label}: {cannot_write(self._error)}") from self._error

    def write(self, data: bytes) -> int:
        if self._error is None:
            with self._kept():
                self._file.write(data)
        return len(data)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        if self._error is None:
            start = self._n_front if whence == os.SEEK_SET else 0
            with self._kept():
                self._place = self._file.seek(start + offset, whence) - self._n_front
        return self._place

    def tell(self) -> int:
        if self._error is None:
            with self._kept():
                self._place = self._file.tell() - self._n_front
        return self._place

    def close(self) -> None:
        with self._kept():
            self._file.close()

    @contextmanager
    def _kept(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            self._error = self._error or error


def _leave_out_time(file: soundfile.SoundFile) -> None:
    """Write no PEAK chunk, which has the time of day, into a new file of floating-point samples."""
    import soundfile

    # soundfile has no name for this command of libsndfile. Formats without the chunk ignore it.
    soundfile._snd.sf_command(file._file, _SET_ADD_PEAK_CHUNK, soundfile._ffi.NULL, 0)


def require_limits(
    label: object, format: str, sample_rate: int, n_channels: int, *, by: str = "suffix"
) -> None:
    """Raise, naming the formats that would work, if this one lacks the rate or the channels.

    Parameters
    ----------
    label : object
        What the message names.
    format : str
        One of ``OUTPUT_LIMITS``.
    sample_rate : int
        Sampling rate in Hz.
    n_channels : int
        Number of channels.
    by : str
        How the user chooses a format: by the ``"suffix"`` of a file, or by ``"format"``.
    """
    able = [
        suffix
        for suffix, kind in {**OUTPUT_FORMATS, ".m4a": "M4A"}.items()
        if sample_rate in OUTPUT_LIMITS[kind][0] and n_channels <= OUTPUT_LIMITS[kind][1]
    ]
    rates, most_channels = OUTPUT_LIMITS[format]
    if sample_rate not in rates:
        lacking = f"no rate of {sample_rate} Hz"
    elif n_channels > most_channels:
        lacking = f"{most_channels} channels at most, not {n_channels}"
    else:
        return
    mend = f"name a file that ends in {', '.join(able)}" if able else "give less of them"
    if able and by == "format":
        names = (suffix.removeprefix(".") for suffix in able if suffix != ".aif")
        mend = f"choose another format: {', '.join(names)}"
    raise HiphopssError(f"{label}: {format} has {lacking}: {mend}")


def write(
    path: str | Path, waveform: np.ndarray, sample_rate: int, subtype: str = "PCM_16"
) -> None:
    """Write a whole WAV file; see :class:`Writer`.

    Parameters
    ----------
    path : path-like
        File to write.
    waveform : np.ndarray [shape=(n_samples, n_channels)] or [shape=(n_samples,)]
        Samples of the whole file.
    sample_rate : int
        Sampling rate in Hz.
    subtype : str
        One of ``OUTPUT_SUBTYPES``.
    """
    waveform = waveform[:, None] if waveform.ndim == 1 else waveform
    with Writer(path, sample_rate, waveform.shape[1], subtype) as writer:
        writer.write(waveform)
