"""How much faster two processes score many songs than one, in one run.

    python tests/bench/evaluation.py              # three minutes on two processors
    python tests/bench/evaluation.py --songs 10   # with few songs, the start of processes weighs

Songs are noise in 16 bit, four of them again and again under other names. Both ways are measured in
turns. Other work on the machine disturbs wall times much and processor times little, so both are
given; the last line is what the processor times allow if nothing else runs: what the first process
does alone, and half of what the two others do.
"""

import argparse
import logging
import resource
import tempfile
import time
from pathlib import Path

import numpy as np
import soundfile
from scipy.signal import lfilter

from hiphopss import SOURCES
from hiphopss.eval import evaluate
from hiphopss.threads import processor_count

RATE = 44100
N_DISTINCT = 4
TARGET = 1.9


def main():
    """Measure, and print a line for each way."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--songs", type=int, default=40)
    parser.add_argument("--seconds", type=float, default=120.0, help="length of the songs")
    parser.add_argument("--turns", type=int, default=2)
    options = parser.parse_args()
    logging.disable(logging.WARNING)  # of songs that the warm-up leaves out
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        write_songs(folder, options.songs, options.seconds)
        print(f"{processor_count()} processors; {options.songs} songs of {options.seconds:g} s")
        evaluate_with(folder, 1, "warm-up")  # what is needed is loaded, and files are in memory
        times = {1: [], 2: []}
        for _ in range(options.turns):
            for n_processes, measured in times.items():
                measured.append(evaluate_with(folder, n_processes))
        same = (folder / "1.csv").read_bytes() == (folder / "2.csv").read_bytes()
    wall, here, there = (
        {n: np.min(measured, axis=0)[kind] for n, measured in times.items()} for kind in range(3)
    )
    for n in times:
        print(
            f"  {n} process(es): wall {wall[n]:.2f} s, processor: first process {here[n]:.2f} s, "
            f"others {there[n]:.2f} s"
        )
    print(f"  same tables: {same}")
    print(f"  wall, to reach {TARGET}: {wall[1] / wall[2]:.2f} x")
    ratios = [one[0] / two[0] for one, two in zip(times[1], times[2], strict=True)]
    print(f"  wall, turn by turn: {', '.join(f'{ratio:.2f}' for ratio in ratios)}")
    print(f"  processor, to reach {TARGET}: {here[1] / (here[2] + there[2] / 2):.2f} x")


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
            warm_up = folder / "warm-up" / song.name
            warm_up.parent.mkdir(exist_ok=True)
            warm_up.unlink(missing_ok=True)
            warm_up.symlink_to(song)


def make_stems(seed, n_samples):
    """Noise of four colours `[shape=(n_sources, n_samples)]`."""
    random = np.random.default_rng(seed)
    poles = (0.5, 0.8, 0.9, 0.95)
    return 0.01 * np.stack(
        [lfilter([1], [1, -pole], random.standard_normal(n_samples)) for pole in poles]
    )


def evaluate_with(folder, n_processes, estimates="estimated"):
    """Seconds: wall, of the processor in this process and in others."""
    before = seconds_so_far()
    table = folder / f"{n_processes}.csv"
    evaluate(
        folder / "true", folder / estimates, table, model="m", n_jobs=n_processes, progress=False
    )
    return seconds_so_far() - before


def seconds_so_far():
    """Wall, processor seconds of this process, and of those that it started and that ended."""
    others = resource.getrusage(resource.RUSAGE_CHILDREN)
    return np.array([time.perf_counter(), time.process_time(), others.ru_utime + others.ru_stime])


if __name__ == "__main__":
    main()
