"""Copies of files that only ffmpeg decodes: stem files (:mod:`hiphopss.signal.containers`), songs.

A file is decoded as a whole, to WAV files in a temporary folder. The last two files stay decoded,
so that reading all stems of a song, or those of two songs in turn, decodes each file once. Each
process has its own copies; they are removed when it ends. A stem file of 4 minutes takes 430 MB
there, a song 85 MB. A stem file is refused rather than patched up if any part of it is damaged.

How long a stream is, to the sample, is only known after decoding. So the lengths are remembered in
the user's cache folder, ``$XDG_CACHE_HOME/hiphopss/streams`` or ``~/.cache/hiphopss/streams``: one
small file for each stem file, which is valid while neither the stem file nor ffmpeg is replaced.
Whether it can be written makes no difference but time.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import shutil
import tempfile
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from hiphopss.errors import AudioError, HiphopssError
from hiphopss.signal.containers import STREAMS, container_of
from hiphopss.signal.ffmpeg import Song, decode, decode_song, find_ffmpeg
from hiphopss.signal.kinds import require_file
from hiphopss.signal.pieces import Layout
from hiphopss.util.progress import progress_bar
from hiphopss.util.records import read_record
from hiphopss.util.scratch import Scratch

logger = logging.getLogger(__name__)

_KEPT = 2  # files that stay decoded
_PADDING = 4096
"""Samples by which the streams of a file may differ in length: AAC has frames of 1024 samples, and
an encoder may add one or two at each end."""


class Stream(NamedTuple):
    """What a header would say about a stream.

    Attributes
    ----------
    n_samples : int
        Number of samples of each channel.
    sample_rate : int
        Sampling rate in Hz.
    n_channels : int
        Number of channels.
    """

    n_samples: int
    sample_rate: int
    n_channels: int


_Key = tuple[str, int, int, str]
"""Path, size and time of a file, which tell whether it is still the same, and what is decoded."""

_Make = Callable[[Path], list[Path]]
"""Function that decodes a file to others in an empty folder."""


@dataclass
class _Copy:
    """A file's decoded streams, or the place for them."""

    folder: Path
    files: list[Path] = field(default_factory=list)
    users: int = 0
    decoding: threading.Lock = field(default_factory=threading.Lock)


class _Copies:
    """The decoded files of this process; threads may use them at once."""

    def __init__(self) -> None:
        # Reentrant, because a reader that nobody needs any more may be collected at any moment.
        self._lock = threading.RLock()
        self._copies: OrderedDict[_Key, _Copy] = OrderedDict()
        self._scratch: Scratch | None = None
        self._n_made = 0
        self.streams: dict[_Key, list[Stream]] = {}
        self.songs: dict[_Key, Song] = {}

    def prepare(self) -> None:
        """Make the temporary folder, which also removes those of processes that were killed."""
        with self._lock:
            try:
                self._scratch = self._scratch or Scratch()
            except OSError as error:
                raise HiphopssError(
                    f"{error.filename or 'TMPDIR'}: no temporary folder can be made here "
                    f"({error.strerror}): set TMPDIR to a folder with space"
                ) from error

    @contextmanager
    def of(self, key: _Key, make: _Make) -> Iterator[list[Path]]:
        """The files that ``make`` makes, which exist while the body runs."""
        copy = self._taken(key)
        try:
            with copy.decoding:
                # A system may clear its temporary folder of old files.
                if not (copy.files and all(file.exists() for file in copy.files)):
                    self._decode(copy, make)
            yield copy.files
        finally:
            self._give_back(key, copy)

    def _taken(self, key: _Key) -> _Copy:
        self.prepare()
        with self._lock:
            if key not in self._copies and self._scratch is not None:
                self._n_made += 1
                self._copies[key] = _Copy(self._scratch.folder / str(self._n_made))
            copy = self._copies[key]
            copy.users += 1
            self._copies.move_to_end(key)
            self._drop_unused()
        return copy

    def _give_back(self, key: _Key, copy: _Copy) -> None:
        with self._lock:
            copy.users -= 1
            if not copy.users and not copy.files:  # it could not be decoded
                self._copies.pop(key, None)
            self._drop_unused()

    def _drop_unused(self) -> None:
        """Remove the oldest copies that are too many and that nobody reads."""
        for key, copy in list(self._copies.items()):
            if len(self._copies) > _KEPT and not copy.users:
                self._copies.pop(key, None)
                shutil.rmtree(copy.folder, ignore_errors=True)

    def _decode(self, copy: _Copy, make: _Make) -> None:
        shutil.rmtree(copy.folder, ignore_errors=True)
        try:
            copy.folder.mkdir(parents=True)
            copy.files = make(copy.folder)
        except BaseException:
            shutil.rmtree(copy.folder, ignore_errors=True)
            raise


