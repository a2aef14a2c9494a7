"""Evaluating folders of estimates against references, and writing the table of scores.

Conventions
-----------
References and estimates are matched by the names of the song's folder and of the stem, never by
their order. Files are scored at their own sampling rate and in their own sample type (BSS Eval does
not depend on the scale of a signal). In mode ``"sources"`` channels are first averaged to mono, as
the released code does with everything it reads (docs/released-code.md, section 1). In mode
``"images"`` mono files are duplicated to as many channels as the references have, and if all
references are mono, estimates are averaged; with the protocol ``"released"``, mono files are always
duplicated to stereo, as in the released evaluation (section 8).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path

import hiphopss
from hiphopss.datasets.songs import Song, find_songs
from hiphopss.errors import HiphopssError
from hiphopss.eval.aggregate import summarise, summary_path, write_summary
from hiphopss.eval.baselines.baseline import Baseline
from hiphopss.eval.matching import Estimates, find_estimates, require_distinct
from hiphopss.eval.museval import (
    require_writable_as_museval,
    warn_unlike_museval,
    write_museval,
)
from hiphopss.eval.protocols import Scoring
from hiphopss.eval.scoring import Results, score
from hiphopss.eval.song import SongScores
from hiphopss.eval.table import Row, csv_path, write_record, write_rows
from hiphopss.util.executor import Executor
from hiphopss.util.files import require_writable, sha256_of
from hiphopss.util.locks import locked


@dataclass(frozen=True)
class Baselines:
    """Models to score beside the others, which are computed from the songs' own files.

    Attributes
    ----------
    bounds : bool
        Score the mixture as the estimate of every source, and ideal ratio masks; also NMF, if the
        references are a data set whose Dev songs are not scored.
    nmf : path-like or sequence of Song, optional
        Score NMF, with dictionaries learnt from this data set's Dev songs or from these songs.
    """

    bounds: bool = False
    nmf: str | Path | Sequence[Song] | None = None


def evaluate(
    references: str | Path | Sequence[Song],
    estimates: str | Path | Sequence[str | Path] | Mapping[str, str | Path],
    output: str | Path,
    *,
    how: Scoring | None = None,
    where: Executor | None = None,
    baselines: Baselines | None = None,
    subset: str | None = None,
    museval_json: str | Path | None = None,
    progress: bool = True,
) -> list[Row]:
    """Score every song that has estimates, and write the table, its record and a summary.

    Parameters
    ----------
    references : path-like or sequence of Song
        A data set in a known layout, a folder ``<song>/<source>.wav``, or a list of songs
        (:class:`hiphopss.datasets.songs.Song`). Their ``subset`` may be any label, which becomes
        the table's column. Missing vocals count as silence.
    estimates : path-like, sequence of path-like, or mapping of str to path-like
        A folder ``<song>/{vocals,bass,drums,other}.wav`` for each model. A mapping gives the names
        of models; otherwise a model's name comes from the ``separation.json`` among its estimates,
        or is the name of their folder.
    output : path-like
        Table to write, ``<name>.csv``, with ``<name>.json`` and ``<name>_summary.csv`` beside it.
    how : Scoring, optional
        Protocol, or mode and windows, and engine; by default the protocol ``"sources"``, which is
        BSS Eval v3 of mono sources over whole songs.
    where : Executor, optional
        Processes, or a Dask cluster; by default as many processes as are useful.
    baselines : Baselines, optional
        Computed models to add: bounds and NMF. They need the mixtures of the references.
    subset : str, optional
        Score only songs of this subset; it is also the label of songs without a subset.
    museval_json : path-like, optional
        Folder in which museval's JSON files are written too, one for each song; see
        :func:`hiphopss.eval.museval.write_museval`. Their numbers are those of museval only with
        the protocol ``"sisec18"``; with others, a warning is logged.
    progress : bool
        Show a progress bar on standard error.

    Returns
    -------
    list of Row
        Rows of the table, by model, song, source and window. If a model's ``separation.json`` has
        ``"released_test_leak": true`` (Q3), the notes of its rows say so, and so do those of songs
        that were separated with loops. The table's record says of each model whether they were
        looked for.

    Raises
    ------
    HiphopssError
        If songs, files or options don't match; the message names them.
    """
    how, where = how or Scoring(), where or Executor()
    how.check()
    where.check()
    require_writable(csv_path(output))
    require_writable(summary_path(output))
    models = [
        find_estimates(references, folder, model=name, subset=subset)
        for name, folder in named_folders(estimates)
    ]
    models += computed_models(baselines, references, models)
    require_distinct(models)
    if museval_json is not None:
        require_writable_as_museval(museval_json, models)
        warn_unlike_museval(how.resolved())
    results = score(models, how, where, progress=progress)
    write_results(results, output)
    if museval_json is not None:
        write_museval(museval_json, [song for songs in results.songs for song in songs])
    return results.rows


def named_folders(
    estimates: str | Path | Sequence[str | Path] | Mapping[str, str | Path],
) -> list[tuple[str | None, str | Path]]:
    """List one or more folders of estimates, each with its name or None; raise if it is empty."""
    found: list[tuple[str | None, str | Path]]
    if isinstance(estimates, Mapping):
        found = list(estimates.items())
    elif isinstance(estimates, str | Path):
        found = [(None, estimates)]
    else:
        found = [(None, folder) for folder in estimates]
    if not found:
        raise HiphopssError("no folder of estimates: give one at least")
    return found


def computed_models(
    baselines: Baselines | None,
    references: str | Path | Sequence[Song] | None,
    models: Sequence[Estimates],
) -> list[Estimates]:
    """Set up the baselines, for all songs of the other models.

    Parameters
    ----------
    baselines : Baselines or None
        Baselines to score.
    references : path-like, sequence of Song or None
        As in :func:`evaluate`; NMF can learn from a data set's own Dev songs.
    models : sequence of Estimates
        The other models.

    Returns
    -------
    list of Estimates
        Baselines in the order of the table; they are computed during scoring.
    """
    from hiphopss.eval.baselines.bounds import IdealRatioMask, Mixture
    from hiphopss.eval.baselines.nmf import SupervisedNmf

    wanted = baselines or Baselines()
    songs = list({song.key: song for model in models for song, _ in model.songs}.values())
    nmf = wanted.nmf
    if wanted.bounds and nmf is None and isinstance(references, str | Path):
        dev = [song for song in find_songs(references) if song.subset == "Dev"]
        if dev and {song.key for song in songs}.isdisjoint(song.key for song in dev):
            nmf = dev
    added: list[Baseline] = [Mixture(), IdealRatioMask()] if wanted.bounds else []
    added += [] if nmf is None else [SupervisedNmf(nmf, songs)]
    return [Estimates.computed(baseline, songs) for baseline in added]


def write_results(results: Results, output: str | Path) -> None:
    """Write the table of scores, a summary, and the record of how they were made.

    The record has the SHA-256 of the files that were read and written, for
    :func:`hiphopss.verify`.

    Parameters
    ----------
    results : Results
        Results from :func:`hiphopss.eval.score`.
    output : path-like
        Table to write, ``<name>.csv``, with ``<name>.json`` and ``<name>_summary.csv`` beside it.

    Raises
    ------
    HiphopssError
        If the files can't be written.
    """
    records = {
        model.model: {
            "audio": _audio(songs),
            "loops": model.loops,
            "provenance": model.provenance,
            "estimates": {
                _label(song): scores.estimates
                for (song, _), scores in zip(model.songs, songs, strict=True)
                if scores.estimates
            },
        }
        for model, songs in zip(results.models, results.songs, strict=True)
    }
    references: dict[str, dict[str, str]] = {}
    for model, songs in zip(results.models, results.songs, strict=True):
        for (song, _), scores in zip(model.songs, songs, strict=True):
            references.setdefault(_label(song), {}).update(scores.references)
    protocol = results.how.resolved()
    settings = {
        "protocol": protocol.name,
        "measure": protocol.measure,
        "mode": protocol.mode,
        "window_s": protocol.window_s,
        "hop_s": protocol.hop_s,
        "engine": results.how.engine,
        "length_tolerance_s": results.how.length_tolerance_s,
        "summary": asdict(protocol.averaging),
    }
    with locked(output):  # so that the files beside one another are of one run
        write_rows(output, results.rows)
        write_summary(summary_path(output), summarise(results.rows, protocol.averaging))
        made = {"sha256": {"table": sha256_of(output), "summary": sha256_of(summary_path(output))}}
        versions = _versions(results.how.engine)
        read = {"models": records, "references": references, "versions": versions}
        write_record(output, settings | made | read)


def _label(song: Song) -> str:
    """Name of a song in the record."""
    return "/".join(filter(None, song.key))


def _audio(songs: Iterable[SongScores]) -> dict[str, list]:
    """Properties of the songs' files, and what was cut off where lengths differ."""
    merged = _merged(song.facts for song in songs)
    cut = [found._asdict() for found in merged.pop("cut")]
    return merged | ({"cut": cut} if cut else {})


def _merged(facts: Iterable[dict]) -> dict[str, list]:
    """Merge the properties of the songs' files into sorted lists of all values."""
    merged: dict[str, set] = {}
    for song_facts in facts:
        for name, values in song_facts.items():
            merged.setdefault(name, set()).update(values)
    return {name: sorted(values) for name, values in merged.items()}


def _versions(engine: str) -> dict[str, str]:
    """Versions of hiphopss and of the libraries that affect the scores of an engine."""
    libraries = sorted({engine, "numpy", "scipy"} - {"hiphopss"})
    return {"hiphopss": hiphopss.__version__} | {name: metadata.version(name) for name in libraries}
