"""Scores of many models on the same songs, in one process, in several, or on a Dask cluster.

A song is one piece of work: its references are read, and with the project's own engine factorised,
once for all models.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from hiphopss import __version__
from hiphopss.audio import opened, read_header
from hiphopss.config import SOURCES
from hiphopss.errors import HiphopssError
from hiphopss.eval.bss import References
from hiphopss.eval.folders import Audio, fit_channels, reference_stems, require_alike
from hiphopss.eval.matching import Estimates
from hiphopss.eval.table import Row, rows_from_scores, with_leak_note
from hiphopss.eval.workers import in_processes, on_dask
from hiphopss.progress import progress_bar
from hiphopss.threads import processor_count

_SAMPLES_A_PROCESS = 20_000_000
"""Samples to score (some 8 minutes at 44.1 kHz) before another process is worth its start."""

_PIECE = 2**16
"""Samples of each channel that are read at a time."""


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
    """A model's estimates of one song."""

    model: str
    stems: dict[str, Path]
    trained_on_test: bool


@dataclass(frozen=True)
class _Job:
    """What a worker needs to score some models on one song."""

    song: str
    subset: str
    references: dict[str, Path | None]
    estimates: list[_Estimate]
    n_samples: int
    options: Options

    def __str__(self) -> str:
        return self.song

    @property
    def n_scored(self) -> int:
        """Samples to score, which is how much work it is."""
        return self.n_samples * len(self.estimates)


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
        If a song's files don't fit one another, or can't be read; or if those who score are lost.
    """
    jobs = _jobs(models, options)
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
            n_samples = require_alike(
                [*filter(None, references.values()), *stems.values()], options.length_tolerance_s
            )
            key = song.subset, song.name
            if key not in jobs:
                jobs[key] = _Job(song.name, song.subset, references, [], n_samples, options)
            # All models are scored on the same samples.
            jobs[key] = replace(
                jobs[key],
                estimates=[
                    *jobs[key].estimates,
                    _Estimate(model.model, stems, model.trained_on_test),
                ],
                n_samples=min(n_samples, jobs[key].n_samples),
            )
    return list(jobs.values())


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
    return replace(job, references=absolute(job.references), estimates=estimates)


def _score_on_worker(version: str, job: _Job) -> list[SongScores]:
    """As :func:`_score_song`, where files and packages may be others than here."""
    here = f"the Dask worker on {socket.gethostname()}"
    if version != __version__:
        raise HiphopssError(
            f"{here} has hiphopss {__version__}, not {version}: install the same version there"
        )
    for stems in (job.references, *(estimate.stems for estimate in job.estimates)):
        for path in filter(None, stems.values()):
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
            _read_into(samples, job.references[source])
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
        for samples, source in zip(estimates, SOURCES, strict=True):
            _read_into(samples, estimate.stems[source])
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
            "estimate_sample_type": {read_header(path).subtype for path in estimate.stems.values()},
        }
        duration_s = options.window_s if windowed else job.n_samples / rate
        results.append(SongScores(rows, duration_s, facts))
        if done:
            done()
    return results


def _read_into(samples: np.ndarray, path: Path) -> None:
    """Fill an array with a file's first samples `[shape=(n_samples, n_channels)]`.

    Pieces that stay in the cache are checked and copied, where passes over whole songs would wait
    for memory, for which processes compete.
    """
    n_read = 0
    with opened(path) as file:
        # Each piece ends in a seek, after which the decoder of MP3 has lost its state.
        exact = file.subtype.startswith(("PCM", "FLOAT", "DOUBLE"))
        block = np.empty((_PIECE if exact else file.frames, file.channels))
        while len(piece := file.read(out=block)):
            if not np.isfinite(piece).all():
                raise HiphopssError(
                    f"{path}: has samples that are NaN or infinite: replace the file"
                )
            if file.channels != samples.shape[1]:
                read = Audio(path, piece, file.samplerate, file.subtype)
                piece = fit_channels(read, samples.shape[1])
            wanted = samples[n_read : n_read + len(piece)]
            wanted[:] = piece[: len(wanted)]
            n_read += len(piece)
    if n_read < len(samples):
        raise HiphopssError(
            f"{path}: cut off, it is shorter than its header says: export or copy it again"
        )
