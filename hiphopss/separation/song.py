"""Separating one song to its files, in this process or another."""

from __future__ import annotations

import errno
import logging
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from hiphopss.errors import AudioError, HiphopssError
from hiphopss.separation.engines import build_network
from hiphopss.separation.listening import SongSeparator
from hiphopss.separation.mixture import alongside, mixture_blocks
from hiphopss.separation.naming import FileNames, names_of
from hiphopss.separation.outputs import StemFiles, StemPlan
from hiphopss.separation.record import (
    claim,
    is_complete,
    require_same_song,
    song_record,
    write_track,
)
from hiphopss.separation.separator import Separator, separate_blocks
from hiphopss.separation.settings import SeparationSettings
from hiphopss.separation.stem_song import (
    known_in,
    require_same_stem_file,
    separate_to_stem_file,
)
from hiphopss.separation.worker_lines import Line, collected_lines
from hiphopss.signal.encoding.formats import Encoding
from hiphopss.signal.encoding.tags import read_tags
from hiphopss.signal.reading import Header
from hiphopss.util.files import filled_whole, spread_whole
from hiphopss.util.locks import locked
from hiphopss.weights.files import WeightsInfo, read_weights

logger = logging.getLogger(__name__)

EVERY_SONG = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EMFILE, errno.ENFILE, errno.ENOMEM}
"""What the system says that is no fault of one song: the next one would fail as well."""


@dataclass(frozen=True)
class SongJob:
    """A song to separate.

    Attributes
    ----------
    name : str
        Name of the track.
    path : Path
        Its file.
    header : Header
        That of the part of it that is separated.
    encoding : Encoding
        How the stems are written.
    output : Path
        Folder of all tracks.
    settings : SeparationSettings
        How it is separated.
    weights : Path
        The weight file.
    record : dict
        The content of the output's ``separation.json``.
    skip_existing : bool
        Do nothing if its stems are there already.
    replace : bool
        Replace stems that are there even if they are those of another file.
    level : int
        From which level on another process tells its log lines here.
    """

    name: str
    path: Path
    header: Header
    encoding: Encoding
    output: Path
    settings: SeparationSettings
    weights: Path
    record: dict
    skip_existing: bool = False
    replace: bool = False
    level: int = logging.INFO

    @cached_property
    def names(self) -> FileNames:
        """The names of its files."""
        return names_of(self.settings, {self.name: self.path})

    @property
    def target(self) -> Path:
        """The track's folder, or its stem file."""
        if self.settings.stem_file is None:
            return self.output / self.name
        (path,) = self.names.of(self.name).values()
        return self.output / path


class Outcome(NamedTuple):
    """What has become of a song.

    Attributes
    ----------
    name : str
        Name of the track.
    error : AudioError or None
        Why it could not be separated.
    skipped : bool
        Whether its stems were there already.
    lines : list of tuple
        Log lines of another process: logger, level and text.
    """

    name: str
    error: AudioError | None = None
    skipped: bool = False
    lines: tuple[Line, ...] = ()


def build_separator(
    info: WeightsInfo, arrays: dict[str, np.ndarray], settings: SeparationSettings, path: Path
) -> Separator:
    """Build the network that settings ask for, from the content of its weight file."""
    if settings.standalone_script:
        info = info.in_standalone_script()
    network = build_network(info, arrays, engine=settings.engine, origin=str(path))
    return Separator(network, info.config, info.fidelity)


def separate_song(job: SongJob, separator: Separator, told: Callable[[int], None]) -> Outcome:
    """Separate a song to its files.

    Parameters
    ----------
    job : SongJob
        The song.
    separator : Separator
        The network.
    told : callable
        Called with the numbers of samples that are done.

    Returns
    -------
    Outcome
        Whether that worked; an error that concerns this song alone is in it.

    Raises
    ------
    HiphopssError, OSError
        If others would fail as well, for example because the disk is full.
    """
    try:
        return Outcome(job.name, skipped=not _separated(job, separator, told))
    except AudioError as error:
        return Outcome(job.name, error)
    except OSError as error:
        if error.errno in EVERY_SONG:
            raise
        reason = error.strerror or error
        place = job.target
        return Outcome(
            job.name,
            AudioError(
                f"{place}: can't hold the stems of {job.path} ({reason}): rename the song, "
                "or choose another output"
            ),
        )


