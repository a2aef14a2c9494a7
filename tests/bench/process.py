"""How fast the program separates a song and starts, and how much memory it takes.

    python tests/bench/process.py         # half a minute on two processors
    python tests/bench/process.py --hour  # an hour of music, too, and three gigabytes of disk

Weights are random, the song is noise; start-up and reading and writing of files count.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import soundfile
from figures import Figure, main, slower

RATE = 44100
MINUTES = 4
_MAKE_WEIGHTS = """
import sys
from hiphopss import PRESETS, SignalConfig
from hiphopss.util.keras_backend import import_keras
from hiphopss.weights.files import save_weights
import_keras()
from hiphopss.network.model import build_model
fidelity = PRESETS["corrected"]
save_weights(sys.argv[1], build_model(fidelity, seed=1), config=SignalConfig(), fidelity=fidelity)
"""


def measure(hour=False, turns=3):
    """The figures, as they come."""
    yield start_up()
    with tempfile.TemporaryDirectory() as folder:
        weights = Path(folder) / "random.weights.h5"
        run_python("-c", _MAKE_WEIGHTS, weights)
        *figures, peak = separate(Path(folder), weights, MINUTES, turns)
        yield from figures
        if hour:
            *figures, peak_of_hour = separate(Path(folder), weights, 60, 1)
            yield from figures
            yield Figure(
                "memory, an hour",
                "peak memory for an hour of stereo",
                f"for {MINUTES} minutes",
                by="",
                measured=peak_of_hour / peak,
                to_reach=1.10,
                at_most=True,
            )


def start_up(turns=7):
    """`hiphopss --help` beside `import numpy`."""
    taken = {"hiphopss --help": [], "import numpy": []}
    for _ in range(turns):
        taken["import numpy"].append(run_python("-c", "import numpy")[:2])
        taken["hiphopss --help"].append(run_hiphopss("--help")[:2])
    least = {name: np.min(pairs, axis=0) for name, pairs in taken.items()}
    return slower("start-up", least, to_reach=3)


def separate(folder, weights, minutes, turns):
    """Speed and peak memory of `hiphopss separate` as figures, and the memory in GB."""
    song = folder / f"{minutes}.wav"
    write_song(song, minutes)
    runs, output = [], folder / "estimates"
    for _ in range(turns):
        runs.append(run_hiphopss("separate", song, "-o", output, "--weights", weights, "-q"))
        shutil.rmtree(output)
    wall, processor, _ = np.min(runs, axis=0)
    what = f"hiphopss separate, {minutes} minutes of stereo"
    yield Figure(
        f"whole process, {minutes} minutes",
        what,
        "real time",
        wall=60 * minutes / wall,
        processor=60 * minutes / processor,
        unit="x real time",
        to_reach=100,
        seconds={what: [wall, processor]},
    )
    peak = max(peak for _, _, peak in runs)
    yield Figure(
        f"memory, {minutes} minutes",
        "peak memory of that",
        by="",
        measured=peak,
        unit="GB",
        to_reach=1.0,
        at_most=True,
    )
    yield peak


def write_song(path, minutes):
    """Stereo noise in 16 bit."""
    noise = np.random.default_rng(0).integers(-6000, 6000, (60 * RATE, 2)).astype(np.int16)
    with soundfile.SoundFile(path, "w", RATE, 2, "PCM_16") as file:
        for _ in range(minutes):
            file.write(noise)


def run_python(*arguments):
    """Wall seconds, processor seconds and peak memory in GB of a new Python."""
    begin = time.perf_counter()
    process = subprocess.Popen([sys.executable, *map(str, arguments)], stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{arguments}: exit status {process.returncode}")
    wall = time.perf_counter() - begin
    bytes_each = 1 if sys.platform == "darwin" else 1024
    return wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * bytes_each / 1e9


def run_hiphopss(*arguments):
    """As :func:`run_python`, of the command line."""
    program = "import sys; from hiphopss.cli import main; sys.exit(main())"
    return run_python("-c", program, *arguments)


if __name__ == "__main__":
    main(measure, __doc__, hour=(False, "an hour of music, too"))
