"""The command line: parse, call one library function, print."""

from __future__ import annotations

import argparse
import logging
import signal
import sys
import warnings
from contextlib import suppress

from hiphopss import __version__
from hiphopss.cli import data, demo, evaluate, live, remix, reproduce, separate, train
from hiphopss.errors import HiphopssError
from hiphopss.progress import say


def main(arguments: list[str] | None = None) -> int:
    """Run one command.

    The exit status is 2 for an error that the user can mend, and 1 where the rest was done without
    what has one.
    """
    parser = build_parser()
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    if arguments[:2] == ["features", "audition"]:  # a verb of two words
        arguments[:2] = [data.AUDITION]
    options = parser.parse_args(arguments)
    warnings.showwarning = _show_warning
    logging.lastResort = _LastResort(logging.WARNING)
    # An ordinary exit lets half-written files be removed.
    with suppress(ValueError):  # not in the main thread
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        return options.run(options) or 0
    except HiphopssError as error:
        say(f"hiphopss: error: {error}", last=True)
        return 2
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        say(
            f"hiphopss: error: {where}{error.strerror or error}: mend that and run it again",
            last=True,
        )
        return 2
    except KeyboardInterrupt:
        say("hiphopss: interrupted: run it again to go on", last=True)
        return 130


def _show_warning(message, category, filename, lineno, file=None, line=None):
    if issubclass(category, UserWarning):
        say(f"hiphopss: warning: {message}")


class _LastResort(logging.Handler):
    """Shows what is logged where nobody has said how, as warnings are shown."""

    def emit(self, record):
        say(f"hiphopss: {record.levelname.lower()}: {self.format(record)}")


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
        separate.add_separate,
        remix.add_remix,
        live.add_live,
        data.add_generate,
        data.add_download,
        data.add_features,
        data.add_audition,
        train.add_train,
        evaluate.add_evaluate,
        evaluate.add_compare,
        reproduce.add_reproduce,
        demo.add_demo,
        train.add_weights,
    ):
        add(verbs)
    return parser