def _separated(job: SongJob, separator: Separator, told: Callable[[int], None]) -> bool:
    """Separate a song, unless its stems are there; return whether they were not."""
    if job.settings.stem_file is not None:
        return _to_stem_file(job, job.settings.stem_file, separator, told)
    names, encoding = job.names, job.encoding.describe()
    files = names.of(job.name)
    with locked(job.output / job.name):
        song = song_record(job.path)
        known = None
        if not job.replace:
            known = require_same_song(job.output, names, job.name, job.path, song)
        if job.skip_existing and is_complete(job.output, files, known, encoding=encoding):
            return False
        listening = SongSeparator(separator, job.record["loops"])
        rate, settings = job.header.sample_rate, job.settings
        mixture = partial(mixture_blocks, job.path, rate, settings.part, mono=settings.mono)
        blocks = separate_blocks(listening, mixture(), rate, told)
        with closing(blocks), _staged(job, names) as place:
            plan = StemPlan(
                {stem: place(path) for stem, path in files.items()},
                {stem: job.output / path for stem, path in files.items()},
                rate,
                1 if settings.mono else job.header.n_channels,
                job.encoding,
                read_tags(job.path),
            )
            with StemFiles(plan) as written:
                again = mixture(tell=False) if written.needs_mixture else None
                for stems, samples in alongside(blocks, again):
                    written.write(stems, samples)
            write_track(
                place(names.record(job.name)),
                song,
                listening.loop,
                plan.files,
                files=files,
                encoding=encoding,
                before=known,
            )
            claim(job.output, job.record)  # before the track appears, so that none lacks it
        listening.tell(job.name)
    return True


def _to_stem_file(
    job: SongJob, codec: str, separator: Separator, told: Callable[[int], None]
) -> bool:
    """Separate a song to its stem file, unless it is there; return whether it was not."""
    with locked(job.target):
        song = song_record(job.path)
        if not job.replace:
            require_same_stem_file(job.target, job.path, song)
            known = known_in(job.target)
            if job.skip_existing and known is not None and known.encoding == codec:
                return False
        listening = SongSeparator(separator, job.record["loops"])

        def finish() -> dict:
            claim(job.output, job.record)  # before the track appears, so that none lacks it
            return {**song, "loop": listening.loop, "encoding": codec}

        tags = read_tags(job.path)
        settings, rate = job.settings, job.header.sample_rate
        separate_to_stem_file(
            job.target,
            partial(mixture_blocks, job.path, rate, settings.part, mono=settings.mono),
            job.header,
            listening,
            codec=codec,
            finish=finish,
            progress=told,
            tags={**asdict(tags), "tracknumber": tags.track},
        )
        listening.tell(job.name)
    return True


@contextmanager
def _staged(job: SongJob, names: FileNames) -> Iterator[Callable[[Path], Path]]:
    """Yield what gives the temporary place of a path in the output folder.

    A new folder of a track appears whole. Files in other places appear one by one, after the
    track's record.
    """
    if names.own_folder:
        with filled_whole(job.output / job.name) as folder:
            yield lambda path: folder / path.relative_to(job.name)
        return
    with spread_whole(job.output, job.name) as folder:
        for path in (names.record(job.name), *names.of(job.name).values()):
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).touch()  # a name that the disk can't hold is this song's fault
        yield lambda path: folder / path


# in other processes

_of_thread = threading.local()


def separate_elsewhere(job: SongJob) -> Outcome:
    """Separate a song in a worker, which keeps the network for the next one.

    Parameters
    ----------
    job : SongJob
        The song.

    Returns
    -------
    Outcome
        With the log lines.
    """
    with collected_lines(job.level) as lines:
        key = (job.weights, job.record["sha256"], job.settings)
        if getattr(_of_thread, "key", None) != key:
            info, arrays = read_weights(job.weights)
            if info.sha256 != job.record["sha256"]:
                raise HiphopssError(f"{job.weights}: was replaced meanwhile: run it again")
            _of_thread.separator = build_separator(info, arrays, job.settings, job.weights)
            _of_thread.key = key
        begun = time.perf_counter()
        outcome = separate_song(job, _of_thread.separator, lambda _: None)
        logger.debug(
            "%s: %s by process %d in %.2f s",
            *(job.name, "passed over" if outcome.skipped else "done", os.getpid()),
            time.perf_counter() - begun,
        )
    return outcome._replace(lines=tuple(lines))
