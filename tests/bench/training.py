"""How much faster the training step is than the literal network's, and what its input costs.

    python tests/bench/training.py  # about a minute on two processors

Steps are fed from a feature file, of noise with the circular shift, as `hiphopss train` feeds them.
What that costs is told beside the same steps on one batch that stays in memory.
The literal network, in Keras too, has tied transposed convolutions and a loss written term by term
(:mod:`literal`); its batches are in memory. What is compared is measured in turns in one run.
"""

import tempfile
from pathlib import Path
from unittest import mock

import numpy as np
from figures import faster, in_turns, main, slower
from songs import write_songs

from hiphopss import PRESETS
from hiphopss.config import default_loss_weights
from hiphopss.datasets.features.file import FeatureFile
from hiphopss.datasets.features.make import make_features
from hiphopss.training import steps
from hiphopss.training.processes import Share
from hiphopss.training.steps import compile_model, train_batches, training_steps
from hiphopss.util.keras_backend import import_keras, tensor_of
from hiphopss.weights.files import network_arrays

BATCH = 32
N_BATCHES, N_LITERAL = 32, 2  # in a turn
TURNS = 12


def measure():
    """The figures, as they come."""
    with tempfile.TemporaryDirectory() as folder:
        root = write_songs(Path(folder) / "songs", n_songs=1)
        import_keras()
        for preset in PRESETS:
            path = Path(folder) / f"{preset}.h5"
            make_features(root, path, augmentation="CS", preset=preset, progress=False)
            with FeatureFile(path) as file:
                yield from measure_preset(preset, file)


def measure_preset(preset, file):
    """The training step, and its input."""
    from literal import Literal, compile_literal

    from hiphopss.network.model import build_model

    model = build_model(preset, seed=0)
    literal = Literal(preset, network_arrays(model)).estimates
    weights = default_loss_weights(file.fidelity, file.augmentation)
    compile_model(model, preset, loss_weights=weights)
    compile_literal(literal, file.fidelity, weights)
    random = np.random.default_rng(0)
    patches = random.choice(file.n_patches, (N_BATCHES, BATCH), replace=False)
    held = [tuple(map(tensor_of, file.read(batch))) for batch in patches[:N_LITERAL]]
    fed = training_steps(model, file, Share())
    losses = [  # of the first batch
        next(fed(patches[:1]))[1]["loss"],
        next(train_batches(literal, held))["loss"],
    ]
    run(fed(patches))  # compiles the whole loop
    with mock.patch.object(steps, "patches_in_place", return_value=held[0]):
        on_one = training_steps(model, file, Share())
        run(on_one(patches))
    taken = in_turns(
        {
            "from a feature file": lambda: run(fed(patches)),
            "from memory": lambda: run(on_one(patches)),
            "literal Conv2D network": lambda: run(train_batches(literal, held)),
        },
        TURNS,
    )
    n_patches = N_BATCHES * BATCH
    own, other = taken["from a feature file"], taken["literal Conv2D network"]
    yield faster(
        f"training step, {preset}",
        {"training step from a feature file": own, "literal Conv2D network": other},
        scale=N_BATCHES / N_LITERAL,
        to_reach=15,
        note=f"{n_patches / own[0]:.0f} and {N_LITERAL * BATCH / other[0]:.1f} patches/s; "
        f"losses of the first batch differ by {abs(losses[0] / losses[1] - 1):.0e}",
    )
    yield slower(
        f"training input, {preset}",
        {"steps from a feature file": own, "on one batch in memory": taken["from memory"]},
        percent=True,
        to_reach=10,
    )


def run(steps):
    """All of them."""
    for _ in steps:
        pass


if __name__ == "__main__":
    main(measure, __doc__)
