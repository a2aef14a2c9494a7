"""From folders of references and estimates to the table of scores.

Conventions
-----------
References and estimates are matched by the names of the song's folder and of the stem, never by
their order. What is scored is what the files hold, at their sampling rate and in their sample type
(BSS Eval does not depend on the scale of a signal). In mode ``"sources"`` channels are averaged to
mono first, as the released code does with everything it reads (reference page, section 1); in mode
``"images"`` mono files are duplicated to as many channels as the references have, as in the
released evaluation (section 8), and where all references are mono, estimates are averaged.
"""

from __future__ import annotations

import logging
import multiprocessing
import os
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import numpy as np

import hiphopss
from hiphopss.config import SOURCES
from hiphopss.errors import HiphopssError
from hiphopss.eval.aggregate import summarise, summary_path, write_summary
from hiphopss.eval.bss import MODES, bss_eval
from hiphopss.eval.folders import (
    Audio,
    Song,
    find_audio,
    read_audio,
    reference_songs,
    reference_stems,
    require_alike,
    song_folders,
)
from hiphopss.eval.table import (
    Row,
    csv_path,
    read_json_object,
    rows_from_scores,
    write_record,
    write_rows,
)
from hiphopss.files import written_whole

logger = logging.getLogger(__name__)

RECORD_NAME = "separation.json"
"""File in a folder of estimates that says what made them; its key ``model`` is the model's name."""


@dataclass(frozen=True)
class _Job:
    """What a worker needs to score one song: labels of its rows, files by source, options."""

    labels: dict[str, str]
    references: dict[str, Path | None]
    estimates: dict[str, Path]
    mode: str
    window_s: float | None
    hop_s: float | None


def evaluate(
    references: str | Path,
    estimates: str | Path,
    output: str | Path,
    *,
    mode: str = "sources",
    window_s: float | None = None,
    hop_s: float | None = None,
    model: str | None = None,
    subset: str | None = None,
    n_jobs: int | None = None,
    progress: bool = True,
) -> list[Row]:
    """Score every song that has estimates; write the table, its record and a summary.

    Parameters
    ----------
    references : path-like
        A data set in the layout of DSD100, or a folder ``<song>/<source>.wav``. Missing vocals
        count as silence.
    estimates : path-like
        A folder ``<song>/{vocals,bass,drums,other}.wav``.
    output : path-like
        The table, ``<name>.csv``; ``<name>.json`` and ``<name>_summary.csv`` appear beside it.
    mode : {"sources", "images"}
        See :func:`hiphopss.eval.bss_eval`.
    window_s, hop_s : float, optional
        Window and hop in seconds (the released evaluation: 30 and 15); whole songs by default, and
        half a window as hop.
    model : str, optional
        Name in the table. By default the one in ``separation.json`` among the estimates, else the
        name of their folder.
    subset : str, optional
        Score only songs of this subset; a folder of songs without subsets is labelled with it.
    n_jobs : int, optional
        Processes; by default one a song, at most one a processor. The scores don't depend on it.
        Scripts that want more than one process need the ``if __name__ == "__main__":`` of Python's
        multiprocessing. Windows of seconds are scored faster with ``OPENBLAS_NUM_THREADS=1`` in the
        environment, which may change the last digits.
    progress : bool
        Show a progress bar on standard error.

    Returns
    -------
    list of Row
        As in the table: by song, source and window.

    Raises
    ------
    HiphopssError
        If songs, files or options don't fit one another; the message names them.
    """
    if mode not in MODES:
        raise HiphopssError(f"no mode named {mode!r}: choose one of {', '.join(MODES)}")
    if n_jobs is not None and n_jobs < 1:
        raise HiphopssError(f"n_jobs is {n_jobs}: give 1 or more")
    provenance = read_json_object(Path(estimates) / RECORD_NAME)
    model = str(model or (provenance or {}).get("model") or Path(estimates).resolve().name)
    jobs = []
    for song, folder in match_songs(references, estimates, subset):
        labels = {"song": song.name, "subset": song.subset or subset or "", "model": model}
        stems = reference_stems(song), _estimate_stems(folder)
        require_alike(path for paths in stems for path in paths.values() if path)
        jobs.append(_Job(labels, *stems, mode, window_s, hop_s))
    with written_whole(csv_path(output)) as temporary:  # says at once if that can't be written
        results = _run(jobs, n_jobs, progress)
        rows = [row for song_rows, _ in results for row in song_rows]
        write_rows(temporary, rows)
    record = {"model": model, "mode": mode, "window_s": window_s, "hop_s": hop_s}
    record |= {"audio": _merged(facts for _, facts in results), "versions": _versions()}
    write_record(output, record | {"provenance": provenance})
    write_summary(summary_path(output), summarise(rows))
    return rows


