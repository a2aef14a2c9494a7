"""The verb `live`, which separates and mixes a stream while it plays."""

from __future__ import annotations

from argparse import Namespace
from dataclasses import asdict

from hiphopss.cli.common import Verbs, add_verb, add_weights_option
from hiphopss.cli.remix import add_mix, mix_of
from hiphopss.cli.terminal.results import Result
from hiphopss.live.control_help import COMMANDS, KEYS
from hiphopss.util.text import printable

_ENDS = "a file, - for raw PCM through a pipe, or device, device:NAME, device:NUMBER"


def add_live(verbs: Verbs) -> None:
    summary = "separate and mix audio while it arrives"
    verb = add_verb(
        verbs,
        "live",
        summary,
        _live,
        examples=[
            "hiphopss live --input song.flac --output device --karaoke",
            "hiphopss live --input device --output device --lookahead 4",
        ],
    )
    verb.description = f"{verb.description}{_controls_help()}"
    ends = verb.add_mutually_exclusive_group(required=True)
    ends.add_argument("--input", metavar="IN", help=_ENDS)
    ends.add_argument("--list-devices", action="store_true", help="print the devices and exit")
    verb.add_argument("--output", metavar="OUT", help="the same; a file is aligned with the input")
    add_mix(verb)
    verb.add_argument(
        "--lookahead",
        type=int,
        default=0,
        metavar="FRAMES",
        help="frames of 11.6 ms to hear ahead, 0 to 29: better, and later (default: 0)",
    )
    verb.add_argument(
        "--block", type=int, default=512, metavar="N", help="samples read together (default: 512)"
    )
    verb.add_argument("--realtime", action="store_true", help="play a file at its own speed")
    verb.add_argument(
        "--stereo", action="store_true", help="make a mono input stereo, so that it can be panned"
    )
    verb.add_argument("--control", metavar="FILE", help="text file or FIFO with commands as lines")
    verb.add_argument(
        "--rate", type=int, default=44100, help="rate of pipes and devices in Hz (default: 44100)"
    )
    verb.add_argument(
        "--channels", type=int, default=2, help="channels of an input pipe or device (default: 2)"
    )
    verb.add_argument(
        "--format", choices=("f32le", "s16le"), default="f32le", help="for pipes (default: f32le)"
    )
    add_weights_option(verb)


def _controls_help() -> str:
    return f"""

While it plays, lines on standard input change the mix (--control names a file or
FIFO, for when the audio comes from there):
{COMMANDS}
On a terminal, keys do: {KEYS}"""


def _live(options: Namespace) -> Result:
    from hiphopss.errors import HiphopssError
    from hiphopss.live.ends import is_device, list_devices, read_devices
    from hiphopss.live.session import LiveSettings, Pcm, run_live

    if options.list_devices:
        return Result({"devices": read_devices()}, [list_devices()])
    if options.output is None:
        raise HiphopssError("live: nowhere to play to: give --output")
    if options.json and options.output == "-":
        raise HiphopssError(
            "--json: standard output can't hold both audio and JSON: give --output a file or a "
            "device, or leave out --json"
        )
    settings = LiveSettings(
        weights=options.weights,
        lookahead=options.lookahead,
        block=options.block,
        pcm=Pcm(options.rate, options.channels, options.format),
        realtime=options.realtime,
        stereo=options.stereo,
    )
    tally = run_live(
        options.input, options.output, mix_of(options), settings, control=options.control
    )
    counts = asdict(tally)
    del counts["began"]  # on a clock that has no meaning for others
    is_file = options.output != "-" and not is_device(options.output)
    lines = [printable(options.output)] if is_file else []
    return Result({"output": options.output, **counts}, lines)
