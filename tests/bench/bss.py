"""How many times faster than mir_eval the project's BSS Eval is, on one thread, in one run.

    python tests/bench/bss.py               # three minutes
    python tests/bench/bss.py --seconds 30  # of shorter songs, where the ratios are lower

Four sources of coloured noise at 44.1 kHz. Times are of the processor, so that other work on the
machine matters little. Each figure also says by how much the scores differ.
"""

import os

os.environ["OPENBLAS_NUM_THREADS"] = os.environ["OMP_NUM_THREADS"] = "1"

import numpy as np
from figures import faster, in_turns, main, timed
from scipy.signal import lfilter

from hiphopss.eval.bss.scores import References, bss_eval

RATE = 44100
N_ESTIMATES = 11


def measure(seconds=60.0, window=30.0):
    """The figures, as they come."""
    warm_up = make_song(1.0, None)
    for engine in ("hiphopss", "mir_eval"):
        bss_eval(*warm_up, engine=engine)
    mono, stereo = make_song(seconds, None), make_song(seconds, 2)
    windows = {"window": round(window * RATE), "hop": round(window * RATE / 2)}
    yield compare("BSS Eval, sources", 25, "sources", *mono)
    yield compare("BSS Eval, images", 25, "images", *mono)
    yield compare("BSS Eval, stereo images", 25, "images", *stereo)
    yield compare("BSS Eval, windows", 40, "sources", *make_song(2 * seconds, None), **windows)
    yield share(*mono)


def make_song(seconds, n_channels):
    """References and estimates `[shape=(4, n_samples[, n_channels])]`."""
    random = np.random.default_rng(0)
    shape = (4, round(seconds * RATE)) + ((n_channels,) if n_channels else ())
    references = np.stack(
        [lfilter([1], [1, -p], random.standard_normal(shape[1:]), 0) for p in (0.5, 0.8, 0.9, 0.95)]
    )
    noise = random.standard_normal(shape)
    return references, references + 0.2 * references.sum(axis=0) + 0.1 * noise


def compare(name, to_reach, mode, references, estimates, **windows):
    """Time both engines; the quick one before and after the other, as a moment disturbs it more."""
    scores, costs = {}, {"hiphopss": [], "mir_eval": []}

    def run(engine):
        scores[engine] = bss_eval(references, estimates, mode=mode, engine=engine, **windows)

    for engine in ("hiphopss", "mir_eval", "hiphopss", "hiphopss"):
        costs[engine].append(timed(lambda engine=engine: run(engine)))
    taken = {engine: np.median(each, axis=0) for engine, each in costs.items()}
    difference = max(
        np.abs(getattr(scores["hiphopss"], metric) - getattr(scores["mir_eval"], metric)).max()
        for metric in ("sdr", "sir", "sar") + (("isr",) if mode == "images" else ())
    )
    n_windows = len(scores["hiphopss"].window_starts)
    return faster(
        name,
        taken,
        by="processor",
        to_reach=to_reach,
        note=f"{references.shape[1] / RATE:g} s, {n_windows} window(s); "
        f"scores differ by {difference:.0e} dB",
    )


def share(references, estimates):
    """Time many estimates of the same references, together and one by one."""

    def together():
        prepared = References(references)
        for _ in range(N_ESTIMATES):
            prepared.score(estimates)

    def one_by_one():
        for _ in range(N_ESTIMATES):
            bss_eval(references, estimates)

    taken = in_turns({"References": together, "bss_eval": one_by_one}, 1)
    return faster(f"{N_ESTIMATES} estimates of the same sources", taken, by="processor")


if __name__ == "__main__":
    main(
        measure,
        __doc__,
        seconds=(60.0, "length of the songs; twice as long for windows"),
        window=(30.0, "length of a window in seconds"),
    )
