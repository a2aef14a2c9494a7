"""Scoring one song: reading its stems, evaluating every model's, and the rows of the table.

Conventions
-----------
Waveforms are [shape=(n_targets, n_samples, n_channels)]. The sources are evaluated together. If the
protocol has an accompaniment, it is the sum of all sources but vocals, of references and of
estimates, and is evaluated with the vocals as a pair, apart from the sources.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from hiphopss.config import SOURCES
from hiphopss.datasets import stems as files
from hiphopss.datasets.alike import cut_off
from hiphopss.datasets.layouts import MIXTURE
from hiphopss.datasets.songs import Song, require_mixture
from hiphopss.eval.baselines.baseline import SUBTYPE
from hiphopss.eval.bss.ratios import si_sdr, usdr
from hiphopss.eval.bss.scores import References, Scores, without_silence
from hiphopss.eval.bss.song_filters import SongFilterReferences
from hiphopss.eval.matching import Estimates
from hiphopss.eval.protocols import ACCOMPANIMENT, Protocol, Scoring
from hiphopss.eval.table import Row, rows_from_scores, with_notes
from hiphopss.signal.containers import container_of
from hiphopss.signal.reading import Header, read_header
from hiphopss.util.files import sha256_of
from hiphopss.util.threads import blas_in_one_thread

PAIR = (SOURCES[0], ACCOMPANIMENT)
"""The targets of the second evaluation: vocals, and everything else."""


class Cut(NamedTuple):
    """A file that was cut to the shortest of its song.

    Attributes
    ----------
    song : str
        Name of the song.
    file : str
        Which of its files, such as ``"reference of the bass"``.
    samples : int
        Number of samples that were cut off at its end.
    """

    song: str
    file: str
    samples: int


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
        Sampling rate and sample types of the files, and what was cut off.
    references, estimates : dict of str to str
        SHA-256 of the files that were read, by source; of the references also that of the mixture,
        if the estimates were computed from it.
    """

    rows: list[Row]
    duration_s: float
    facts: dict[str, set]
    references: dict[str, str]
    estimates: dict[str, str]


