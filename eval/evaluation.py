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

import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from importlib import metadata
from pathlib import Path

import hiphopss
from hiphopss.datasets.layout import Song, find_songs
from hiphopss.errors import HiphopssError
from hiphopss.eval.aggregate import summarise, summary_path, write_summary
from hiphopss.eval.baseline import Baseline
from hiphopss.eval.bss import ENGINES, MODES
from hiphopss.eval.matching import (
    Estimates,
    baseline_estimates,
    find_estimates,
    require_distinct,
)
from hiphopss.eval.museval import require_writable, write_museval
from hiphopss.eval.scoring import Options, score_songs
from hiphopss.eval.table import Row, csv_path, write_record, write_rows
from hiphopss.eval.workers import require_scheduler
from hiphopss.files import written_whole


def evaluate(
    references: str | Path | Sequence[Song],
    estimates: str | Path | Sequence[str | Path],
    output: str | Path,
    *,
    mode: str = "sources",
    window_s: float | None = None,
    hop_s: float | None = None,
    engine: str = "hiphopss",
    model: str | None = None,
    subset: str | None = None,
    bounds: bool = False,
    nmf: str | Path | Sequence[Song] | None = None,
    museval_json: str | Path | None = None,
    length_tolerance_s: float = 0.0,
    n_jobs: int | None = None,
    dask: str | None = None,
    progress: bool = True,
) -> list[Row]:
    """Score every song that has estimates; write the table, its record and a summary.

    Parameters
    ----------
    references : path-like or sequence of Song
        A data set in the layout of DSD100, a folder ``<song>/<source>.wav``, or songs from anywhere
        (:class:`hiphopss.datasets.layout.Song`), whose ``subset`` may be any label: it becomes the
        table's column. Missing vocals count as silence.
    estimates : path-like or sequence of path-like
        A folder ``<song>/{vocals,bass,drums,other}.wav``, or several, one a model.
    output : path-like
        The table, ``<name>.csv``; ``<name>.json`` and ``<name>_summary.csv`` appear beside it.
    mode : {"sources", "images"}
        See :func:`hiphopss.eval.bss_eval`.
    window_s, hop_s : float, optional
        Window and hop in seconds (the released evaluation: 30 and 15); whole songs by default, and
        half a window as hop. A window is longer than the 512 samples of BSS Eval's filters.
    engine : {"hiphopss", "mir_eval"}
        See :func:`hiphopss.eval.bss_eval`.
    model : str, optional
        Name in the table, if there is one folder. By default the one in ``separation.json`` among
        the estimates, else the name of their folder.
    subset : str, optional
        Score only songs of this subset; a folder of songs without subsets is labelled with it.
    bounds : bool
        Add rows for two reference models on the same songs: the mixture as the estimate of every
        source, and ideal ratio masks; and NMF, where the references are a data set whose Dev songs
        aren't scored. The references need their mixtures.
    nmf : path-like or sequence of Song, optional
        Add rows for NMF with dictionaries learnt from the Dev songs of this data set, or from these
        songs (:func:`hiphopss.eval.nmf_estimates`).
    museval_json : path-like, optional
        A folder for museval's JSON files too, one a song; see
        :func:`hiphopss.eval.museval.write_museval`.
    length_tolerance_s : float
        Where a song's files differ in length by less than this, in seconds, only what all have is
        scored, with a warning.
    n_jobs : int, optional
        Processes, each with some of the songs; by default as many as are worth their start, at most
        one a processor. The scores don't depend on it.
    dask : str, optional
        Score on the workers of the Dask cluster whose scheduler has this address, such as
        ``"tcp://10.0.0.1:8786"``, instead of here. They need this version of hiphopss and
        all files under the same paths as here, from a shared file system. A song whose worker
        died is scored by another one.
    progress : bool
        Show a progress bar on standard error.

    Returns
    -------
    list of Row
        As in the table: by model, song, source and window. Rows of a model whose
        ``separation.json`` says ``"released_test_leak": true`` say so in their notes (Q3).

    Raises
    ------
    HiphopssError
        If songs, files or options don't fit one another; the message names them.
    """
    options = Options(mode, window_s, hop_s, engine, length_tolerance_s)
    require_sensible(options, n_jobs, dask)
    folders = [estimates] if isinstance(estimates, str | Path) else list(estimates)
    if not folders:
        raise HiphopssError("no folder of estimates: give one at least")
    if model is not None and len(folders) > 1:
        raise HiphopssError(f"the name {model!r} is for several folders: give one folder, or none")
    csv_path(output)
    models = [find_estimates(references, folder, model=model, subset=subset) for folder in folders]
    if bounds and nmf is None:
        nmf = own_dev_songs(references, models)
    return evaluate_models(
        models,
        output,
        options,
        bounds=bounds,
        nmf=nmf,
        museval_json=museval_json,
        n_jobs=n_jobs,
        dask=dask,
        progress=progress,
    )


