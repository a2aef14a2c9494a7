"""The NumPy network against the Keras one and against literal convolutions."""

from dataclasses import replace

import numpy as np
import pytest
import released
from helpers.networks import CONFIG, both_networks, magnitudes, masks_of

from hiphopss import PRESETS, SOURCES, SignalConfig
from hiphopss.network.forward import NumpyNetwork
from hiphopss.network.keras_masks import KerasNetwork
from hiphopss.network.spec import array_shapes, decoded_sources
from hiphopss.signal.patches import crossfade_weights
from hiphopss.weights.published import PUBLISHED_ARRAYS

pytestmark = pytest.mark.usefixtures("keras")
SMALL = SignalConfig(frame=512, hop=256, context=20, overlap=16)


@pytest.mark.parametrize("config", [CONFIG, SMALL], ids=["usual", "small"])
@pytest.mark.parametrize("standalone", [False, True])
@pytest.mark.parametrize("preset", PRESETS)
def test_masks_are_those_of_keras(keras, preset, standalone, config):
    fidelity = replace(PRESETS[preset], standalone_separation=standalone)
    model, network = both_networks(fidelity, config)
    patches = magnitudes(6 * config.context, config.bins).reshape(6, config.context, config.bins)
    layers = [model.get_layer("masks").input, model.get_layer("masks").output]
    outputs, expected = keras.Model(model.input, layers).predict_on_batch(patches)
    outputs = np.maximum(outputs, 0)
    assert (outputs > 0).mean() > 0.3
    assert (outputs == 0).mean() > 0.05
    masks = masks_of(network, patches)
    # An error of a mask times the sum of the outputs is the error of an output.
    error = np.abs(masks - expected) * outputs.sum(axis=1, keepdims=True)
    assert error.max() < 1e-5 * outputs.max()
    np.testing.assert_allclose(masks.sum(axis=1), 1, atol=1e-6)


def test_masks_against_literal_convolutions(arrays):
    named = {name: array for (name, _), array in zip(PUBLISHED_ARRAYS, arrays, strict=True)}
    network = NumpyNetwork(named, CONFIG, PRESETS["released"])
    patches = magnitudes(60, 513, seed=1).reshape(2, 30, 513)
    noise = np.random.default_rng(5).uniform(0.01, 1, (30, 513))
    for patch, masks in zip(patches, masks_of(network, patches), strict=True):
        outputs = released.rectified(patch, arrays)
        error = np.abs(masks - released.soft_masks(outputs, noise)) * outputs.sum(axis=0)
        assert error.max() < 1e-5 * outputs.max()


@pytest.mark.parametrize("n_before", [0, 7])
@pytest.mark.parametrize("n_after", [0, 2, 9])
def test_joined_masks_are_those_of_keras(n_before, n_after):
    model, network = both_networks(PRESETS["corrected"])
    weights = crossfade_weights(CONFIG, n_before=n_before, n_patches=40, n_after=n_after)
    frames = magnitudes(39 * 5 + 30 - 12, 513, seed=2)  # the last patches are zero-padded
    ours = network.joined_masks(frames, weights)
    keras = KerasNetwork(model, CONFIG).joined_masks(frames, weights)
    assert ours.shape == keras.shape == (4, 39 * 5 + 30, 513)
    # Masks of single bins with outputs near 0 may differ by more: rounding decides them.
    assert np.quantile(np.abs(ours - keras), 0.999) < 1e-5
    assert np.abs(ours - keras).max() < 1e-2


@pytest.mark.parametrize("standalone", [False, True])
def test_outputs_near_zero_share_the_fixed_noise(keras, standalone):
    from hiphopss.network.layers import SoftMasks

    fidelity = replace(PRESETS["released"], standalone_separation=standalone)
    epsilon = 1e-18 if standalone else 1e-8
    arrays = {n: np.zeros(s, np.float32) for n, s in array_shapes(CONFIG, fidelity).items()}
    silence = np.zeros((1, 30, 513), np.float32)
    masks = masks_of(NumpyNetwork(arrays, CONFIG, fidelity), silence)
    np.testing.assert_allclose(masks, 0.25, rtol=1e-6)
    outputs = np.array([3, 1, -1, 0], np.float32) * np.float32(epsilon)
    masks = masks_of(NumpyNetwork(arrays | {"output/bias": outputs}, CONFIG, fidelity), silence)
    layer = SoftMasks(epsilon)
    given = np.broadcast_to(np.maximum(outputs, 0)[None, :, None, None], (1, 4, 30, 513))
    np.testing.assert_allclose(masks, np.asarray(layer(given)), rtol=1e-5)
    assert masks[0, 0].std() > 0.01  # the noise is seen


@pytest.mark.parametrize("config", [CONFIG, SMALL], ids=["usual", "small"])
@pytest.mark.parametrize("preset", PRESETS)
def test_arrays_are_those_of_the_keras_network(preset, config):
    from hiphopss.network.model import build_model

    model = build_model(preset, config=config)
    expected = {variable.path: tuple(variable.shape) for variable in model.weights}
    assert list(array_shapes(config, PRESETS[preset]).items()) == list(expected.items())


def test_released_other_is_bass_with_another_bias(arrays):
    same = [array.copy() for array in arrays]
    same[-1][:] = 0.05
    named = {name: array for (name, _), array in zip(PUBLISHED_ARRAYS, same, strict=True)}
    patches = magnitudes(30, 513)[None]
    masks = masks_of(NumpyNetwork(named, CONFIG, PRESETS["released"]), patches)[0]
    bass, drums, other = (SOURCES.index(s) for s in ("bass", "drums", "other"))
    np.testing.assert_array_equal(masks[bass], masks[other])
    assert np.abs(masks[bass] - masks[drums]).max() > 0.01
    assert decoded_sources(PRESETS["released"]) == SOURCES[:3]
    assert decoded_sources(PRESETS["corrected"]) == SOURCES
