"""Songs to stems."""

from __future__ import annotations

from hiphopss.cli.common import WEIGHTS_HELP, add_quiet, add_verb, tell


def add_separate(verbs) -> None:
    verb = add_verb(verbs, "separate", "split songs into their four stems", _separate)
    verb.add_argument("inputs", nargs="+", metavar="INPUT", help="audio files or folders of them")
    verb.add_argument("-o", "--output", required=True, metavar="OUT", help="folder for the stems")
    verb.add_argument(
        "--weights",
        metavar="FILE",
        help=f"{WEIGHTS_HELP}, or a name from `weights list` (default: the shipped one, which was "
        "trained on generated songs)",
    )
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
        help="separate as the released stand-alone script does: Hann window (Q6), no tail",
    )
    verb.add_argument(
        "--engine",
        choices=("numpy", "keras"),
        default="numpy",
        help="what computes the network; the stems are the same (default: numpy, which is faster)",
    )
    verb.add_argument("--model", metavar="NAME", help="name of the model in tables of scores")
    add_quiet(verb)


def _separate(options) -> int:
    from hiphopss.tracks import separate_files

    n_left_out = 0

    def leave_out(problem) -> None:
        nonlocal n_left_out
        n_left_out += 1
        tell(f"warning: {problem} (the song is left out)")

    folders = separate_files(
        options.inputs,
        options.output,
        weights=options.weights,
        mono=options.mono,
        subtype=options.subtype,
        standalone_script=options.standalone_script,
        model_name=options.model,
        engine=options.engine,
        progress=not options.quiet,
        tell=tell,
        leave_out=leave_out,
    )
    for folder in folders:
        print(folder)
    if not n_left_out:
        return 0
    n_songs = len(folders) + n_left_out
    tell(f"{len(folders)} of {n_songs} songs separated, {n_left_out} left out (see above)")
    return 1