@dataclass(frozen=True)
class Job:
    """The input of a worker that scores some models on one song.

    Attributes
    ----------
    song : Song
        The true stems.
    models : list of Estimates
        Models, each with the estimates of this song alone.
    n_samples : int
        Number of samples of each file that are scored.
    sample_rate : int
        Sampling rate of all files, in Hz.
    how : Scoring
        Settings of the evaluation.
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


def score_song(job: Job) -> list[SongScores]:
    """Score one song, model after model.

    Parameters
    ----------
    job : Job
        The song and the models.

    Returns
    -------
    list of SongScores
        Scores in the order of the models.

    Raises
    ------
    HiphopssError
        If a file can't be read, is too short, or has values that are not finite or other channels.
    """
    song, protocol, rate = job.song, job.how.resolved(), job.sample_rate
    headers = {source: read_header(path) for source, path in song.stems.items()}
    n_channels = max(header.n_channels for header in headers.values())
    cut = _cut("reference", headers, job)
    if protocol.channels != "as_references":
        n_channels = 1 if protocol.channels == "mono" else max(n_channels, 2)
    results, read = [], _hashes(song.stems)
    with blas_in_one_thread():
        references = _memory(len(SOURCES), job.n_samples, n_channels)
        files.read_exact(song.stems, job.n_samples, n_channels, out=references)
        evaluations = [_Evaluation(SOURCES, references, job)]
        if protocol.pair:
            evaluations.append(_Evaluation(PAIR, _pair(references), job))
        estimates = np.empty_like(references)  # used by all models, because new memory takes time
        for model in job.models:
            found = _read_estimates(estimates, model, job)
            rows, n_window = evaluations[0].rows(estimates, model)
            if protocol.pair:
                of_pair, _ = evaluations[1].rows(_pair(estimates), model)
                rows = _replaced(rows, [row for row in of_pair if row.source in protocol.pair])
            facts: dict[str, set] = {
                "sample_rate": {rate},
                "reference_sample_type": {header.subtype for header in headers.values()},
                "estimate_sample_type": {header.subtype for header in found.values()},
                "cut": cut | _cut("estimate", found, job),
            }
            mixture = {MIXTURE: require_mixture(song)} if model.baseline else {}
            results.append(
                SongScores(
                    rows=with_notes(rows, model.notes),
                    duration_s=n_window / rate,
                    facts=facts,
                    references=read | _hashes(mixture),
                    estimates=_hashes(dict(model.songs[0][1])),
                )
            )
    return results


def _hashes(paths: Mapping[str, Path]) -> dict[str, str]:
    """SHA-256 of files; that of a stem file stands for each of its streams."""
    files = {container_of(path) for path in paths.values()}
    found = {file: sha256_of(file) for file in files}
    return {name: found[container_of(path)] for name, path in paths.items()}


class _Evaluation:
    """The references of some targets, ready to score any number of estimates."""

    def __init__(self, targets: Sequence[str], references: np.ndarray, job: Job):
        self._targets, self._references, self._job = targets, references, job
        self._protocol = job.how.resolved()
        self._score = _prepared(references, self._protocol, job)

    def rows(self, estimates: np.ndarray, model: Estimates) -> tuple[list[Row], int]:
        """The rows of estimates, by target and window, and the length of a window in samples."""
        scores = self._score(estimates)
        if self._protocol.all_sound:
            scores = without_silence(scores)
        n_window = scores.window_length or self._job.n_samples
        scale_free = si_sdr(self._references, estimates, scores.window_starts, n_window)
        if self._protocol.all_sound:
            scale_free[np.isnan(scores.sdr)] = np.nan
        song = self._job.song
        rows = rows_from_scores(
            scores,
            self._targets,
            self._job.sample_rate,
            si_sdr=scale_free,
            song=song.name,
            subset=song.subset,
            model=model.model,
        )
        return rows, n_window


def _prepared(
    references: np.ndarray, protocol: Protocol, job: Job
) -> Callable[[np.ndarray], Scores]:
    """The function that scores estimates of these references."""
    window, hop = (
        None if seconds is None else round(seconds * job.sample_rate)
        for seconds in (protocol.window_s, protocol.hop_s)
    )
    if protocol.measure == "usdr":
        return partial(usdr, references)
    if protocol.measure == "bss_eval_v4":
        assert window is not None
        return SongFilterReferences(references, window, hop or window).score
    assert protocol.mode is not None
    return References(
        references,
        mode=protocol.mode,
        window=window,
        hop=hop,
        engine=job.how.engine,
        keep=len(job.models) > 1,
    ).score


def _memory(n_targets: int, n_samples: int, n_channels: int) -> np.ndarray:
    """An array for waveforms in which the samples of each channel are side by side.

    BSS Eval takes every channel as a signal of its own, and needs no copy of such an array.
    """
    return np.empty((n_targets, n_channels, n_samples)).swapaxes(1, 2)


def _pair(sources: np.ndarray) -> np.ndarray:
    """Vocals and accompaniment from the waveforms of the sources."""
    vocals = SOURCES.index(PAIR[0])
    pair = _memory(len(PAIR), *sources.shape[1:])
    pair[:] = 0
    for index, samples in enumerate(sources):
        pair[0 if index == vocals else 1] += samples
    return pair


def _replaced(rows: Sequence[Row], others: Sequence[Row]) -> list[Row]:
    """The rows, those of some targets replaced by others, in the order of the targets."""
    found: dict[str, list[Row]] = {}
    for row in rows:
        found.setdefault(row.source, []).append(row)
    for target in dict.fromkeys(row.source for row in others):
        found[target] = [row for row in others if row.source == target]
    return [row for of_target in found.values() for row in of_target]


def _cut(kind: str, headers: Mapping[str, Header], job: Job) -> set[Cut]:
    """The files of a song, by source, that are longer than what is scored."""
    return {
        Cut(job.song.name, f"{kind} of the {source}", header.n_samples - job.n_samples)
        for source, header in headers.items()
        if header.n_samples > job.n_samples
    }


def _read_estimates(samples: np.ndarray, model: Estimates, job: Job) -> dict[str, Header]:
    """Fill `[shape=(n_sources, n_samples, n_channels)]` with estimates; return their headers.

    What is computed gets the header that it would have as a file.
    """
    _, n_samples, n_channels = samples.shape
    if model.baseline is None:
        ((_, stems),) = model.songs
        files.read_exact(stems, n_samples, n_channels, out=samples)
        return {source: read_header(path) for source, path in stems.items()}
    path, mixture = require_mixture(job.song), files.read_mixture(job.song)
    if len(mixture.waveform) < n_samples:
        raise cut_off(path)
    computed = model.baseline(job.song, mixture)
    for stem, one in zip(samples, computed[:, :n_samples], strict=True):
        as_in_file = one.astype(np.float32).astype(np.float64)
        stem[:] = files.fit_channels(as_in_file, n_channels, path)
    _, n_computed, n_computed_channels = computed.shape
    as_file = Header(n_computed, job.sample_rate, n_computed_channels, SUBTYPE)
    return dict.fromkeys(SOURCES, as_file)
