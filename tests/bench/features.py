"""How fast features are made on one thread, and how much feeding them to the training costs.

    python tests/bench/features.py            # features, then training; a minute or two
    python tests/bench/features.py --profile  # where the time of plain features goes, too

Three songs of 60 s of noise in a temporary folder. Processor times, so that other work on the
machine matters little; what is compared is measured in turns in one run.
"""

import argparse
import cProfile
import os
import pstats
import statistics
import tempfile
import time
from pathlib import Path

os.environ["OPENBLAS_NUM_THREADS"] = os.environ["OMP_NUM_THREADS"] = "1"

import numpy as np
import soundfile

from hiphopss import PRESETS, SOURCES
from hiphopss.backend import import_keras
from hiphopss.datasets.feature_file import FeatureFile
from hiphopss.datasets.features import make_features
from hiphopss.training import _read_ahead, compile_model

RATE = 44100
N_SONGS, SECONDS = 3, 60
BATCH, N_BATCHES = 32, 40


def main():
    """Run the measurements, and print a line for each figure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--turns", type=int, default=3, help="of each measurement")
    parser.add_argument("--profile", action="store_true", help="where the time goes, too")
    parser.add_argument("--no-training", action="store_true", help="features only")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        root = write_songs(Path(folder) / "songs")
        output = Path(folder) / "features.h5"
        for preset in PRESETS:
            measure_features(root, output, preset, options.turns)
        if options.profile:
            profile(root, output)
        if not options.no_training:
            make_features(root, output, augmentation="CS", preset="corrected", progress=False)
            measure_training(output, options.turns)


def write_songs(root):
    """Songs in the layout of DSD100, mono and 16 bit as HHDS has them."""
    random = np.random.default_rng(0)
    for number in range(N_SONGS):
        stems = 0.05 * random.standard_normal((len(SOURCES), SECONDS * RATE), np.float32)
        waveforms = dict(zip(SOURCES, stems, strict=True)) | {"mixture": 0.7 * stems.sum(axis=0)}
        for name, waveform in waveforms.items():
            kind = "Mixtures" if name == "mixture" else "Sources"
            folder = root / kind / "Dev" / str(number)
            folder.mkdir(parents=True, exist_ok=True)
            soundfile.write(folder / f"{name}.wav", waveform, RATE, subtype="PCM_16")
    return root


def cost(work):
    """Processor and wall seconds of a call."""
    processor, wall = time.process_time(), time.perf_counter()
    work()
    return np.array([time.process_time() - processor, time.perf_counter() - wall])


def measure_features(root, output, preset, turns):
    """Plain features and those of the circular shift, against the length of the songs."""
    taken = {"none": [], "CS": []}
    for _ in range(turns):
        for augmentation, costs in taken.items():
            options = {"augmentation": augmentation, "preset": preset, "progress": False}
            output.unlink(missing_ok=True)
            costs.append(cost(lambda o=options: make_features(root, output, **o)))
    plain, shifted = (np.median(costs, axis=0) for costs in taken.values())
    print(
        f"{preset}: plain {plain[0]:.2f} s ({plain[1]:.2f} s wall), "
        f"{N_SONGS * SECONDS / plain[0]:.0f} x real time (wanted: 300); "
        f"CS {shifted[0]:.2f} s ({shifted[1]:.2f} s wall), {shifted[0] / plain[0]:.1f} x plain "
        "(wanted: 6 or less)",
        flush=True,
    )


def profile(root, output):
    """The functions that take most of the time of plain features."""
    for augmentation in ("none", "CS"):
        output.unlink(missing_ok=True)
        options = {"augmentation": augmentation, "preset": "corrected", "progress": False}
        profiler = cProfile.Profile(time.process_time)
        profiler.runcall(make_features, root, output, **options)
        pstats.Stats(profiler).strip_dirs().sort_stats("tottime").print_stats(16)


def measure_training(path, turns):
    """Training steps fed from the file, against the same steps with the batches in memory."""
    import_keras()
    from hiphopss.model import build_model

    with FeatureFile(path) as file:
        model = compile_model(build_model(file.fidelity, seed=0), file.fidelity)
        random = np.random.default_rng(0)
        patches = random.choice(file.n_patches, (N_BATCHES, BATCH), replace=False)
        held = [file.read(batch) for batch in patches]
        model.train_on_batch(*held[0], return_dict=True)  # compiles

        def steps(batches):
            for mixture, targets in batches:
                model.train_on_batch(mixture, targets, return_dict=True)

        in_memory, from_file = [], []
        for _ in range(turns):
            in_memory.append(cost(lambda: steps(held)))
            from_file.append(cost(lambda: steps(_read_ahead(file, patches))))
        room = file.room(BATCH)
        reading = cost(lambda: [file.read(batch, out=room) for batch in patches])
    ratios = [fed / own for fed, own in zip(from_file, in_memory, strict=True)]
    n_patches = N_BATCHES * BATCH
    processor, wall = (statistics.median(r[i] for r in ratios) for i in (0, 1))
    print(
        f"training: {n_patches / np.median(in_memory, axis=0)[1]:.0f} patches/s from memory; from "
        f"the file {100 * (wall - 1):.1f} % more wall time (wanted: 10 or less), "
        f"{100 * (processor - 1):.1f} % more processor time; reading alone "
        f"{n_patches / reading[0]:.0f} patches/s"
    )


if __name__ == "__main__":
    main()
