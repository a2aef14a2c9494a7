"""What the verbs share."""

from __future__ import annotations

import argparse

from hiphopss.config import PRESETS

WEIGHTS_HELP = "weight file: NAME.weights.h5 from `train`, or a published .pkl"


def add_verb(verbs, name: str, summary: str, run) -> argparse.ArgumentParser:
    verb = verbs.add_parser(name, help=summary, description=summary[0].upper() + summary[1:] + ".")
    verb.set_defaults(run=run)
    return verb


def add_quiet(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("-q", "--quiet", action="store_true", help="show no progress bars")


def add_preset(verb: argparse.ArgumentParser, meaning: str = "") -> None:
    verb.add_argument(
        "--preset",
        choices=tuple(PRESETS),
        default="released",
        help=f"bug for bug as the released code, or corrected{meaning} (default: released)",
    )