def match_songs(
    references: str | Path, estimates: str | Path, subset: str | None = None
) -> list[tuple[Song, Path]]:
    """Pair the folders of estimates with their references, by name.

    Parameters
    ----------
    references, estimates, subset
        As in :func:`evaluate`.

    Returns
    -------
    list of (Song, Path)
        Song and folder of its estimates, in order of name. Reference songs without estimates are
        left out, and a warning is logged.

    Raises
    ------
    HiphopssError
        If estimates have no reference or more than one, or nothing matches.
    """
    by_name: dict[str, list[Song]] = {}
    for song in reference_songs(references):
        by_name.setdefault(song.name, []).append(song)
    pairs = []
    for folder in song_folders(estimates):
        songs = by_name.get(folder.name)
        if songs is None:
            raise HiphopssError(
                f"{folder}: {references} has no song of this name: rename or remove the folder"
            )
        wanted = [song for song in songs if subset in (None, "", song.subset) or not song.subset]
        if len(wanted) > 1:
            raise HiphopssError(
                f"{folder}: is a song of {' and of '.join(song.subset for song in wanted)}: "
                "say which subset is meant"
            )
        pairs += [(song, folder) for song in wanted]
    if not pairs:
        raise HiphopssError(
            f"{estimates}: no folder of estimates for a song of {references}"
            f"{f' ({subset})' if subset else ''}: separate its mixtures first"
        )
    matched = {song for song, _ in pairs}
    subsets = {song.subset for song in matched}
    songs = (song for songs in by_name.values() for song in songs)
    missing = [song.name for song in songs if song.subset in subsets and song not in matched]
    if missing:
        logger.warning("%s: no estimates, not evaluated: %s", estimates, ", ".join(missing))
    return pairs


def _run(jobs: Sequence[_Job], n_jobs: int | None, progress: bool) -> list:
    """Score the songs, in as many processes; results in the order of the jobs."""
    from tqdm import tqdm

    n_jobs = min(n_jobs or os.cpu_count() or 1, len(jobs))
    bar = tqdm(total=len(jobs), desc="evaluate", unit="song", disable=not progress)
    with bar:
        if n_jobs == 1:
            results = []
            for job in jobs:
                results.append(_score_song(job))
                bar.update()
            return results
        # Forked children could deadlock in the threads of BLAS or TensorFlow.
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(n_jobs, mp_context=context) as pool:
            futures = [pool.submit(_score_song, job) for job in jobs]
            try:
                for future in as_completed(futures):
                    future.result()
                    bar.update()
            except BrokenProcessPool as error:
                raise HiphopssError(
                    "a process died while scoring: use n_jobs=1, which needs less memory and no "
                    "guard around the calling script"
                ) from error
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise
        return [future.result() for future in futures]


def _score_song(job: _Job) -> tuple[list[Row], dict]:
    """Rows of one song, and what its files are like."""
    targets = {source: path and read_audio(path) for source, path in job.references.items()}
    outputs = {source: read_audio(path) for source, path in job.estimates.items()}
    sounding = [audio for audio in targets.values() if audio]
    rate = sounding[0].sample_rate
    n_channels = 1
    if job.mode == "images":
        n_channels = max(audio.samples.shape[1] for audio in sounding)
    silence = np.zeros((len(sounding[0].samples), n_channels))
    scores = bss_eval(
        [
            fit_channels(targets[source], n_channels) if targets[source] else silence
            for source in SOURCES
        ],
        [fit_channels(outputs[source], n_channels) for source in SOURCES],
        mode=job.mode,
        window=None if job.window_s is None else round(job.window_s * rate),
        hop=None if job.hop_s is None else round(job.hop_s * rate),
    )
    facts = {
        "sample_rate": {rate},
        "reference_sample_type": {audio.subtype for audio in sounding},
        "estimate_sample_type": {audio.subtype for audio in outputs.values()},
    }
    return rows_from_scores(scores, SOURCES, rate, **job.labels), facts


def _estimate_stems(folder: Path) -> dict[str, Path]:
    """The estimates of a song, by source."""
    stems = {source: find_audio(folder, source) for source in SOURCES}
    for source, path in stems.items():
        if path is None:
            raise HiphopssError(f"{folder / source}.wav: no such file: separate the song again")
    return stems


def fit_channels(audio: Audio, n_channels: int) -> np.ndarray:
    """Samples with a given number of channels.

    Parameters
    ----------
    audio : Audio
        A file.
    n_channels : int
        1 averages the channels; more duplicates a mono file.

    Returns
    -------
    np.ndarray [shape=(n_samples, n_channels)]
        The samples.

    Raises
    ------
    HiphopssError
        If the file has neither one channel nor ``n_channels``.
    """
    found = audio.samples.shape[1]
    if n_channels == 1:
        return audio.samples.mean(axis=1, keepdims=True)
    if found == 1:
        return audio.samples.repeat(n_channels, axis=1)
    if found != n_channels:
        raise HiphopssError(
            f"{audio.path}: {found} channels, but the references have {n_channels}: "
            "give it as many, or one"
        )
    return audio.samples


def _merged(facts: Iterable[dict]) -> dict[str, list]:
    """What the songs' files are like, as sorted lists of all that occurs."""
    merged: dict[str, set] = {}
    for song_facts in facts:
        for name, values in song_facts.items():
            merged.setdefault(name, set()).update(values)
    return {name: sorted(values) for name, values in merged.items()}


def _versions() -> dict[str, str]:
    """Versions of what the scores depend on."""
    libraries = {name: metadata.version(name) for name in ("mir_eval", "numpy", "scipy")}
    return {"hiphopss": hiphopss.__version__, **libraries}
