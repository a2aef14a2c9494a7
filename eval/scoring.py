"""Scoring many models on the same songs. This module writes no files; it returns :class:`Results`.

A song is one piece of work. Its references are read (and factorised, with the project's own engine)
once for all models. Estimates of baselines are computed from the song's own files by the process
that scores the song.
"""

from __future__ import annotations

import math
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from hiphopss import __version__
from hiphopss.datasets.alike import require_alike
from hiphopss.datasets.measuring import measure_songs
from hiphopss.datasets.songs import Song, require_mixture, require_stems
from hiphopss.errors import HiphopssError
from hiphopss.eval.bss.correlation import FILTER_TAPS
from hiphopss.eval.matching import Estimates
from hiphopss.eval.protocols import Scoring
from hiphopss.eval.song import Job, SongScores, score_song
from hiphopss.eval.table import Row
from hiphopss.signal.containers import container_of
from hiphopss.util.executor import Executor
from hiphopss.util.progress import progress_bar
from hiphopss.util.threads import blas_held, processor_count

_SAMPLES_A_PROCESS = 20_000_000
"""Samples to score (some 8 minutes at 44.1 kHz) for which starting another process is useful."""


@dataclass(frozen=True)
class Results:
    """Scores of all models.

    Attributes
    ----------
    how : Scoring
        Settings of the evaluation.
    models : list of Estimates
        Models in the order of the table.
    songs : list of list of SongScores
        Scores in the order of the models, and of the songs of each.
    """

    how: Scoring
    models: list[Estimates]
    songs: list[list[SongScores]]

    @property
    def rows(self) -> list[Row]:
        """The rows of the table: by model, song, source and window."""
        return [row for songs in self.songs for song in songs for row in song.rows]


def score(
    models: Sequence[Estimates],
    how: Scoring | None = None,
    where: Executor | None = None,
    *,
    progress: bool = True,
) -> Results:
    """Score models without writing any file.

    Parameters
    ----------
    models : sequence of Estimates
        Models with their references, from :func:`hiphopss.eval.matching.find_estimates`.
    how : Scoring, optional
        Protocol, or mode and windows, and engine.
    where : Executor, optional
        Processes or a cluster that do the work.
    progress : bool
        Show a progress bar.

    Returns
    -------
    Results
        Scores in the order of the models, and of the songs of each.

    Raises
    ------
    HiphopssError
        If a song's files don't match or can't be read, if windows are too short, or if a process
        that scores is lost.
    """
    how, where = how or Scoring(), where or Executor()
    measure_songs((song for model in models for song, _ in model.songs), progress=progress)
    jobs = _jobs(models, how)
    for job in jobs:
        for model in job.models:
            if model.baseline:
                model.baseline.prepare(job.sample_rate, progress=progress)
    if how.engine != "hiphopss":  # models share no work, so more jobs can run in parallel
        jobs = [replace(job, models=[model]) for job in jobs for model in job.models]
    function: Callable[[Job], list[SongScores]] = score_song
    if where.dask is not None:
        function, jobs = partial(_score_on_worker, __version__), list(map(_absolute, jobs))
    total = sum(len(job.models) for job in jobs)
    with progress_bar(total=total, desc="evaluate", unit="song", show=progress) as bar:
        found = where.map(
            function,
            jobs,
            cost=lambda job: job.n_scored,
            n_useful=_worthwhile(jobs),
            done=lambda scores: bar.update(len(scores)),
        )
    scored = {}
    for job, results in zip(jobs, found, strict=True):
        for model, result in zip(job.models, results, strict=True):
            scored[model.model, job.song.key] = result
    songs = [[scored[one.model, song.key] for song, _ in one.songs] for one in models]
    return Results(how, list(models), songs)


def _jobs(models: Sequence[Estimates], how: Scoring) -> list[Job]:
    """Make one job for each song with all its models; this reads the headers of all files."""
    jobs: dict[tuple[str, str], Job] = {}
    window_s = how.resolved().window_s
    for model in models:
        for song, stems in model.songs:
            require_stems(song)
            mixture = [require_mixture(song)] if model.baseline else []
            common = require_alike(
                [*mixture, *song.stems.values(), *stems.values()],
                tolerance_s=how.length_tolerance_s,
                downmixed=True,  # or duplicated, on reading
            )
            if song.key not in jobs:
                jobs[song.key] = Job(song, [], common.n_samples, common.sample_rate, how)
                if window_s is not None:
                    _require_long_windows(song, common.sample_rate, window_s)
            job = jobs[song.key]
            # All models are scored on the same samples.
            n_samples = min(common.n_samples, job.n_samples)
            own = replace(model, songs=[(song, stems)])
            jobs[song.key] = replace(job, models=[*job.models, own], n_samples=n_samples)
    return list(jobs.values())


def _require_long_windows(song: Song, rate: int, window_s: float) -> None:
    """Check that windows are longer than BSS Eval's filters.

    Shorter windows give no information, and there are so many that scoring would take hours.
    """
    if round(window_s * rate) <= FILTER_TAPS:
        least = math.ceil((FILTER_TAPS + 1) / rate * 1000) / 1000
        raise HiphopssError(
            f"window is {window_s} s, which the {FILTER_TAPS} filter taps of BSS Eval fill at the "
            f"{rate} Hz of {song.name!r}: give {least} s or more"
        )


def _worthwhile(jobs: Sequence[Job]) -> int:
    """Number of processes that are worth starting."""
    if any(job.how.engine != "hiphopss" for job in jobs):
        return processor_count()
    return 1 + sum(job.n_scored for job in jobs) // _SAMPLES_A_PROCESS


def _absolute(job: Job) -> Job:
    """The same job with absolute paths, which are valid in any working directory."""

    def absolute(stems: dict[str, Path]) -> dict[str, Path]:
        return {source: path.absolute() for source, path in stems.items()}

    mixture = job.song.mixture and job.song.mixture.absolute()
    song = replace(job.song, stems=absolute(job.song.stems), mixture=mixture)
    models = [
        replace(model, songs=[(song, absolute(stems)) for _, stems in model.songs])
        for model in job.models
    ]
    return replace(job, song=song, models=models)


def _score_on_worker(version: str, job: Job) -> list[SongScores]:
    """Run :func:`score_song` after checking the worker's version and files."""
    here = f"the Dask worker on {socket.gethostname()}"
    if version != __version__:
        raise HiphopssError(
            f"{here} has hiphopss {__version__}, not {version}: install the same version there"
        )
    needed = [*job.song.stems.values()]
    for model in job.models:
        needed += [path for _, stems in model.songs for path in stems.values()]
        needed += [require_mixture(job.song)] if model.baseline else []
    for path in needed:
        if not container_of(path).exists():
            raise HiphopssError(
                f"{path}: {here} doesn't see this file: share the folder under the same path"
            )
    with blas_held:
        return score_song(job)
