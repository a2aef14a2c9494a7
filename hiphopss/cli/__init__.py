"""Room of the command line: each verb parses options, calls one public function, and prints.

May import every room, but at the top of its modules only :mod:`hiphopss.config`,
:mod:`hiphopss.errors`, :mod:`hiphopss.util` and data, so that ``--help`` is quick.
"""

from __future__ import annotations

import argparse
import logging
import signal
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import NoReturn

from hiphopss import __version__
from hiphopss.cli import (
    adapt,
    data,
    demo,
    evaluate,
    live,
    remix,
    reproduce,
    separate,
    streams,
    train,
    verify,
    watch,
)
from hiphopss.errors import HiphopssError
from hiphopss.util import extras
from hiphopss.util.disk import line_of
from hiphopss.util.interrupts import impatient
from hiphopss.util.progress import say


def main(arguments: list[str] | None = None) -> int:
    """Run one command and return its exit status.

    The status is 2 for an error that the user can solve, 1 if only some of the inputs could be
    processed, and 141 if nobody reads the output to its end (``| head``), as that of programs that
    the signal SIGPIPE ends: there is nothing to mend, so nothing is said.
    """
    streams.open_closed_streams()
    with streams.encodable():
        try:
            status = _answer(arguments)
        except SystemExit as stop:  # after --help, and if options are wrong
            raise SystemExit(streams.finished(int(stop.code or 0))) from None
        return streams.finished(status)


def _answer(arguments: list[str] | None) -> int:
    """Parse the arguments, run the verb, and turn its errors into lines and a status."""
    # With an ordinary exit, incomplete files are removed.
    with suppress(ValueError):  # outside the main thread
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        options, unknown = build_parser().parse_known_args(arguments)
        if unknown:
            options.parser.error(f"unrecognized arguments: {' '.join(unknown)}")
        with impatient(), _told(quiet=options.quiet_lines and options.quiet):
            return options.run(options) or 0
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


def _failed(line: str, status: int) -> int:
    """Say why the command ends, and return its exit status."""
    with suppress(OSError):  # nobody reads standard error any more
        say(f"hiphopss: {line}", last=True)
    return status


@contextmanager
def _told(*, quiet: bool) -> Iterator[None]:
    """Show log records on standard error; with ``quiet``, only warnings and errors.

    Warnings of other libraries are meant for programmers, and are left out, those of TensorFlow's
    logger, too.
    """
    logger, handler = logging.getLogger("hiphopss"), _Lines()
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.WARNING if quiet else logging.INFO)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)


class _Lines(logging.Handler):
    """Writes each log record on a line of its own, apart from progress bars."""

    def emit(self, record: logging.LogRecord) -> None:
        kind = "" if record.levelno <= logging.INFO else f"{record.levelname.lower()}: "
        say(f"hiphopss: {kind}{self.format(record)}")


class _Parser(argparse.ArgumentParser):
    """Reports an error in one line, without the usage."""

    def error(self, message: str) -> NoReturn:
        raise SystemExit(_failed(f"error: {message}: see `{self.prog} --help`", 2))


def build_parser() -> argparse.ArgumentParser:
    """Make the parser; each verb sets ``run``, the function that runs it."""
    parser = _Parser(
        prog="hiphopss",
        description="Music source separation for hip hop: vocals, bass, drums and other. "
        "A Keras reference reimplementation of Martel & Miron (2017).",
    )
    parser.add_argument("--version", action="version", version=f"hiphopss {__version__}")
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
    ):
        add(verbs)
    return parser
