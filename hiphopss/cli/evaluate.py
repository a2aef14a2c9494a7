"""Estimates to scores."""

from __future__ import annotations

from hiphopss.cli.common import add_quiet, add_verb


def add_evaluate(verbs) -> None:
    verb = add_verb(verbs, "evaluate", "score stems against the true ones, song by song", _evaluate)
    verb.add_argument(
        "references", metavar="REFERENCES", help="root in the layout of DSD100, or SONG/STEM.wav"
    )
    verb.add_argument(
        "estimates", nargs="+", metavar="ESTIMATES", help="folders from `separate`, one a model"
    )
    verb.add_argument("-o", "--output", required=True, metavar="FILE.csv", help="table to write")
    verb.add_argument(
        "--mode",
        choices=("sources", "images"),
        default="sources",
        help="variant of BSS Eval v3; images adds ISR and takes stereo (default: sources)",
    )
    verb.add_argument(
        "--window", type=float, metavar="S", help="seconds (released: 30; default: whole song)"
    )
    verb.add_argument("--hop", type=float, metavar="S", help="seconds (released: 15)")
    verb.add_argument("--subset", choices=("Dev", "Test"), help="only songs of this subset")
    verb.add_argument("--model", metavar="NAME", help="name of the model in the table")
    verb.add_argument(
        "--bounds",
        action="store_true",
        help="add the mixture as estimate and ideal ratio masks: lower and upper bound",
    )
    verb.add_argument("--jobs", type=int, metavar="N", help="processes (default: one a processor)")
    add_quiet(verb)


def _evaluate(options) -> None:
    from hiphopss.eval import evaluate, format_summary, summarise

    rows = evaluate(
        options.references,
        options.estimates,
        options.output,
        mode=options.mode,
        window_s=options.window,
        hop_s=options.hop,
        model=options.model,
        subset=options.subset,
        bounds=options.bounds,
        n_jobs=options.jobs,
        progress=not options.quiet,
    )
    print(format_summary(summarise(rows)))
    noted = sum(bool(row.note) for row in rows)
    if noted:
        print(f"\n{noted} of {len(rows)} scores are undefined or uncertain: see their notes")
    print(f"\n{options.output}")
