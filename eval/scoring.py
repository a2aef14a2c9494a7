"""Scoring many models on the same songs. This module writes no files; it returns :class:`Results`.

A song is one piece of work. Its references are read (and factorised, with the project's own engine)
once for all models. Estimates of baselines are computed from the song's own files by the process
that scores the song.
"""

from __future__ import annotations

import math
import socket
import threading
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from hiphopss import __version__
from hiphopss.config import SOURCES
from hiphopss.datasets import stems as files
from hiphopss.datasets.songs import Song, require_mixture, require_stems
from hiphopss.errors import HiphopssError
from hiphopss.eval.baselines.baseline import SUBTYPE
from hiphopss.eval.bss.correlation import FILTER_TAPS
from hiphopss.eval.bss.scores import References, require_known
from hiphopss.eval.matching import Estimates
from hiphopss.eval.table import Row, rows_from_scores, with_leak_note
from hiphopss.signal.containers import container_of
from hiphopss.signal.reading import read_header
from hiphopss.util.executor import Executor
from hiphopss.util.progress import progress_bar
from hiphopss.util.threads import processor_count

_SAMPLES_A_PROCESS = 20_000_000
"""Samples to score (some 8 minutes at 44.1 kHz) for which starting another process is useful."""


@dataclass(frozen=True)
class Scoring:
    """Settings of the evaluation.

    Attributes
    ----------
    mode : {"sources", "images"}
        See :func:`hiphopss.eval.bss_eval`.
    window_s, hop_s : float, optional
        Window and hop in seconds (30 and 15 in the released evaluation); by default whole songs,
        and a hop of half a window. A window must exceed the 512 samples of BSS Eval's filters.
    engine : {"hiphopss", "mir_eval"}
        See :func:`hiphopss.eval.bss_eval`.
    length_tolerance_s : float
        If a song's files differ in length by less than this, in seconds, only their common part is
        scored, with a warning.
    """

    mode: str = "sources"
    window_s: float | None = None
    hop_s: float | None = None
    engine: str = "hiphopss"
    length_tolerance_s: float = 0.0

    def check(self) -> None:
        """Check the settings before any work.

        Raises
        ------
        HiphopssError
            If a setting is invalid.
        """
        require_known(self.mode, self.engine)
        for name, seconds in (("window", self.window_s), ("hop", self.hop_s)):
            if seconds is not None and not 0 < seconds < math.inf:
                raise HiphopssError(f"{name} is {seconds} s: give a positive number")


@dataclass(frozen=True)
class SongScores:
    """Scores of one model on one song.

    Attributes
    ----------
    rows : list of Row
        Rows by source and window.
    duration_s : float
        Length of each window, in seconds.
    facts : dict of str to set
        Sampling rate and sample types of the files.
    """

    rows: list[Row]
    duration_s: float
    facts: dict[str, set]


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


@dataclass(frozen=True)
class _Job:
    """The input of a worker that scores some models on one song.

    ``n_samples`` of each file are scored; each model has only the estimates of this song.
    """

    song: Song
    models: list[Estimates]
    n_samples: int
    sample_rate: int
    how: Scoring

    def __str__(self) -> str:
        return self.song.name

    @property
    def n_scored(self) -> int:
        """Amount of work: samples to score; computing them counts as scoring several times."""
        efforts = [model.baseline.effort if model.baseline else 0 for model in self.models]
        return self.n_samples * sum(1 + effort for effort in efforts)


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
        Mode, windows and engine.
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
    files.measure_songs((song for model in models for song, _ in model.songs), progress=progress)
    jobs = _jobs(models, how)
    for job in jobs:
        for model in job.models:
            if model.baseline:
                model.baseline.prepare(job.sample_rate, progress=progress)
    if how.engine != "hiphopss":  # models share no work, so more jobs can run in parallel
        jobs = [replace(job, models=[model]) for job in jobs for model in job.models]
    function: Callable[[_Job], list[SongScores]] = _score_song
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


def _jobs(models: Sequence[Estimates], how: Scoring) -> list[_Job]:
    """Make one job for each song with all its models; this reads the headers of all files."""
    jobs: dict[tuple[str, str], _Job] = {}
    for model in models:
        for song, stems in model.songs:
            require_stems(song)
            mixture = [require_mixture(song)] if model.baseline else []
            common = files.require_alike(
                [*mixture, *song.stems.values(), *stems.values()],
                tolerance_s=how.length_tolerance_s,
                downmixed=True,  # or duplicated, on reading
            )
            if song.key not in jobs:
                jobs[song.key] = _Job(song, [], common.n_samples, common.sample_rate, how)
                if how.window_s is not None:
                    _require_long_windows(song, common.sample_rate, how.window_s)
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


