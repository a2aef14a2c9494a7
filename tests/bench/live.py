"""What a hop of live separation costs, and how good it is for its latency.

    python tests/bench/live.py          # the cost: ten seconds
    python tests/bench/live.py --table  # the table in docs/live.md, too: a minute

The cost is that of blocks of 512 stereo samples on one processor, one by one, as live use has them.
The table is of generated songs that the shipped weights were not trained on.
"""

import tempfile
import time
from pathlib import Path

import numpy as np
from figures import Figure, main
from threadpoolctl import threadpool_limits

from hiphopss import SOURCES, SignalConfig
from hiphopss.datasets.generated import generate
from hiphopss.eval.bss.scores import bss_eval
from hiphopss.live.stream import StreamingSeparator
from hiphopss.separation.engines import load_network
from hiphopss.separation.separator import separate
from hiphopss.signal import reading
from hiphopss.weights.registry import resolve_weights

CONFIG = SignalConfig()
HOP = CONFIG.hop
LOOKAHEADS = (0, 1, 2, 4, 8, 15, 29)
N_HOPS = 4000
SECONDS = 12.0
ALLOWED_MS = 3.0  # of the 11.6 that a hop lasts


def measure(*, table: bool):
    """The figures, as they come."""
    network, _ = load_network(resolve_weights(None))
    with threadpool_limits(1):
        for lookahead in (LOOKAHEADS[0], LOOKAHEADS[-1]):
            yield cost(network, lookahead)
        if table:
            print_table(network)


def cost(network, lookahead):
    """Of one hop, at the 99th percentile."""
    separator = StreamingSeparator(network, lookahead=lookahead, block_multiple=HOP)
    blocks = 0.1 * np.random.default_rng(0).standard_normal((N_HOPS, 2, HOP), np.float32)
    taken = np.empty((N_HOPS, 2))
    for clocks, block in zip(taken, blocks, strict=True):
        begin = time.perf_counter(), time.process_time()
        separator.process(block)
        clocks[:] = time.perf_counter() - begin[0], time.process_time() - begin[1]
    # A processor that does other work meanwhile is not the separator's fault.
    wall, processor = 1000 * np.percentile(taken, 99, axis=0)
    return Figure(
        f"live hop, 99th percentile, lookahead {lookahead}",
        f"{HOP} stereo samples on one processor",
        wall=float(wall),
        processor=float(processor),
        by="processor",
        unit="ms",
        to_reach=ALLOWED_MS,
        at_most=True,
        note=f"median {1000 * np.median(taken[:, 0]):.2f} ms by wall; "
        f"a hop lasts {1000 * HOP / CONFIG.sample_rate:.1f} ms",
    )


def print_table(network):
    """SDR and agreement with the offline stems by latency, in Markdown."""
    songs = list(test_songs())
    offline = [stack(separate(mixture.T, CONFIG.sample_rate, loops="off")) for mixture, _ in songs]
    print("\n| lookahead | latency | averaged: SDR | to offline | newest patch: SDR | to offline |")
    print("|---:|---:|---:|---:|---:|---:|")
    for lookahead in LOOKAHEADS:
        cells = []
        for average in (True, False):
            separator = StreamingSeparator(
                network, lookahead=lookahead, channels=1, average=average
            )
            found = [stems_of(separator, mixture) for mixture, _ in songs]
            truths = [sources for _, sources in songs]
            cells += [mean_sdr(truths, found), mean_agreement(offline, found)]
        milliseconds = 1000 * separator.latency_seconds
        told = " | ".join(f"{cell:.2f}" for cell in cells)
        print(f"| {lookahead} | {milliseconds:.0f} ms | {told} |", flush=True)
    print(f"| offline | the song | {mean_sdr([s for _, s in songs], offline):.2f} | | | |\n")


def test_songs():
    """Mixtures `(1, n_samples)` and true stems `(n_sources, n_samples)`, four of them."""
    with tempfile.TemporaryDirectory() as folder:
        for collection in ("hhds", "dsd100"):
            root = generate(
                Path(folder) / collection,
                collection=collection,
                seconds=SECONDS,
                n_dev=1,
                n_test=2,
                progress=False,
            )
            for mixture in sorted((root / "Mixtures" / "Test").glob("*/mixture.wav")):
                sources = root / "Sources" / "Test" / mixture.parent.name
                truths = [reading.read(sources / f"{s}.wav").waveform[:, 0] for s in SOURCES]
                yield reading.read(mixture).waveform.T, np.array(truths)


def stems_of(separator, mixture):
    """All of a song, less the latency, `(n_sources, n_samples)`."""
    parts = [separator.process(mixture), separator.flush()]
    return np.concatenate(parts, axis=-1)[:, 0, separator.latency :]


def stack(stems):
    """Stems by name in one array `(n_sources, n_samples)`."""
    return np.array([stems[source][:, 0] for source in SOURCES])


def mean_sdr(truths, found):
    """Over songs and sources, in dB."""
    pairs = zip(truths, found, strict=True)
    return float(np.mean([bss_eval(*pair, mode="sources").sdr for pair in pairs]))


def mean_agreement(expected, found):
    """Energy of the offline stems over that of the difference, in dB."""
    ratios = [
        10 * np.log10(np.sum(a**2, axis=-1) / np.sum((a - b) ** 2, axis=-1))
        for a, b in zip(expected, found, strict=True)
    ]
    return float(np.mean(ratios))


if __name__ == "__main__":
    main(measure, __doc__, table=(False, "print the table of latency and SDR, too"))
