"""The verb `remix`, which mixes a song or its stems."""

from __future__ import annotations

import logging
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hiphopss.cli.common import (
    Verbs,
    add_executor,
    add_files,
    add_length_tolerance,
    add_loops,
    add_part,
    add_verb,
    add_weights_option,
    executor,
    left_out_facts,
    tell_counts,
)
from hiphopss.cli.terminal.results import Result
from hiphopss.config import LOOPS, SOURCES
from hiphopss.util.text import printable

if TYPE_CHECKING:
    from hiphopss.remixing.mixing import Mix

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
        help="file to write: .wav, .flac, .aiff, .ogg, .mp3 or .m4a; of many songs, or with "
        "--format or --name, the folder for files",
    )
    add_mix(verb)
    add_files(
        verb,
        names="by {track} and {ext}, and {folder}, {title}, {artist} and {album} of the song "
        "(default: {track}.{ext})",
    )
    add_part(verb)
    verb.add_argument(
        "--skip-existing",
        action="store_true",
        help="pass over songs of which a mix is there, whatever its settings were",
    )
    add_executor(verb, "mix")
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
    from hiphopss.remixing.many import RemixedFiles, remix_files
    from hiphopss.remixing.remix import RemixSettings, remix_song
    from hiphopss.signal.part import Part

    how: dict[str, Any] = {
        "weights": options.weights,
        "engine": options.engine,
        "subtype": options.subtype,
        "bitrate": options.bitrate,
        "normalize": options.normalize,
        "length_tolerance_s": options.length_tolerance,
        "loops": options.loops or LOOPS[0],
        "part": Part(options.start, options.duration),
    }
    mixed, progress = mix_of(options), not options.quiet
    names = {"format": options.format, "name": options.name}
    names = {name: value for name, value in names.items() if value is not None}
    if _is_one(options, names):
        song, output = options.inputs[0], Path(options.output)
        if options.skip_existing and output.is_file():
            done = RemixedFiles([], [], [output])
        else:
            made = remix_song(song, output, mixed, RemixSettings(**how), progress=progress)
            done = RemixedFiles([made], [], [])
    else:
        done = remix_files(
            options.inputs,
            options.output,
            mixed,
            **names,
            leave_out=True,
            skip_existing=options.skip_existing,
            where=executor(options),
            progress=progress,
            **how,
        )
    for made in done.files:
        if made.lowered_db:
            logger.info("%s: lowered by %.1f dB", made.path, made.lowered_db)
    n_left = len(done.left_out)
    tell_counts("mixed", len(done.files), len(done.skipped), n_left)
    facts = {
        "files": done.files,
        "skipped": done.skipped,
        "left_out": left_out_facts(done.left_out),
    }
    paths = sorted([*done.skipped, *(made.path for made in done.files)])
    return Result(facts, [printable(path) for path in paths], 1 if n_left else 0)


def _is_one(options: Namespace, names: dict[str, str]) -> bool:
    """Whether the output is the file of one mix, rather than a folder of mixes.

    ``names`` has the options, if any, that name files in a folder.
    """
    from hiphopss.errors import HiphopssError
    from hiphopss.remixing.many import is_file_name, is_one_song

    song, is_one = options.inputs[0], len(options.inputs) == 1
    to_file = is_one and is_file_name(options.output)
    stems = is_one and Path(song).is_dir() and is_one_song(song)
    if names and (to_file or stems):
        mend = f"leave it out, as {options.output} is the name of a file"
        if not to_file:
            mend = f"{song} is a folder of stems, whose mix is a file that -o names: leave it out"
        raise HiphopssError(f"--{next(iter(names))}: names the mixes in a folder: {mend}")
    return to_file or (is_one and not names and is_one_song(song))
