"""Copies of files that only ffmpeg decodes: stem files (:mod:`hiphopss.signal.containers`), songs.

A file is decoded as a whole, to WAV files in a temporary folder. The last two files stay decoded,
so that reading all stems of a song, or those of two songs in turn, decodes each file once. Each
process has its own copies; they are removed when it ends. A stem file of 4 minutes takes 430 MB
there, a song 85 MB. A stem file is refused rather than patched up if any part of it is damaged.

How long a stream is, to the sample, is only known after decoding; :mod:`hiphopss.signal.lengths`
remembers it.
"""

from __future__ import annotations

import logging
import os
import shutil
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from hiphopss.errors import AudioError, HiphopssError
from hiphopss.signal.containers import STREAMS, container_of
from hiphopss.signal.ffmpeg import Song, decode, decode_song, find_ffmpeg, is_cut_off
from hiphopss.signal.formats.kinds import require_file
from hiphopss.signal.formats.pieces import Layout
from hiphopss.signal.lengths import Key, Stream, remember, remembered
from hiphopss.util.progress import progress_bar
from hiphopss.util.scratch import Scratch

logger = logging.getLogger(__name__)

_KEPT = 2  # files that stay decoded
_PADDING = 4096
"""Samples by which the streams of a file may differ in length: AAC has frames of 1024 samples, and
an encoder may add one or two at each end."""

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
        self._copies: OrderedDict[Key, _Copy] = OrderedDict()
        self._scratch: Scratch | None = None
        self._n_made = 0
        self.streams: dict[Key, list[Stream]] = {}
        self.songs: dict[Key, Song] = {}

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
    def of(self, key: Key, make: _Make) -> Iterator[list[Path]]:
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

    def _taken(self, key: Key) -> _Copy:
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

    def _give_back(self, key: Key, copy: _Copy) -> None:
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


def _of_stem_file(container: Path) -> tuple[Key, _Make]:
    """Key of a stem file, and the function that decodes it."""
    key = _key(container)

    def make(folder: Path) -> list[Path]:
        files = decode(container, folder, n_streams=len(STREAMS), demuxer="mov")
        if is_cut_off(container):
            raise AudioError(f"{container}: cut off: copy, download or export it again")
        streams = _cut_alike(container, files, tell=key not in _copies.streams)
        if _copies.streams.get(key) != streams:
            _copies.streams[key] = streams
            remember(container, key, streams)
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
        known = remembered(container, key)
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
            if key not in _copies.streams and remembered(container, key) is None:
                unknown.append(container)
    if not unknown:
        return
    bar = progress_bar(
        unknown, show=progress, desc="stem files (their lengths are then known)", unit="file"
    )
    for container in bar:
        with suppress(AudioError), _copies.of(*_of_stem_file(container)):
            pass


def _key(path: Path, what: str = "streams") -> Key:
    require_file(path)
    if not os.access(path, os.R_OK):
        raise AudioError(f"{path}: can't be opened: check its permissions")
    state = path.stat()
    return str(path.absolute()), state.st_size, state.st_mtime_ns, what


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
