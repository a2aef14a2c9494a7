"""How fast the program separates a song and starts, and how much memory it takes.

    python tests/bench/process.py         # a minute on two processors
    python tests/bench/process.py --hour  # an hour of music, too, and three gigabytes of disk

Weights are random; start-up and reading and writing of files count. The song is noise; with loops,
it is a loop of noise under noise that does not repeat.
"""

import json
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
WITH = {"off": "", "auto": ", with loops"}
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
        yield start_up_of_separation(Path(folder), weights)
        for loops in ("off", "auto"):
            *figures, peak = separate(Path(folder), weights, MINUTES, turns, loops)
            yield from figures
            if not hour:
                continue
            *figures, peak_of_hour = separate(Path(folder), weights, 60, 1, loops)
            yield from figures
            yield Figure(
                f"memory, an hour{WITH[loops]}",
                f"peak memory for an hour of stereo{WITH[loops]}",
                f"for {MINUTES} minutes",
                by="",
                measured=peak_of_hour / peak,
                to_reach=1.10 if loops == "off" else None,
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


def start_up_of_separation(folder, weights, turns=3):
    """A second of stereo with loops and without: what starting takes more."""
    song = folder / "second.wav"
    soundfile.write(song, noise(RATE), RATE, "PCM_16")
    names = {"auto": "hiphopss separate, a second of stereo, with loops", "off": "without loops"}
    taken = {name: [] for name in names.values()}
    for turn in range(turns):
        for loops, name in names.items():
            output = folder / f"{loops} {turn}"
            arguments = ["--weights", weights, "--loops", loops, "-q"]
            taken[name].append(run_hiphopss("separate", song, "-o", output, *arguments)[:2])
    least = {name: np.min(pairs, axis=0) for name, pairs in taken.items()}
    return slower("start-up with loops", least)


def separate(folder, weights, minutes, turns, loops):
    """Speed and peak memory of `hiphopss separate` as figures, and the memory in GB."""
    song = folder / f"{minutes}.wav"
    write_song(song, minutes, repeating=loops == "auto")
    runs, output = [], folder / "estimates"
    arguments = ["-o", output, "--weights", weights, "--loops", loops, "-q"]
    for _ in range(turns):
        runs.append(run_hiphopss("separate", song, *arguments))
        found = json.loads((output / song.stem / "track.json").read_text("utf-8"))["loop"]
        if (found is not None) != (loops == "auto"):
            raise SystemExit(f"--loops {loops}: found {found}")
        shutil.rmtree(output)
    song.unlink()
    wall, processor, _ = np.min(runs, axis=0)
    what = f"hiphopss separate, {minutes} minutes of stereo{WITH[loops]}"
    yield Figure(
        f"whole process, {minutes} minutes{WITH[loops]}",
        what,
        "real time",
        wall=60 * minutes / wall,
        processor=60 * minutes / processor,
        unit="x real time",
        to_reach={"off": 100, "auto": 50}[loops],
        seconds={what: [wall, processor]},
    )
    peak = max(peak for _, _, peak in runs)
    yield Figure(
        f"memory, {minutes} minutes{WITH[loops]}",
        "peak memory of that",
        by="",
        measured=peak,
        unit="GB",
        to_reach=1.0,
        at_most=True,
    )
    yield peak


def write_song(path, minutes, *, repeating=False):
    """Stereo noise in 16 bit, in which ten seconds repeat if it is ``repeating``."""
    loop = np.tile(noise(10 * RATE), (6, 1)) if repeating else np.int16(0)
    with soundfile.SoundFile(path, "w", RATE, 2, "PCM_16") as file:
        for minute in range(minutes):
            file.write(noise(60 * RATE, seed=minute + 1) + loop)


def noise(n_samples, seed=0):
    """Stereo noise `[shape=(n_samples, 2)]`."""
    return np.random.default_rng(seed).integers(-6000, 6000, (n_samples, 2)).astype(np.int16)


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
