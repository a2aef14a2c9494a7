"""Estimates to scores."""

from __future__ import annotations

from hiphopss.cli.common import add_quiet, add_verb, count


def add_evaluate(verbs) -> None:
    verb = add_verb(verbs, "evaluate", "score stems against the true ones, song by song", _evaluate)
    verb.add_argument(
        "references", metavar="REFERENCES", help="root in the layout of DSD100, or SONG/STEM.wav"
    )
    verb.add_argument(
        "estimates", nargs="+", metavar="ESTIMATES", help="folders from `separate`, one a model"
    )
    verb.add_argument("-o", "--output", required=True, metavar="FILE.csv", help="table to write")
    _add_mode(verb)
    verb.add_argument("--subset", choices=("Dev", "Test"), help="only songs of this subset")
    verb.add_argument("--model", metavar="NAME", help="name of the model in the table")
    verb.add_argument(
        "--museval-json", metavar="DIR", help="write museval's JSON files too, one a song"
    )
    _add_scoring(verb)


def _add_scoring(verb) -> None:
    """Options that scoring has in both verbs."""
    verb.add_argument(
        "--engine",
        choices=("hiphopss", "mir_eval"),
        default="hiphopss",
        help="of BSS Eval: our own, or the slow reference (default: hiphopss)",
    )
    verb.add_argument(
        "--jobs", type=count, metavar="N", help="processes (default: as many as are worth it)"
    )
    verb.add_argument(
        "--dask",
        metavar="ADDRESS",
        help="score on the workers of a Dask cluster, which see the same files under the same "
        "paths: address of its scheduler, such as tcp://10.0.0.1:8786",
    )
    add_quiet(verb)


def _add_mode(verb) -> None:
    verb.add_argument(
        "--mode",
        choices=("sources", "images"),
        default="sources",
        help="variant of BSS Eval v3; images adds ISR and takes stereo (default: sources)",
    )
    verb.add_argument(
        "--window", type=float, metavar="S", help="seconds (released: 30; default: whole song)"
    )
    verb.add_argument(
        "--hop", type=float, metavar="S", help="seconds (default: half a window; released: 15)"
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


def _evaluate(options) -> None:
    from hiphopss.eval import evaluate, format_summary, is_uncertain, summarise

    rows = evaluate(
        options.references,
        options.estimates,
        options.output,
        mode=options.mode,
        window_s=options.window,
        hop_s=options.hop,
        model=options.model,
        subset=options.subset,
        engine=options.engine,
        bounds=options.bounds,
        nmf=options.nmf,
        museval_json=options.museval_json,
        n_jobs=options.jobs,
        dask=options.dask,
        progress=not options.quiet,
    )
    print(format_summary(summarise(rows)))
    noted = sum(map(is_uncertain, rows))
    if noted:
        print(f"\n{noted} of {len(rows)} scores are undefined or uncertain: see their notes")
    print(f"\n{options.output}")


def add_compare(verbs) -> None:
    verb = add_verb(
        verbs,
        "compare",
        "score models side by side, and their paired differences, song by song",
        _compare,
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
    verb.add_argument("--subset", help="only songs of this subset")
    _add_mode(verb)
    _add_scoring(verb)


def _compare(options) -> None:
    from hiphopss.eval import compare

    comparison = compare(
        options.estimates,
        options.output,
        references=options.references,
        ours=options.ours,
        baseline=options.baseline,
        subset=options.subset,
        mode=options.mode,
        window_s=options.window,
        hop_s=options.hop,
        engine=options.engine,
        bounds=options.bounds,
        nmf=options.nmf,
        n_jobs=options.jobs,
        dask=options.dask,
        progress=not options.quiet,
    )
    print(comparison.text())
    print(f"\n{options.output}")
