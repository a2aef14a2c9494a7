"""Watching a folder: songs that appear in it are separated, each once.

The folder is looked at again and again, because the events of file systems don't come from network
drives. What was done is in ``watch.json`` in the output, so that it is not done again after
a restart. A song counts as complete when its size and time have stayed the same for some looks.
"""

from __future__ import annotations

import json
import logging
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from hiphopss.config import SEPARATION_RECORD, TRACK_RECORD
from hiphopss.datasets.mixtures import mixtures_in
from hiphopss.errors import AudioError, HiphopssError
from hiphopss.separation.files import separate_files
from hiphopss.separation.naming import names_of
from hiphopss.separation.settings import SeparationSettings
from hiphopss.separation.song import EVERY_SONG
from hiphopss.separation.stem_song import has_stems_of
from hiphopss.signal.containers import container_of
from hiphopss.util.files import require_writable, write_text
from hiphopss.util.locks import locked
from hiphopss.util.opening import nothing_at
from hiphopss.util.records import read_record
from hiphopss.weights.registry import describe_default, resolve_weights

logger = logging.getLogger(__name__)

WATCH_RECORD = "watch.json"
"""File in the output that says which songs were done."""

LOOKS = 3
"""How often a song must look the same before it is separated."""

EVERY_S = 2.0
"""Seconds between two looks."""

_UNFINISHED = (
    ".part",
    ".partial",
    ".crdownload",
    ".download",
    ".tmp",
    ".temp",
    ".filepart",
    ".!ut",
)
"""Suffixes that programs give to what they are still downloading or copying."""


@dataclass(frozen=True)
class _Seen:
    """A song as it was when it was separated, or tried."""

    track: str
    size: int
    time: int
    failed: bool = False
    made: bool = False  # whether stems of it, or of what was there before, are this watch's work


@dataclass
class _Record:
    """The content of ``watch.json``, by paths in the folder, with ``/``."""

    songs: dict[str, _Seen] = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)


_Stamp = tuple[int, int]
"""Size and time of a file."""


class _Watching:
    """What :func:`watch` knows between two looks."""

    def __init__(
        self,
        folder: Path,
        output: Path,
        settings: SeparationSettings,
        *,
        tell: Callable[[Path], None],
        left_out: Callable[[AudioError], None],
        once: bool,
        progress: bool,
    ):
        self._folder, self._output = folder, output
        self._tell, self._left_out, self._progress = tell, left_out, progress
        self._once, self._by_folder = once, names_of(settings).by_folder
        self._introduction = describe_default() if settings.weights is None else ""
        # With their path, the weights are not named again with each song.
        self._settings = replace(settings, weights=resolve_weights(settings.weights))
        separate_files({}, output, self._settings)  # raises what concerns all songs
        path, mend = output / WATCH_RECORD, "remove it; what was separated stays as it is"
        self._record = read_record(path, _Record, mend=mend) if path.exists() else _Record()
        self._looks: dict[str, tuple[_Stamp, int]] = {}
        self._put_off: dict[str, _Stamp] = {}
        self._told: set[str] = set()
        self.n_failed = 0

    def look(self) -> bool:
        """Look once, and separate the songs that are complete; whether some others may be soon."""
        waiting = False
        for name, path in self._found().items():
            key = container_of(path).relative_to(self._folder).as_posix()
            before, stamp = self._record.songs.get(key), _stamp(path, empty=self._once)
            known = before is not None and stamp == (before.size, before.time)
            if stamp is None or known or stamp == self._put_off.get(key):
                continue
            last, n_looks = self._looks.get(key, (None, 0))
            n_looks = n_looks + 1 if stamp == last else 1
            self._looks[key] = stamp, n_looks
            if n_looks < LOOKS:
                waiting = True
                continue
            del self._looks[key]
            self._separate(key, name, path, stamp)
        return waiting

    def _found(self) -> dict[str, Path]:
        """The songs that are there now, by the names of their tracks."""
        own = (WATCH_RECORD, SEPARATION_RECORD, TRACK_RECORD)
        others = []

        def left_out(error: AudioError) -> None:
            if str(error) not in self._told:
                logger.warning("%s", error)
            self._told.add(str(error))

        def passed_over(path: Path) -> None:
            if path.suffix.lower() not in _UNFINISHED and path.name not in own:
                others.append(path)

        skip = self._output
        found = mixtures_in(
            self._folder,
            skip=skip,
            left_out=left_out,
            passed_over=passed_over,
            by_folder=self._by_folder,
        )
        new = {path.relative_to(self._folder).as_posix(): path for path in others}
        new = {key: path for key, path in new.items() if key not in self._record.left_out}
        for path in new.values():
            logger.info("%s: not named like audio, and left out", path)
        if new:
            self._record.left_out += new
            self._write()
        return found

    def _separate(self, key: str, name: str, path: Path, stamp: _Stamp) -> None:
        before = self._record.songs.get(key)
        made = before is not None and before.made and before.track == name
        failed, settings = False, self._settings
        try:
            if before is None and has_stems_of(self._output, name, path, settings):
                made = True
            else:
                if self._introduction:
                    logger.info(self._introduction)
                self._introduction = ""
                done = separate_files(
                    {name: path}, self._output, settings, replace=made, progress=self._progress
                )
                made = True
                for made_path in done.folders:
                    self._tell(made_path)
        except HiphopssError as error:
            if getattr(error.__cause__, "errno", None) in EVERY_SONG:
                raise
            if _stamp(path, empty=self._once) != stamp:
                return  # it went, or goes on growing, and is looked at again
            self.n_failed += 1
            logger.warning("%s (left out until the song's file changes)", error)
            told = error if isinstance(error, AudioError) else AudioError(str(error))
            told.path = container_of(path)
            self._left_out(told)
            if told is not error:  # it may not be the song's fault
                self._put_off[key] = stamp
                return
            failed = True
        self._record.songs[key] = _Seen(name, *stamp, failed, made)
        self._write()

    def _write(self) -> None:
        text = json.dumps(asdict(self._record), indent=1, sort_keys=True)
        write_text(self._output / WATCH_RECORD, text + "\n")


