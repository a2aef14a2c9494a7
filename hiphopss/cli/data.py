"""The verbs `generate`, `download`, `features` and `audition`: data sets and feature files."""

from __future__ import annotations

from argparse import Namespace

from hiphopss.cli.common import Verbs, add_length_tolerance, add_preset, add_verb
from hiphopss.cli.terminal.results import Result, made
from hiphopss.util.text import printable


def add_generate(verbs: Verbs) -> None:
    verb = add_verb(
        verbs,
        "generate",
        "make a generated data set, in the layout of DSD100",
        _generate,
        examples=["hiphopss generate songs --seconds 20"],
    )
    verb.add_argument("output", metavar="OUT", help="folder to make")
    verb.add_argument(
        "--set",
        choices=("hhds", "dsd100", "loops", "unlooped", "nocturne"),
        default="hhds",
        help="which data set it stands in for: one producer's hip hop (hhds), or many styles with "
        "played drums and sung vocals (dsd100); or hip hop whose loops repeat to the sample "
        "(loops), songs that never do (unlooped), or one producer of another style than "
        "that of hhds (nocturne) (default: hhds)",
    )
    verb.add_argument(
        "--seconds",
        type=float,
        help="length of a song (default: 30; loops: 60 to 180, unlooped: 60 to 120)",
    )
    verb.add_argument(
        "--dev",
        type=int,
        metavar="N",
        help="songs to train on (default: 13, dsd100: 16, loops: 10, unlooped: 6)",
    )
    verb.add_argument(
        "--test",
        type=int,
        metavar="N",
        help="songs to test on (default: 5, dsd100: 6, loops: 12, unlooped and nocturne: 8)",
    )
    verb.add_argument("--seed", type=int, default=0, help="seed of the songs (default: 0)")


def _generate(options: Namespace) -> Result:
    from hiphopss.datasets.generated import generate

    path = generate(
        options.output,
        collection=options.set,
        seconds=options.seconds,
        n_dev=options.dev,
        n_test=options.test,
        seed=options.seed,
        progress=not options.quiet,
    )
    return made(path)


def add_download(verbs: Verbs) -> None:
    verb = add_verb(
        verbs,
        "download",
        "download a data set from Zenodo, or unpack its archive; run again to resume a download",
        _download,
        examples=[
            "hiphopss download hhds HHDS",
            "hiphopss download dsd100 DSD100 --archive DSD100.zip",
        ],
    )
    verb.add_argument(
        "dataset",
        choices=("hhds", "musdb18hq", "musdb18", "dsd100"),
        help="HHDS; MUSDB18-HQ (22.7 GB), whose songs include DSD100's; MUSDB18, the same songs "
        "in AAC (4.7 GB); or DSD100, which has no DOI and needs --archive",
    )
    verb.add_argument("output", metavar="OUT", help="folder to make: the data set's root")
    verb.add_argument(
        "--archive",
        metavar="ZIP",
        help="check and unpack this archive instead of downloading it; it is kept",
    )


def _download(options: Namespace) -> Result:
    from hiphopss.datasets.fetch.dataset import download_dataset

    path = download_dataset(
        options.dataset, options.output, archive=options.archive, progress=not options.quiet
    )
    return made(path)


def add_features(verbs: Verbs) -> None:
    verb = add_verb(
        verbs,
        "features",
        "compute the HDF5 feature file of a data set, augmented or not",
        _features,
        examples=["hiphopss features HHDS -o hhds.h5 --augmentation combined"],
    )
    verb.add_argument(
        "dataset", metavar="DATASET", help="root in the layout of DSD100, MUSDB18 or MUSDB18-HQ"
    )
    verb.add_argument("-o", "--output", required=True, metavar="FILE", help="HDF5 file to write")
    verb.add_argument(
        "--augmentation",
        default="none",
        metavar="NAME",
        help="none, circular-shift (CS), instrument (IA), mix (MA), or combined (COMBI), the union "
        "(default: none)",
    )
    add_preset(verb, "; training follows it")
    verb.add_argument("--seed", type=int, default=0, help="seed of the random choices (default: 0)")
    verb.add_argument(
        "--released-test-leak",
        action="store_true",
        help="the circular shift uses the test songs too, which the released code does by mistake "
        "(its quirk Q3); the file, and weights, scores and figures made from it, say so (only with "
        "--preset released)",
    )
    verb.add_argument(
        "--store-phase",
        action="store_true",
        help="store the phase of the mixtures too, for `audition`",
    )
    verb.add_argument(
        "--part",
        choices=("train", "validation"),
        help="of MUSDB18's training songs, only its customary validation songs, or only the others",
    )
    add_length_tolerance(verb)
    verb.add_argument(
        "--plan",
        action="store_true",
        help="only say what it takes: patches, bytes, and time on this machine, measured for some "
        "seconds",
    )


def _features(options: Namespace) -> Result:
    from hiphopss.datasets.features.make import make_features
    from hiphopss.datasets.features.plan import plan_features
    from hiphopss.datasets.features.selection import SongChoice

    chosen = {
        "augmentation": options.augmentation,
        "preset": options.preset,
        "seed": options.seed,
        "released_test_leak": options.released_test_leak,
        "store_phase": options.store_phase,
        "songs": SongChoice(options.part, options.length_tolerance),
    }
    if options.plan:
        plan = plan_features(options.dataset, options.output, **chosen)
        return Result({"plan": plan}, [plan.text()])
    path = make_features(options.dataset, options.output, **chosen, progress=not options.quiet)
    return made(path)


def add_audition(verbs: Verbs) -> None:
    verb = add_verb(
        verbs,
        "audition",
        "list the segments of a feature file, or write one as WAV files",
        _audition,
        examples=["hiphopss audition hhds.h5", "hiphopss audition hhds.h5 --segment 3"],
    )
    verb.add_argument("features", metavar="FILE", help="HDF5 file from `features`")
    verb.add_argument("--segment", type=int, metavar="N", help="one to write (default: list all)")
    verb.add_argument(
        "-o", "--output", metavar="OUT", help="folder for the WAV files (default: FILE-segment-N)"
    )
    verb.add_argument("--dataset", metavar="DATASET", help="root of the data set, if it was moved")


def _audition(options: Namespace) -> Result:
    from hiphopss.util.hdf5.process import start_for

    start_for(options.features)
    from hiphopss.datasets.features.audition import (
        audition,
        describe_segments,
        read_segments,
    )

    if options.segment is None:
        segments, rate = read_segments(options.features)
        facts = {"sample_rate": rate, "segments": segments}
        return Result(facts, [describe_segments(segments, rate)])
    output = options.output
    if output is None:
        output = f"{options.features.removesuffix('.h5')}-segment-{options.segment}"
    paths = audition(options.features, options.segment, output, dataset=options.dataset)
    return Result({"files": paths}, [printable(path) for path in paths])
