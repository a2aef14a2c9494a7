"""Options and types that several verbs share."""

from __future__ import annotations

import argparse
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from hiphopss.cli.terminal.parser import Parser
from hiphopss.cli.terminal.results import Result
from hiphopss.config import LENGTH_TOLERANCE_S, LOOPS, PRESETS
from hiphopss.errors import AudioError, HiphopssError

if TYPE_CHECKING:
    from hiphopss.util.executor import Executor

logger = logging.getLogger(__name__)

Verbs = argparse._SubParsersAction
"""Type of the object to which verbs are added; argparse has no public name for it."""

WEIGHTS_HELP = "weight file: NAME.weights.h5 from `train`, or a published .pkl"


def add_verb(
    verbs: Verbs,
    name: str,
    summary: str,
    run: Callable[[argparse.Namespace], Result | None],
    *,
    examples: Sequence[str],
    statuses: Mapping[int, str] | None = None,
    json: bool = True,
) -> Parser:
    """Add a verb that is run by the function ``run``.

    Parameters
    ----------
    verbs : Verbs
        Object to which the verb is added.
    name, summary : str
        Name of the verb, and what it does.
    run : callable
        Function of the options that gives the result to print. None if it has printed it already,
        with :func:`hiphopss.cli.terminal.results.show`.
    examples : sequence of str
        Commands for the end of the help.
    statuses : mapping of int to str, optional
        Exit statuses beside :data:`hiphopss.cli.terminal.parser.STATUSES`.
    json : bool
        Whether the verb has a result that can be a JSON object.
    """
    verb = verbs.add_parser(
        name,
        help=summary,
        description=summary[0].upper() + summary[1:] + ".",
        examples=examples,
        statuses=statuses,
    )
    verb.set_defaults(run=run, parser=verb, verb=verb.prog.partition(" ")[2], json=False)
    told = verb.add_argument_group("what is told")
    if json:
        told.add_argument(
            "--json", action="store_true", help="print the result as one JSON object (docs/json.md)"
        )
    amount = told.add_mutually_exclusive_group()
    amount.add_argument(
        "-v",
        "--verbose",
        action="store_true",
        help="tell on standard error what is decided, and how long each step takes",
    )
    amount.add_argument(
        "-q",
        "--quiet",
        action="store_true",
        help="only results, warnings and errors: no progress bars, and no lines on what happens",
    )
    return verb


def count(text: str) -> int:
    """The ``type`` of an option that is a positive number of things."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text}: give a whole number, 1 or more")
    return int(text)


def seconds(text: str) -> float:
    """The ``type`` of an option that is a time in a song."""
    from hiphopss.signal.part import seconds

    try:
        return seconds(text)
    except HiphopssError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def add_files(verb: argparse.ArgumentParser, *, names: str) -> None:
    """Add the options for the files that are written: format, bitrate and names."""
    verb.add_argument(
        "--format",
        choices=("wav", "flac", "mp3", "ogg", "aiff", "m4a"),
        help="format of the files (default: wav); ogg is Vorbis, and m4a is AAC and needs ffmpeg",
    )
    verb.add_argument(
        "--bitrate",
        type=count,
        metavar="KBIT",
        help="kbit/s, of mp3, ogg and m4a (default: of stereo mp3 320, m4a 256, ogg about 190)",
    )
    verb.add_argument("--name", metavar="PATTERN", help=f"names of the files: {names}")


def add_part(verb: argparse.ArgumentParser) -> None:
    """Add the options for a part of songs."""
    verb.add_argument(
        "--start", type=seconds, default=0.0, metavar="TIME", help="begin here: seconds, or 1:23"
    )
    verb.add_argument(
        "--duration", type=seconds, metavar="TIME", help="take no more than this: seconds, or 1:23"
    )


def add_executor(verb: argparse.ArgumentParser, what: str = "score") -> None:
    """Add the options for where work over many songs is done."""
    verb.add_argument(
        "--jobs", type=count, metavar="N", help="processes (default: as many as are worth it)"
    )
    verb.add_argument(
        "--dask",
        metavar="ADDRESS",
        help=f"{what} on the workers of a Dask cluster, which see the same files under the same "
        "paths: address of its scheduler, such as tcp://10.0.0.1:8786",
    )


def executor(options: argparse.Namespace) -> Executor:
    """Make an executor from the options of :func:`add_executor`."""
    from hiphopss.util.executor import Executor

    return Executor(options.jobs, options.dask)


def tell_counts(what: str, n_new: int, n_skipped: int, n_left: int) -> None:
    """Tell how many of several songs were separated (or ``what`` else), unless all were."""
    told = f"{n_new} of {n_new + n_skipped + n_left} songs" if n_left else str(n_new)
    told += f" {what}" + f", {n_skipped} already there" * bool(n_skipped)
    if n_left:
        logger.warning("%s, %d left out (see above)", told, n_left)
    elif n_skipped:
        logger.info(told)


def left_out_facts(errors: Iterable[AudioError]) -> list[dict[str, object]]:
    """What JSON objects say of songs that were left out."""
    return [{"reason": str(error), "path": error.path} for error in errors]


def add_weights_option(verb: argparse.ArgumentParser) -> None:
    verb.add_argument(
        "--weights",
        metavar="FILE",
        help=f"{WEIGHTS_HELP}, or a name from `weights list` (default: the shipped one, which was "
        "trained on generated songs)",
    )


def add_loops(verb: argparse.ArgumentParser, more: str = "") -> None:
    verb.add_argument(
        "--loops",
        choices=LOOPS,
        help="auto uses what repeats in a song, if anything does; off gives the network's stems, "
        f"as auto does with weights of the preset released (default: {LOOPS[0]}{more})",
    )


def add_length_tolerance(verb: argparse.ArgumentParser) -> None:
    verb.add_argument(
        "--length-tolerance",
        type=float,
        default=LENGTH_TOLERANCE_S,
        metavar="S",
        help="where a song's files differ in length by less than this, in seconds, cut them to the "
        f"shortest, with a warning (default: {LENGTH_TOLERANCE_S:g})",
    )


def add_preset(verb: argparse.ArgumentParser, meaning: str = "") -> None:
    verb.add_argument(
        "--preset",
        choices=tuple(PRESETS),
        default="released",
        help=f"bug for bug as the released code, or corrected{meaning} (default: released)",
    )
