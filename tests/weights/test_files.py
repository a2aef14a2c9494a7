"""Weight files: own and published, converted, checked."""

import gzip
import hashlib
import json

import h5py
import numpy as np
import pytest
import released
from helpers.songs import warned

from hiphopss import PRESETS, HiphopssError, SignalConfig
from hiphopss.weights.converting import convert_weights
from hiphopss.weights.description import describe_weights
from hiphopss.weights.files import (
    load_model,
    load_published,
    network_arrays,
    read_arrays,
    read_info,
    save_weights,
)

pytestmark = pytest.mark.usefixtures("keras")


@pytest.fixture
def patches():
    return np.random.default_rng(1).gamma(0.5, 0.5, (2, 30, 513)).astype(np.float32)


@pytest.mark.parametrize("preset", PRESETS)
def test_round_trip_with_settings_and_provenance(tmp_path, preset, patches):
    from hiphopss.network.model import build_model

    model = build_model(preset, seed=1)
    path = tmp_path / "m.weights.h5"
    config, provenance = SignalConfig(scale=0.5), {"made": "here", "epochs": 3}
    saved = save_weights(
        path, model, config=config, fidelity=PRESETS[preset], provenance=provenance
    )
    again, info = load_model(path)
    assert info == saved
    assert info.config == config
    assert info.fidelity == PRESETS[preset]
    assert info.provenance == provenance
    np.testing.assert_array_equal(again.predict_on_batch(patches), model.predict_on_batch(patches))


def test_keras_alone_loads_the_file(tmp_path):
    from hiphopss.network.model import build_model

    model = build_model(seed=1)
    path = tmp_path / "m.weights.h5"
    save_weights(path, model, config=SignalConfig(), fidelity=PRESETS["released"])
    other = build_model(seed=2)
    other.load_weights(path)
    for a, b in zip(model.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_published_file_loads_in_its_own_order(published, arrays):
    from hiphopss.network.model import build_model

    model = load_published(published, build_model("released"))
    for ours, theirs in zip(model.get_weights(), arrays, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_published_weights_compute_the_same_in_the_corrected_wiring(published, patches, keras):
    from hiphopss.network.model import build_model

    outputs = []
    for preset in PRESETS:
        model = load_published(published, build_model(preset))
        before_masks = keras.Model(model.input, model.get_layer("masks").input)
        outputs.append(before_masks.predict_on_batch(patches))
    np.testing.assert_allclose(*outputs, atol=1e-5)  # biases are added in another order


def test_own_decoder_of_other_does_not_fit_the_released_wiring(tmp_path):
    from hiphopss.network.model import build_model
    from hiphopss.weights.files import assign_arrays

    arrays = network_arrays(build_model("corrected"))
    with pytest.raises(HiphopssError, match="decoder of its own for 'other'"):
        assign_arrays(build_model("released"), arrays, origin="c.weights.h5")


def test_a_wrong_array_is_named(arrays):
    from hiphopss.network.model import build_model
    from hiphopss.weights.files import assign_arrays

    model = build_model()
    named = network_arrays(model)
    named["bottleneck/kernel"] = np.zeros((800, 64))
    with pytest.raises(
        HiphopssError, match=r"x: array bottleneck/kernel: found \(800, 64\), expected \(800, 128\)"
    ):
        assign_arrays(model, named, origin="x")


def test_convert_there_and_back(tmp_path, published, arrays):
    own = convert_weights(published, tmp_path / "dsd.weights.h5")
    assert read_info(own).provenance == {
        "published": published.name,
        "published_sha256": hashlib.sha256(published.read_bytes()).hexdigest(),
    }
    back = convert_weights(own)
    assert back == tmp_path / "dsd.pkl"
    for a, b in zip(arrays, read_arrays(back).values(), strict=True):
        np.testing.assert_array_equal(a, b)
    with pytest.raises(HiphopssError, match=r"dsd\.pkl: is there already"):
        convert_weights(own)


def test_a_converted_gzip_has_a_plain_name(tmp_path, arrays):
    plain = released.write_python2_pickle(tmp_path / "m.pkl", arrays)
    (tmp_path / "g.pkl.gz").write_bytes(gzip.compress(plain.read_bytes()))
    assert convert_weights(tmp_path / "g.pkl.gz") == tmp_path / "g.weights.h5"


def test_a_published_file_without_its_licence_is_told(tmp_path, published):
    own = convert_weights(published, tmp_path / "own.weights.h5")
    with h5py.File(own, "r+") as file:
        stored = json.loads(file.attrs["hiphopss"])
        stored["provenance"]["data"] = [{"set": "DSD100", "licence": "for study"}]
        file.attrs["hiphopss"] = json.dumps(stored)
    with warned(r"own\.pkl: does not say that it was trained on DSD100 .licence: for study."):
        convert_weights(own)


def test_settings_of_another_version_are_refused(tmp_path):
    from hiphopss.network.model import build_model

    path = tmp_path / "m.weights.h5"
    save_weights(path, build_model(), config=SignalConfig(), fidelity=PRESETS["released"])
    with h5py.File(path, "r+") as file:
        stored = json.loads(file.attrs["hiphopss"])
        stored["fidelity"]["new_switch"] = True
        file.attrs["hiphopss"] = json.dumps(stored)
    with pytest.raises(HiphopssError, match=r"m\.weights\.h5: made by another version"):
        read_arrays(path)


def test_corrected_weights_do_not_fit_the_published_format(tmp_path):
    from hiphopss.network.model import build_model

    path = tmp_path / "c.weights.h5"
    fidelity = PRESETS["corrected"]
    save_weights(path, build_model(fidelity), config=SignalConfig(), fidelity=fidelity)
    with pytest.raises(HiphopssError, match="only 'released' weights convert"):
        convert_weights(path, tmp_path / "c.pkl")
    assert not (tmp_path / "c.pkl").exists()


def test_damage_is_found(tmp_path):
    from hiphopss.network.model import build_model

    path = tmp_path / "m.weights.h5"
    save_weights(path, build_model(), config=SignalConfig(), fidelity=PRESETS["released"])
    whole = path.read_bytes()
    path.write_bytes(whole[:200000])
    with pytest.raises(HiphopssError, match=r"m\.weights\.h5: a damaged HDF5 file"):
        read_arrays(path)
    path.write_bytes(whole)
    with h5py.File(path, "r+") as file:
        file["layers/vertical_convolution/vars/0"][0, 0, 0, 7] += 1e-3
    with pytest.raises(HiphopssError, match="SHA-256"):
        read_arrays(path)


def test_hdf5_of_something_else_is_refused(tmp_path):
    with h5py.File(tmp_path / "f.h5", "w") as file:
        file["a"] = 1
    with pytest.raises(HiphopssError, match=r"f\.h5: an HDF5 file without hiphopss settings"):
        read_info(tmp_path / "f.h5")


def test_a_name_that_keras_refuses_is_refused_first(tmp_path):
    from hiphopss.network.model import build_model

    with pytest.raises(HiphopssError, match=r"m\.h5: .*must end in \.weights\.h5"):
        save_weights(
            tmp_path / "m.h5",
            build_model(),
            config=SignalConfig(),
            fidelity=PRESETS["released"],
        )


def test_description_names_every_array(published):
    text = describe_weights(published)
    assert "preset     released" in text
    assert "15, 475,482 numbers" in text
    assert "conv2/extra_bias" in text
    assert sum(np.prod(s) for s in released.PUBLISHED_SHAPES) == 475482
