"""The verb `verify`: artefacts against their records, back to the songs."""

from __future__ import annotations

from argparse import Namespace

from hiphopss.cli.common import Verbs, add_quiet, add_verb
from hiphopss.util.progress import tell


def add_verify(verbs: Verbs) -> None:
    verb = add_verb(
        verbs,
        "verify",
        "check what was made, and what it was made from, back to the songs: what differs or is "
        "missing",
        _verify,
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
    add_quiet(verb)
    verb.epilog = (
        "The exit status is 1 if something is missing or differs, and 2 if something can't be read."
    )


def _verify(options: Namespace) -> int:
    from hiphopss.verification.verify import verify

    found = verify(options.paths, look_in=options.look_in, progress=not options.quiet)
    tell(found.text())
    return found.status
