"""The lengths of the streams of stem files, which later runs remember.

How long a stream is, to the sample, is only known after decoding. So the lengths are remembered in
the user's cache folder, ``$XDG_CACHE_HOME/hiphopss/streams`` or ``~/.cache/hiphopss/streams``: one
small file for each stem file, which is valid while neither the stem file nor ffmpeg is replaced.
Whether it can be written makes no difference but time.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from hiphopss.errors import HiphopssError
from hiphopss.signal.containers import STREAMS
from hiphopss.signal.ffmpeg import find_ffmpeg
from hiphopss.util.records import read_record


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


@dataclass(frozen=True)
class _Memory:
    """What the memory of a stem file holds."""

    stamp: list[int | str]
    streams: list[Stream]


Key = tuple[str, int, int, str]
"""Path, size and time of a file, which tell whether it is still the same, and what is decoded."""


def cache_folder() -> Path | None:
    """Folder in which this package remembers things; None if the user has no cache folder."""
    base = Path(os.environ.get("XDG_CACHE_HOME", ""))
    if not base.is_absolute():  # also if it isn't set
        try:
            base = Path.home() / ".cache"
        except RuntimeError:
            return None
    return base / "hiphopss"


def _memory_of(container: Path) -> Path | None:
    """The file that remembers a stem file's streams; None if there is no place for it."""
    folder = cache_folder()
    if folder is None:
        return None
    name = hashlib.sha256(os.fsencode(container.absolute())).hexdigest()[:32]
    return folder / "streams" / f"{name}.json"


def _stamp(container: Path, key: Key) -> list:
    """What a remembered length depends on: the file, and the program that decoded it.

    Versions of ffmpeg differ: 2.8 keeps 2048 samples of padding that later ones cut off
    (https://github.com/faroit/stempeg/issues/2).
    """
    program = find_ffmpeg(container)
    state = os.stat(program)
    return [*key[1:3], program, state.st_size, state.st_mtime_ns]


def remembered(container: Path, key: Key) -> list[Stream] | None:
    """The streams of a stem file, if their lengths are known from before.

    Parameters
    ----------
    container : Path
        The stem file.
    key : Key
        Its state.
    """
    memory = _memory_of(container)
    with suppress(OSError, HiphopssError):  # an unreadable, old or strange file is as good as none
        if memory is not None:
            told = read_record(memory, _Memory, mend="remove it")
            fits = len(told.streams) == len(STREAMS) and min(map(min, told.streams)) > 0
            if fits and told.stamp == _stamp(container, key):
                return told.streams
    return None


def remember(container: Path, key: Key, streams: list[Stream]) -> None:
    """Remember the streams of a stem file for later runs, if the user's cache folder allows it.

    Parameters
    ----------
    container : Path
        The stem file.
    key : Key
        Its state.
    streams : list of Stream
        Its streams, in the order of ``STREAMS``.
    """
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
