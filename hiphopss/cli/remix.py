"""The verb `remix`, which mixes a song or its stems."""

from __future__ import annotations

import logging
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from hiphopss.cli.common import (
    Verbs,
    add_length_tolerance,
    add_loops,
    add_verb,
    add_weights_option,
    left_out_facts,
)
from hiphopss.cli.terminal.results import Result
from hiphopss.config import LOOPS, SOURCES
from hiphopss.util.text import printable

if TYPE_CHECKING:
    from hiphopss.remixing.mixing import Mix
    from hiphopss.remixing.remix import Remixed

logger = logging.getLogger(__name__)


def add_remix(verbs: Verbs) -> None:
    verb = add_verb(
        verbs,
        "remix",
        "mix a song, a folder of stems, or many songs, anew",
        _remix,
        examples=[
            "hiphopss remix song.mp3 -o karaoke.wav --karaoke",
            "hiphopss remix song.mp3 -o mix.flac --gain drums=3 --pan bass=-0.2",
            "hiphopss remix my-songs -o karaoke --karaoke --format mp3",
        ],
        statuses={0: "all songs were mixed", 1: "some of many songs were left out"},
    )
    verb.add_argument(
        "inputs",
        nargs="+",
        metavar="SONG|FOLDER",
        help="an audio file or a folder of stems; or several songs, or a folder of songs",
    )
    verb.add_argument(
        "-o",
        "--output",
        required=True,
        metavar="OUT",
        help="file to write: .wav, .flac, .aiff, .ogg or .mp3; of many songs, the folder for files",
    )
    verb.add_argument(
        "--format",
        choices=("wav", "flac", "aiff", "ogg", "mp3"),
        help="of many songs: format of the files (default: wav)",
    )
    verb.add_argument(
        "--name",
        metavar="PATTERN",
        help="of many songs: names of the files by {track} and {ext} (default: {track}.{ext})",
    )
    add_mix(verb)
    add_weights_option(verb)
    add_loops(verb)
    verb.add_argument(
        "--engine",
        choices=("numpy", "keras"),
        default="numpy",
        help="engine that computes the stems, which are the same (default: numpy, which is faster)",
    )
    verb.add_argument(
        "--subtype",
        choices=("PCM_16", "PCM_24", "FLOAT"),
        help="sample type of the output (default: the input's, else PCM_16)",
    )
    verb.add_argument(
        "--normalize",
        action="store_true",
        help="lower the whole mix as far as needed, rather than clip",
    )
    add_length_tolerance(verb)


def add_mix(verb: ArgumentParser) -> None:
    """Add the options of a mix."""
    names = ", ".join(SOURCES)
    add_repeated = partial(verb.add_argument, action="append", default=[])
    add_repeated(
        "--gain",
        metavar="SOURCE=DB",
        type=_setting("--gain", "-6"),
        help=f"louder or softer, of {names}; can be given repeatedly, as the next ones can",
    )
    add_repeated(
        "--pan", metavar="SOURCE=PAN", type=_setting("--pan", "-0.5"), help="-1 (left) to 1 (right)"
    )
    add_repeated("--mute", metavar="SOURCE", help="leave out")
    add_repeated("--solo", metavar="SOURCE", help="leave the others out")
    shorts = verb.add_mutually_exclusive_group()  # both together would leave nothing
    shorts.add_argument(
        "--karaoke", action="store_true", help="without the vocals: short for --mute vocals"
    )
    shorts.add_argument(
        "--acapella", action="store_true", help="the vocals alone: short for --solo vocals"
    )


def _setting(option: str, example: str) -> Callable[[str], str]:
    """The ``type`` of an option such as ``--gain vocals=-6``, which reports a missing ``=``.

    Otherwise the parser would report the number as an unexpected argument.
    """

    def setting(text: str) -> str:
        if "=" not in text:
            source = next((source for source in SOURCES if text.startswith(source)), SOURCES[0])
            raise ArgumentTypeError(
                f"{text!r}: write SOURCE=NUMBER, such as {option} {source}={example}"
            )
        return text

    return setting


def mix_of(options: Namespace) -> Mix:
    """The :class:`hiphopss.remixing.mixing.Mix` that the options of :func:`add_mix` describe."""
    from hiphopss.remixing.mixing import Mix

    vocals = SOURCES[:1]
    return Mix.parse(
        gains=options.gain,
        pans=options.pan,
        muted=(*options.mute, *vocals * options.karaoke),
        soloed=(*options.solo, *vocals * options.acapella),
    )


def _remix(options: Namespace) -> Result:
    from hiphopss.errors import HiphopssError
    from hiphopss.remixing.many import is_file_name, is_one_song, remix_files
    from hiphopss.remixing.remix import remix

    common: dict[str, Any] = {
        "weights": options.weights,
        "engine": options.engine,
        "subtype": options.subtype,
        "normalize": options.normalize,
        "length_tolerance_s": options.length_tolerance,
        "loops": options.loops or LOOPS[0],
        "progress": not options.quiet,
    }
    mixed, given = mix_of(options), {"format": options.format, "name": options.name}
    given = {name: value for name, value in given.items() if value is not None}
    if len(options.inputs) == 1 and (
        is_one_song(options.inputs[0]) or is_file_name(options.output)
    ):
        if given:
            raise HiphopssError(f"--{next(iter(given))}: is for many songs: name the file with -o")
        done = remix(options.inputs[0], options.output, mixed, **common)
        _tell_lowered(done)
        return Result({"files": [done]}, [printable(done.path)])
    files, left_out = remix_files(
        options.inputs, options.output, mixed, leave_out=True, **given, **common
    )
    for done in files:
        _tell_lowered(done)
    facts = {"files": files, "left_out": left_out_facts(left_out)}
    return Result(facts, [printable(done.path) for done in files], 1 if left_out else 0)


def _tell_lowered(done: Remixed) -> None:
    if done.lowered_db:
        logger.info("%s: lowered by %.1f dB", done.path, done.lowered_db)
