"""Scores of many models on the same songs, in one process, in several, or on a Dask cluster.

A song is one piece of work: its references are read, and with the project's own engine factorised,
once for all models, and those that are computed from its own files are computed by who scores it.
"""

from __future__ import annotations

import math
import socket
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from hiphopss import __version__
from hiphopss.audio import read_header
from hiphopss.config import SOURCES
from hiphopss.datasets.layout import Song
from hiphopss.errors import HiphopssError
from hiphopss.eval.baseline import SUBTYPE, Baseline
from hiphopss.eval.bss import References
from hiphopss.eval.correlation import FILTER_TAPS
from hiphopss.eval.folders import (
    cut_off,
    fit_channels,
    read_into,
    read_mixture,
    reference_stems,
    require_alike,
    require_mixture,
)
from hiphopss.eval.matching import Estimates
from hiphopss.eval.table import Row, rows_from_scores, with_leak_note
from hiphopss.eval.workers import in_processes, on_dask
from hiphopss.progress import progress_bar
from hiphopss.threads import processor_count

_SAMPLES_A_PROCESS = 20_000_000
"""Samples to score (some 8 minutes at 44.1 kHz) before another process is worth its start."""


@dataclass(frozen=True)
class Options:
    """How to score; as in :func:`hiphopss.eval.evaluate`."""

    mode: str = "sources"
    window_s: float | None = None
    hop_s: float | None = None
    engine: str = "hiphopss"
    length_tolerance_s: float = 0.0


@dataclass(frozen=True)
class SongScores:
    """What one model scored on one song.

    Attributes
    ----------
    rows : list of Row
        By source and window.
    duration_s : float
        Length of each window, in seconds.
    facts : dict of str to set
        Sampling rate and sample types of the files.
    """

    rows: list[Row]
    duration_s: float
    facts: dict[str, set]


@dataclass(frozen=True)
class _Estimate:
    """A model's estimates of one song: their files, or what computes them."""

    model: str
    stems: dict[str, Path]
    trained_on_test: bool
    baseline: Baseline | None = None


@dataclass(frozen=True)
class _Job:
    """What a worker needs to score some models on one song."""

    song: str
    subset: str
    references: dict[str, Path | None]
    estimates: list[_Estimate]
    n_samples: int
    options: Options
    mixture: Path | None = None
    """Only where estimates are computed from it."""

    def __str__(self) -> str:
        return self.song

    @property
    def n_scored(self) -> int:
        """Samples to score, which is how much work it is; to compute them is worth several."""
        baselines = [estimate.baseline for estimate in self.estimates]
        return self.n_samples * sum(1 + (one.effort if one else 0) for one in baselines)


def score_songs(
    models: Sequence[Estimates],
    options: Options,
    *,
    n_jobs: int | None,
    dask: str | None,
    progress: bool,
) -> list[list[SongScores]]:
    """Score models.

    Parameters
    ----------
    models : sequence of Estimates
        With their references.
    options : Options
        How.
    n_jobs : int or None
    dask : str or None
        Processes, or the address of a cluster, as in :func:`hiphopss.eval.evaluate`.
    progress : bool
        Show a bar.

    Returns
    -------
    list of list of SongScores
        In the order of the models, and of the songs of each.

    Raises
    ------
    HiphopssError
        If a song's files don't fit one another, or can't be read; if windows are too short; or if
        those who score are lost.
    """
    jobs = _jobs(models, options)
    for job in jobs:
        for baseline in filter(None, (estimate.baseline for estimate in job.estimates)):
            baseline.prepare(_rate(job), progress=progress)
    if options.engine != "hiphopss":  # no work to share, but more to spread
        jobs = [replace(job, estimates=[one]) for job in jobs for one in job.estimates]
    scored = {}
    for job, results in zip(jobs, _run(jobs, n_jobs, dask, progress), strict=True):
        for estimate, result in zip(job.estimates, results, strict=True):
            scored[estimate.model, job.subset, job.song] = result
    return [
        [scored[estimates.model, song.subset, song.name] for song, _ in estimates.songs]
        for estimates in models
    ]


