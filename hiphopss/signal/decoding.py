"""Decoding an audio file from its beginning to its real end, with libsndfile or through ffmpeg.

What a header says of the length is not believed: :mod:`hiphopss.signal.formats.kinds` finds out
what is there. A file is read in one go, without seeking, because some of its formats can't seek.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Self

import numpy as np

from hiphopss.errors import AudioError, HiphopssError
from hiphopss.signal import containers
from hiphopss.signal.decoded import decoded, decoded_song
from hiphopss.signal.formats.kinds import look_at, require_file
from hiphopss.signal.formats.pieces import Layout, Part, PieceFile
from hiphopss.signal.quiet import quiet_c

if TYPE_CHECKING:
    from soundfile import SoundFile

logger = logging.getLogger(__name__)

RATES = (100, 2_000_000)
"""Sampling rates in Hz that a file may have; others are those of damaged headers."""

_AT_ONCE = 2**18  # samples of all channels that are decoded at a time
_TOLERATED = 0.05  # seconds by which a damaged file may be shorter without a word: two frames
_UNLIKELY = 1000  # samples of a byte: no format packs them so well, but silence
_SOUGHT = ("WAV", "WAVEX", "RF64", "W64", "AIFF", "AU", "CAF", "FLAC")
_SOUGHT_TYPES = ("PCM_", "FLOAT", "DOUBLE")  # in which every sample is found by its number
# libsndfile's error codes; higher ones belong to particular formats
_UNKNOWN_FORMAT, _SYSTEM_ERROR, _MALFORMED, _UNKNOWN_ENCODING = 1, 2, 3, 4
_NOT_READ = (None, _UNKNOWN_FORMAT, _UNKNOWN_ENCODING)


@dataclass(frozen=True)
class Header:
    """The content of a file's header, with the length that the file really has.

    Attributes
    ----------
    n_samples : int
        Number of samples of each channel that are there.
    sample_rate : int
        Sampling rate in Hz.
    n_channels : int
        Number of channels.
    subtype : str
        libsndfile's name of the sample type, as in :class:`hiphopss.signal.reading.Audio`.
    n_stated : int
        Number of samples that the header states; it is larger than ``n_samples`` if the file is cut
        off, and otherwise the same.
    """

    n_samples: int
    sample_rate: int
    n_channels: int
    subtype: str
    n_stated: int = 0

    @property
    def seconds(self) -> float:
        """Length in seconds."""
        return self.n_samples / self.sample_rate

    @property
    def cut_off(self) -> str | None:
        """How much is there of a file that is cut off, in words; None for a whole file."""
        if self.n_stated <= self.n_samples:
            return None
        stated = self.n_stated / self.sample_rate
        if stated - self.seconds < 0.0005:
            return f"cut off: {self.n_samples} of {self.n_stated} samples are there"
        digits = 1 if stated - self.seconds >= 0.05 else 3
        return f"cut off: {self.seconds:.{digits}f} of {stated:.{digits}f} s are there"


class Reader:
    """An audio file that is being decoded; :func:`opened` makes it.

    Parameters
    ----------
    path : Path
        File to decode.
    layout : Layout
        What it holds.
    name : path-like
        Name of the file in messages.
    subtype : str, optional
        Sample type, if the file is a decoded copy of another.

    Attributes
    ----------
    kind : str
        Name of the file's format, as in :class:`hiphopss.signal.formats.pieces.Layout`.
    header : Header
        Length, rate, channels and sample type. The length is what the parts promise, which damage
        inside can shorten.
    """

    def __init__(self, path: Path, layout: Layout, name: str | Path, *, subtype: str | None = None):
        self.kind, self._path, self._name = layout.kind, path, name
        self._stack = ExitStack()
        self._pieces: PieceFile | None = None
        self._file: SoundFile | None = None
        self._n_read = self._n_left = 0
        self._parts = list(layout.parts)
        self._quiet = quiet_c if layout.kind in ("MP3", "MPEG", "") else nullcontext
        try:
            self.header = self._whole_header(layout, subtype)
        except BaseException:
            self.close()
            raise

    def _whole_header(self, layout: Layout, subtype: str | None) -> Header:
        """The header of all parts together; the first part stays open."""
        n_samples, n_stated, first = 0, 0, None
        for part in reversed(self._parts):
            file = self._open(part)
            found = (file.samplerate, file.channels)
            if first is not None and found != first:
                raise AudioError(
                    f"{self._name}: changes from {found[0]} Hz and {found[1]} channels to "
                    f"{first[0]} Hz and {first[1]}: split it, or convert it to WAV"
                )
            first = found
            n_samples += self._n_left
            n_stated += round(max(self._n_left, part.stated > 1) * part.stated)
        assert self._file is not None
        assert first is not None
        if not RATES[0] <= first[0] <= RATES[1]:
            raise AudioError(
                f"{self._name}: a sampling rate of {first[0]} Hz, which no music has: is it "
                "damaged? Get it again"
            )
        n_stated = round(n_stated * layout.stated)
        if n_samples == 0 and n_stated:
            raise AudioError(
                f"{self._name}: cut off: none of it is there: copy, download or export it again"
            )
        if n_samples == 0:
            raise AudioError(f"{self._name}: has no samples: use another file")
        kind = subtype or self._file.subtype
        return Header(n_samples, *first, kind, max(n_samples, n_stated))

    @property
    def is_doubtful(self) -> bool:
        """Whether the file is too small for the length that its header states."""
        n_samples = self.header.n_samples * self.header.n_channels
        return n_samples > _UNLIKELY * os.path.getsize(self._path)

    def _open(self, part: Part) -> SoundFile:
        """Open a part; the one before is closed."""
        self._stack.close()
        self._pieces = None
        with self._told(), self._quiet():
            source: str | bytes | PieceFile = native_path(self._path)
            if part.pieces is not None:
                file = open(self._path, "rb")  # noqa: SIM115
                self._stack.callback(file.close)
                source = self._pieces = PieceFile(file, part.pieces)
            self._file = self._stack.enter_context(_sequential()(source))
        self._n_left = self._file.frames if part.n_samples is None else part.n_samples
        return self._file

    def read(self, n_samples: int = -1, dtype: str = "float32") -> np.ndarray:
        """Decode the next samples.

        Parameters
        ----------
        n_samples : int
            Most samples to return; by default, all.
        dtype : str
            ``"float32"`` or ``"float64"``. Integers are scaled as libsndfile does it, by a power of
            two.

        Returns
        -------
        np.ndarray [shape=(n_read, n_channels)]
            The samples; none at the end.

        Raises
        ------
        AudioError
            If the file is damaged here.
        """
        limit = n_samples if n_samples >= 0 else self.header.n_samples - self._n_read
        if self.is_doubtful:  # nobody should have to find memory for that
            limit = min(limit, _AT_ONCE // self.header.n_channels + 1)
        blocks = [np.empty((limit, self.header.n_channels), dtype)]
        n_read = self.fill(blocks[0])
        if n_read < limit:
            blocks[0] = blocks[0][:n_read]
        elif n_samples < 0:  # a header may promise too little
            while len(block := self.read(_AT_ONCE // self.header.n_channels + 1, dtype)):
                blocks.append(block)
        return blocks[0] if len(blocks) == 1 else np.concatenate(blocks)

    def fill(self, out: np.ndarray) -> int:
        """Decode the next samples into an array.

        Parameters
        ----------
        out : np.ndarray [shape=(n_samples, n_channels)]
            Array of single or double precision, scaled as in :meth:`read`.

        Returns
        -------
        int
            Number of samples of each channel that there were; fewer than asked for only at the end.
        """
        n_read = 0
        while self._parts and n_read < len(out):
            # libsndfile would try to decode what stands behind the end, and call it damaged.
            n_more = self._read(out[n_read : n_read + self._n_left])
            self._n_left -= n_more
            n_read += n_more
            self._n_read += n_more
            if n_more:
                continue
            del self._parts[0]
            if self._parts:
                self._open(self._parts[0])
            else:
                self._end()
        return n_read

    def skip(self, n_samples: int) -> None:
        """Leave out the next samples, which are only decoded where the format needs it."""
        assert self._file is not None
        plain = self._file.format in _SOUGHT and self._file.subtype.startswith(_SOUGHT_TYPES)
        if plain and self._pieces is None and n_samples < self._n_left:
            with self._told():
                self._file.seek(self._n_read + n_samples)
            self._n_left -= n_samples
            self._n_read += n_samples
            return
        n_left = n_samples
        while n_left and (block := self.read(min(n_left, _AT_ONCE))).size:
            n_left -= len(block)

    def _end(self) -> None:
        """Tell of an end that comes early."""
        header = self.header
        if not self._n_read:
            raise AudioError(
                f"{self._name}: damaged, none of it can be decoded: copy, download or export it "
                "again"
            )
        if self._n_read < header.n_samples - header.sample_rate * _TOLERATED:
            logger.warning(
                "%s: ends at %.1f s, where %.1f s were expected: get it again if it is damaged",
                *(self._name, self._n_read / header.sample_rate, header.seconds),
            )

    def _read(self, out: np.ndarray) -> int:
        """Fill some of an array with the samples of a part; return how many."""
        assert self._file is not None
        if not len(out):
            return 0
        with self._told(), self._quiet():
            n_read = len(self._file.read(out=out))
        if self._pieces is not None and self._pieces.error is not None:
            if isinstance(self._pieces.error, Exception):
                raise AudioError(
                    f"{self._name}: can't be read ({self._pieces.error}): check the disk"
                ) from self._pieces.error
            raise self._pieces.error
        return n_read

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Tell what libsndfile or soundfile finds wrong in one line."""
        import soundfile

        try:
            yield
        except HiphopssError:
            raise
        except MemoryError as error:
            raise AudioError(
                f"{self._name}: needs more memory than there is: is it damaged? Get it again"
            ) from error
        except Exception as error:  # soundfile raises almost any kind for strange files
            code = getattr(error, "code", None)
            if self._file is not None or code == _MALFORMED:
                told = "damaged or cut off: copy, download or export it again"
            elif code == _SYSTEM_ERROR or isinstance(error, OSError):
                told = "can't be opened: check its permissions"
            elif not isinstance(error, soundfile.SoundFileError) or code in _NOT_READ:
                told = "not an audio file that libsndfile reads: convert it to WAV or FLAC"
            else:
                told = (
                    "not an audio file that libsndfile reads, or a damaged one: get it again, or "
                    "convert it to WAV or FLAC"
                )
            raise AudioError(f"{self._name}: {told}") from error

    def close(self) -> None:
        """Close the file."""
        self._stack.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def native_path(path: str | Path) -> str | bytes:
    """A path for soundfile, which can't take names that aren't in the system's encoding as text."""
    return os.fspath(path) if os.name == "nt" else os.fsencode(path)