def _worthwhile(jobs: Sequence[_Job]) -> int:
    """Number of processes that are worth starting."""
    if any(job.how.engine != "hiphopss" for job in jobs):
        return processor_count()
    return 1 + sum(job.n_scored for job in jobs) // _SAMPLES_A_PROCESS


def _absolute(job: _Job) -> _Job:
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


def _score_on_worker(version: str, job: _Job) -> list[SongScores]:
    """Run :func:`_score_song` after checking the worker's version and files."""
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
    with _blas_held:
        return _score_song(job)


class _BlasHeld:
    """Limits BLAS to one thread while any song is being scored.

    If a Dask worker scores several songs at once, the first one to finish would otherwise lift the
    limit while others compute. And threadpoolctl lets only the thread that set the limit lift it,
    so a separate thread holds it until the last song is finished.
    """

    _lock = threading.Lock()
    _inside = 0

    def __enter__(self) -> None:
        with self._lock:
            if not self._inside:
                held, self._leave = threading.Event(), threading.Event()
                self._holder = threading.Thread(
                    target=_hold_blas, args=(held, self._leave), daemon=True
                )
                self._holder.start()
                held.wait()
            self._inside += 1

    def __exit__(self, *error: object) -> None:
        with self._lock:
            self._inside -= 1
            if not self._inside:
                self._leave.set()
                self._holder.join()


_blas_held = _BlasHeld()


def _hold_blas(held: threading.Event, leave: threading.Event) -> None:
    """Limit BLAS from now until the event ``leave``."""
    with _blas_in_one_thread():
        held.set()
        leave.wait()


def _blas_in_one_thread() -> AbstractContextManager[object]:
    """A context in which NumPy's and SciPy's linear algebra uses only the calling thread.

    More threads gain little here, compete if the processors are busy, and would make the last
    digits depend on their number.
    """
    import scipy.linalg  # noqa: F401 (a library must be loaded before it can be limited)
    from threadpoolctl import threadpool_limits

    return threadpool_limits(1)


def _score_song(job: _Job) -> list[SongScores]:
    """Score one song, model after model."""
    song, how, rate = job.song, job.how, job.sample_rate
    headers = [read_header(path) for path in song.stems.values()]
    n_channels = max(header.n_channels for header in headers) if how.mode == "images" else 1
    results = []
    with _blas_in_one_thread():
        references = files.read_exact(song.stems, job.n_samples, n_channels)
        prepared = References(
            references,
            mode=how.mode,
            window=None if how.window_s is None else round(how.window_s * rate),
            hop=None if how.hop_s is None else round(how.hop_s * rate),
            engine=how.engine,
            keep=len(job.models) > 1,
        )
        estimates = np.empty_like(references)  # used by all models, because new memory takes time
        for model in job.models:
            sample_types = _read_estimates(estimates, model, job)
            scores = prepared.score(estimates)
            rows = rows_from_scores(
                scores, SOURCES, rate, song=song.name, subset=song.subset, model=model.model
            )
            facts: dict[str, set] = {
                "sample_rate": {rate},
                "reference_sample_type": {header.subtype for header in headers},
                "estimate_sample_type": sample_types,
            }
            duration_s = job.n_samples / rate
            if how.window_s is not None and len(scores.window_starts) > 1:
                duration_s = how.window_s
            noted = with_leak_note(rows) if model.trained_on_test else rows
            results.append(SongScores(noted, duration_s, facts))
    return results


def _read_estimates(samples: np.ndarray, model: Estimates, job: _Job) -> set[str]:
    """Fill `[shape=(n_sources, n_samples, n_channels)]` with estimates; return sample types."""
    _, n_samples, n_channels = samples.shape
    if model.baseline is None:
        ((_, stems),) = model.songs
        files.read_exact(stems, n_samples, n_channels, out=samples)
        return {read_header(path).subtype for path in stems.values()}
    path, mixture = require_mixture(job.song), files.read_mixture(job.song)
    if len(mixture.waveform) < n_samples:
        raise files.cut_off(path)
    computed = model.baseline(job.song, mixture)[:, :n_samples]
    for stem, one in zip(samples, computed, strict=True):
        as_in_file = one.astype(np.float32).astype(np.float64)
        stem[:] = files.fit_channels(as_in_file, n_channels, path)
    return {SUBTYPE}
