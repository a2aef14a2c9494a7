"""Mixes of many songs: one file each, in one folder."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

from hiphopss.datasets.layouts import is_stem_file
from hiphopss.datasets.mixtures import find_mixtures
from hiphopss.datasets.songs import song_at
from hiphopss.errors import AudioError, HiphopssError
from hiphopss.remixing.mixing import Mix
from hiphopss.remixing.remix import Remixed, RemixSettings, remix_song
from hiphopss.separation.files import require_no_inputs
from hiphopss.separation.naming import MIX_NAMES, FileNames
from hiphopss.separation.worker_lines import Line, collected_lines, tell_again
from hiphopss.signal.containers import container_of
from hiphopss.signal.encoding.formats import require_choice
from hiphopss.signal.encoding.m4a import require_ffmpeg
from hiphopss.signal.writing import OUTPUT_FORMATS
from hiphopss.util.executor import Executor
from hiphopss.util.files import remove_remains
from hiphopss.util.progress import progress_bar
from hiphopss.weights.registry import describe_default, resolve_weights

logger = logging.getLogger(__name__)


class RemixedFiles(NamedTuple):
    """What :func:`remix_files` gives.

    Attributes
    ----------
    files : list of Remixed
        The mixes that were written.
    left_out : list of AudioError
        Why songs were left out; ``path`` of each is the song's.
    skipped : list of Path
        Mixes that were there already (``skip_existing``).
    """

    files: list[Remixed]
    left_out: list[AudioError]
    skipped: list[Path]


@dataclass(frozen=True)
class _Job:
    """A song to mix: its file, the file to write, and how."""

    song: Path
    output: Path
    mix: Mix
    how: RemixSettings
    level: int


class _Outcome(NamedTuple):
    """What has become of a song, and the log lines of another process."""

    song: Path
    done: Remixed | None
    error: AudioError | None = None
    lines: tuple[Line, ...] = ()


def is_one_song(source: str | Path) -> bool:
    """Whether a path is a song, or a folder of one song's stems, rather than a folder of songs."""
    source = Path(source)
    return not source.is_dir() or is_stem_file(source) or bool(song_at(source).stems)


def is_file_name(output: str | Path) -> bool:
    """Whether a name is that of one mix, rather than that of a folder."""
    return Path(output).suffix.lower() in (*OUTPUT_FORMATS, ".m4a")