def require_sensible(options: Options, n_jobs: int | None, dask: str | None = None) -> None:
    """Look at the options before any work.

    Raises
    ------
    HiphopssError
        If one can't be.
    """
    if options.mode not in MODES:
        raise HiphopssError(f"no mode named {options.mode!r}: choose one of {', '.join(MODES)}")
    if options.engine not in ENGINES:
        raise HiphopssError(
            f"no engine named {options.engine!r}: choose one of {', '.join(ENGINES)}"
        )
    if n_jobs is not None and n_jobs < 1:
        raise HiphopssError(f"n_jobs is {n_jobs}: give 1 or more")
    if n_jobs is not None and dask is not None:
        raise HiphopssError(
            f"{dask}: a cluster scores with all its workers: leave the number of processes out"
        )
    for name, seconds in (("window", options.window_s), ("hop", options.hop_s)):
        if seconds is not None and not 0 < seconds < math.inf:
            raise HiphopssError(f"{name} is {seconds} s: give a positive number")
    if dask is not None:
        require_scheduler(dask)


def evaluate_models(
    models: Sequence[Estimates],
    output: str | Path,
    options: Options,
    *,
    bounds: bool = False,
    nmf: str | Path | Sequence[Song] | None = None,
    museval_json: str | Path | None = None,
    n_jobs: int | None = None,
    dask: str | None = None,
    progress: bool = True,
) -> list[Row]:
    """As :func:`evaluate`, of estimates that are matched with their references already.

    Parameters
    ----------
    models : sequence of Estimates
        In the order of the table.
    output : path-like
        The table.
    options : Options
        How to score.
    bounds, nmf, museval_json, n_jobs, dask, progress
        As in :func:`evaluate`.

    Returns
    -------
    list of Row
        As in the table.

    Raises
    ------
    HiphopssError
        As :func:`evaluate`.
    """
    songs = _scored_songs(models)
    with written_whole(csv_path(output)) as temporary:  # says at once if that can't be written
        baselines = _baselines(songs, bounds=bounds, nmf=nmf)
        models = [*models, *(baseline_estimates(baseline, songs) for baseline in baselines)]
        require_distinct(models)
        if museval_json is not None:
            require_writable(museval_json, models)
        scored = score_songs(models, options, n_jobs=n_jobs, dask=dask, progress=progress)
        rows = [row for songs in scored for song in songs for row in song.rows]
        write_rows(temporary, rows)
    records = {
        estimates.model: {
            "audio": _merged(song.facts for song in songs),
            "provenance": estimates.provenance,
        }
        for estimates, songs in zip(models, scored, strict=True)
    }
    write_record(output, asdict(options) | {"models": records, "versions": _versions()})
    write_summary(summary_path(output), summarise(rows))
    if museval_json is not None:
        write_museval(museval_json, [song for songs in scored for song in songs])
    return rows


def _baselines(
    songs: Sequence[Song], *, bounds: bool, nmf: str | Path | Sequence[Song] | None
) -> list[Baseline]:
    """The models to add on all songs of the others, in the order of the table."""
    from hiphopss.eval.bounds import IdealRatioMask, Mixture
    from hiphopss.eval.nmf import SupervisedNmf

    added: list[Baseline] = [Mixture(), IdealRatioMask()] if bounds else []
    return added if nmf is None else [*added, SupervisedNmf(nmf, songs)]


def _scored_songs(models: Sequence[Estimates]) -> list[Song]:
    """The songs of all models, each once."""
    by_key = {(s.subset, s.name): s for estimates in models for s, _ in estimates.songs}
    return list(by_key.values())


def own_dev_songs(
    references: str | Path | Sequence[Song], models: Sequence[Estimates]
) -> list[Song] | None:
    """Dev songs of a data set, to learn from, if it has any and none of them is scored."""
    if not isinstance(references, str | Path):
        return None
    dev = [song for song in find_songs(references) if song.subset == "Dev"]
    scored = {(song.subset, song.name) for song in _scored_songs(models)}
    return dev if dev and scored.isdisjoint((s.subset, s.name) for s in dev) else None


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