_copies = _Copies()


def _start_anew() -> None:
    """Forget the copies, in a forked process: its parent removes them."""
    global _copies
    _copies = _Copies()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_start_anew)


@contextmanager
def decoded(path: Path) -> Iterator[Path]:
    """Give a WAV file of a stream's samples, in single precision, while the body runs.

    Parameters
    ----------
    path : Path
        Path of the stream, such as ``SONG.stem.mp4/vocals``.

    Yields
    ------
    Path
        The WAV file, which others may read at the same time; don't change it.

    Raises
    ------
    AudioError
        If the stem file is missing, damaged, empty, has fewer streams, or if its streams differ in
        length by more than AAC's padding.
    HiphopssError
        If there is no ffmpeg, or no space for the WAV files.

    Logs
    ----
    WARNING
        If the streams differ a little in length; they are cut to the shortest.
    """
    container = container_of(path)
    with _copies.of(*_of_stem_file(container)) as files:
        yield files[STREAMS.index(path.name)]


def _of_stem_file(container: Path) -> tuple[_Key, _Make]:
    """Key of a stem file, and the function that decodes it."""
    key = _key(container)

    def make(folder: Path) -> list[Path]:
        files = decode(container, folder, n_streams=len(STREAMS), demuxer="mov")
        if _is_cut_off(container):
            raise AudioError(f"{container}: cut off: copy, download or export it again")
        streams = _cut_alike(container, files, tell=key not in _copies.streams)
        if _copies.streams.get(key) != streams:
            _copies.streams[key] = streams
            _remember(container, key, streams)
        return files

    return key, make


@contextmanager
def decoded_song(
    path: Path, layout: Layout, *, most_seconds: float | None = None
) -> Iterator[Song]:
    """Give a WAV file of the first audio stream of a file, while the body runs.

    Parameters
    ----------
    path : Path
        File to decode.
    layout : Layout
        Its format, which ffmpeg is told.
    most_seconds : float, optional
        Decode little more than that.

    Yields
    ------
    Song
        The WAV file, which others may read at the same time, and what is known of the stream.

    Raises
    ------
    AudioError
        If there is no ffmpeg, or if the file is damaged or has no audio stream.
    HiphopssError
        If there is no space for the WAV file.
    """
    key = _key(path, f"{layout.demuxer} {most_seconds}")

    def make(folder: Path) -> list[Path]:
        song = decode_song(path, folder, layout, most_seconds=most_seconds)
        _copies.songs[key] = song
        return [song.file]

    with _copies.of(key, make) as (file,):
        yield _copies.songs[key]._replace(file=file)


def stream_header(path: Path) -> Stream:
    """Length, rate and channels of a stream; the stem file is decoded if they aren't known yet.

    Parameters
    ----------
    path : Path
        As in :func:`decoded`, which also tells the errors.
    """
    container = container_of(path)
    key = _key(container)
    if key not in _copies.streams:
        find_ffmpeg(container)
        known = _remembered(container, key)
        if known is not None:
            _copies.prepare()  # worker processes may decode, and be killed
            _copies.streams[key] = known
    if key not in _copies.streams:
        with _copies.of(*_of_stem_file(container)):
            pass
    return _copies.streams[key][STREAMS.index(path.name)]


def measure(containers: Iterable[Path], *, progress: bool = True) -> None:
    """Get to know the lengths of stem files before they are asked for, with a progress bar.

    Later runs remember them; the first takes about 2 s for a song of 4 minutes. A damaged file is
    passed over, because reading it tells what is wrong with it.

    Parameters
    ----------
    containers : iterable of Path
        Stem files.
    progress : bool
        Show a progress bar if any file's length is not known.

    Raises
    ------
    HiphopssError
        As in :func:`decoded`.
    """
    given = list(containers)
    unknown = []
    for container in given:
        with suppress(AudioError):
            key = _key(container)
            find_ffmpeg(container)
            if key not in _copies.streams and _remembered(container, key) is None:
                unknown.append(container)
    if not unknown:
        return
    bar = progress_bar(
        unknown, show=progress, desc="stem files (their lengths are then known)", unit="file"
    )
    for container in bar:
        with suppress(AudioError), _copies.of(*_of_stem_file(container)):
            pass