@lru_cache
def _sequential() -> type[SoundFile]:
    """A kind of ``soundfile.SoundFile`` that never seeks: some formats can't, and none has to."""
    import soundfile

    class Sequential(soundfile.SoundFile):
        def seekable(self) -> bool:
            return False

    return Sequential


@contextmanager
def opened(path: str | Path, *, most_seconds: float | None = None) -> Iterator[Reader]:
    """Open an audio file for reading.

    Parameters
    ----------
    path : path-like
        An audio file, or the stream of a stem file (:mod:`hiphopss.signal.containers`).
    most_seconds : float, optional
        Decode little more than that of a file that ffmpeg decodes, to save time and space.

    Yields
    ------
    Reader
        The open file. Formats that only ffmpeg decodes are opened as decoded copies, whose samples
        are floating point.

    Raises
    ------
    AudioError
        If the file is missing, unreadable or empty, or if nothing can decode it.
    HiphopssError
        If it can't be decoded for want of space.
    """
    path = Path(path)
    if containers.is_inside(path):
        with decoded(path) as copy, Reader(copy, Layout("MP4"), path, subtype="AAC") as stream:
            yield stream
        return
    require_file(path)
    if containers.is_container(path):
        raise AudioError(f"{path}: has several streams: name one, such as {path / 'mixture'}")
    layout = look_at(path)
    with ExitStack() as stack:
        reader: Reader | None = None
        if layout.parts:
            try:
                reader = Reader(path, layout, path)
            except AudioError as error:
                if not _may_be_read_by_ffmpeg(error, layout):
                    raise
        if reader is None:
            if layout.demuxer is None:
                raise AudioError(f"{path}: not an audio file: use another file")
            song = stack.enter_context(decoded_song(path, layout, most_seconds=most_seconds))
            as_wav = Layout(layout.kind, stated=song.stated)
            reader = Reader(song.file, as_wav, path, subtype=song.subtype)
        yield stack.enter_context(reader)


def _may_be_read_by_ffmpeg(error: AudioError, layout: Layout) -> bool:
    """Whether libsndfile only lacks the encoding, in a format that it reads."""
    unknown = getattr(error.__cause__, "code", None) in (_UNKNOWN_FORMAT, _UNKNOWN_ENCODING)
    return unknown and layout.demuxer is not None
