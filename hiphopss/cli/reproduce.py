"""The verb `reproduce`, which runs all experiments of the paper."""

from __future__ import annotations

import os
from argparse import ArgumentParser, Namespace
from dataclasses import replace
from typing import TYPE_CHECKING

from hiphopss.cli.common import Verbs, add_executor, add_verb, executor
from hiphopss.cli.evaluate import summary_facts
from hiphopss.cli.terminal.results import Result
from hiphopss.config import PRESETS
from hiphopss.errors import HiphopssError
from hiphopss.util.text import printable

if TYPE_CHECKING:
    from hiphopss.reproduction.plan import Plan
    from hiphopss.reproduction.results import Outcome

_DSD100_VARIABLES = {"DSD_PATH": "dsd100", "MUSDB_PATH": "musdb18"}
"""Variables that name DSD100 or what stands in for it, the first one first."""


def add_reproduce(verbs: Verbs) -> None:
    verb = add_verb(
        verbs,
        "reproduce",
        "train and evaluate the eight models of the paper's Table 1 on both test sets, and report; "
        "run again to resume",
        _reproduce,
        examples=["hiphopss reproduce -o runs/quick", "hiphopss reproduce -o runs/paper --plan"],
    )
    verb.add_argument("-o", "--output", required=True, metavar="OUT", help="folder of the run")
    verb.add_argument(
        "--profile",
        metavar="NAME",
        default="quick",
        help="quick: generated songs, 8 epochs, minutes; paper: 40 epochs on HHDS and DSD100 "
        "(default: quick)",
    )
    verb.add_argument(
        "--preset", choices=tuple(PRESETS), help="(default: quick: corrected, paper: released)"
    )
    _add_songs(verb)
    _add_extent(verb)
    verb.add_argument(
        "--store",
        metavar="DIR",
        help="where stages put what they make; runs that name the same one share it (default: "
        "OUT/store)",
    )
    verb.add_argument(
        "--plan",
        action="store_true",
        help="only say what the run takes: patches, bytes, what is made already, and time on this "
        "machine, measured for some seconds",
    )
    add_executor(verb)


def _add_songs(verb: ArgumentParser) -> None:
    """Add the options that choose songs and models."""
    verb.add_argument(
        "--hhds",
        metavar="DIR",
        help="HHDS, or songs of yours in the layout of DSD100 (default: generated songs; with "
        "--profile paper $HHDS_PATH)",
    )
    verb.add_argument(
        "--dsd",
        metavar="DIR",
        help="DSD100, or MUSDB18 or MUSDB18-HQ in its stead (default: as above; with --profile "
        "paper $DSD_PATH, or else $MUSDB_PATH)",
    )
    verb.add_argument(
        "--generated", action="store_true", help="with --profile paper: generated songs, not HHDS"
    )
    verb.add_argument("--models", metavar="A,B", help="models of Table 1 (default: all)")
    verb.add_argument(
        "--weights",
        action="append",
        default=[],
        metavar="MODEL=FILE",
        help="weights that stand in for a model, such as DSD=model_dsd_fft_1024.pkl",
    )
    verb.add_argument(
        "--test-song",
        action="append",
        default=[],
        metavar="NAME",
        help="a song of the second test set (default: those of --test-set)",
    )
    verb.add_argument(
        "--test-set",
        metavar="NAME",
        help="the second test set: paper, DSD100's three hip-hop Test songs 001, 002 and 027 "
        "(default where DSD100 or MUSDB18 is), or hhds-archive, the songs 001, 002 and 052 that "
        "HHDS's archive holds (default where only HHDS is)",
    )


def _add_extent(verb: ArgumentParser) -> None:
    """Add the options that say how much is done, and how."""
    verb.add_argument("--seed", type=int, default=0, help="(default: 0)")
    verb.add_argument("--epochs", type=int, metavar="N", help="instead of the profile's 8 or 40")
    verb.add_argument("--patches-per-epoch", type=int, metavar="N", help="maximum")
    verb.add_argument("--seconds", type=float, metavar="S", help="length of generated songs")
    verb.add_argument(
        "--released-test-leak",
        action="store_true",
        help="HH_CS and HH_COMBI train on test songs too, which the released code does by mistake "
        "(its quirk Q3); all that comes from it says so (only with --preset released)",
    )
    verb.add_argument(
        "--ablate",
        nargs="?",
        const="",
        metavar="Q1,Q2",
        help="instead of all that: what each quirk of the released code does, in dB; train the "
        "models it concerns with one switch of the preset turned at a time; quirks have numbers, "
        "which docs/released-code.md explains (default: all quirks)",
    )
    verb.add_argument(
        "--seeds",
        type=int,
        metavar="N",
        help="with --ablate: train each model N times, with the seeds --seed, --seed + 1, ... "
        "(default: 3)",
    )


