"""The verb `demo`: the web page, served or exported."""

from __future__ import annotations

import sys
from argparse import Namespace

from hiphopss.cli.common import Verbs, add_verb
from hiphopss.cli.terminal.results import Result, made, show


def add_demo(verbs: Verbs) -> None:
    verb = add_verb(
        verbs,
        "demo",
        "a web page that separates songs and mixes their stems",
        _demo,
        examples=["hiphopss demo --open", "hiphopss demo --export site"],
        statuses={0: "the site is written, or the page was served until it was interrupted"},
    )
    verb.add_argument(
        "--host",
        default="127.0.0.1",
        help="address to bind to; another than the default lets others use it (default: 127.0.0.1)",
    )
    verb.add_argument("--port", type=int, default=8000, help="0 chooses a free one (default: 8000)")
    verb.add_argument(
        "--weights",
        nargs="+",
        action="extend",
        metavar="FILE",
        help="models to offer: weight files, or names from `weights list` (default: the shipped)",
    )
    verb.add_argument(
        "--songs",
        metavar="FOLDER",
        help="own songs to offer beside the generated ones: a data set (DSD100, MUSDB18, ...), "
        "folders with mixture.wav and stems, or audio files; what can't be read is left out",
    )
    verb.add_argument(
        "--max-seconds", type=int, default=600, help="longest upload, in seconds (default: 600)"
    )
    verb.add_argument(
        "--max-mb", type=int, default=100, help="largest upload, in MB (default: 100)"
    )
    verb.add_argument(
        "--queue", type=int, default=8, metavar="N", help="separations that may wait (default: 8)"
    )
    verb.add_argument("--open", action="store_true", help="open the page in the browser")
    verb.add_argument(
        "--export",
        metavar="DIR",
        help="serve nothing: write a static site with all songs separated by all models, whose "
        "visitors separate their own songs in their browser (docs/browser.md)",
    )


def _demo(options: Namespace) -> Result | None:
    from hiphopss.demo.limits import Limits

    if options.export is not None:
        from hiphopss.demo.export import export_site

        folder = export_site(
            options.export, weights=options.weights, songs=options.songs, progress=not options.quiet
        )
        return made(folder)
    from hiphopss.demo.server import ready_line, serve

    limits = Limits(
        max_bytes=options.max_mb * 2**20, max_seconds=options.max_seconds, queue=options.queue
    )

    def ready(address: str) -> None:
        show(Result({"address": address}, [ready_line(address)]), options)
        sys.stdout.flush()

    serve(
        host=options.host,
        port=options.port,
        weights=options.weights,
        songs=options.songs,
        limits=limits,
        open_page=options.open,
        ready=ready,
    )
    return None
