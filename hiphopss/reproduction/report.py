"""The table of results, the paper's claims beside the measurements, and the report of a run."""

from __future__ import annotations

import csv
import importlib.metadata
import io
import os
import platform
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from hiphopss import __version__
from hiphopss.datasets.layouts import layout_of
from hiphopss.datasets.licences import data_of
from hiphopss.eval.aggregate import MEAN, Summary, format_summary, summarise
from hiphopss.eval.bss.scores import PAPER_METRICS
from hiphopss.eval.campaign.pairs import put_beside
from hiphopss.eval.campaign.words import lines as campaign_lines
from hiphopss.eval.paired import Difference, paired_differences
from hiphopss.eval.protocols import protocol
from hiphopss.eval.table import LEAK_NOTE, Row, is_uncertain, leaky_models
from hiphopss.reproduction.experiments import HIP_HOP_TEST, Claim, Experiment, claims
from hiphopss.reproduction.stages import Stages
from hiphopss.util.files import write_text
from hiphopss.util.text import printable
from hiphopss.weights.files import read_info

_LIBRARIES = ("keras", "numpy", "scipy", "scikit-learn")


def write_table1(
    path: Path, experiments: Sequence[Experiment], summaries: Mapping[str, Sequence[Summary]]
) -> None:
    """Write Table 1 with its results: a line for each protocol, test set and model (bounds last).

    Parameters
    ----------
    path : Path
        CSV file to write.
    experiments : sequence of Experiment
        Models that were run.
    summaries : mapping of str to sequence of Summary
        Summaries from :func:`hiphopss.eval.summarise`, by protocol.
    """
    described = {experiment.name: experiment for experiment in experiments}
    header = ["protocol", "model", "description", "test_set", "n_songs"]
    header += [f"{metric}_{what}" for metric in PAPER_METRICS for what in ("mean", "ci95")]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    for name, some in summaries.items():
        for summary in some:
            if summary.source == MEAN:
                known = described.get(summary.model)
                text_of = known.text if known else ""
                cells = [name, summary.model, text_of, summary.subset, summary.n_songs]
                for metric in PAPER_METRICS:
                    cells += [summary.mean[metric], summary.ci95[metric]]
                writer.writerow(cells)
    write_text(path, text.getvalue())


def judge(claim: Claim, difference: Difference) -> str:
    """Decide whether a claim of the paper holds for a measured difference.

    Parameters
    ----------
    claim : Claim
        Claim of the paper.
    difference : Difference
        Mean SDR of the model minus that of the baseline, song by song.

    Returns
    -------
    str
        ``"yes"`` or ``"no"`` if the 95 % confidence interval decides; otherwise the direction of
        the mean. "No gain" holds unless the interval lies above 0.
    """
    mean, half = difference.mean, difference.ci95
    certain = half is not None and abs(mean) > half
    if claim.says == "no gain":
        if mean <= 0:
            return "yes"
        return "no" if certain else "yes (a gain within the interval)"
    agrees = (mean > 0) == (claim.says == "better")
    if certain:
        return "yes" if agrees else "no"
    return "same direction, within the interval" if agrees else "no (within the interval)"


