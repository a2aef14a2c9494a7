"""How much faster the network separates than the literal one, and how near it is to the limit.

    python tests/bench/separation.py  # half a minute on two processors

The limit is what the machine's plain matrix products reach. Weights and magnitudes are random;
patches become masks. What is compared is measured in turns in one run.
"""

import numpy as np
from figures import faster, in_turns, main

from hiphopss import PRESETS, SignalConfig
from hiphopss.network.forward import NumpyNetwork
from hiphopss.network.keras_masks import KerasNetwork
from hiphopss.network.spec import BOTTLENECK, N_FILTERS, TIME_FILTER, decoded_sources
from hiphopss.signal.patches import crossfade_weights
from hiphopss.util.keras_backend import import_keras
from hiphopss.util.threads import ordered_map, processor_count
from hiphopss.weights.files import network_arrays

CONFIG = SignalConfig()
N_ENCODED = CONFIG.context - TIME_FILTER + 1
RUN = 128  # patches
N_RUNS = 40  # of the fast network in a turn
SIZE = 1024  # of the square matrices


def measure():
    """The figures, as they come."""
    import_keras()
    for preset in PRESETS:
        yield from compare_networks(preset)


def compare_networks(preset, turns=3):
    """The network and its masks: literal, in Keras, in NumPy; and plain matrix products."""
    from literal import Literal

    from hiphopss.network.model import build_model

    model = build_model(preset, seed=1)
    network = NumpyNetwork(network_arrays(model), CONFIG, PRESETS[preset])
    keras_network = KerasNetwork(model, CONFIG)
    literal = Literal(preset, network_arrays(model))
    weights = crossfade_weights(CONFIG, n_before=9, n_patches=RUN, n_after=9)
    n_frames = (RUN - 1) * CONFIG.patch_hop + CONFIG.context
    frames = np.random.default_rng(0).gamma(0.3, 0.5, (n_frames, CONFIG.bins)).astype(np.float32)
    starts = np.arange(RUN)[:, None] * CONFIG.patch_hop + np.arange(CONFIG.context)
    patches = frames[starts][..., None]  # (n_patches, context, n_bins, 1)
    square = np.random.default_rng(0).standard_normal((SIZE, SIZE), np.float32)
    works = {
        "products": lambda: on_all_processors(lambda _: square @ square),
        "literal": lambda: literal.masks.predict_on_batch(patches),
        "keras": lambda: keras_network.joined_masks(frames, weights),
        "numpy": lambda: on_all_processors(lambda _: network.joined_masks(frames, weights)),
    }
    for work in works.values():
        work()
    taken = in_turns(works, turns)

    own = {f"separation network, preset {preset}": taken["numpy"]}
    rates = ", ".join(
        f"{name} {n * RUN / taken[name][0]:.0f}"
        for name, n in (("literal", 1), ("keras", 1), ("numpy", N_RUNS))
    )
    yield faster(
        f"separation network, {preset}",
        own | {"literal Conv2D network": taken["literal"]},
        scale=N_RUNS,
        to_reach=35,
        note=f"patches/s: {rates}; outputs differ by {difference(network, literal, patches):.0e} "
        "of the largest",
    )
    flops = flops_of_patch(len(decoded_sources(PRESETS[preset])))
    yield faster(
        f"share of the matmul rate, {preset}",
        own | {f"float32 products of {SIZE} x {SIZE}": taken["products"]},
        scale=RUN * flops / (2 * SIZE**3),
        unit="of it",
        to_reach=0.40,
        note=f"{N_RUNS * 2 * SIZE**3 / taken['products'][0] / 1e9:.0f} GFLOP/s; "
        f"a patch is {flops / 1e6:.2f} MFLOP",
    )


def on_all_processors(function):
    """As separation does it."""
    for _ in ordered_map(function, range(N_RUNS), n_threads=processor_count()):
        pass


def difference(network, literal, patches):
    """By how much outputs differ, over the largest output.

    An error of a mask times the sum of the outputs is the error of an output.
    """
    alone = np.ones((1, CONFIG.context))
    outputs = literal.outputs.predict_on_batch(patches)
    found = np.array([network.joined_masks(patch[..., 0], alone) for patch in patches])
    errors = np.abs(found - literal.masks.predict_on_batch(patches))
    return (errors * outputs.sum(axis=1, keepdims=True)).max() / outputs.max()


def flops_of_patch(n_decoders):
    """What the products of a patch must cost, with all that patches share counted once."""
    conv1 = 2 * CONFIG.bins * N_FILTERS  # a frame
    conv2 = 2 * TIME_FILTER * N_FILTERS**2  # a position
    dense = 2 * N_ENCODED * N_FILTERS * BOTTLENECK
    encoder = CONFIG.patch_hop * (conv1 + conv2) + dense
    return encoder + n_decoders * (dense + N_ENCODED * conv2 + CONFIG.context * conv1)


if __name__ == "__main__":
    main(measure, __doc__)
