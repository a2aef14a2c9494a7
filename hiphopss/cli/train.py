"""Features to weights, and weight files."""

from __future__ import annotations

from hiphopss.cli.common import WEIGHTS_HELP, add_quiet, add_verb


def add_train(verbs) -> None:
    verb = add_verb(
        verbs, "train", "train a network on a feature file; run again to resume", _train
    )
    verb.add_argument("features", metavar="FEATURES", help="HDF5 file from `features`")
    verb.add_argument(
        "-o", "--output", required=True, metavar="NAME.weights.h5", help="weight file to write"
    )
    verb.add_argument("--epochs", type=int, default=40, help="in all (default: 40)")
    verb.add_argument("--init", metavar="FILE", help=f"start from a {WEIGHTS_HELP}")
    verb.add_argument("--seed", type=int, default=0, help="(default: 0)")
    verb.add_argument("--batch-size", type=int, default=32, metavar="N", help="(default: 32)")
    verb.add_argument(
        "--learning-rate", type=float, default=1.0, metavar="R", help="of Adadelta (default: 1)"
    )
    verb.add_argument(
        "--patches-per-epoch",
        type=int,
        metavar="N",
        help="train each epoch on a random choice of N patches (default: all)",
    )
    verb.add_argument(
        "--restart", action="store_true", help="begin anew even if there is a checkpoint"
    )
    add_quiet(verb)


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
        patches_per_epoch=options.patches_per_epoch,
        restart=options.restart,
        progress=not options.quiet,
    )
    print(path)


def add_weights(verbs) -> None:
    weights = verbs.add_parser(
        "weights",
        help="look into weight files, and convert them",
        description="Look into weight files, and convert them.",
    )
    actions = weights.add_subparsers(metavar="ACTION", required=True)
    info = add_verb(actions, "info", "say what a weight file holds", _weights_info)
    info.add_argument("file", metavar="FILE", help=WEIGHTS_HELP)
    add_verb(actions, "list", "list the weight files that are shipped or known", _weights_list)
    convert = add_verb(
        actions, "convert", "convert a published .pkl to NAME.weights.h5, or back", _weights_convert
    )
    convert.add_argument("file", metavar="FILE", help=WEIGHTS_HELP)
    convert.add_argument("output", metavar="OUT", nargs="?", help="default: beside FILE")


def _weights_info(options) -> None:
    from hiphopss.registry import resolve_weights
    from hiphopss.weights import describe

    print(describe(resolve_weights(options.file)))


def _weights_list(options) -> None:
    from hiphopss.registry import describe_registry

    print(describe_registry())


def _weights_convert(options) -> None:
    from hiphopss.weights import convert

    print(convert(options.file, options.output))
