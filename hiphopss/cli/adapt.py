"""The verb `adapt`: a model of one's own from few songs."""

from __future__ import annotations

from argparse import Namespace
from typing import TYPE_CHECKING

from hiphopss.cli.common import Verbs, add_verb, count
from hiphopss.cli.terminal.results import Result
from hiphopss.config import SOURCES
from hiphopss.util.text import printable

if TYPE_CHECKING:
    from hiphopss.adaptation.adapting import Adaptation


def add_adapt(verbs: Verbs) -> None:
    verb = add_verb(
        verbs,
        "adapt",
        "make weights of your own from 1 to 20 songs with stems, if that helps",
        _adapt,
        examples=["hiphopss adapt songs -o mine.weights.h5"],
    )
    verb.add_argument(
        "songs",
        metavar="SONGS",
        help="folder of songs, SONG/{vocals,bass,drums,other}.wav or SONG.stem.mp4, a data set's "
        "root, or the folder of one song",
    )
    verb.add_argument(
        "-o", "--output", required=True, metavar="NAME.weights.h5", help="weight file to write"
    )
    verb.add_argument(
        "--init",
        metavar="FILE",
        help="weights to start from: a file, own or published, or a name from `weights list` "
        "(default: the shipped ones)",
    )
    verb.add_argument(
        "--steps",
        type=count,
        metavar="N",
        help="most batches of each of the 3 to 5 trainings (default: 600); fewer are quicker",
    )
    verb.add_argument(
        "--learning-rate", type=float, metavar="R", help="Adam's at its highest (default: 0.001)"
    )
    verb.add_argument(
        "--keep",
        type=float,
        metavar="SHARE",
        help="share of the weights at the beginning that is mixed into the new ones (default: "
        "0.25); more keeps other styles better, and gains less",
    )
    verb.add_argument("--seed", type=int, default=0, help="(default: 0)")


def _adapt(options: Namespace) -> Result:
    from hiphopss.util.hdf5.process import start_for

    if options.init:
        start_for(options.init)
    from hiphopss.adaptation.adapting import adapt
    from hiphopss.adaptation.settings import AdaptationSettings

    given = {name: getattr(options, name) for name in ("steps", "learning_rate", "keep")}
    chosen = {name: value for name, value in given.items() if value is not None}
    settings = AdaptationSettings(**chosen, seed=options.seed)
    found = adapt(
        options.songs,
        options.output,
        settings,
        init=options.init,
        progress=not options.quiet,
    )
    return Result(_facts(found), [found.text(), printable(found.output)])


def _facts(found: Adaptation) -> dict:
    """The fields of the JSON object."""
    scores = zip(found.pieces, found.before, found.after, strict=True)
    return {
        "path": found.output,
        "songs": found.songs,
        "steps": found.steps,
        "gain_db": found.gain_db,
        "held_out": [
            {
                "name": name,
                "sdr_before": dict(zip(SOURCES, before, strict=True)),
                "sdr_after": dict(zip(SOURCES, after, strict=True)),
            }
            for name, before, after in scores
        ],
    }
