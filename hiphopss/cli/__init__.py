"""Room of the command line: each verb parses options and calls one public function.

It gives back a :class:`~hiphopss.cli.terminal.results.Result`, which is printed here, as lines or
as JSON. ``terminal`` has what stands between the verbs and their users.

May import every room, but at the top of its modules only :mod:`hiphopss.config`,
:mod:`hiphopss.errors`, :mod:`hiphopss.util` and data, so that ``--help`` is quick.
"""

from __future__ import annotations

import argparse
import logging
import signal
import sys
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from hiphopss import __version__
from hiphopss.cli import (
    about,
    adapt,
    data,
    demo,
    evaluate,
    live,
    remix,
    reproduce,
    separate,
    train,
    verify,
    watch,
)
from hiphopss.cli.terminal import streams
from hiphopss.cli.terminal.parser import HelpWanted, Parser
from hiphopss.cli.terminal.results import show
from hiphopss.errors import HiphopssError
from hiphopss.util import extras
from hiphopss.util.disk import line_of
from hiphopss.util.interrupts import impatient
from hiphopss.util.progress import say

logger = logging.getLogger(__name__)


def main(arguments: list[str] | None = None) -> int:
    """Run one command and return its exit status.

    The status is 2 for an error that the user can solve, 1 if only some of the inputs could be
    processed, and 141 if nobody reads the output to its end (``| head``), as that of programs that
    the signal SIGPIPE ends: there is nothing to mend, so nothing is said. Without a verb, the help
    is shown on standard error, and the status is 2.
    """
    streams.open_closed_streams()
    with streams.encodable():
        try:
            status = _answer(sys.argv[1:] if arguments is None else arguments)
        except SystemExit as stop:  # after --help and --version
            raise SystemExit(streams.finished(int(stop.code or 0))) from None
        return streams.finished(status)


def _answer(arguments: list[str]) -> int:
    """Parse the arguments, run the verb, and turn its errors into lines and a status."""
    # With an ordinary exit, incomplete files are removed.
    with suppress(ValueError):  # outside the main thread
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        return _run(_parsed(arguments))
    except HelpWanted as wanted:
        wanted.parser.print_help(sys.stderr)
        return 2
    except HiphopssError as error:
        return _failed(f"error: {error}", 2)
    except ImportError as error:
        if line := extras.line_of(error):
            return _failed(f"error: {line}", 2)
        raise
    except OSError as error:
        if streams.is_broken_pipe(error) and streams.nobody_reads():
            return streams.BROKEN_PIPE
        if status := streams.finished(0):  # it was the output's
            return status
        return _failed(f"error: {line_of(error)}", 2)
    except KeyboardInterrupt:
        return _failed("interrupted: run it again to go on", 130)


def _parsed(arguments: list[str]) -> argparse.Namespace:
    """The options of a command; what isn't known is an error of the verb that was given."""
    parser = build_parser()
    options, unknown = parser.parse_known_args(arguments)
    if unknown:
        at_fault = parser if parser.unknown_options(arguments) else options.parser
        at_fault.error(f"{' '.join(unknown)}: one argument too many")
    return options


def _run(options: argparse.Namespace) -> int:
    """Run the verb, and print its result."""
    begun = time.perf_counter()
    with impatient(), _told(quiet=options.quiet, verbose=options.verbose) as lines:
        result = options.run(options)
        logger.debug("%s: %.2f s in all", options.verb, time.perf_counter() - begun)
    if result is None:
        return 0
    show(result, options, lines.warnings)
    return result.status


def _failed(line: str, status: int) -> int:
    """Say why the command ends, and return its exit status."""
    with suppress(OSError):  # nobody reads standard error any more
        say(f"hiphopss: {line}", last=True)
    return status


@contextmanager
def _told(*, quiet: bool, verbose: bool) -> Iterator[_Lines]:
    """Show log records on standard error: warnings, what happens, or what is decided as well.

    Warnings of other libraries are meant for programmers, and are left out, those of TensorFlow's
    logger, too.
    """
    handler = _Lines()
    ours = logging.getLogger("hiphopss")
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    level = ours.level
    ours.addHandler(handler)
    ours.setLevel(logging.WARNING if quiet else logging.DEBUG if verbose else logging.INFO)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield handler
    finally:
        ours.removeHandler(handler)
        ours.setLevel(level)


class _Lines(logging.Handler):
    """Writes each log record on a line of its own, apart from progress bars.

    Attributes
    ----------
    warnings : list of str
        Warnings that were written.
    """

    def __init__(self) -> None:
        super().__init__()
        self.warnings: list[str] = []
        self._begun = time.perf_counter()

    def emit(self, record: logging.LogRecord) -> None:
        told, kind = self.format(record), ""
        if record.levelno < logging.INFO:
            kind = f"{time.perf_counter() - self._begun:.2f} s: "
        elif record.levelno > logging.INFO:
            kind = f"{record.levelname.lower()}: "
            self.warnings.append(told)
        say(f"hiphopss: {kind}{told}")


def build_parser() -> Parser:
    """Make the parser; each verb sets ``run``, the function that runs it."""
    parser = Parser(
        prog="hiphopss",
        examples=("hiphopss separate song.mp3 -o stems", "hiphopss separate --help"),
        description="Music source separation for hip hop: vocals, bass, drums and other. "
        "A Keras reference reimplementation of Martel & Miron (2017).",
    )
    parser.add_argument("--version", action="version", version=f"hiphopss {__version__}")
    parser.set_defaults(program=parser)
    verbs = parser.add_subparsers(metavar="VERB", required=True)
    for add in (
        separate.add_separate,
        watch.add_watch,
        remix.add_remix,
        live.add_live,
        data.add_generate,
        data.add_download,
        data.add_features,
        data.add_audition,
        train.add_train,
        adapt.add_adapt,
        evaluate.add_evaluate,
        evaluate.add_compare,
        reproduce.add_reproduce,
        demo.add_demo,
        train.add_weights,
        verify.add_verify,
        about.add_env,
        about.add_completion,
    ):
        add(verbs)
    return parser