def _jobs(models: Sequence[Estimates], options: Options) -> list[_Job]:
    """One job a song, all models in it; looks at the headers of all files."""
    jobs: dict[tuple[str, str], _Job] = {}
    for model in models:
        for song, stems in model.songs:
            references = reference_stems(song)
            mixture = [require_mixture(song)] if model.baseline else []
            n_samples = require_alike(
                [*mixture, *filter(None, references.values()), *stems.values()],
                options.length_tolerance_s,
            )
            key = song.subset, song.name
            if key not in jobs:
                jobs[key] = _Job(song.name, song.subset, references, [], n_samples, options)
                _require_long_windows(jobs[key])
            # All models are scored on the same samples.
            jobs[key] = replace(
                jobs[key],
                estimates=[
                    *jobs[key].estimates,
                    _Estimate(model.model, stems, model.trained_on_test, model.baseline),
                ],
                n_samples=min(n_samples, jobs[key].n_samples),
                mixture=song.mixture if mixture else jobs[key].mixture,
            )
    return list(jobs.values())


def _rate(job: _Job) -> int:
    """Sampling rate of a job's files, in Hz."""
    return read_header(next(filter(None, job.references.values()))).sample_rate


def _require_long_windows(job: _Job) -> None:
    """See that windows are longer than BSS Eval's filters.

    Shorter ones say nothing, and are so many that it would take hours to find out.
    """
    rate, window_s = _rate(job), job.options.window_s
    if window_s is not None and round(window_s * rate) <= FILTER_TAPS:
        least = math.ceil((FILTER_TAPS + 1) / rate * 1000) / 1000
        raise HiphopssError(
            f"window is {window_s} s, which the {FILTER_TAPS} filter taps of BSS Eval fill at the "
            f"{rate} Hz of {job.song!r}: give {least} s or more"
        )


def _run(
    jobs: Sequence[_Job], n_jobs: int | None, dask: str | None, progress: bool
) -> list[list[SongScores]]:
    """Do the jobs, here or elsewhere; results in their order."""
    # A long one that is left for the end would keep all other processors waiting.
    longest_first = sorted(jobs, key=lambda job: job.n_scored, reverse=True)
    n_jobs = min(n_jobs or _worthwhile(jobs), len(jobs))
    total = sum(len(job.estimates) for job in jobs)
    with progress_bar(total=total, desc="evaluate", unit="song", show=progress) as bar:
        if dask is None and n_jobs == 1:
            return [_score_song(job, bar.update) for job in jobs]

        def done(scores: list[SongScores]) -> None:
            bar.update(len(scores))

        if dask is None:
            results = in_processes(_score_song, longest_first, n_processes=n_jobs, done=done)
        else:
            score, shared = partial(_score_on_worker, __version__), map(_shared, longest_first)
            results = on_dask(score, list(shared), address=dask, done=done)
    by_job = {id(job): result for job, result in zip(longest_first, results, strict=True)}
    return [by_job[id(job)] for job in jobs]


