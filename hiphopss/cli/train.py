"""The verbs `train` and `weights`, for training and for weight files."""

from __future__ import annotations

import atexit
import os
from argparse import Namespace
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from hiphopss.cli.common import WEIGHTS_HELP, Verbs, add_verb
from hiphopss.cli.terminal.results import Result, made
from hiphopss.cli.terminal.streams import finished
from hiphopss.errors import HiphopssError
from hiphopss.util.text import printable

if TYPE_CHECKING:
    from hiphopss.training.processes import Cluster


def add_train(verbs: Verbs) -> None:
    verb = add_verb(
        verbs,
        "train",
        "train a network on a feature file; run again to resume",
        _train,
        examples=["hiphopss train hhds.h5 -o hh.weights.h5 --epochs 40"],
    )
    verb.add_argument("features", metavar="FEATURES", help="HDF5 file from `features`")
    verb.add_argument(
        "-o", "--output", required=True, metavar="NAME.weights.h5", help="weight file to write"
    )
    verb.add_argument("--epochs", type=int, default=40, help="total number (default: 40)")
    verb.add_argument(
        "--init", metavar="FILE", help=f"start from a {WEIGHTS_HELP}, or a name from `weights list`"
    )
    verb.add_argument("--seed", type=int, default=0, help="(default: 0)")
    verb.add_argument("--batch-size", type=int, default=32, metavar="N", help="(default: 32)")
    verb.add_argument(
        "--learning-rate", type=float, default=1.0, metavar="R", help="Adadelta's (default: 1)"
    )
    verb.add_argument(
        "--patches-per-epoch",
        type=int,
        metavar="N",
        help="train each epoch on a random choice of N patches (default: all)",
    )
    verb.add_argument(
        "--tensorboard",
        metavar="DIR",
        help="also write losses, learning rate and speed for TensorBoard, into a folder in DIR",
    )
    verb.add_argument(
        "--restart", action="store_true", help="start again even if there is a checkpoint"
    )
    validated = verb.add_argument_group("validation (by default none, as in the paper)")
    validated.add_argument(
        "--validation",
        type=_validation,
        metavar="FILE|SHARE",
        help="compute the loss after each epoch on other songs: those of another feature file, or "
        "a share of this one's (0.1: a tenth of its songs do not train)",
    )
    validated.add_argument(
        "--patience", type=int, metavar="N", help="stop after N epochs without a lower loss"
    )
    validated.add_argument(
        "--keep",
        choices=("best", "last"),
        help="epoch whose weights are written (default: best with --validation, else last)",
    )
    several = verb.add_argument_group(
        "several devices (with KERAS_BACKEND=jax; docs/several-machines.md)"
    )
    several.add_argument(
        "--all-devices", action="store_true", help="share each batch among this machine's devices"
    )
    several.add_argument(
        "--coordinator",
        metavar="HOST:PORT",
        help="share each batch with other processes: where process 0 runs, and a free port there",
    )
    several.add_argument("--n-processes", type=int, metavar="N", help="number of processes")
    several.add_argument(
        "--process", type=int, metavar="K", help="number of this one, from 0; 0 writes all files"
    )


def _train(options: Namespace) -> Result | None:
    from hiphopss.util.hdf5.process import start_for

    start_for(options.features)
    from hiphopss.training.loop import train
    from hiphopss.training.settings import TrainingSettings
    from hiphopss.weights.registry import resolve_weights

    cluster, init = _cluster(options), options.init
    settings = TrainingSettings(
        epochs=options.epochs,
        seed=options.seed,
        batch_size=options.batch_size,
        learning_rate=options.learning_rate,
        patches_per_epoch=options.patches_per_epoch,
        validation=options.validation,
        patience=options.patience,
        keep=options.keep,
    )
    if init and not options.process:  # process 0 reads the file for all
        init = resolve_weights(init)
    with _leaving_at_once_after_errors(cluster):
        path = train(
            options.features,
            options.output,
            settings,
            init=init,
            restart=options.restart,
            cluster=cluster,
            tensorboard=options.tensorboard,
            progress=not options.quiet,
        )
    return None if options.process else made(path)


