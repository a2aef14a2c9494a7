"""The network and its masks against literal convolutions in NumPy."""

import numpy as np
import pytest
import released

from hiphopss import PRESETS, SOURCES, Fidelity, HiphopssError

pytestmark = pytest.mark.usefixtures("keras")


@pytest.fixture(scope="module")
def patches():
    rng = np.random.default_rng(2)
    patches = rng.gamma(0.5, 0.5, (3, 30, 513)).astype(np.float32)
    patches[2, 10:] = 0  # a zero-padded one
    return patches


def released_model(arrays):
    from hiphopss.network.model import build_model

    model = build_model("released")
    model.set_weights(arrays)  # the published order is the model's own
    return model


def test_forward_pass_against_literal_convolutions(arrays, patches, keras):
    model = released_model(arrays)
    y = keras.Model(model.input, model.get_layer("masks").input).predict_on_batch(patches)
    y = np.maximum(y, 0)
    expected = np.array([released.rectified(patch, arrays) for patch in patches])
    assert (expected > 0).mean() > 0.3  # a network that is silent would agree with anything
    assert (expected == 0).mean() > 0.05
    np.testing.assert_allclose(y, expected, atol=1e-5)


def test_masks_of_given_outputs_against_numpy(keras):
    from hiphopss.network.layers import SoftMasks

    rng = np.random.default_rng(3)
    y = np.maximum(rng.standard_normal((2, 4, 30, 513)), 0).astype(np.float32)
    y[:, :, :3] *= 1e-8  # where the noise matters
    layer = SoftMasks(epsilon=1e-8)
    masks = np.asarray(layer(y))
    noise = layer.noise
    assert noise.shape == (30, 513)
    assert 0 < noise.min() < 0.001  # uniform on (0, 1]
    assert 0.999 < noise.max() <= 1
    expected = np.array([released.soft_masks(one.astype(float), noise) for one in y])
    np.testing.assert_allclose(masks, expected, atol=1e-6)


def test_estimates_against_literal_convolutions(arrays, patches):
    estimates = released_model(arrays).predict_on_batch(patches)
    noise = np.random.default_rng(5).uniform(0.01, 1, (30, 513))
    for patch, estimate in zip(patches, estimates, strict=True):
        y = released.rectified(patch, arrays)
        error = np.abs(estimate - released.soft_masks(y, noise) * patch)
        # Outputs are right to about 1e-6, so masks to that over their sum: 1e-5 is asked for
        # where the sum is above 0.1, and in proportion where it is smaller.
        total = y.sum(axis=0)
        assert np.mean(total > 0.1) > 0.8
        assert np.all(error < 1e-5 * np.maximum(1, 0.1 / np.maximum(total, 1e-7)))


def test_masks_of_all_zero_outputs_are_a_quarter(arrays, patches):
    from hiphopss.network.model import mask_model

    silent = [np.zeros_like(a) for a in arrays]
    masks = mask_model(released_model(silent)).predict_on_batch(patches)
    np.testing.assert_allclose(masks, 0.25, rtol=1e-6)


def test_released_other_differs_from_bass_by_its_bias_only(arrays, patches, keras):
    same = [a.copy() for a in arrays]
    same[-1][:] = 0.05
    model = released_model(same)
    y = keras.Model(model.input, model.get_layer("masks").input).predict_on_batch(patches)
    bass, other = SOURCES.index("bass"), SOURCES.index("other")
    np.testing.assert_array_equal(y[:, bass], y[:, other])
    assert np.abs(y[:, bass] - y[:, SOURCES.index("drums")]).max() > 0.01


@pytest.mark.parametrize("preset", PRESETS)
def test_config_round_trip(preset, patches, keras):
    from hiphopss.network.model import build_model

    model = build_model(preset, seed=4)
    again = keras.Model.from_config(model.get_config())
    assert again.get_config() == model.get_config()
    again.set_weights(model.get_weights())
    np.testing.assert_array_equal(again.predict_on_batch(patches), model.predict_on_batch(patches))


def test_presets_differ_as_their_quirks_say():
    from hiphopss.network.model import build_model

    paths = {p: {v.path for v in build_model(p).weights} for p in PRESETS}
    assert paths["released"] - paths["corrected"] == {"conv1/extra_bias", "conv2/extra_bias"}
    assert paths["corrected"] - paths["released"] == {
        "decoder_other/kernel",
        "decoder_other/bias",
    }


def test_published_shapes_are_the_models():
    from hiphopss.network.model import build_model

    shapes = [tuple(v.shape) for v in build_model("released").weights]
    assert shapes == released.PUBLISHED_SHAPES


def test_initial_weights_are_glorot_uniform_with_lasagnes_fans():
    from hiphopss.network.model import build_model

    model = build_model(seed=7)
    fans = {"conv1": 513 + 50 * 513, "conv2": 50 * 15 + 50 * 15, "bottleneck": 928}
    for name, total in fans.items():
        kernel = np.asarray(model.get_layer(name).kernel)
        limit = np.sqrt(6 / total)
        assert np.abs(kernel).max() <= limit
        # the deviation of a uniform distribution; 25,000 draws give it to 1 %
        assert kernel.std() == pytest.approx(limit / np.sqrt(3), rel=0.01)
        assert not np.asarray(model.get_layer(name).bias).any()
    kernels = [np.asarray(model.get_layer(f"decoder_{s}").kernel) for s in SOURCES[:3]]
    assert not np.array_equal(kernels[0], kernels[1])


def test_seed_makes_initial_weights_reproducible():
    from hiphopss.network.model import build_model

    one, same, other = (build_model(seed=s).get_weights() for s in (1, 1, 2))
    assert all(np.array_equal(a, b) for a, b in zip(one, same, strict=True))
    assert not np.array_equal(one[0], other[0])


def test_custom_fidelity_has_a_name_of_its_own():
    assert [PRESETS[name].name for name in PRESETS] == list(PRESETS)
    assert Fidelity(absolute_loss=False).name == "custom"


def test_unknown_preset_is_refused():
    from hiphopss.network.model import build_model

    with pytest.raises(HiphopssError, match="no preset named 'fixed'"):
        build_model("fixed")