def remix_files(
    inputs: str | Path | Iterable[str | Path],
    output: str | Path,
    settings: Mix,
    *,
    format: str = "wav",
    name: str = MIX_NAMES,
    leave_out: bool = False,
    skip_existing: bool = False,
    where: Executor | None = None,
    progress: bool = True,
    **options: Any,
) -> RemixedFiles:
    """Mix many songs in one way, each into a file of its own.

    Parameters
    ----------
    inputs : path-like, or iterable of path-like
        Songs, or folders of them, as :func:`hiphopss.datasets.mixtures.find_mixtures` finds them.
    output : path-like
        Folder for the files.
    settings : Mix
        Gains, pans, mutes and solos of every song.
    format : str
        Ending of the files, without the dot, as :func:`hiphopss.remix` knows them.
    name : str
        Pattern of their names, with the fields ``{track}`` and ``{ext}``, and others as in
        :class:`hiphopss.OutputSettings`.
    leave_out : bool
        Leave songs out that can't be used, with a warning. By default that is an error.
    skip_existing : bool
        Pass over songs of which a mix is there, whatever its settings were.
    where : Executor, optional
        Processes or a Dask cluster for many songs; by default this process.
    progress : bool
        Show a progress bar for each song, or one for all if others mix them.
    **options
        ``weights``, ``engine``, ``subtype``, ``normalize``, ``length_tolerance_s`` and ``loops`` of
        :func:`hiphopss.remix`; ``bitrate`` in kbit/s; and ``part``, a :class:`hiphopss.Part` of
        each song.

    Returns
    -------
    RemixedFiles
        The mixes, and why songs were left out.

    Raises
    ------
    HiphopssError
        If the pattern can't be used, or as in :func:`hiphopss.remix`.
    AudioError
        If a song can't be used and isn't left out.
    """
    output, where, how = Path(output), where or Executor(), RemixSettings(**options)
    if is_file_name(output) or (output.exists() and not output.is_dir()):
        raise HiphopssError(f"{output}: is a file's name: name a folder for many mixes")
    require_choice(format, how.bitrate, how.subtype)
    if format == "m4a":
        require_ffmpeg("format m4a")
    where.check()
    inputs = [inputs] if isinstance(inputs, str | Path) else list(inputs)
    by_folder = FileNames(name, format, ["mix"]).by_folder
    left_out: list[AudioError] = []

    def bad(error: AudioError, path: Path | None = None) -> None:
        error.path = error.path or (path and container_of(path))
        if not leave_out:
            raise error
        left_out.append(error)
        logger.warning("%s (the song is left out)", error)

    songs = find_mixtures(inputs, skip=output, left_out=bad, by_folder=by_folder)
    names = FileNames(name, format, ["mix"], songs)
    for track, clash in names.clashes(songs).items():
        bad(clash, songs.pop(track))
    require_no_inputs(output, names, songs, *inputs)
    files = {song: output / names.of(track)["mix"] for track, song in songs.items()}
    skipped = [path for path in files.values() if skip_existing and path.exists()]
    if how.weights is None and settings != Mix():
        logger.info(describe_default())
    how = replace(how, weights=resolve_weights(how.weights))  # so that no song tells it again
    jobs = [
        _Job(song, path, settings, how, logger.getEffectiveLevel())
        for song, path in files.items()
        if path not in skipped
    ]
    done = []
    for outcome in _outcomes(jobs, where, progress=progress):
        if outcome.error is not None:
            bad(outcome.error, outcome.song)
        elif outcome.done is not None:
            done.append(outcome.done)
    return RemixedFiles(done, left_out, skipped)


def _outcomes(jobs: list[_Job], where: Executor, *, progress: bool) -> Iterator[_Outcome]:
    """Mix songs here, as they are asked for, or elsewhere, all of them."""
    if not jobs:
        return
    if where.is_here(len(jobs), n_useful=1):
        yield from (_mixed(job, progress=progress) for job in jobs)
        return
    waiting = {job.song: job.output for job in jobs}
    told = f"{len(jobs)} songs"
    with progress_bar(total=len(jobs), desc=told, unit="song", show=progress) as bar:

        def done(outcome: _Outcome) -> None:
            tell_again(outcome.lines)
            del waiting[outcome.song]
            bar.update()

        try:
            found = where.map(
                _mixed_elsewhere,
                jobs,
                cost=lambda job: job.song.stat().st_size if job.song.is_file() else 0,
                n_useful=1,
                done=done,
                lost=lambda job, error: _lost(job.song, error),
            )
        finally:
            for path in waiting.values():  # of processes that were stopped
                remove_remains(path)
    yield from found


def _lost(song: Path, error: HiphopssError) -> _Outcome:
    return _Outcome(song, None, AudioError(f"{song}: {error}"))


def _mixed(job: _Job, *, progress: bool) -> _Outcome:
    """Mix a song; an error that concerns this song alone is in what is returned."""
    try:
        job.output.parent.mkdir(parents=True, exist_ok=True)
        done = remix_song(job.song, job.output, job.mix, job.how, progress=progress)
        return _Outcome(job.song, done)
    except AudioError as error:
        return _Outcome(job.song, None, error)


def _mixed_elsewhere(job: _Job) -> _Outcome:
    """Mix a song in a worker."""
    with collected_lines(job.level) as lines:
        begun = time.perf_counter()
        outcome = _mixed(job, progress=False)
        seconds = time.perf_counter() - begun
        logger.debug("%s: done by process %d in %.2f s", job.song.name, os.getpid(), seconds)
    return outcome._replace(lines=tuple(lines))