def claim_lines(rows: Sequence[Row], n_decimals: int = 2) -> list[str]:
    """Make a Markdown table of the paper's claims, each with the measured difference.

    Parameters
    ----------
    rows : sequence of Row
        Scores of all models on the test sets.
    n_decimals : int
        Number of decimals of differences in dB.

    Returns
    -------
    list of str
        Lines of the table. Claims about models or test sets that were not run are left out.
    """
    there = {(row.subset, row.model) for row in rows}
    lines = []
    for claim in claims():
        pair = {(claim.test_set, claim.model), (claim.test_set, claim.against)}
        if not pair <= there:
            continue
        found = paired_differences(rows, claim.model, claim.against, subset=claim.test_set)
        sdr = next((d for d in found if (d.source, d.metric) == (MEAN, "SDR")), None)
        if sdr is None:
            continue
        half = "" if sdr.ci95 is None else f" ± {sdr.ci95:.{n_decimals}f}"
        much = "" if claim.dB is None else f" by {claim.dB:g} dB"
        than = {"no gain": "no gain over", "better": "better than", "worse": "worse than"}
        lines.append(
            f"| {claim.test_set} | {claim.model} {than[claim.says]} {claim.against}{much} "
            f"| {sdr.mean:+.{n_decimals}f}{half} | {sdr.n_songs} | {judge(claim, sdr)} |"
        )
    if not lines:
        return []
    return [
        "| test set | claim (paper, section 4.3) | measured, dB SDR | songs | holds here |",
        "|---|---|---|---|---|",
        *lines,
    ]


def write_report(
    path: Path,
    *,
    stages: Stages,
    experiments: Sequence[Experiment],
    weights: Mapping[str, Path],
    scored: Mapping[str, Sequence[Row]],
    figures: Mapping[str, str],
) -> None:
    """Write ``report.md``: the data, settings, figure, table and claims.

    Parameters
    ----------
    path : Path
        File to write, beside the figure.
    stages : Stages
        Settings, data and hashes of the run.
    experiments : sequence of Experiment
        Models that were run.
    weights : mapping of str to Path
        Weight files of the models.
    scored : mapping of str to sequence of Row
        All scores, by protocol; the claims are judged by the first.
    figures : mapping of str to str
        Name of each protocol's figure.
    """
    rows = next(iter(scored.values()))
    leaky = leaky_models(rows)
    parts = [
        ["# The paper's experiments, run again", "", origin(stages)],
        ["## Results"],
        *(_result_lines(name, own, figures[name]) for name, own in scored.items()),
        [
            "`mixture` is the mixture as every source's estimate (no artefacts, so its SAR is "
            "rounding), `ideal ratio mask` knows the true sources, and `NMF` is supervised "
            "non-negative matrix factorisation, its dictionaries learnt from the training stems."
        ],
        ["## The paper's claims", "", *(claim_lines(rows) or ["None is about these models."]), ""],
        [
            "Differences are paired, song by song, with half of their 95 % confidence interval "
            "(Student's t). A claim that something is better or worse holds where the interval "
            "leaves no doubt of the sign; one of no gain, unless the interval lies above 0."
        ],
        _campaign_lines(scored.get("released", ()), weights),
        ["## What was run", "", *settings_lines(stages), ""],
        data_lines(stages),
        _model_lines(stages, experiments, weights, leaky),
        _note_lines(experiments, rows, leaky),
    ]
    text = "\n\n".join("\n".join(part).strip() for part in parts if part)
    write_text(path, printable(text, lines=True) + "\n")


def _result_lines(name: str, rows: Sequence[Row], figure: str) -> list[str]:
    """Figure and table of the scores by one protocol."""
    used = protocol(name)
    lines = [f"### Evaluated as `{name}`: {used.label}", ""]
    if name == "released":
        lines += [
            "This is the evaluation of the released code, from which the paper's Fig. 1 was made, "
            "as far as can be known: the paper itself names only the measures.",
            "",
        ]
    lines += [f"![SDR, SIR and SAR of each model on each test set]({figure})", ""]
    return [*lines, "```text", format_summary(summarise(rows, used.averaging)), "```"]


def _campaign_lines(rows: Sequence[Row], models: Collection[str]) -> list[str]:
    """The models beside the original network's own scores, if there are songs of DSD100."""
    beside = put_beside(row for row in rows if row.subset == HIP_HOP_TEST and row.model in models)
    if not beside.pairs:
        return []
    return ["## Beside the original network's own scores", "", *campaign_lines(beside)]


