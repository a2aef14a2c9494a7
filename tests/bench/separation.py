"""How fast separation is, and how much memory it takes: each figure beside what it must reach.

    python tests/bench/separation.py         # a minute on two processors
    python tests/bench/separation.py --hour  # an hour of music, too

Weights are random, songs are noise. What is compared is measured in turns in one run. Other work
on the machine disturbs wall times much and processor times little, so both are given.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import soundfile

from hiphopss import PRESETS, SOURCES, SignalConfig
from hiphopss.backend import import_keras
from hiphopss.engines import KerasNetwork
from hiphopss.forward import (
    BOTTLENECK,
    MASK_EPSILON,
    N_FILTERS,
    TIME_FILTER,
    NumpyNetwork,
    decoded_sources,
)
from hiphopss.patches import crossfade_weights
from hiphopss.threads import ordered_map, processor_count
from hiphopss.weights import network_arrays

CONFIG = SignalConfig()
N_ENCODED = CONFIG.context - TIME_FILTER + 1
RATE = CONFIG.sample_rate
RUN = 128  # patches
N_RUNS = 40  # of the fast networks in a turn
SIZE = 1024  # of the square matrices
_MAKE_WEIGHTS = """
import sys
from hiphopss import PRESETS, SignalConfig
from hiphopss.backend import import_keras
from hiphopss.weights import save_weights
import_keras()
from hiphopss.model import build_model
fidelity = PRESETS["corrected"]
save_weights(sys.argv[1], build_model(fidelity, seed=1), config=SignalConfig(), fidelity=fidelity)
"""


def main():
    """Measure all, and print a line for each figure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--hour", action="store_true", help="an hour of music, too")
    options = parser.parse_args()
    print(f"{processor_count()} processor(s)")
    # before Keras is here: a new process counts its parent's memory as its own at first
    measure_start_up()
    measure_process(options.hour)
    import_keras()
    for preset in PRESETS:
        compare_networks(preset)


def timed(work):
    """Wall and processor seconds of a call."""
    wall, processor = time.perf_counter(), time.process_time()
    work()
    return np.array([time.perf_counter() - wall, time.process_time() - processor])


def compare_networks(preset, turns=3):
    """The network and its masks: literal, in Keras, in NumPy; and plain matrix products."""
    from hiphopss.model import build_model

    model = build_model(preset, seed=1)
    numpy_network = NumpyNetwork(network_arrays(model), CONFIG, PRESETS[preset])
    keras_network = KerasNetwork(model, CONFIG)
    literal, literal_outputs = literal_network(network_arrays(model))
    weights = crossfade_weights(CONFIG, n_before=9, n_patches=RUN, n_after=9)
    n_frames = (RUN - 1) * CONFIG.patch_hop + CONFIG.context
    frames = np.random.default_rng(0).gamma(0.3, 0.5, (n_frames, CONFIG.bins)).astype(np.float32)
    starts = np.arange(RUN)[:, None] * CONFIG.patch_hop + np.arange(CONFIG.context)
    patches = frames[starts][..., None]  # (n_patches, context, n_bins, 1)
    square = np.random.default_rng(0).standard_normal((SIZE, SIZE), np.float32)

    def in_numpy():
        runs = [frames] * N_RUNS
        for _ in on_all_processors(lambda run: numpy_network.joined_masks(run, weights), runs):
            pass

    def products():
        for _ in on_all_processors(lambda _: square @ square, range(N_RUNS)):
            pass

    alone = np.ones((1, CONFIG.context))
    outputs = literal_outputs.predict_on_batch(patches)
    found = np.array([numpy_network.joined_masks(patch[..., 0], alone) for patch in patches])
    # An error of a mask times the sum of the outputs is the error of an output.
    error = np.abs(found - literal.predict_on_batch(patches)) * outputs.sum(axis=1, keepdims=True)
    works = {
        "products": (products, N_RUNS * 2 * SIZE**3),
        "literal": (lambda: literal.predict_on_batch(patches), RUN),
        "keras": (lambda: keras_network.joined_masks(frames, weights), RUN),
        "numpy": (in_numpy, N_RUNS * RUN),
    }
    seconds = {name: [] for name in works}
    for work, _ in works.values():
        work()
    for _ in range(turns):
        for name, (work, _) in works.items():
            seconds[name].append(timed(work))
    wall, processor = (
        {name: works[name][1] / np.min(seconds[name], axis=0)[kind] for name in works}
        for kind in (0, 1)
    )
    flops = flops_of_patch(len(decoded_sources(PRESETS[preset])))
    print(f"\nnetwork and masks, preset {preset}       wall time      processor time")
    for name in ("literal", "keras", "numpy"):
        print(f"  {name:8} patches a second  {wall[name]:12.0f}  {processor[name]:16.0f}")
    for title, sign, of in (
        ("numpy / literal, to reach 35", 1, "literal"),
        ("share of the products' rate, to reach 0.40", flops, "products"),
    ):
        ratios = [sign * rates["numpy"] / rates[of] for rates in (wall, processor)]
        print(f"  {title:44} {ratios[0]:.2f}  {ratios[1]:.2f}")
    print(f"  products: {wall['products'] / 1e9:.0f} GFLOP/s, of a patch {flops / 1e6:.2f} MFLOP")
    print(f"  numpy - literal, outputs over their largest: {error.max() / outputs.max():.1e}")


def on_all_processors(function, items):
    """As separation does it."""
    return ordered_map(function, items, n_threads=processor_count())


