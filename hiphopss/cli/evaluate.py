"""The verbs `evaluate` and `compare`, which score estimates."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Iterable
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from hiphopss.cli.common import (
    Verbs,
    add_executor,
    add_length_tolerance,
    add_verb,
    executor,
)
from hiphopss.cli.terminal.results import Result
from hiphopss.errors import HiphopssError
from hiphopss.util.text import printable

if TYPE_CHECKING:
    from hiphopss.eval.aggregate import Summary
    from hiphopss.eval.comparison import Comparison
    from hiphopss.eval.protocols import Scoring


def add_evaluate(verbs: Verbs) -> None:
    verb = add_verb(
        verbs,
        "evaluate",
        "score stems against the true ones, song by song",
        _evaluate,
        examples=["hiphopss evaluate DSD100 stems -o scores.csv --subset Test"],
    )
    verb.add_argument(
        "references",
        metavar="REFERENCES",
        help="a data set (DSD100, MUSDB18, ...), or SONG/STEM.wav",
    )
    verb.add_argument(
        "estimates", nargs="+", metavar="ESTIMATES", help="folders from `separate`, one per model"
    )
    verb.add_argument("-o", "--output", required=True, metavar="FILE.csv", help="table to write")
    _add_mode(verb)
    verb.add_argument(
        "--subset", type=_subset, choices=("Dev", "Test"), help="only songs of this subset"
    )
    verb.add_argument("--model", metavar="NAME", help="name of the model in the table")
    verb.add_argument(
        "--museval-json",
        metavar="DIR",
        help="write museval's JSON files too, one per song (its numbers with --protocol sisec18)",
    )
    _add_scoring(verb)


def _add_scoring(verb: ArgumentParser) -> None:
    """Add the scoring options that both verbs have."""
    verb.add_argument(
        "--engine",
        choices=("hiphopss", "mir_eval"),
        default="hiphopss",
        help="engine of BSS Eval: our own, or the slow reference (default: hiphopss)",
    )
    add_length_tolerance(verb)
    add_executor(verb)


def _scoring(options: Namespace) -> dict[str, Any]:
    """The arguments of both functions that these options determine."""
    from hiphopss.eval.evaluation import Baselines
    from hiphopss.eval.protocols import Scoring

    return {
        "how": Scoring(
            options.mode,
            options.window,
            options.hop,
            options.engine,
            options.length_tolerance,
            options.protocol,
        ),
        "where": executor(options),
        "baselines": Baselines(options.bounds, options.nmf),
        "progress": not options.quiet,
    }


def _heading(how: Scoring) -> str:
    """How was scored, as the heading of what is printed."""
    protocol = how.resolved()
    return f"{protocol.name}: {protocol.label}\n"


def _protocol_facts(how: Scoring) -> dict[str, str]:
    """The same for JSON."""
    protocol = how.resolved()
    return {
        "name": protocol.name,
        "meaning": protocol.label,
        "over_windows": protocol.averaging.windows,
        "over_songs": protocol.averaging.songs,
    }


def summary_facts(summaries: Iterable[Summary]) -> list[dict]:
    """Summaries as they are in JSON objects."""
    return [
        {
            "model": summary.model,
            "subset": summary.subset,
            "source": summary.source,
            "n_songs": summary.n_songs,
            "scores": summary.mean,
            "ci95": summary.ci95,
        }
        for summary in summaries
    ]


def _add_mode(verb: ArgumentParser) -> None:
    verb.add_argument(
        "--protocol",
        choices=("sources", "released", "sisec18", "mdx"),
        default="sources",
        help="sources: BSS Eval v3 of mono sources, whole songs (default); released: images in "
        "windows of 30 s every 15 s, and the accompaniment, as the released evaluation and SiSEC "
        "2016; sisec18: BSS Eval v4 as museval, medians; mdx: uSDR of the Music Demixing Challenge",
    )
    verb.add_argument(
        "--mode",
        choices=("sources", "images"),
        help="variant of BSS Eval v3, in place of the protocol sources'; images adds ISR and takes "
        "stereo",
    )
    verb.add_argument("--window", type=float, metavar="S", help="seconds, in place of whole songs")
    verb.add_argument(
        "--hop", type=float, metavar="S", help="seconds between windows (default: half a window)"
    )
    verb.add_argument(
        "--bounds",
        action="store_true",
        help="add the mixture as estimate and ideal ratio masks: lower and upper bound; and NMF, "
        "if the references have Dev songs that aren't scored",
    )
    verb.add_argument(
        "--nmf",
        metavar="DATASET",
        help="add NMF, its dictionaries learnt from the Dev songs of this data set",
    )


def _subset(text: str) -> str:
    """The name of a subset as MUSDB18 or DSD100 has it, in DSD100's spelling."""
    return {"train": "Dev", "dev": "Dev", "test": "Test"}.get(text.lower(), text)


