"""Separating audio files into folders of stems, with a record of the weights and settings used."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from hiphopss.config import SeparationRecord
from hiphopss.datasets.mixtures import find_mixtures
from hiphopss.errors import HiphopssError
from hiphopss.separation.listening import tell_unused, used_loops
from hiphopss.separation.naming import STEM_NAMES, FileNames, names_of
from hiphopss.separation.record import require_own
from hiphopss.separation.separator import Separator
from hiphopss.separation.settings import SeparationSettings
from hiphopss.separation.song import (
    Outcome,
    SongJob,
    build_separator,
    separate_elsewhere,
    separate_song,
)
from hiphopss.separation.worker_lines import tell_again
from hiphopss.signal import reading
from hiphopss.signal.containers import container_of, is_inside
from hiphopss.signal.decoded import measure
from hiphopss.signal.encoding import m4a
from hiphopss.signal.encoding.formats import FORMATS, Encoding, encoding_for
from hiphopss.signal.stem_files import require_ffmpeg, require_stereo
from hiphopss.util.executor import Executor
from hiphopss.util.files import remove_remains
from hiphopss.util.progress import AUDIO_BAR, progress_bar
from hiphopss.weights.files import WeightsInfo, read_weights
from hiphopss.weights.registry import describe_default, resolve_weights

if TYPE_CHECKING:
    from tqdm import tqdm

logger = logging.getLogger(__name__)


class SeparatedSong(NamedTuple):
    """A song that is separated.

    Attributes
    ----------
    path : Path
        The song's file.
    folder : Path
        The folder of its stems; with stem files, its stem file.
    files : list of Path
        What was written of it.
    skipped : bool
        Whether that was there already (``skip_existing``).
    """

    path: Path
    folder: Path
    files: list[Path]
    skipped: bool


class Separated(NamedTuple):
    """Result of :func:`separate_files`.

    Attributes
    ----------
    folders : list of Path
        Folders of the tracks that are separated; where tracks have no folders of their own, the
        files of all of them.
    left_out : list of AudioError
        The errors of the other tracks; ``path`` of each is the song's.
    n_songs : int
        Number of tracks that are separated, with those that were before.
    songs : list of SeparatedSong
        These tracks, one by one.
    """

    folders: list[Path]
    left_out: list[reading.AudioError]
    n_songs: int
    songs: list[SeparatedSong]

    @property
    def n_skipped(self) -> int:
        """Number of tracks whose stems were there already."""
        return sum(song.skipped for song in self.songs)


def separate_files(
    inputs: str | Path | Iterable[str | Path] | Mapping[str, str | Path],
    output: str | Path,
    settings: SeparationSettings | None = None,
    *,
    leave_out: bool = False,
    skip_existing: bool = False,
    replace: bool = False,
    where: Executor | None = None,
    progress: bool = True,
) -> Separated:
    """Separate files into ``<output>/<track>/{vocals,bass,drums,other}.wav``, or as settings say.

    If a song is cut off, a warning is logged, and what is there of it is separated. A track's
    folder that is there already is filled again if its stems are those of the same file. Several
    runs may write to one output at once: tracks of the same name wait for each other.

    Parameters
    ----------
    inputs : path-like, iterable of path-like, or mapping of str to path-like
        As in :func:`hiphopss.datasets.mixtures.find_mixtures`.
    output : path-like
        Folder in which each new track's folder appears completely or not at all. Its
        ``separation.json`` records the weights and settings that made the stems, and ``track.json``
        in a track's folder the name and SHA-256 of its file, and what of the song repeats.
    settings : SeparationSettings, optional
        Weights and engine, which stems are written, and how.
    leave_out : bool
        With several tracks, log a warning if a track's file can't be used or its folder can't be
        written, and separate the others. By default that is an error, which is raised before any
        work if the file's name, header or end shows it.
    skip_existing : bool
        Pass over the tracks of which all stems are there, unchanged, from the same file and with
        the same settings. They are among the songs of the result, and marked there.
    replace : bool
        Replace a track's stems also if they are those of another file. By default that is an error.
    where : Executor, optional
        Processes or a Dask cluster for many songs; by default this process. A song whose worker
        died is separated by another.
    progress : bool
        Show a progress bar for each track, or one for all if others separate them.

    Returns
    -------
    Separated
        The folders of the tracks, and the errors of those that were left out.

    Raises
    ------
    HiphopssError
        As in :func:`hiphopss.weights.files.read_weights`, if ``output`` has stems that were made
        with other weights or settings, or if it, or the folder for temporary files, can't be
        written to.
    AudioError
        If a file can't be used (as in :func:`hiphopss.datasets.mixtures.find_mixtures` and
        :func:`hiphopss.signal.reading.read`), or if stems of another file are in its track's
        folder, and the track is not left out.
    """
    settings, output = settings or SeparationSettings(), Path(output)
    where = where or Executor()
    by_folder = names_of(settings).by_folder  # raises if the pattern can't be used
    where.check()
    if settings.stem_file is not None:
        require_ffmpeg("stem file")
    if settings.output.format == "m4a":
        m4a.require_ffmpeg("format m4a")
    if output.exists() and not output.is_dir():
        raise HiphopssError(f"{output}: is a file, not a folder: choose another output")
    unusable: list[reading.AudioError] = []
    tracks = find_mixtures(inputs, skip=output, left_out=unusable.append, by_folder=by_folder)
    names = names_of(settings, tracks)
    left_out: list[reading.AudioError] = []
    alone = len(tracks) + len(unusable) == 1

    def bad(error: reading.AudioError, path: Path | None = None) -> None:
        error.path = error.path or (path and container_of(path))
        if not leave_out or alone:
            raise error
        left_out.append(error)
        logger.warning("%s (the song is left out)", error)

    for problem in unusable:
        bad(problem)
    for name, problem in names.clashes(tracks).items():
        bad(problem, tracks.pop(name))
    require_no_inputs(output, names, tracks)
    weights = resolve_weights(settings.weights)
    headers = _headers(tracks, settings, bad, progress=progress)
    info, arrays = read_weights(weights)
    record = _record(weights, info, settings)
    require_own(output, record, names, headers)
    if headers and settings.weights is None:
        logger.info(describe_default())
    if headers:
        tell_unused(settings.loops, record["loops"], weights.name)
    logger.debug("engine %s, loops %s", settings.engine, record["loops"])
    jobs = [
        SongJob(
            *(name, tracks[name], header, encoding, output, settings, weights, record),
            skip_existing=skip_existing,
            replace=replace,
            level=logger.getEffectiveLevel(),
        )
        for name, (header, encoding) in headers.items()
    ]
    songs = []
    build = partial(build_separator, info, arrays, settings, weights)
    for outcome in _outcomes(jobs, where, build, progress=progress):
        if outcome.error is not None:
            bad(outcome.error, tracks[outcome.name])
        else:
            files = [output / path for path in names.of(outcome.name).values()]
            folder = files[0] if settings.stem_file is not None else files[0].parent
            song = container_of(tracks[outcome.name])
            songs.append(SeparatedSong(song, folder, files, outcome.skipped))
    whole = names.apart or settings.stem_file is not None
    folders = [path for song in songs for path in ([song.folder] if whole else song.files)]
    return Separated(folders, left_out, len(songs), songs)


def _outcomes(
    jobs: list[SongJob], where: Executor, build: Callable[[], Separator], *, progress: bool
) -> Iterator[Outcome]:
    """Separate songs here, as they are asked for, or elsewhere, all of them."""
    if not jobs:
        return
    if where.is_here(len(jobs), n_useful=1):
        separator = build()
        rate = separator.config.sample_rate
        for number, job in enumerate(jobs, 1):
            bar = _bar([job], f"{number}/{len(jobs)} {job.name}", show=progress, rate=rate)
            with bar:
                outcome = separate_song(job, separator, bar.update)
            yield outcome
        return
    seconds = {job.name: job.header.seconds for job in jobs}
    with _bar(jobs, f"{len(jobs)} songs", show=progress, rate=1) as bar:

        def done(outcome: Outcome) -> None:
            tell_again(outcome.lines)
            bar.update(seconds.pop(outcome.name))

        try:
            found = where.map(
                separate_elsewhere,
                jobs,
                cost=lambda job: job.header.n_samples,
                n_useful=1,
                done=done,
                lost=lambda job, error: Outcome(
                    job.name, reading.AudioError(f"{job.path}: {error}")
                ),
            )
        finally:
            for job in jobs:  # of processes that were stopped
                if job.name in seconds:
                    remove_remains(job.target)
    yield from found


def _bar(jobs: list[SongJob], told: str, *, show: bool, rate: int) -> tqdm:
    """A bar of seconds of audio, which counts samples at a rate."""
    return progress_bar(
        total=round(sum(job.header.seconds for job in jobs) * rate),
        desc=told,
        unit_scale=1 / rate,
        bar_format=AUDIO_BAR,
        show=show,
    )


def require_no_inputs(
    output: Path, names: FileNames, tracks: Mapping[str, Path], *others: str | Path
) -> None:
    """Raise if a file that would be written is one of the songs, or of other files."""
    songs = {os.path.realpath(container_of(path)) for path in (*tracks.values(), *others)}
    for name in tracks:
        for path in names.of(name).values():
            if os.path.realpath(output / path) in songs:
                raise HiphopssError(
                    f"{output / path}: is a song to separate: choose another name or output"
                )


def _headers(
    tracks: dict[str, Path],
    settings: SeparationSettings,
    bad: Callable[[reading.AudioError, Path], None],
    *,
    progress: bool,
) -> dict[str, tuple[reading.Header, Encoding]]:
    """The headers of those tracks that can be used, and how their stems are written.

    A bad file is better told now than later.
    """
    part, form = settings.part, settings.output
    stem_files = {container_of(path) for path in tracks.values() if is_inside(path)}
    with suppress(HiphopssError):  # said of each of them below
        measure(sorted(stem_files), progress=progress)
    headers = {}
    for name, path in tracks.items():
        try:
            header = part.of(reading.read_header(path, end=True, most_seconds=part.end), path)
            if settings.stem_file is not None and not settings.mono:
                require_stereo(path, header.n_channels)
            encoding = encoding_for(
                FORMATS[form.format],
                header.sample_rate,
                1 if settings.mono else header.n_channels,
                given=header.subtype,
                bitrate=form.bitrate,
                subtype=settings.subtype,
                label=path,
            )
            headers[name] = header, encoding
        except reading.AudioError as error:
            bad(error, path)
        except HiphopssError as error:  # ffmpeg is missing, or the format can't hold it
            bad(reading.AudioError(str(error)), path)
        except OSError as error:
            reason = error.strerror or error
            line = f"{path}: can't be opened ({reason}): check its permissions"
            bad(reading.AudioError(line), path)
    return headers


def _record(weights: Path, info: WeightsInfo, settings: SeparationSettings) -> dict:
    """The content of ``separation.json``: weights and settings that make the stems."""
    used = info.in_standalone_script() if settings.standalone_script else info
    default_name = weights.name.removesuffix(".pkl").removesuffix(".weights.h5")
    record = {
        "model": settings.model_name or default_name,
        "weights": weights.name,
        "sha256": info.sha256,
        "preset": info.fidelity.name,
        "config": asdict(used.config),
        "fidelity": asdict(used.fidelity),
        "mono": settings.mono,
        "loops": used_loops(settings.loops, used.fidelity),
    }
    output, part = settings.output, settings.part
    chosen: dict[str, object] = {"format": output.format, "name": output.name or STEM_NAMES}
    chosen |= {"start": part.start, "duration": part.duration}
    for name, value in chosen.items():
        if value != getattr(SeparationRecord, name):
            record[name] = value
    if info.provenance.get("released_test_leak"):
        record["released_test_leak"] = True
    if info.provenance.get("songs"):
        record["trained_on"] = info.provenance["songs"]
    return record