def flops_of_patch(n_decoders):
    """What the products of a patch must cost, with all that patches share counted once."""
    conv1 = 2 * CONFIG.bins * N_FILTERS  # a frame
    conv2 = 2 * TIME_FILTER * N_FILTERS**2  # a position
    dense = 2 * N_ENCODED * N_FILTERS * BOTTLENECK
    encoder = CONFIG.patch_hop * (conv1 + conv2) + dense
    return encoder + n_decoders * (dense + N_ENCODED * conv2 + CONFIG.context * conv1)


def literal_network(arrays):
    """The network as it is drawn, with convolutions in two dimensions: to masks, and to outputs."""
    import keras
    from keras import layers

    from hiphopss.layers import SoftMasks, SourceOutput

    conv1 = layers.Conv2D(N_FILTERS, (1, CONFIG.bins))
    conv2 = layers.Conv2D(N_FILTERS, (TIME_FILTER, 1))
    inverse1 = layers.Conv2DTranspose(1, (1, CONFIG.bins), use_bias=False)
    inverse2 = layers.Conv2DTranspose(N_FILTERS, (TIME_FILTER, 1), use_bias=False)
    bottleneck = layers.Dense(BOTTLENECK, "relu")
    output = SourceOutput()
    mixture = keras.Input((CONFIG.context, CONFIG.bins, 1))
    encoded = layers.Permute((3, 1, 2))(conv2(conv1(mixture)))
    code = bottleneck(layers.Flatten()(encoded))
    decoders, decoded = {}, {}
    for source in SOURCES:
        shared = f"decoder_{source}/kernel" not in arrays
        name = "bass" if shared else source  # Q1
        if name not in decoders:
            decoders[name] = layers.Dense(N_FILTERS * N_ENCODED, "relu")
        hidden = layers.Reshape((N_FILTERS, N_ENCODED, 1))(decoders[name](code))
        hidden = layers.Permute((2, 3, 1))(hidden)
        decoded[source] = layers.Reshape((CONFIG.context, CONFIG.bins))(inverse1(inverse2(hidden)))
    rectified = output([decoded[source] for source in SOURCES])
    to_masks = keras.Model(mixture, SoftMasks(MASK_EPSILON)(rectified))
    for conv, inverse, name in ((conv1, inverse1, "conv1"), (conv2, inverse2, "conv2")):
        kernel = arrays[f"{name}/kernel"][:, :, ::-1, ::-1].transpose(2, 3, 1, 0)
        bias = arrays[f"{name}/bias"] + arrays.get(f"{name}/extra_bias", 0)
        conv.set_weights([kernel, bias])
        inverse.set_weights([kernel])
    dense = {"bottleneck": bottleneck} | {f"decoder_{s}": layer for s, layer in decoders.items()}
    for name, layer in dense.items():
        layer.set_weights([arrays[f"{name}/kernel"], arrays[f"{name}/bias"]])
    output.set_weights([arrays["output/bias"]])
    return to_masks, keras.Model(mixture, rectified)


def measure_process(hour):
    """`hiphopss separate` of a song, start-up included."""
    print("\nwhole process                 wall  x real time   processor  peak memory")
    with tempfile.TemporaryDirectory() as folder:
        weights = Path(folder) / "random.weights.h5"
        run_python("-c", _MAKE_WEIGHTS, weights)
        peaks = []
        for minutes, target in ((4, 100),) + (((60, 100),) if hour else ()):
            song = Path(folder) / f"{minutes}.wav"
            write_song(song, minutes)
            runs = [
                run_hiphopss("separate", song, "-o", f"{folder}/{n}", "--weights", weights, "-q")
                for n in range(3 if minutes == 4 else 1)
            ]
            wall, processor, _ = min(runs)
            peaks.append(max(peak for _, _, peak in runs))
            speed = 60 * minutes / wall
            print(
                f"  {minutes:2} minutes of stereo {wall:13.2f} s {speed:8.0f} (to reach {target}) "
                f"{processor:6.2f} s {peaks[-1]:6.0f} MB"
            )
        if hour:
            print(f"  memory of an hour / of 4 minutes, at most 1.10: {peaks[1] / peaks[0]:.2f}")


def write_song(path, minutes):
    """Stereo noise in 16 bit."""
    noise = np.random.default_rng(0).integers(-6000, 6000, (60 * RATE, 2)).astype(np.int16)
    with soundfile.SoundFile(path, "w", RATE, 2, "PCM_16") as file:
        for _ in range(minutes):
            file.write(noise)


def run_python(*arguments):
    """Wall seconds, processor seconds and peak memory in MB of a new Python."""
    begin = time.perf_counter()
    process = subprocess.Popen([sys.executable, *map(str, arguments)], stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{arguments}: exit status {process.returncode}")
    wall = time.perf_counter() - begin
    return wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def run_hiphopss(*arguments):
    """As :func:`run_python`, of the command line."""
    program = "import sys; from hiphopss.cli import main; sys.exit(main())"
    return run_python("-c", program, *arguments)


def measure_start_up(turns=7):
    """`hiphopss --help` beside `import numpy`."""
    plain, helped = [], []
    for _ in range(turns):
        plain.append(run_python("-c", "import numpy")[:2])
        helped.append(run_hiphopss("--help")[:2])
    plain, helped = np.min(plain, axis=0), np.min(helped, axis=0)
    print("\nstart-up                       wall      processor")
    print(f"  import numpy              {plain[0]:.3f} s        {plain[1]:.3f} s")
    print(f"  hiphopss --help           {helped[0]:.3f} s        {helped[1]:.3f} s")
    ratios = helped / plain
    print(f"  ratio, at most 3          {ratios[0]:.2f}           {ratios[1]:.2f}")


if __name__ == "__main__":
    main()
