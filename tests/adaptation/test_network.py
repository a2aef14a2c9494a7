"""The network as it is trained: the same as everywhere, of which some frames are decoded."""

import numpy as np
import pytest
from helpers.networks import both_networks
from helpers.short_songs import CONFIG

from hiphopss import AdaptationSettings
from hiphopss.adaptation.network import Trainee
from hiphopss.config import PRESETS
from hiphopss.weights.files import WeightsInfo, network_arrays

pytestmark = pytest.mark.usefixtures("keras")
RNG = np.random.default_rng(0)
MIXTURE = RNG.random((4, CONFIG.context, CONFIG.bins), np.float32)
FRAMES = np.tile(np.arange(1, CONFIG.context, 3, dtype=np.int32), (4, 1))
TARGETS = RNG.random((4, 4, FRAMES.shape[1], CONFIG.bins), np.float32)


@pytest.mark.parametrize("preset", PRESETS)
def test_estimates_loss_and_a_new_start(preset):
    fidelity = PRESETS[preset]
    model, _ = both_networks(fidelity, CONFIG)
    arrays = {name: array.copy() for name, array in network_arrays(model).items()}
    settings = AdaptationSettings(steps=4, learning_rate=0.01)
    trainee = Trainee(WeightsInfo(CONFIG, fidelity), arrays, settings, origin="w")
    trainee.restart(arrays)
    expected = np.asarray(model(MIXTURE))[:, :, FRAMES[0]]
    # In training the masks' noise is constant: it is 1e-8, beside outputs of a tenth.
    np.testing.assert_allclose(trainee.estimates(MIXTURE, FRAMES), expected, atol=1e-4)

    errors = np.square(TARGETS - expected).sum(axis=(0, 2, 3))
    energies = np.square(TARGETS).sum(axis=(0, 2, 3))
    ratios = errors / (energies + 0.01 * energies.mean())
    trained = ratios if fidelity.reconstruct_other else ratios[:3]  # Q9
    losses = [trainee.step(MIXTURE, FRAMES, TARGETS) for _ in range(4)]
    assert losses[0] == pytest.approx(trained.sum(), rel=1e-3)
    assert losses[-1] < losses[0]
    assert trainee.arrays.keys() == arrays.keys()
    moved = trainee.arrays
    assert np.abs(moved["conv1/kernel"] - arrays["conv1/kernel"]).max() > 0

    with trainee.using(arrays):
        np.testing.assert_allclose(trainee.estimates(MIXTURE, FRAMES), expected, atol=1e-4)
    np.testing.assert_array_equal(trainee.arrays["conv1/kernel"], moved["conv1/kernel"])

    trainee.restart(arrays)  # the same steps again, the optimiser's state included
    again = [trainee.step(MIXTURE, FRAMES, TARGETS) for _ in range(4)]
    np.testing.assert_allclose(again, losses, rtol=1e-6)