def _validation(text: str) -> float | str:
    """A share if the text is a number, otherwise the path of a file."""
    try:
        return float(text)
    except ValueError:
        return text


def _cluster(options: Namespace) -> Cluster | None:
    from hiphopss.training.processes import Cluster

    several = (options.coordinator, options.n_processes, options.process)
    if all(option is None for option in several):
        return Cluster() if options.all_devices else None
    if None in several:
        raise HiphopssError("--coordinator, --n-processes, --process: give all three, or none")
    return Cluster(*several)


@contextmanager
def _leaving_at_once_after_errors(cluster: Cluster | None) -> Iterator[None]:
    """After an error, exit at once: JAX would wait minutes for other processes and then abort."""
    try:
        yield
    except BaseException as error:
        if cluster is not None and cluster.n_processes > 1:
            status = 130 if isinstance(error, KeyboardInterrupt) else 2
            atexit.register(_leave, status)  # runs before JAX's own exit handler
        raise


def _leave(status: int) -> None:
    os._exit(finished(status))


def add_weights(verbs: Verbs) -> None:
    weights = verbs.add_parser(
        "weights",
        help="look into weight files, convert and export them",
        description="Look into weight files, convert them, and export them for other programs.",
        examples=["hiphopss weights list", "hiphopss weights info --help"],
    )
    actions = weights.add_subparsers(metavar="ACTION", required=True)
    info = add_verb(
        actions,
        "info",
        "describe a weight file",
        _weights_info,
        examples=["hiphopss weights info hh.weights.h5", "hiphopss weights info default"],
    )
    info.add_argument("file", metavar="FILE", help=f"{WEIGHTS_HELP}, or a name from `weights list`")
    add_verb(
        actions,
        "list",
        "list the weight files that are shipped or known",
        _weights_list,
        examples=["hiphopss weights list"],
    )
    convert = add_verb(
        actions,
        "convert",
        "convert a published .pkl to NAME.weights.h5, or back",
        _weights_convert,
        examples=["hiphopss weights convert model_hh_fft_1024.pkl hh.weights.h5"],
    )
    convert.add_argument("file", metavar="FILE", help=WEIGHTS_HELP)
    convert.add_argument("output", metavar="OUT", nargs="?", help="default: beside FILE")
    export = add_verb(
        actions,
        "export",
        "write the network for programs without hiphopss",
        _weights_export,
        examples=["hiphopss weights export default -o net.onnx"],
    )
    export.add_argument(
        "file", metavar="WEIGHTS", help=f"{WEIGHTS_HELP}, or a name from `weights list`"
    )
    export.add_argument(
        *("-o", "--output"),
        required=True,
        metavar="FILE",
        help="NAME.keras, NAME.onnx, NAME.tflite or NAME.bin",
    )
    export.add_argument(
        "--format",
        choices=("keras", "onnx", "litert", "web"),
        help="what to write, for Keras, ONNX, LiteRT or a web page (default: as the ending of FILE "
        "says)",
    )


def _weights_info(options: Namespace) -> Result:
    from hiphopss.util.hdf5.process import start_for

    start_for(options.file)
    from hiphopss.weights.description import in_words, weights_facts

    facts = weights_facts(options.file)
    return Result(facts, [in_words(facts)])


def _weights_list(options: Namespace) -> Result:
    from hiphopss.weights.registry import list_weights, registry

    return Result({"weights": registry()}, [list_weights()])


def _weights_convert(options: Namespace) -> Result:
    from hiphopss.util.hdf5.process import start_for

    start_for(options.file)
    from hiphopss.weights.converting import convert_weights

    return made(convert_weights(options.file, options.output))


def _weights_export(options: Namespace) -> Result:
    from hiphopss.util.hdf5.process import start_for

    start_for(options.file)
    from hiphopss.weights.exporting.export import export_weights

    done = export_weights(options.file, options.output, format=options.format)
    paths = [path for path in (done.path, done.facts) if path is not None]
    told = f"computes the same as hiphopss: at most {done.difference_db:.1f} dB apart"
    facts = {"path": done.path, "facts": done.facts, "difference_db": done.difference_db}
    return Result(facts, [*map(printable, paths), told])
