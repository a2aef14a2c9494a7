"""What the verbs share."""

from __future__ import annotations

import argparse

from hiphopss.config import PRESETS
from hiphopss.progress import say

WEIGHTS_HELP = "weight file: NAME.weights.h5 from `train`, or a published .pkl"


def add_verb(verbs, name: str, summary: str, run) -> argparse.ArgumentParser:
    verb = verbs.add_parser(name, help=summary, description=summary[0].upper() + summary[1:] + ".")
    verb.set_defaults(run=run)
    return verb


def tell(line: str) -> None:
    """Say on standard error what a verb has to tell beside what it prints."""
    say(f"hiphopss: {line}")


def count(text: str) -> int:
    """The ``type`` of an option that takes a number of things."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text}: give a whole number, 1 or more")
    return int(text)


def add_quiet(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("-q", "--quiet", action="store_true", help="show no progress bars")


def add_preset(verb: argparse.ArgumentParser, meaning: str = "") -> None:
    verb.add_argument(
        "--preset",
        choices=tuple(PRESETS),
        default="released",
        help=f"bug for bug as the released code, or corrected{meaning} (default: released)",
    )
