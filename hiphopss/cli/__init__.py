"""The command line: parse, call one library function, print."""

from __future__ import annotations

import argparse
import signal
import sys
import warnings
from contextlib import suppress

from hiphopss import __version__
from hiphopss.config import PRESETS
from hiphopss.errors import HiphopssError

_WEIGHTS_HELP = "weight file: NAME.weights.h5 from `train`, or a published .pkl"


def main(arguments: list[str] | None = None) -> int:
    """Run one command; the exit status is 2 for an error that the user can mend."""
    parser = build_parser()
    options = parser.parse_args(arguments)
    warnings.showwarning = _show_warning
    # An ordinary exit lets half-written files be removed.
    with suppress(ValueError):  # not in the main thread
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        options.run(options)
    except HiphopssError as error:
        print(f"hiphopss: error: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        print(
            f"hiphopss: error: {where}{error.strerror or error}: mend that and run it again",
            file=sys.stderr,
        )
        return 2
    except KeyboardInterrupt:
        print("hiphopss: interrupted: run it again to go on", file=sys.stderr)
        return 130
    return 0


def _show_warning(message, category, filename, lineno, file=None, line=None):
    if issubclass(category, UserWarning):
        print(f"hiphopss: warning: {message}", file=sys.stderr)


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one line, without the usage."""

    def error(self, message):
        print(f"hiphopss: error: {message}: see `{self.prog} --help`", file=sys.stderr)
        raise SystemExit(2)


def build_parser() -> argparse.ArgumentParser:
    """The parser; each verb sets ``run``, the function that does it."""
    parser = _Parser(
        prog="hiphopss",
        description="Music source separation for hip hop: vocals, bass, drums and other. "
        "A Keras reference reimplementation of Martel & Miron (2017).",
    )
    parser.add_argument("--version", action="version", version=f"hiphopss {__version__}")
    verbs = parser.add_subparsers(metavar="VERB", required=True)
    for add in (
        _add_separate,
        _add_generate,
        _add_features,
        _add_train,
        _add_evaluate,
        _add_reproduce,
        _add_weights,
    ):
        add(verbs)
    return parser


def _add_verb(verbs, name: str, summary: str, run) -> argparse.ArgumentParser:
    verb = verbs.add_parser(name, help=summary, description=summary[0].upper() + summary[1:] + ".")
    verb.set_defaults(run=run)
    return verb


def _add_quiet(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("-q", "--quiet", action="store_true", help="show no progress bars")


def _add_separate(verbs) -> None:
    verb = _add_verb(verbs, "separate", "split songs into their four stems", _separate)
    verb.add_argument("inputs", nargs="+", metavar="INPUT", help="audio files or folders of them")
    verb.add_argument("-o", "--output", required=True, metavar="OUT", help="folder for the stems")
    verb.add_argument("--weights", required=True, metavar="FILE", help=_WEIGHTS_HELP)
    verb.add_argument(
        "--mono", action="store_true", help="average the channels first, as the released code does"
    )
    verb.add_argument(
        "--subtype",
        choices=("PCM_16", "PCM_24", "FLOAT"),
        help="sample type of the stems (default: the input's, else PCM_16)",
    )
    verb.add_argument(
        "--standalone-script",
        action="store_true",
        help="separate as the released stand-alone script does: Hann window (Q6), no tail",
    )
    verb.add_argument("--model", metavar="NAME", help="name of the model in tables of scores")
    _add_quiet(verb)


def _separate(options) -> None:
    from hiphopss.tracks import separate_files

    folders = separate_files(
        options.inputs,
        options.output,
        weights=options.weights,
        mono=options.mono,
        subtype=options.subtype,
        standalone_script=options.standalone_script,
        model_name=options.model,
        progress=not options.quiet,
    )
    for folder in folders:
        print(folder)


def _add_generate(verbs) -> None:
    verb = _add_verb(
        verbs, "generate", "make the generated data set, in the layout of DSD100", _generate
    )
    verb.add_argument("output", metavar="OUT", help="folder to make")
    verb.add_argument("--seconds", type=float, default=30.0, help="of each song (default: 30)")
    verb.add_argument(
        "--dev", type=int, default=13, metavar="N", help="songs to train on (default: 13)"
    )
    verb.add_argument(
        "--test", type=int, default=5, metavar="N", help="songs to test on (default: 5)"
    )
    verb.add_argument("--seed", type=int, default=0, help="another seed, other songs (default: 0)")
    _add_quiet(verb)


def _generate(options) -> None:
    from hiphopss.datasets.generated import generate

    path = generate(
        options.output,
        seconds=options.seconds,
        n_dev=options.dev,
        n_test=options.test,
        seed=options.seed,
        progress=not options.quiet,
    )
    print(path)


def _add_features(verbs) -> None:
    verb = _add_verb(verbs, "features", "compute the HDF5 feature file of a data set", _features)
    verb.add_argument("dataset", metavar="DATASET", help="root in the layout of DSD100")
    verb.add_argument("-o", "--output", required=True, metavar="FILE", help="HDF5 file to write")
    verb.add_argument("--subset", choices=("Dev", "Test"), default="Dev", help="(default: Dev)")
    verb.add_argument(
        "--preset",
        choices=tuple(PRESETS),
        default="released",
        help="bug for bug as the released code, or corrected; training follows it "
        "(default: released)",
    )
    _add_quiet(verb)


def _features(options) -> None:
    from hiphopss.datasets.features import make_features

    path = make_features(
        options.dataset,
        options.output,
        subset=options.subset,
        preset=options.preset,
        progress=not options.quiet,
    )
    print(path)


def _add_train(verbs) -> None:
    verb = _add_verb(
        verbs, "train", "train a network on a feature file; run again to resume", _train
    )
    verb.add_argument("features", metavar="FEATURES", help="HDF5 file from `features`")
    verb.add_argument(
        "-o", "--output", required=True, metavar="NAME.weights.h5", help="weight file to write"
    )
    verb.add_argument("--epochs", type=int, default=40, help="in all (default: 40)")
    verb.add_argument("--init", metavar="FILE", help=f"start from a {_WEIGHTS_HELP}")
    verb.add_argument("--seed", type=int, default=0, help="(default: 0)")
    verb.add_argument("--batch-size", type=int, default=32, metavar="N", help="(default: 32)")
    verb.add_argument(
        "--learning-rate", type=float, default=1.0, metavar="R", help="of Adadelta (default: 1)"
    )
    verb.add_argument(
        "--restart", action="store_true", help="begin anew even if there is a checkpoint"
    )
    _add_quiet(verb)


def _train(options) -> None:
    from hiphopss.training import train

    path = train(
        options.features,
        options.output,
        epochs=options.epochs,
        init=options.init,
        seed=options.seed,
        batch_size=options.batch_size,
        learning_rate=options.learning_rate,
        restart=options.restart,
        progress=not options.quiet,
    )
    print(path)


def _add_evaluate(verbs) -> None:
    verb = _add_verb(
        verbs, "evaluate", "score stems against the true ones, song by song", _evaluate
    )
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
    _add_quiet(verb)


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


def _add_reproduce(verbs) -> None:
    verb = _add_verb(
        verbs,
        "reproduce",
        "train and evaluate the model HH in one go; run again to resume",
        _reproduce,
    )
    verb.add_argument("-o", "--output", required=True, metavar="OUT", help="folder of the run")
    verb.add_argument(
        "--dataset", metavar="DATASET", help="root in the layout of DSD100 (default: generate one)"
    )
    verb.add_argument(
        "--seconds", type=float, default=20.0, help="of each generated song (default: 20)"
    )
    verb.add_argument(
        "--preset", choices=tuple(PRESETS), default="released", help="(default: released)"
    )
    verb.add_argument("--epochs", type=int, default=40, help="of training (default: 40)")
    verb.add_argument("--seed", type=int, default=0, help="(default: 0)")
    _add_quiet(verb)


def _reproduce(options) -> None:
    from hiphopss.reproduce import Settings, reproduce

    settings = Settings(
        dataset=options.dataset,
        seconds=options.seconds,
        preset=options.preset,
        epochs=options.epochs,
        seed=options.seed,
    )
    table, summary = reproduce(options.output, settings, progress=not options.quiet)
    print(f"{summary}\n\n{table}")


def _add_weights(verbs) -> None:
    weights = verbs.add_parser(
        "weights",
        help="look into weight files, and convert them",
        description="Look into weight files, and convert them.",
    )
    actions = weights.add_subparsers(metavar="ACTION", required=True)
    info = _add_verb(actions, "info", "say what a weight file holds", _weights_info)
    info.add_argument("file", metavar="FILE", help=_WEIGHTS_HELP)
    convert = _add_verb(
        actions, "convert", "convert a published .pkl to NAME.weights.h5, or back", _weights_convert
    )
    convert.add_argument("file", metavar="FILE", help=_WEIGHTS_HELP)
    convert.add_argument("output", metavar="OUT", nargs="?", help="default: beside FILE")


def _weights_info(options) -> None:
    from hiphopss.weights import describe

    print(describe(options.file))


def _weights_convert(options) -> None:
    from hiphopss.weights import convert

    print(convert(options.file, options.output))
