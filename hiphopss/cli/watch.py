"""The verb `watch`, which separates the songs that appear in a folder."""

from __future__ import annotations

from argparse import ArgumentTypeError, Namespace
from contextlib import suppress
from pathlib import Path

from hiphopss.cli.common import Verbs, add_loops, add_verb, add_weights_option, left_out_facts
from hiphopss.cli.separate import add_stem_file, add_stems, stem_settings
from hiphopss.cli.terminal.results import Result
from hiphopss.errors import AudioError
from hiphopss.util.progress import tell
from hiphopss.util.text import printable


def add_watch(verbs: Verbs) -> None:
    verb = add_verb(
        verbs,
        "watch",
        "separate the songs that appear in a folder",
        _watch,
        examples=[
            "hiphopss watch downloads stems --format mp3",
            "hiphopss watch downloads dj --stem-file --once",
        ],
        statuses={0: "no song failed in this run", 1: "some songs could not be separated"},
    )
    verb.add_argument("folder", metavar="IN", help="folder to watch, with the folders in it")
    verb.add_argument("output", metavar="OUT", help="folder for the stems; may be inside IN")
    add_weights_option(verb)
    add_loops(verb)
    add_stems(verb)
    add_stem_file(verb)
    verb.add_argument(
        "--once",
        action="store_true",
        help="separate the songs that are complete, and end, for cron and the like",
    )
    verb.add_argument(
        "--every",
        type=_seconds,
        default=2.0,
        metavar="S",
        help="look every S seconds; a song is complete when its file looks the same three times "
        "(default: 2)",
    )


def _seconds(text: str) -> float:
    with suppress(ValueError):
        if 0 < (seconds := float(text)) <= 86400:
            return seconds
    raise ArgumentTypeError(f"{text}: give a number of seconds above 0")


def _watch(options: Namespace) -> Result:
    from hiphopss.util.hdf5.process import start_for

    start_for(options.weights)
    from hiphopss.separation.settings import SeparationSettings
    from hiphopss.separation.watching import watch

    settings = SeparationSettings(**stem_settings(options))
    n_failed, songs = 0, []
    left_out: list[AudioError] = []

    def done(path: Path) -> None:
        songs.append({"path": path})
        if not options.json:
            tell(printable(path))  # now, as the next song may take days to come

    with suppress(KeyboardInterrupt):  # this is how users end it
        n_failed = watch(
            *(options.folder, options.output, settings),
            once=options.once,
            every_s=options.every,
            tell=done,
            left_out=left_out.append,
            progress=not options.quiet,
        )
    facts = {"songs": songs, "n_failed": n_failed, "left_out": left_out_facts(left_out)}
    return Result(facts, status=1 if n_failed else 0)
