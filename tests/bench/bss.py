"""How many times faster than mir_eval the project's BSS Eval is, on one thread, in one run.

    python tests/bench/bss.py            # 60 s of sound; takes some minutes
    python tests/bench/bss.py --windows  # 4 minutes in windows of 30 s, too; a quarter of an hour

Four sources of coloured noise at 44.1 kHz. Times are of the processor, so that other work on the
machine matters little. Each line also says by how much the scores differ.
"""

import argparse
import os
import time

os.environ["OPENBLAS_NUM_THREADS"] = os.environ["OMP_NUM_THREADS"] = "1"

import numpy as np
from scipy.signal import lfilter

from hiphopss.eval import References, bss_eval

RATE = 44100
N_ESTIMATES = 11


def main():
    """Run the comparisons, and print a line for each."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=60.0, help="length of the songs")
    parser.add_argument("--windows", action="store_true", help="4 minutes in windows, too")
    options = parser.parse_args()
    warm_up = make_song(1.0, None)
    for engine in ("hiphopss", "mir_eval"):
        bss_eval(*warm_up, engine=engine)
    compare("sources", *make_song(options.seconds, None))
    compare("images", *make_song(options.seconds, None))
    compare("images", *make_song(options.seconds, 2))
    if options.windows:
        windows = {"window": 30 * RATE, "hop": 15 * RATE}
        compare("sources", *make_song(240.0, None), **windows)
    share(*make_song(options.seconds, None))


def make_song(seconds, n_channels):
    """References and estimates `[shape=(4, n_samples[, n_channels])]`."""
    random = np.random.default_rng(0)
    shape = (4, round(seconds * RATE)) + ((n_channels,) if n_channels else ())
    references = np.stack(
        [lfilter([1], [1, -p], random.standard_normal(shape[1:]), 0) for p in (0.5, 0.8, 0.9, 0.95)]
    )
    noise = random.standard_normal(shape)
    return references, references + 0.2 * references.sum(axis=0) + 0.1 * noise


def compare(mode, references, estimates, **windows):
    """Time both engines."""
    seconds, scores = {}, {}
    for engine in ("mir_eval", "hiphopss"):
        begin = time.process_time()
        scores[engine] = bss_eval(references, estimates, mode=mode, engine=engine, **windows)
        seconds[engine] = time.process_time() - begin
    difference = max(
        np.abs(getattr(scores["hiphopss"], name) - getattr(scores["mir_eval"], name)).max()
        for name in ("sdr", "sir", "sar") + (("isr",) if mode == "images" else ())
    )
    channels = references.shape[2] if references.ndim == 3 else 1
    print(
        f"{mode}, {channels} channel(s), {references.shape[1] / RATE:g} s, "
        f"{len(scores['hiphopss'].window_starts)} window(s): mir_eval {seconds['mir_eval']:.2f} s, "
        f"hiphopss {seconds['hiphopss']:.2f} s, {seconds['mir_eval'] / seconds['hiphopss']:.1f} x, "
        f"largest difference {difference:.1e} dB",
        flush=True,
    )


def share(references, estimates):
    """Time many estimates of the same references, one by one and together."""
    begin = time.process_time()
    for _ in range(N_ESTIMATES):
        bss_eval(references, estimates)
    middle = time.process_time()
    prepared = References(references)
    for _ in range(N_ESTIMATES):
        prepared.score(estimates)
    end = time.process_time()
    print(
        f"{N_ESTIMATES} estimates of the same sources: bss_eval {middle - begin:.2f} s, "
        f"References {end - middle:.2f} s"
    )


if __name__ == "__main__":
    main()