def _reproduce(options: Namespace) -> Result:
    from hiphopss.reproduction.ablation import AblationSettings, ablate
    from hiphopss.reproduction.experiments import profile
    from hiphopss.reproduction.plan import plan
    from hiphopss.reproduction.reproduce import ReproductionSettings, reproduce

    chosen = profile(options.profile)
    chosen = replace(
        chosen,
        epochs=chosen.epochs if options.epochs is None else options.epochs,
        patches=chosen.patches if options.patches_per_epoch is None else options.patches_per_epoch,
    )
    if options.seconds is not None:
        chosen = replace(chosen, seconds=dict.fromkeys(chosen.seconds, options.seconds))
    hhds, dsd100 = _data_sets(options)
    given = {
        "profile": chosen,
        "preset": options.preset or "",
        "hhds": hhds,
        "dsd100": dsd100,
        "models": _names(options.models),
        "weights": dict(map(_stand_in, options.weights)),
        "test_songs": tuple(options.test_song),
        "test_set": options.test_set,
        "seed": options.seed,
        "released_test_leak": options.released_test_leak,
    }
    how = {
        "store": options.store,
        "where": executor(options),
        "progress": not options.quiet,
    }
    if options.plan:
        if options.ablate is not None:
            raise HiphopssError("--plan: is of the paper's models alone: leave out --ablate")
        planned = plan(options.output, ReproductionSettings(**given), **how)
        return Result({"plan": _plan_facts(planned)}, [planned.text()])
    if options.ablate is None:
        if options.seeds is not None:
            raise HiphopssError("--seeds: only with --ablate; give --seed to run with another seed")
        outcome = reproduce(options.output, ReproductionSettings(**given), **how)
    else:
        given["quirks"] = tuple(filter(None, map(str.strip, options.ablate.split(","))))
        if options.seeds is not None:
            given["n_seeds"] = options.seeds
        outcome = ablate(options.output, AblationSettings(**given), **how)
    return Result(_facts(outcome), [outcome.summary, "", *map(printable, outcome.files.values())])


def _facts(outcome: Outcome) -> dict:
    """The fields of the JSON object: those of a run, or those of an ablation."""
    if not outcome.effects:
        return {"files": outcome.files, "summaries": summary_facts(outcome.summaries)}
    names = (
        *("quirk", "model", "subset", "source", "mean", "ci95_songs", "ci95_seeds"),
        *("by_song", "by_seed", "stands_out"),
    )
    return {
        "files": outcome.files,
        "effects": [{name: getattr(effect, name) for name in names} for effect in outcome.effects],
        "own_scores": outcome.own_scores,
    }


def _plan_facts(planned: Plan) -> dict:
    return {
        "profile": planned.settings.profile.name,
        "preset": planned.settings.preset,
        "seed": planned.settings.seed,
        "backend": planned.backend,
        "lines": planned.lines,
        "seconds": planned.seconds,
        "n_bytes": planned.n_bytes,
        "n_free": planned.n_free,
        "store": planned.store,
    }


def _names(listed: str | None) -> tuple[str, ...]:
    """Names separated by commas; none for all."""
    if listed is None:
        return ()
    names = tuple(name.strip() for name in listed.split(",") if name.strip())
    if not names:
        raise HiphopssError("--models: names no model: give some, or leave it out to run all eight")
    return names


def _data_sets(options: Namespace) -> tuple[str | None, str | None]:
    """Roots of HHDS and DSD100; None for generated songs."""
    from hiphopss.datasets.roots import dataset_root

    named = options.hhds or options.dsd
    if options.generated and named:
        raise HiphopssError("--generated: goes without --hhds and --dsd: leave one out")
    if options.generated or (options.profile == "quick" and not named):
        return None, None
    hhds, dsd100 = str(dataset_root("hhds", options.hhds)), None
    named_by = next((name for name in _DSD100_VARIABLES if os.environ.get(name)), None)
    if options.dsd or (options.profile == "paper" and named_by):
        known = _DSD100_VARIABLES.get(named_by or "", "dsd100")
        dsd100 = str(dataset_root(known, options.dsd))
    return hhds, dsd100


def _stand_in(text: str) -> tuple[str, str]:
    name, equals, path = text.partition("=")
    if not equals or not path:
        raise HiphopssError(f"--weights {text}: write MODEL=FILE, such as DSD=model.pkl")
    return name, path