def _key(path: Path, what: str = "streams") -> _Key:
    require_file(path)
    if not os.access(path, os.R_OK):
        raise AudioError(f"{path}: can't be opened: check its permissions")
    state = path.stat()
    return str(path.absolute()), state.st_size, state.st_mtime_ns, what


def _is_cut_off(container: Path) -> bool:
    """Whether an MP4's box of samples goes beyond the end of the file.

    If the file ends between two packets of samples, ffmpeg takes what is there for the whole.
    """
    with open(container, "rb") as file:
        end, start = os.fstat(file.fileno()).st_size, 0
        while start + 8 <= end:  # one box after the other: size, type, content
            file.seek(start)
            head = file.read(16)
            size = int.from_bytes(head[:4], "big")
            if size == 1:  # the size has 64 bits, behind the type
                size = int.from_bytes(head[8:], "big")
            if head[4:8] == b"mdat" and start + size > end:
                return True
            if size < 8:  # up to the end of the file, or nothing that ffmpeg would have read
                return False
            start += size
    return False


def _cut_alike(container: Path, files: list[Path], *, tell: bool) -> list[Stream]:
    """Cut decoded streams to the length of the shortest, if they differ by no more than padding."""
    import soundfile

    found = [soundfile.info(file) for file in files]
    streams = [Stream(info.frames, info.samplerate, info.channels) for info in found]
    shortest, longest = min(streams), max(streams)
    if not shortest.n_samples:
        raise AudioError(f"{container}: a stream has no samples: export it again")
    excess = longest.n_samples - shortest.n_samples
    if not excess or len({stream.sample_rate for stream in streams}) > 1:
        return streams  # what reads songs tells of different rates
    if excess > _PADDING:
        raise AudioError(
            f"{container}: stream {STREAMS[streams.index(longest)]} is {excess} samples longer "
            f"than {STREAMS[streams.index(shortest)]}: export the song's files alike"
        )
    if tell:
        logger.warning(
            "%s: its streams differ by up to %d samples, as encoders pad them: all are cut to the "
            "shortest, %d samples",
            *(container, excess, shortest.n_samples),
        )
    for file, stream in zip(files, streams, strict=True):
        if stream.n_samples > shortest.n_samples:
            with soundfile.SoundFile(file, "r+") as opened:
                opened.truncate(shortest.n_samples)
    return [stream._replace(n_samples=shortest.n_samples) for stream in streams]


# lengths that are remembered


@dataclass(frozen=True)
class _Memory:
    """What the memory of a stem file holds."""

    stamp: list[int | str]
    streams: list[Stream]


def _memory_of(container: Path) -> Path | None:
    """The file that remembers a stem file's streams; None if the user has no cache folder."""
    base = Path(os.environ.get("XDG_CACHE_HOME", ""))
    if not base.is_absolute():  # also if it isn't set
        try:
            base = Path.home() / ".cache"
        except RuntimeError:
            return None
    name = hashlib.sha256(os.fsencode(container.absolute())).hexdigest()[:32]
    return base / "hiphopss" / "streams" / f"{name}.json"


def _stamp(container: Path, key: _Key) -> list:
    """What a remembered length depends on: the file, and the program that decoded it.

    Versions of ffmpeg differ: 2.8 keeps 2048 samples of padding that later ones cut off
    (https://github.com/faroit/stempeg/issues/2).
    """
    program = find_ffmpeg(container)
    state = os.stat(program)
    return [*key[1:3], program, state.st_size, state.st_mtime_ns]


def _remembered(container: Path, key: _Key) -> list[Stream] | None:
    memory = _memory_of(container)
    with suppress(OSError, HiphopssError):  # an unreadable, old or strange file is as good as none
        if memory is not None:
            told = read_record(memory, _Memory, mend="remove it")
            fits = len(told.streams) == len(STREAMS) and min(map(min, told.streams)) > 0
            if fits and told.stamp == _stamp(container, key):
                return told.streams
    return None


def _remember(container: Path, key: _Key, streams: list[Stream]) -> None:
    memory = _memory_of(container)
    if memory is None:
        return
    with suppress(OSError):  # only time is lost
        told = {"stamp": _stamp(container, key), "streams": streams}
        memory.parent.mkdir(parents=True, exist_ok=True)
        # Its own name, because other processes may write the same.
        handle, temporary = tempfile.mkstemp(dir=memory.parent, suffix=".new")
        try:
            with open(handle, "w", encoding="utf-8") as file:
                json.dump(told, file)
            os.replace(temporary, memory)
        finally:
            with suppress(OSError):
                os.unlink(temporary)
