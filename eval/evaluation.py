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
import math
import multiprocessing
import os
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from importlib import metadata
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

import hiphopss
from hiphopss.audio import find
from hiphopss.config import RECORD_NAME, SOURCES
from hiphopss.errors import HiphopssError
from hiphopss.eval.aggregate import summarise, summary_path, write_summary
from hiphopss.eval.bss import MODES, bss_eval
from hiphopss.eval.folders import (
    Song,
    fit_channels,
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
from hiphopss.progress import progress_bar

logger = logging.getLogger(__name__)


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
    estimates: str | Path | Sequence[str | Path],
    output: str | Path,
    *,
    mode: str = "sources",
    window_s: float | None = None,
    hop_s: float | None = None,
    model: str | None = None,
    subset: str | None = None,
    bounds: bool = False,
    n_jobs: int | None = None,
    progress: bool = True,
) -> list[Row]:
    """Score every song that has estimates; write the table, its record and a summary.

    Parameters
    ----------
    references : path-like
        A data set in the layout of DSD100, or a folder ``<song>/<source>.wav``. Missing vocals
        count as silence.
    estimates : path-like or sequence of path-like
        A folder ``<song>/{vocals,bass,drums,other}.wav``, or several, one a model.
    output : path-like
        The table, ``<name>.csv``; ``<name>.json`` and ``<name>_summary.csv`` appear beside it.
    mode : {"sources", "images"}
        See :func:`hiphopss.eval.bss_eval`.
    window_s, hop_s : float, optional
        Window and hop in seconds (the released evaluation: 30 and 15); whole songs by default, and
        half a window as hop.
    model : str, optional
        Name in the table, if there is one folder. By default the one in ``separation.json`` among
        the estimates, else the name of their folder.
    subset : str, optional
        Score only songs of this subset; a folder of songs without subsets is labelled with it.
    bounds : bool
        Add rows for two reference models on the same songs: the mixture as the estimate of every
        source, and ideal ratio masks. The references need their mixtures.
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
        As in the table: by model, song, source and window.

    Raises
    ------
    HiphopssError
        If songs, files or options don't fit one another; the message names them.
    """
    from hiphopss.eval.bounds import ideal_ratio_mask_estimates, mixture_estimates

    if mode not in MODES:
        raise HiphopssError(f"no mode named {mode!r}: choose one of {', '.join(MODES)}")
    if n_jobs is not None and n_jobs < 1:
        raise HiphopssError(f"n_jobs is {n_jobs}: give 1 or more")
    for name, seconds in (("window", window_s), ("hop", hop_s)):
        if seconds is not None and not 0 < seconds < math.inf:
            raise HiphopssError(f"{name} is {seconds} s: give a positive number")
    folders = [estimates] if isinstance(estimates, str | Path) else list(estimates)
    if model is not None and len(folders) > 1:
        raise HiphopssError(f"the name {model!r} is for several folders: give one folder, or none")
    options = {"mode": mode, "window_s": window_s, "hop_s": hop_s}
    with (
        written_whole(csv_path(output)) as temporary,  # says at once if that can't be written
        TemporaryDirectory() as scratch,
    ):
        jobs = [_jobs(references, folder, model, subset, options) for folder in folders]
        if bounds:
            names = {job.labels["song"] for part in jobs for job in part}
            for write in (mixture_estimates, ideal_ratio_mask_estimates):
                folder = Path(scratch) / write.__name__
                write(references, folder, subset, names=names)
                folders.append(folder)
                jobs.append(_jobs(references, folder, None, subset, options))
        names = [part[0].labels["model"] for part in jobs]
        for name in names:
            if names.count(name) > 1:
                raise HiphopssError(
                    f"{folders[names.index(name)]}: another folder's model is called {name!r} too: "
                    "change 'model' in its separation.json, or evaluate them apart"
                )
        results = iter(_run([job for part in jobs for job in part], n_jobs, progress))
        rows, records = [], {}
        for part, folder in zip(jobs, folders, strict=True):
            scored = list(islice(results, len(part)))
            rows += [row for song_rows, _ in scored for row in song_rows]
            records[part[0].labels["model"]] = {
                "audio": _merged(facts for _, facts in scored),
                "provenance": read_json_object(Path(folder) / RECORD_NAME),
            }
        write_rows(temporary, rows)
    write_record(output, options | {"models": records, "versions": _versions()})
    write_summary(summary_path(output), summarise(rows))
    return rows


def _jobs(references, folder, model, subset, options: dict) -> list[_Job]:
    """The songs of a folder of estimates, as jobs; at least one."""
    provenance = read_json_object(Path(folder) / RECORD_NAME) or {}
    model = str(model or provenance.get("model") or Path(folder).resolve().name)
    jobs = []
    for song, song_folder in match_songs(references, folder, subset):
        labels = {"song": song.name, "subset": song.subset or subset or "", "model": model}
        stems = reference_stems(song), _estimate_stems(song_folder)
        require_alike(path for paths in stems for path in paths.values() if path)
        jobs.append(_Job(labels, *stems, **options))
    return jobs


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
    n_jobs = min(n_jobs or os.cpu_count() or 1, len(jobs))
    bar = progress_bar(total=len(jobs), desc="evaluate", unit="song", show=progress)
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
    stems = {source: find(folder, source) for source in SOURCES}
    for source, path in stems.items():
        if path is None:
            raise HiphopssError(f"{folder / source}.wav: no such file: separate the song again")
    return stems


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
