"""The verb `separate`, which splits songs into stems."""

from __future__ import annotations

import logging
from argparse import Namespace

from hiphopss.cli.common import Verbs, add_loops, add_verb, add_weights_option
from hiphopss.cli.terminal.results import Result
from hiphopss.util.text import printable

logger = logging.getLogger(__name__)


def add_separate(verbs: Verbs) -> None:
    verb = add_verb(
        verbs,
        "separate",
        "split songs into their four stems",
        _separate,
        examples=["hiphopss separate song.mp3 -o stems", "hiphopss separate my-songs -o stems"],
        statuses={0: "all songs were separated", 1: "some songs were left out"},
    )
    verb.add_argument("inputs", nargs="+", metavar="INPUT", help="audio files or folders of them")
    verb.add_argument("-o", "--output", required=True, metavar="OUT", help="folder for the stems")
    add_weights_option(verb)
    add_loops(verb, more="; off with --standalone-script")
    verb.add_argument(
        "--mono", action="store_true", help="average the channels first, as the released code does"
    )
    verb.add_argument(
        "--subtype",
        choices=("PCM_16", "PCM_24", "FLOAT"),
        help="sample type of the stems (default: the input's, else PCM_16)",
    )
    verb.add_argument(
        "--standalone-script",
        action="store_true",
        help="separate as the released stand-alone script does: Hann window, and no "
        "stems of the last frames (quirk Q6 of the released code)",
    )
    verb.add_argument(
        "--engine",
        choices=("numpy", "keras"),
        default="numpy",
        help="engine that computes the stems, which are the same (default: numpy, which is faster)",
    )
    verb.add_argument("--model", metavar="NAME", help="name of the model in tables of scores")


def _separate(options: Namespace) -> Result:
    from hiphopss.util.hdf5.process import start_for

    start_for(options.weights)
    from hiphopss.separation.files import SeparationSettings, separate_files

    settings = SeparationSettings(
        weights=options.weights,
        mono=options.mono,
        subtype=options.subtype,
        standalone_script=options.standalone_script,
        engine=options.engine,
        model_name=options.model,
        loops=options.loops,
    )
    folders, left_out = separate_files(
        options.inputs, options.output, settings, leave_out=True, progress=not options.quiet
    )
    if left_out:
        n_songs = len(folders) + len(left_out)
        logger.warning(
            "%d of %d songs separated, %d left out (see above)",
            *(len(folders), n_songs, len(left_out)),
        )
    facts = {
        "songs": [{"folder": folder} for folder in folders],
        "left_out": [{"reason": str(error)} for error in left_out],
    }
    return Result(facts, [printable(folder) for folder in folders], 1 if left_out else 0)