def _evaluate(options: Namespace) -> Result:
    from hiphopss.eval.aggregate import format_summary, summarise
    from hiphopss.eval.evaluation import evaluate
    from hiphopss.eval.table import is_uncertain

    estimates = options.estimates
    if options.model is not None:
        if len(estimates) > 1:
            raise HiphopssError(
                f"the name {options.model!r} is for several folders: give one folder, or none"
            )
        estimates = {options.model: estimates[0]}
    scoring = _scoring(options)
    rows = evaluate(
        options.references,
        estimates,
        options.output,
        subset=options.subset,
        museval_json=options.museval_json,
        **scoring,
    )
    summaries = summarise(rows, scoring["how"].resolved().averaging)
    lines = [_heading(scoring["how"]), format_summary(summaries)]
    noted = sum(map(is_uncertain, rows))
    if noted:
        lines.append(f"\n{noted} of {len(rows)} scores are undefined or uncertain: see their notes")
    facts = {
        "path": options.output,
        "protocol": _protocol_facts(scoring["how"]),
        "n_scores": len(rows),
        "n_uncertain": noted,
        "summaries": summary_facts(summaries),
    }
    return Result(facts, [*lines, f"\n{printable(options.output)}"])


def add_compare(verbs: Verbs) -> None:
    verb = add_verb(
        verbs,
        "compare",
        "score models side by side, and their paired differences, song by song",
        _compare,
        examples=["hiphopss compare stems other-stems -o scores.csv --references DSD100"],
    )
    verb.add_argument(
        "estimates",
        nargs="+",
        metavar="ESTIMATES",
        help="a folder laid out as the paper's demo page (songs/MODEL/STEM.mp3 and "
        "songs/ground_truth/STEM.mp3), or, with --references, folders from `separate`",
    )
    verb.add_argument("-o", "--output", required=True, metavar="FILE.csv", help="table to write")
    verb.add_argument("--references", metavar="DIR", help="true stems, as for `evaluate`")
    verb.add_argument(
        "--ours",
        action="append",
        default=[],
        metavar="DIR",
        help="one more folder from `separate`, to compare with the page's models",
    )
    verb.add_argument("--baseline", metavar="MODEL", help="compare with this (default: the first)")
    verb.add_argument("--subset", type=_subset, help="only songs of this subset")
    verb.add_argument(
        "--with",
        dest="campaign",
        choices=("sisec2016",),
        help="evaluate as released, and put the original network's own scores of the same songs "
        "of DSD100 beside them, the ideal binary mask, and the place among the campaign's systems",
    )
    verb.add_argument(
        "--average",
        choices=("mean", "median"),
        help="with --with: what a song's score is over its windows (default: mean)",
    )
    _add_mode(verb)
    _add_scoring(verb)


def _compare(options: Namespace) -> Result:
    if options.campaign is not None:
        return _compare_with_campaign(options)
    if options.average is not None:
        raise HiphopssError("--average: is of the scores of a campaign: give --with sisec2016, too")
    from hiphopss.eval.comparison import compare

    scoring = _scoring(options)
    comparison = compare(
        options.estimates,
        options.output,
        references=options.references,
        ours=options.ours,
        against=options.baseline,
        subset=options.subset,
        **scoring,
    )
    facts = {"path": options.output, "protocol": _protocol_facts(scoring["how"])}
    return Result(
        {**facts, **_comparison_facts(comparison)},
        [_heading(scoring["how"]), comparison.text(), f"\n{printable(options.output)}"],
    )


def _comparison_facts(comparison: Comparison) -> dict:
    return {
        "against": comparison.against,
        "summaries": summary_facts(comparison.summaries),
        "differences": [
            {"model": model, "subset": subset, **asdict(difference)}
            for (model, subset), differences in comparison.differences.items()
            for difference in differences
        ],
    }


def _compare_with_campaign(options: Namespace) -> Result:
    asked = f"--with {options.campaign}"
    if options.references is None:
        raise HiphopssError(
            f"{asked}: no true stems: give --references, the folder of DSD100 or of MUSDB18"
        )
    for name in ("mode", "window", "hop"):
        if getattr(options, name) != options.parser.get_default(name):
            raise HiphopssError(
                f"--{name}: {asked} evaluates as the campaign did (images, windows of 30 s every "
                f"15 s): leave out --{name}"
            )
    if options.protocol not in (options.parser.get_default("protocol"), "released"):
        raise HiphopssError(
            f"--protocol {options.protocol}: {asked} evaluates by the protocol released: leave it "
            "out"
        )
    from hiphopss.eval.campaign.compare import CampaignSettings, compare_with_campaign

    found = compare_with_campaign(
        [*options.estimates, *options.ours],
        options.references,
        options.output,
        beside=CampaignSettings(options.campaign, options.average or "mean"),
        against=options.baseline,
        subset=options.subset,
        **_scoring(options),
    )
    facts = {
        "files": found.files,
        "campaign": options.campaign,
        "average": found.beside.average,
        **_comparison_facts(found.comparison),
        "pairs": found.beside.pairs,
        "standings": found.beside.standings,
    }
    return Result(facts, [found.text(), "", *map(printable, found.files)])
