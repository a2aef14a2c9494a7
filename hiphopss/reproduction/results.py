"""The files of a finished run: weights, tables of scores, figures and the report."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from hiphopss.eval.aggregate import Summary, format_summary, summarise
from hiphopss.eval.figure import plot_fig1
from hiphopss.eval.protocols import protocol
from hiphopss.eval.table import Row, leaky_models, write_rows
from hiphopss.reproduction.experiments import Experiment, table1
from hiphopss.reproduction.quirks import Effect
from hiphopss.reproduction.report import write_report, write_table1
from hiphopss.reproduction.stages import Stages
from hiphopss.util.files import written_whole
from hiphopss.weights.files import SUFFIX


@dataclass(frozen=True)
class Outcome:
    """Results of a run.

    Attributes
    ----------
    summary : str
        Table of means for people.
    files : dict of str to Path
        ``report``, ``figure``, ``metrics``, ``table1`` and the weight file of each model.
    summaries : sequence of Summary
        The numbers of the table; none of an ablation.
    effects : sequence of Effect
        What each quirk does, of an ablation.
    own_scores : dict of str to dict of str to float
        Mean SDR in dB of the models that an ablation changes, by test set and model.
    """

    summary: str
    files: dict[str, Path]
    summaries: Sequence[Summary] = ()
    effects: Sequence[Effect] = ()
    own_scores: Mapping[str, Mapping[str, float]] = field(default_factory=dict)


def write_outcome(
    output: Path,
    stages: Stages,
    experiments: Sequence[Experiment],
    weights: Mapping[str, Path],
    scored: Mapping[str, Sequence[Row]],
) -> Outcome:
    """Copy the weights, and write tables, figures and the report.

    Parameters
    ----------
    output : Path
        Folder of the run.
    stages : Stages
        Settings and data of the run.
    experiments : sequence of Experiment
        Models that were run.
    weights : mapping of str to Path
        Weight files of the models.
    scored : mapping of str to sequence of Row
        All scores by protocol; the first is that of ``metrics.csv``, ``fig1.png`` and the claims.

    Returns
    -------
    Outcome
        The table of the first protocol, and the files.
    """
    files = {"report": output / "report.md", "table1": output / "table1.csv"}
    files |= _copy_weights(output / "weights", weights)
    summaries = {name: summarise(rows, protocol(name).averaging) for name, rows in scored.items()}
    figures: dict[str, Path] = {}
    for name, rows in scored.items():
        ending = "" if not figures else f"_{name}"
        figures[name] = output / f"fig1{ending}.png"
        files[f"figure{ending}"] = figures[name]
        files[f"metrics{ending}"] = output / f"metrics{ending}.csv"
        write_rows(files[f"metrics{ending}"], rows)
        plot_fig1(
            summaries[name],
            figures[name],
            subsets=list(stages.songs.tests),
            models=[experiment.name for experiment in experiments],
            marks=leaky_models(rows),
            title="Generated songs, not music" if stages.songs.generated else None,
            protocol=protocol(name),
        )
    write_table1(files["table1"], experiments, summaries)
    write_report(
        files["report"],
        stages=stages,
        experiments=experiments,
        weights=weights,
        scored=scored,
        figures={name: path.name for name, path in figures.items()},
    )
    told = next(iter(summaries.values()))
    return Outcome(format_summary(told), files, told)


def _copy_weights(folder: Path, weights: Mapping[str, Path]) -> dict[str, Path]:
    """Copy weight files into a folder, and remove models there that only an earlier run had."""
    known = {experiment.name for experiment in table1()}
    for path in folder.glob("*"):
        if path.name.partition(".")[0] in known - set(weights):
            path.unlink(missing_ok=True)  # another run with this folder may have removed it
    copies = {}
    for name, path in weights.items():
        suffix = SUFFIX if path.name.endswith(SUFFIX) else path.suffix
        copies[name] = folder / f"{name}{suffix}"
        with written_whole(copies[name]) as temporary:
            shutil.copyfile(path, temporary)
    return copies