def watch(
    folder: str | Path,
    output: str | Path,
    settings: SeparationSettings | None = None,
    *,
    once: bool = False,
    every_s: float = EVERY_S,
    tell: Callable[[Path], None] = lambda path: None,
    left_out: Callable[[AudioError], None] = lambda error: None,
    progress: bool = True,
    wait: Callable[[float], object] = time.sleep,
) -> int:
    """Separate the songs that are in a folder, and those that appear in it.

    A song is separated once its file has stopped growing, and again if it changes. What was done
    is remembered in the output, so that this can be ended and called again at any time; a song on
    which it was at work is then begun anew. A song that can't be separated is tried again when its
    file changes. Files that are not named like audio, hidden ones and downloads that are not
    finished are left out, and so are empty files, which with ``once`` can't be separated.

    Parameters
    ----------
    folder : path-like
        Folder to watch, with the folders in it.
    output : path-like
        Folder for the stems, as in :func:`hiphopss.separate_files`; it may be inside ``folder``.
    settings : SeparationSettings, optional
        Weights, and what is written, and how.
    once : bool
        Return when the songs that are complete are done. Otherwise this returns only by an
        exception, such as ``KeyboardInterrupt``.
    every_s : float
        Seconds between two looks. A song must look the same three times.
    tell : callable
        Called with the folder or stem file of each song that was separated; where songs have no
        folders of their own, with each of its files.
    left_out : callable
        Called with the error of each song that could not be separated; ``path`` is its file.
    progress : bool
        Show a progress bar for each song.
    wait : callable
        Called with the seconds to wait.

    Returns
    -------
    int
        Number of songs that could not be separated.

    Raises
    ------
    HiphopssError
        If the folder does not exist, ``output`` can't be written to or has other stems, the weights
        can't be used, or the disk is full.
    """
    folder, output = Path(folder), Path(output)
    if not folder.is_dir():
        raise HiphopssError(nothing_at(folder, "no such folder: make it, or check the path"))
    settings = settings or SeparationSettings()
    require_writable(output / WATCH_RECORD)
    with locked(output / WATCH_RECORD, wait=False), _terse():
        watching = _Watching(
            *(folder, output, settings), tell=tell, left_out=left_out, once=once, progress=progress
        )
        n_looks, there = 0, True
        while True:
            if there and not folder.is_dir():
                logger.warning("%s: can't be reached any more: waiting for it", folder)
            there = folder.is_dir()
            waiting = there and watching.look()
            n_looks += 1
            if once and (n_looks >= LOOKS or not waiting):
                return watching.n_failed
            wait(every_s)


def _stamp(path: Path, *, empty: bool) -> _Stamp | None:
    """Size and time of a song's file; None if it isn't there, or not complete for sure.

    An empty file is complete only if ``empty`` says so: most likely, its content comes later.
    """
    file = container_of(path)
    try:
        state = file.stat()
    except OSError:
        return None
    unfinished = any(os.path.exists(f"{file}{suffix}") for suffix in _UNFINISHED)
    if unfinished or not (state.st_size or empty):
        return None
    return state.st_size, state.st_mtime_ns


@contextmanager
def _terse() -> Iterator[None]:
    """While the body runs, log only warnings of two modules, and those about folders once."""
    seen: set[str] = set()

    def is_new(record: logging.LogRecord) -> bool:
        line = record.getMessage()
        new = line not in seen and is_warning(record)
        seen.add(line)
        return new

    def is_warning(record: logging.LogRecord) -> bool:
        return record.levelno > logging.INFO

    filters = {"datasets.mixtures": is_new, "separation.listening": is_warning}
    for name, chosen in filters.items():
        logging.getLogger(f"hiphopss.{name}").addFilter(chosen)
    try:
        yield
    finally:
        for name, chosen in filters.items():
            logging.getLogger(f"hiphopss.{name}").removeFilter(chosen)
