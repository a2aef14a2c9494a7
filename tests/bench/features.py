"""How fast features are made on one thread.

    python tests/bench/features.py            # less than a minute
    python tests/bench/features.py --profile  # where the time goes, too, on standard error

Three songs of noise in a temporary folder; plain features and those of the circular shift, measured
in turns.
"""

import cProfile
import os
import pstats
import sys
import tempfile
import time
from pathlib import Path

os.environ["OPENBLAS_NUM_THREADS"] = os.environ["OMP_NUM_THREADS"] = "1"

from figures import Figure, in_turns, main, slower
from songs import write_songs

from hiphopss import PRESETS
from hiphopss.datasets.features.make import make_features

N_SONGS = 3


def measure(seconds=60.0, turns=3, profile=False):
    """The figures, as they come."""
    with tempfile.TemporaryDirectory() as folder:
        root = write_songs(Path(folder) / "songs", n_songs=N_SONGS, seconds=seconds)
        output = Path(folder) / "features.h5"
        for preset in PRESETS:
            yield from measure_preset(root, output, preset, N_SONGS * seconds, turns)
        if profile:
            print_profile(root, output)


def make(root, output, preset, augmentation):
    """Make a feature file."""
    make_features(root, output, augmentation=augmentation, preset=preset, progress=False)


def measure_preset(root, output, preset, seconds, turns):
    """Plain features against real time, and those of the circular shift against plain ones."""
    plain, shifted = f"plain features, preset {preset}", f"circular shift, preset {preset}"
    taken = in_turns(
        {
            shifted: lambda: make(root, output, preset, "CS"),
            plain: lambda: make(root, output, preset, "none"),
        },
        turns,
    )
    wall, processor = taken[plain]
    yield Figure(
        f"features, {preset}",
        plain,
        "real time",
        wall=seconds / wall,
        processor=seconds / processor,
        by="processor",
        unit="x real time",
        to_reach=300,
        seconds={plain: [wall, processor]},
    )
    yield slower(f"circular shift, {preset}", taken, by="processor", to_reach=6)


def print_profile(root, output):
    """The functions that take most of the time."""
    for augmentation in ("none", "CS"):
        profiler = cProfile.Profile(time.process_time)
        profiler.runcall(make, root, output, "corrected", augmentation)
        stats = pstats.Stats(profiler, stream=sys.stderr)
        stats.strip_dirs().sort_stats("tottime").print_stats(16)


if __name__ == "__main__":
    main(
        measure,
        __doc__,
        seconds=(60.0, "length of each song"),
        turns=(3, "of each measurement"),
        profile=(False, "where the time goes, too"),
    )
