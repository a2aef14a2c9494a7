"""The verb `verify`: artefacts against their records, back to the songs."""

from __future__ import annotations

from argparse import Namespace

from hiphopss.cli.common import Verbs, add_verb
from hiphopss.cli.terminal.results import Result


def add_verify(verbs: Verbs) -> None:
    verb = add_verb(
        verbs,
        "verify",
        "check what was made, and what it was made from, back to the songs: what differs or is "
        "missing",
        _verify,
        examples=["hiphopss verify runs/quick", "hiphopss verify stems --look-in HHDS"],
        statuses={
            0: "all is as it was recorded",
            1: "something is missing or differs",
            2: "something can't be read, or another error",
        },
    )
    verb.add_argument(
        "paths",
        nargs="+",
        metavar="PATH",
        help="weights, a checkpoint, features, a folder of stems, a table of scores, the folder of "
        "a run of `reproduce`, or a data set that was generated or downloaded",
    )
    verb.add_argument(
        "--look-in",
        action="append",
        default=[],
        metavar="PLACE",
        help="a file or folder in which songs, features, weights or stems may be, too; they are "
        "looked for near PATH and in the working directory, and known by their hashes; several "
        "places: --look-in A --look-in B",
    )


def _verify(options: Namespace) -> Result:
    from hiphopss.verification.verify import verify

    found = verify(options.paths, look_in=options.look_in, progress=not options.quiet)
    return Result({"findings": found.findings}, [found.text()], found.status)