def _worthwhile(jobs: Sequence[_Job]) -> int:
    """Processes that are worth their start, at most one a processor."""
    if any(job.options.engine != "hiphopss" for job in jobs):
        return processor_count()
    n_samples = sum(job.n_scored for job in jobs)
    return min(processor_count(), 1 + n_samples // _SAMPLES_A_PROCESS)


def _shared(job: _Job) -> _Job:
    """The same with paths that hold in any working directory."""

    def absolute(stems: dict) -> dict:
        return {source: path and path.absolute() for source, path in stems.items()}

    estimates = [replace(one, stems=absolute(one.stems)) for one in job.estimates]
    mixture = job.mixture and job.mixture.absolute()
    return replace(job, references=absolute(job.references), estimates=estimates, mixture=mixture)


def _score_on_worker(version: str, job: _Job) -> list[SongScores]:
    """As :func:`_score_song`, where files and packages may be others than here."""
    here = f"the Dask worker on {socket.gethostname()}"
    if version != __version__:
        raise HiphopssError(
            f"{here} has hiphopss {__version__}, not {version}: install the same version there"
        )
    estimates = (path for estimate in job.estimates for path in estimate.stems.values())
    for path in filter(None, (*job.references.values(), *estimates, job.mixture)):
        if not path.exists():
            raise HiphopssError(
                f"{path}: {here} doesn't see this file: share the folder under the same path"
            )
    with _blas_held:
        return _score_song(job)


class _BlasHeld:
    """BLAS in one thread while anybody is inside.

    Where a Dask worker scores several songs at once, the first that is done would give BLAS its
    threads back while others compute. And threadpoolctl lets only that thread do it which took
    them, so it is one that waits for the last.
    """

    def __init__(self) -> None:
        self._lock, self._inside = threading.Lock(), 0

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

    def __exit__(self, *error) -> None:
        with self._lock:
            self._inside -= 1
            if not self._inside:
                self._leave.set()
                self._holder.join()


_blas_held = _BlasHeld()


def _hold_blas(held: threading.Event, leave: threading.Event) -> None:
    """Limit BLAS between two events."""
    with _blas_in_one_thread():
        held.set()
        leave.wait()


def _blas_in_one_thread():
    """A context in which NumPy's and SciPy's linear algebra runs in the thread that calls it.

    Its threads gain little here, get in each other's way where the processors are busy, and would
    let the last digits depend on their number.
    """
    import scipy.linalg  # noqa: F401 (what is not loaded yet is not limited)
    from threadpoolctl import threadpool_limits

    return threadpool_limits(1)


def _score_song(job: _Job, done: Callable[[], object] | None = None) -> list[SongScores]:
    """Scores of one song, model after model; ``done`` is called after each."""
    with _blas_in_one_thread():
        return _score_models(job, done)


def _score_models(job: _Job, done: Callable[[], object] | None) -> list[SongScores]:
    """As :func:`_score_song`, in any number of threads."""
    options = job.options
    headers = [read_header(path) for path in job.references.values() if path]
    rate = headers[0].sample_rate
    n_channels = 1
    if options.mode == "images":
        n_channels = max(header.n_channels for header in headers)
    references = np.zeros((len(SOURCES), job.n_samples, n_channels))  # silence without a file
    for samples, source in zip(references, SOURCES, strict=True):
        if job.references[source]:
            read_into(samples, job.references[source])
    prepared = References(
        references,
        mode=options.mode,
        window=None if options.window_s is None else round(options.window_s * rate),
        hop=None if options.hop_s is None else round(options.hop_s * rate),
        engine=options.engine,
        keep=len(job.estimates) > 1,
    )
    estimates = np.empty_like(references)  # of one model after the other: new memory takes time
    results = []
    for estimate in job.estimates:
        sample_types = _estimates_into(estimates, estimate, job)
        scores = prepared.score(estimates)
        rows = rows_from_scores(
            scores, SOURCES, rate, song=job.song, subset=job.subset, model=estimate.model
        )
        if estimate.trained_on_test:
            rows = with_leak_note(rows)
        windowed = len(scores.window_starts) > 1
        facts = {
            "sample_rate": {rate},
            "reference_sample_type": {header.subtype for header in headers},
            "estimate_sample_type": sample_types,
        }
        duration_s = options.window_s if windowed else job.n_samples / rate
        results.append(SongScores(rows, duration_s, facts))
        if done:
            done()
    return results


def _estimates_into(samples: np.ndarray, estimate: _Estimate, job: _Job) -> set[str]:
    """Fill `[shape=(n_sources, n_samples, n_channels)]` with estimates; give their sample types."""
    if estimate.baseline is None:
        for stem, source in zip(samples, SOURCES, strict=True):
            read_into(stem, estimate.stems[source])
        return {read_header(path).subtype for path in estimate.stems.values()}
    stems = {source: path for source, path in job.references.items() if path}
    song = Song(job.song, job.subset, job.mixture, stems)
    mixture = read_mixture(song)
    if len(mixture.samples) < job.n_samples:
        raise cut_off(mixture.path)
    computed = estimate.baseline(song, mixture)[:, : job.n_samples]
    for stem, one in zip(samples, computed, strict=True):
        as_in_file = replace(mixture, samples=one.astype(np.float32).astype(np.float64))
        stem[:] = fit_channels(as_in_file, samples.shape[2])
    return {SUBTYPE}
