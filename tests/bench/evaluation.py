"""How much faster two processes score many songs than one, in one run.

    python tests/bench/evaluation.py              # five minutes on two processors
    python tests/bench/evaluation.py --songs 10   # with few songs, the start of processes weighs

Songs are noise in 16 bit, four of them again and again under other names. Both ways are measured in
turns, and a third: two runs of one process each, side by side, with half of the songs each, begun
before the clock starts. They share nothing but the machine, so what they reach is the machine's own
ceiling. All ways compute in one thread a process. Other work on the machine disturbs wall times
much and processor times less, so both are given, and of the turns the least; by the latter it is
what they allow if nothing else runs: what the first process does alone, and half of what the two
others do.
"""

import logging
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import soundfile
from figures import Figure, main
from scipy.signal import lfilter

from hiphopss import SOURCES
from hiphopss.eval.evaluation import evaluate
from hiphopss.util.executor import Executor

RATE = 44100
N_DISTINCT = 4


ONE, TWO, APART = "one process", "two processes", "two runs side by side"


def measure(songs=40, seconds=120.0, turns=2):
    """The figures: of two processes, and of what the machine allows."""
    logging.disable(logging.WARNING)  # of songs that a part leaves out
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        write_songs(folder, songs, seconds)
        evaluate_with(folder, 1, "warm-up")  # what is needed is loaded, and files are in memory
        times = {ONE: [], TWO: [], APART: []}
        for _ in range(turns):
            times[ONE].append(evaluate_with(folder, 1))
            times[TWO].append(evaluate_with(folder, 2))
            times[APART].append(evaluate_apart(folder))
        same = (folder / "1.csv").read_bytes() == (folder / "2.csv").read_bytes()
    note = f"{songs} songs of {seconds:g} s; same tables: {same}"
    yield compare("evaluation in processes", times, TWO, to_reach=1.9, note=note)
    yield compare("evaluation, the machine's ceiling", times, APART)


def compare(name, times, way, note="", **options):
    """A way against one process, by the least times of the turns."""
    wall, here, there = (
        {way: np.min(measured, axis=0)[kind] for way, measured in times.items()}
        for kind in range(3)
    )
    ratios = [one[0] / two[0] for one, two in zip(times[ONE], times[way], strict=True)]
    by_turn = f"by wall, turn by turn: {', '.join(f'{ratio:.2f}' for ratio in ratios)}"
    return Figure(
        name,
        way,
        ONE,
        wall=wall[ONE] / wall[way],
        processor=here[ONE] / (here[way] + there[way] / 2),
        seconds={each: [wall[each], here[each] + there[each]] for each in (way, ONE)},
        note="; ".join(filter(None, [note, by_turn])),
        **options,
    )


def write_songs(folder, n_songs, seconds):
    """Coloured noise as references, with some of the other sources in each estimate."""
    for k in range(n_songs):
        for kind, gain in (("true", 0), ("estimated", 0.2)):
            song = folder / kind / f"song {k:03d}"
            if k >= N_DISTINCT:
                song.symlink_to(song.with_name(f"song {k % N_DISTINCT:03d}"))
                continue
            song.mkdir(parents=True)
            stems = make_stems(k, round(seconds * RATE))
            for source, stem in zip(SOURCES, stems + gain * stems.sum(axis=0), strict=True):
                soundfile.write(song / f"{source}.wav", stem, RATE)
    names = sorted(song.name for song in (folder / "true").iterdir())
    parts = {"warm-up": names[:N_DISTINCT], "half 0": names[::2], "half 1": names[1::2]}
    for part, songs in parts.items():
        (folder / part).mkdir()
        for song in songs:
            (folder / part / song).symlink_to((folder / "estimated" / song).resolve())


def make_stems(seed, n_samples):
    """Noise of four colours `[shape=(n_sources, n_samples)]`."""
    random = np.random.default_rng(seed)
    poles = (0.5, 0.8, 0.9, 0.95)
    return 0.01 * np.stack(
        [lfilter([1], [1, -pole], random.standard_normal(n_samples)) for pole in poles]
    )


def evaluate_with(folder, n_processes, estimates="estimated", table=None):
    """Seconds: wall, of the processor in this process and in others."""
    before = seconds_so_far()
    table = folder / f"{table or n_processes}.csv"
    where = Executor(n_processes)
    evaluate(folder / "true", {"m": folder / estimates}, table, where=where, progress=False)
    return seconds_so_far() - before


def evaluate_apart(folder):
    """As :func:`evaluate_with`, in two processes that know nothing of one another."""
    code = (
        f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r}); "
        "import evaluation; evaluation.evaluate_half(*sys.argv[1:])"
    )
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    halves = [
        subprocess.Popen([sys.executable, "-c", code, str(folder), str(k)], **pipes)
        for k in range(2)
    ]
    for half in halves:
        half.stdout.readline()  # it is ready
    begin = time.perf_counter()
    for half in halves:
        print(file=half.stdin, flush=True)
    processor = sum(float(half.stdout.readline()) for half in halves)
    wall = time.perf_counter() - begin
    for half in halves:
        half.communicate()
    return np.array([wall, 0, processor])


def evaluate_half(folder, number):
    """Load what is needed, tell, wait, score every second song, tell the processor's seconds."""
    logging.disable(logging.WARNING)
    folder = Path(folder)
    evaluate_with(folder, 1, "warm-up", f"warm-up {number}")
    print("ready", flush=True)
    sys.stdin.readline()
    times = evaluate_with(folder, 1, f"half {number}", f"half {number}")
    print(times[1], flush=True)


def seconds_so_far():
    """Wall, processor seconds of this process, and of those that it started and that ended."""
    others = resource.getrusage(resource.RUSAGE_CHILDREN)
    return np.array([time.perf_counter(), time.process_time(), others.ru_utime + others.ru_stime])


if __name__ == "__main__":
    main(
        measure,
        __doc__,
        songs=(40, "how many"),
        seconds=(120.0, "length of the songs"),
        turns=(2, "of each way"),
    )
