"""The verb `separate`, which splits songs into stems."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from typing import Any

from hiphopss.cli.common import (
    Verbs,
    add_executor,
    add_files,
    add_loops,
    add_part,
    add_verb,
    add_weights_option,
    executor,
    left_out_facts,
    tell_counts,
)
from hiphopss.cli.terminal.results import Result
from hiphopss.config import SOURCES
from hiphopss.errors import HiphopssError
from hiphopss.util.text import printable

NAMES = (
    "by {track}, {stem} and {ext}, and {folder}, {title}, {artist} and {album} of the song "
    "(default: {track}/{stem}.{ext}; of stem files {track}.{ext})"
)


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
    add_stems(verb)
    add_part(verb)
    verb.add_argument(
        "--skip-existing",
        action="store_true",
        help="pass over songs whose stems are there, made with the same settings",
    )
    add_executor(verb, "separate")
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
    add_stem_file(verb)


def add_stems(verb: ArgumentParser) -> None:
    """Add the options for which stems are written, and how; :func:`stem_settings` reads them."""
    verb.add_argument(
        "--mono", action="store_true", help="average the channels first, as the released code does"
    )
    verb.add_argument(
        "--subtype",
        choices=("PCM_16", "PCM_24", "FLOAT"),
        help="sample type of the stems (default: the input's, else PCM_16)",
    )
    add_files(verb, names=NAMES)
    verb.add_argument(
        "--stems", type=_stems, metavar="NAMES", help="write only these, such as vocals,drums"
    )
    verb.add_argument(
        "--two-stems",
        metavar="NAME",
        choices=SOURCES,
        help="write this stem, and the mixture without it, as no_vocals and so on",
    )


def stem_settings(options: Namespace) -> dict[str, Any]:
    """The fields of :class:`hiphopss.SeparationSettings` that several verbs have options for."""
    from hiphopss.separation.settings import OutputSettings

    return {
        "weights": options.weights,
        "loops": options.loops,
        "mono": options.mono,
        "subtype": options.subtype,
        "stems": options.stems,
        "two_stems": options.two_stems,
        "output": OutputSettings(options.format or "wav", options.bitrate, options.name),
        "stem_file": stem_codec(options),
    }


def _stems(text: str) -> tuple[str, ...]:
    """The ``type`` of an option that lists stems."""
    return tuple(name.strip() for name in text.split(",") if name.strip())


def add_stem_file(verb: ArgumentParser) -> None:
    """Add the options for stem files, which :func:`stem_codec` reads."""
    verb.add_argument(
        "--stem-file",
        action="store_true",
        help="write one file SONG.stem.mp4 for each song instead of four files in a folder, for "
        "DJ software such as Traktor and Mixxx: the song first, then drums, bass, other and vocals "
        "(needs ffmpeg)",
    )
    verb.add_argument(
        "--stem-codec",
        choices=("aac", "alac"),
        help="codec of stem files: AAC at 256 kbit/s for each of the five, or ALAC, which is "
        "lossless, and which Traktor does not read on Windows (default: aac)",
    )


def stem_codec(options: Namespace) -> str | None:
    """The codec of the stem files that were asked for; None for four files."""
    if options.stem_codec and not options.stem_file:
        raise HiphopssError("--stem-codec: there is no stem file: give --stem-file, too")
    return (options.stem_codec or "aac") if options.stem_file else None


def _separate(options: Namespace) -> Result:
    from hiphopss.util.hdf5.process import start_for

    start_for(options.weights)
    from hiphopss.separation.files import separate_files
    from hiphopss.separation.settings import SeparationSettings
    from hiphopss.signal.part import Part

    settings = SeparationSettings(
        standalone_script=options.standalone_script,
        engine=options.engine,
        model_name=options.model,
        part=Part(options.start, options.duration),
        **stem_settings(options),
    )
    done = separate_files(
        options.inputs,
        options.output,
        settings,
        leave_out=True,
        skip_existing=options.skip_existing,
        where=executor(options),
        progress=not options.quiet,
    )
    n_new, n_left = done.n_songs - done.n_skipped, len(done.left_out)
    tell_counts("separated", n_new, done.n_skipped, n_left)
    facts = {
        "songs": [
            {"folder": folder, "path": path, "files": files, "skipped": skipped}
            for path, folder, files, skipped in done.songs
        ],
        "n_skipped": done.n_skipped,
        "left_out": left_out_facts(done.left_out),
    }
    return Result(facts, [printable(folder) for folder in done.folders], 1 if n_left else 0)