def origin(stages: Stages) -> str:
    if not stages.songs.generated:
        layout = layout_of(stages.songs.roots.get("DSD100", Path()))
        given = "HHDS and DSD100 are the songs given as such; they are listed below."
        if "DSD100" in stages.songs.roots and layout and layout.name == "MUSDB18":
            given += " A set in the layout of MUSDB18 stands in for DSD100."
        return given
    return (
        "**On generated songs, not on music.** Generated sets stand in for HHDS and DSD100. The "
        "figures say how this software behaves, not what the paper's models score on their data."
    )


def settings_lines(stages: Stages, seeds: Sequence[int] = ()) -> list[str]:
    chosen = stages.profile
    told = f"training seeds {', '.join(map(str, seeds))}" if seeds else f"seed {stages.seed}"
    patches = f"at most {chosen.patches:,}" if chosen.patches else "all"
    libraries = (os.environ.get("KERAS_BACKEND", "tensorflow"), *_LIBRARIES)
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in libraries)
    second = stages.songs.second
    tested = [f"- second test set `{second.name}`: {second.why}"] if second else []
    if second and second.missing:
        n_all = len(second.songs) + len(second.missing)
        tested[0] += f"; here without {', '.join(second.missing)} ({len(second.songs)} of {n_all})"
    return [
        f"- profile `{chosen.name}`: {chosen.epochs} epochs instead of the paper's 40 (others in "
        f"proportion), {patches} patches an epoch",
        f"- preset `{stages.preset}`, {told}",
        *tested,
        f"- hiphopss {__version__}, {versions}, Python {platform.python_version()}",
    ]


def data_lines(stages: Stages) -> list[str]:
    lines = ["| songs | number | their names | SHA-256 of all their files |", "|---|---|---|---|"]
    groups = {f"{name} Dev (training)": songs for name, songs in stages.songs.dev.items()}
    for name, songs in (groups | stages.songs.tests).items():
        if songs:
            names = ", ".join(printable(song.name) for song in songs)
            digest = stages.store.songs_hash(songs)[:16]
            lines.append(f"| {name} | {len(songs)} | {names} | `{digest}` |")
    every = [song for songs in (groups | stages.songs.tests).values() for song in songs]
    told = [f"- {known['set']}: licence: {known['licence']}" for known in data_of(every)]
    return [*lines, "", *told]


def _model_lines(
    stages: Stages,
    experiments: Sequence[Experiment],
    weights: Mapping[str, Path],
    leaky: Sequence[str],
) -> list[str]:
    lines = [
        "| model | trained on | starts from | epochs | learning rate | SHA-256 of the weights |",
        "|---|---|---|---|---|---|",
    ]
    for e in experiments:
        digest = read_info(weights[e.name]).sha256[:16]
        mark = " †" if e.name in leaky else ""
        if e.name in stages.stand_ins:
            name = stages.stand_ins[e.name].name
            info = read_info(weights[e.name])
            given = f"given: `{printable(name)}`, preset `{info.fidelity.name}`"
            lines.append(f"| {e.name}{mark} | {given} | | | | `{digest}` |")
            continue
        added = "" if e.augmentation == "none" else f", {e.augmentation}"
        epochs = stages.profile.epochs_of(e)
        lines.append(
            f"| {e.name}{mark} | {e.songs}{added} | {e.init or 'fresh weights'} | {epochs} "
            f"| {e.learning_rate:g} | `{digest}` |"
        )
    return lines


def _note_lines(
    experiments: Sequence[Experiment], rows: Sequence[Row], leaky: Sequence[str]
) -> list[str]:
    lines = [f"- {e.name}: {e.assumption}." for e in experiments if e.assumption]
    if leaky:
        lines.append(f"- † {', '.join(leaky)}: {LEAK_NOTE}, as the released code does.")
    n_uncertain = sum(map(is_uncertain, rows))
    if n_uncertain:
        lines.append(
            f"- {n_uncertain} of {len(rows)} scores are undefined or uncertain: `metrics.csv` says "
            "why."
        )
    return lines
