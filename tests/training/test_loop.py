"""Loss, optimiser, batches and resuming, against NumPy written from docs/released-code.md."""

import csv
import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import h5py
import numpy as np
import pytest
import released
from helpers.songs import read_json

from hiphopss import PRESETS, HiphopssError, SignalConfig
from hiphopss.datasets.features.file import FeatureFile
from hiphopss.datasets.features.make import make_features
from hiphopss.datasets.songs import read_songs
from hiphopss.network.model import build_model
from hiphopss.separation.files import SeparationSettings, separate_files
from hiphopss.training.batches import epoch_batches
from hiphopss.training.loop import train
from hiphopss.training.settings import TrainingSettings
from hiphopss.training.steps import compile_model
from hiphopss.util.keras_backend import tensor_of
from hiphopss.util.locks import locked
from hiphopss.weights.description import describe_weights
from hiphopss.weights.files import load_published, read_arrays, read_info, save_weights

pytestmark = pytest.mark.usefixtures("keras")


@pytest.fixture
def batch():
    rng = np.random.default_rng(6)
    targets = rng.gamma(0.4, 0.5, (5, 4, 30, 513)).astype(np.float32)
    return targets.sum(axis=1), targets


@pytest.fixture
def features(dataset, tmp_path):
    return make_features(dataset, tmp_path / "f.h5", preset="corrected", progress=False)


@pytest.mark.usefixtures("uncompiled")  # the three steps below are with XLA
@pytest.mark.parametrize("preset", PRESETS)
def test_loss_of_a_batch_is_the_reference_pages(batch, published, preset):
    from hiphopss.network.model import build_model

    mixture, targets = batch
    model = load_published(published, build_model(preset))
    before = model.predict_on_batch(mixture)
    expected = released.loss(before, targets, released=preset == "released")
    compile_model(model, preset, jit_compile=False)
    values = model.train_on_batch(mixture, targets, return_dict=True)
    assert values["loss"] == pytest.approx(expected, rel=1e-5)  # sums of 2e6 float32 squares
    terms = [values[name] for name in values if name != "loss"]
    assert abs(sum(terms)) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("n_patches", [3, 7, 8, 32])
def test_terms_of_large_batches_are_estimated_from_some_patches(keras, n_patches):
    # Small patches; the expected sums are in double precision.
    from hiphopss.network.losses import LossWeights, SeparationLoss

    rng = np.random.default_rng(n_patches)
    targets, estimates = rng.random((2, n_patches, 4, 3, 5), np.float32)
    step = {3: 1, 7: 1, 8: 2, 32: 8}[n_patches]
    loss = SeparationLoss(PRESETS["corrected"], LossWeights())
    for term, metric in zip(loss.terms, loss.metrics(), strict=True):
        metric.update_state(targets, estimates)
        differences = [estimates[::step, i] - targets[::step, j] for i, j in term.pairs]
        expected = step * term.weight * np.sum(np.square(differences, dtype=np.float64))
        assert float(metric.result()) == pytest.approx(expected, rel=1e-5)  # single precision


@pytest.mark.usefixtures("uncompiled")
def test_a_loss_without_dissimilarity_trains(batch):
    from hiphopss.network.losses import LossWeights
    from hiphopss.network.model import build_model

    weights = LossWeights(alpha=0, beta=0, beta_voc=0)
    model = compile_model(build_model(seed=0), loss_weights=weights, jit_compile=False)
    values = model.train_on_batch(*batch, return_dict=True)
    terms = [values[f"reconstruction_{source}"] for source in ("vocals", "bass", "drums")]
    assert values["loss"] == pytest.approx(sum(terms), rel=1e-5)
    assert values["alpha"] == values["beta"] == values["beta_voc"] == 0


def test_keras_own_loop_works_too(batch):
    from hiphopss.network.model import build_model

    model = compile_model(build_model(seed=0), "corrected", jit_compile=False)
    history = model.fit(*batch, batch_size=2, epochs=1, verbose=0).history
    terms = [history[term.name][0] for term in model.loss.terms]
    assert all(np.isfinite(terms))


def test_absolute_value_of_a_negative_loss(published, batch):
    # Perfect estimates leave the dissimilarity only: the released loss turns its sign (Q10).
    import keras

    from hiphopss.network.losses import LossWeights, SeparationLoss

    _, targets = batch
    for preset, sign in (("released", 1), ("corrected", -1)):
        loss = SeparationLoss(PRESETS[preset], LossWeights())
        value = float(loss(targets, targets))
        exact = released.loss(targets, targets, released=preset == "released")
        assert np.sign(value) == sign
        assert value == pytest.approx(exact, rel=1e-5)
        assert isinstance(keras.losses.deserialize(keras.losses.serialize(loss)), SeparationLoss)


def test_three_optimiser_steps_from_published_weights(tmp_path, batch):
    from hiphopss.network.model import build_model

    # Where a rectified unit, or the sum of a bin's outputs, is within rounding of 0, single
    # precision may take the other side, and Adadelta turns that into a whole step. With this seed
    # and output bias the nearest hidden unit is 5e-5 from 0 (measured), so that the comparison is
    # about the algorithm.
    arrays = released.random_arrays(seed=1)
    arrays[-1] += 3
    path = released.write_python2_pickle(tmp_path / "model_hh.pkl", arrays)
    mixture, targets = batch
    model = compile_model(load_published(path, build_model()))
    noise = model.get_layer("masks").noise
    expected_losses, expected = released.adadelta(arrays, mixture, targets, noise, 3)
    losses = [model.train_on_batch(mixture, targets, return_dict=True)["loss"] for _ in range(3)]
    np.testing.assert_allclose(losses, expected_losses, rtol=1e-5)
    assert expected_losses[2] < 0.99 * expected_losses[0]
    for variable, start, after in zip(model.weights, arrays, expected, strict=True):
        error = np.linalg.norm(variable.numpy() - after)
        # float32 rounding gives 1e-5; a wrong sign of one element in 1,000 would give 0.06
        assert error < 1e-3 * np.linalg.norm(after - start), variable.path


def test_batches_are_shuffled_locally_or_globally():
    n, size = 15000, 32
    for local in (True, False):
        batches = epoch_batches(n, size, seed=1, epoch=0, local_shuffle=local)
        assert batches.shape == (n // size, size)
        flat = batches.ravel()
        assert len(set(flat)) == len(flat)
        first_run = flat[:6400]
        assert (first_run.max() < 6400) == local
        assert not np.array_equal(np.sort(first_run), first_run)
        other = epoch_batches(n, size, seed=1, epoch=1, local_shuffle=local)
        assert not np.array_equal(batches, other)
        again = epoch_batches(n, size, seed=1, epoch=0, local_shuffle=local)
        np.testing.assert_array_equal(batches, again)


def test_a_file_smaller_than_a_batch_makes_one():
    batches = epoch_batches(7, 32, seed=0, epoch=0, local_shuffle=True)
    assert sorted(batches[0]) == list(range(7))


def test_training_logs_every_term_and_learns(features, tmp_path):
    output = train(
        features,
        tmp_path / "m.weights.h5",
        TrainingSettings(epochs=3, batch_size=7),
        progress=False,
    )
    with open(tmp_path / "m.log.csv", newline="") as file:
        rows = [{k: float(v) for k, v in row.items()} for row in csv.DictReader(file)]
    assert [row["epoch"] for row in rows] == [1, 2, 3]
    terms = [c for c in rows[0] if c.startswith("reconstruction")]
    assert len(terms) == 4  # corrected: `other` too
    for row in rows:
        total = sum(row[c] for c in [*terms, "alpha", "beta", "beta_voc"])
        assert row["loss"] == pytest.approx(total, rel=1e-5)
    assert rows[2]["loss"] < rows[0]["loss"]
    info = read_info(output)
    assert info.provenance["epochs"] == 3
    assert "data" not in info.provenance  # the songs are of no known set
    assert info.fidelity == PRESETS["corrected"]


@pytest.mark.usefixtures("uncompiled")
def test_the_log_has_the_means_of_each_epoch(features, tmp_path):
    train(
        features,
        tmp_path / "m.weights.h5",
        TrainingSettings(epochs=2, batch_size=7, seed=3),
        progress=False,
    )
    with open(tmp_path / "m.log.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    model = compile_model(build_model("corrected", seed=3), "corrected", jit_compile=False)
    with FeatureFile(features) as file:
        for epoch, row in enumerate(rows):
            order = {"seed": 3, "epoch": epoch, "local_shuffle": False}
            batches = epoch_batches(file.n_patches, 7, **order)
            values = [model.train_on_batch(*file.read(b), return_dict=True) for b in batches]
            for name in values[0]:
                expected = np.mean([value[name] for value in values])
                # single precision, summed in another order; an epoch more in it changes tenths
                assert float(row[name]) == pytest.approx(expected, rel=1e-5)


@pytest.mark.slow
def test_memory_of_batches_can_be_used_again(features, tmp_path, monkeypatch):
    # Tensors are the memory that batches are read into: it must not be overwritten too early.
    monkeypatch.setattr("hiphopss.training.loop._WORTH_COMPILING", 1)  # as long epochs are trained
    monkeypatch.setattr("hiphopss.training.steps.frames_in_place", lambda *_: None)
    settings, options = TrainingSettings(epochs=2, batch_size=4, seed=1), {"progress": False}
    again = read_arrays(train(features, tmp_path / "again.weights.h5", settings, **options))
    read = FeatureFile.read
    monkeypatch.setattr(FeatureFile, "read", lambda self, patches, out=None: read(self, patches))
    fresh = read_arrays(train(features, tmp_path / "fresh.weights.h5", settings, **options))
    for name, array in again.items():
        np.testing.assert_array_equal(array, fresh[name])


def test_tensors_are_the_memory_of_arrays(features):
    import tensorflow as tf

    if tf.config.list_logical_devices("GPU"):
        pytest.skip("batches go to the GPU")
    with FeatureFile(features) as file:
        mixture, _ = file.room(2)
    tensor = tensor_of(mixture)
    mixture[:] = 3
    assert np.all(np.asarray(tensor) == 3)


@pytest.mark.slow
def test_resumed_training_ends_with_the_same_weights(features, tmp_path, published, monkeypatch):
    monkeypatch.setattr("hiphopss.training.loop._WORTH_COMPILING", 1)  # as long epochs are trained
    short = TrainingSettings(epochs=1, batch_size=8, seed=5)
    long, options = replace(short, epochs=4), {"init": published, "progress": False}
    whole = train(features, tmp_path / "whole.weights.h5", long, **options)
    train(features, tmp_path / "parts.weights.h5", short, **options)
    parts = train(features, tmp_path / "parts.weights.h5", long, **options)
    expected, resumed = read_arrays(whole), read_arrays(parts)
    for name, array in expected.items():
        np.testing.assert_array_equal(resumed[name], array)
    start = read_arrays(published)
    assert not np.array_equal(expected["conv1/kernel"], start["conv1/kernel"])


@pytest.mark.usefixtures("uncompiled")
def test_weights_inherit_songs_and_licences_of_features_and_initial_weights(dataset, tmp_path):
    songs = [
        replace(song, name="051 - AM Contra - Heart Peripheral") for song in read_songs(dataset)
    ]
    features = make_features(songs[:1], tmp_path / "f.h5", preset="corrected", progress=False)
    first = {"set": "HHDS", "licence": "see its record"}
    settings = {"config": SignalConfig(), "fidelity": PRESETS["corrected"]}
    init = tmp_path / "init.weights.h5"
    heard = {"data": [first], "songs": ["Someone - Else"]}
    save_weights(init, build_model("corrected"), provenance=heard, **settings)
    output, once = tmp_path / "m.weights.h5", TrainingSettings(epochs=1, batch_size=8)
    train(features, output, once, init=init, progress=False)
    licence = "for non-commercial, educational use only"
    expected = [first, {"set": "DSD100", "licence": licence}]
    for file in (output, tmp_path / "m.checkpoint.weights.h5"):
        assert read_info(file).provenance["data"] == expected
        assert read_info(file).provenance["songs"] == [songs[0].name, "Someone - Else"]
    text = describe_weights(output)
    assert "\ndata       HHDS, licence: see its record\n" in text
    assert f"\ndata       DSD100, licence: {licence}\n" in text
    assert f"\nsongs      2: {songs[0].name}, Someone - Else\n" in text
    separate_files(
        [songs[0].mixture], tmp_path / "stems", SeparationSettings(output), progress=False
    )
    record = read_json(tmp_path / "stems" / "separation.json")
    assert record["trained_on"] == [songs[0].name, "Someone - Else"]


@pytest.mark.usefixtures("uncompiled")
def test_a_checkpoint_of_another_run_is_refused(features, dataset, tmp_path):
    output = tmp_path / "m.weights.h5"
    train(features, output, TrainingSettings(epochs=1, batch_size=8, seed=1), progress=False)
    with pytest.raises(HiphopssError, match=r"m\.checkpoint\.weights\.h5: .*another seed"):
        train(features, output, TrainingSettings(epochs=2, batch_size=8, seed=2), progress=False)
    train(
        features,
        output,
        TrainingSettings(epochs=1, batch_size=8, seed=2),
        restart=True,
        progress=False,
    )
    assert read_info(output).provenance["seed"] == 2
    # not told as weights that don't fit
    other = make_features(dataset, tmp_path / "other.h5", preset="released", progress=False)
    with pytest.raises(HiphopssError, match=r"a checkpoint of another run \(another features\)"):
        train(other, output, TrainingSettings(epochs=2, batch_size=8, seed=2), progress=False)


def test_two_runs_do_not_train_into_one_file(features, tmp_path):
    output = tmp_path / "new" / "x.weights.h5"

    def other():
        train(features, output, TrainingSettings(epochs=1), progress=False)

    with (
        ThreadPoolExecutor(1) as pool,
        locked(output),
        pytest.raises(HiphopssError, match=r"x\.weights\.h5: another run is making it: wait"),
    ):
        pool.submit(other).result()
    assert not output.parent.exists()


@pytest.mark.usefixtures("uncompiled")
def test_fewer_epochs_than_a_checkpoint_has_are_refused(features, tmp_path):
    output = tmp_path / "m.weights.h5"
    train(features, output, TrainingSettings(epochs=2, batch_size=8), progress=False)
    with pytest.raises(HiphopssError, match="has 2 epochs already, more than 1"):
        train(features, output, TrainingSettings(epochs=1, batch_size=8), progress=False)


@pytest.mark.usefixtures("uncompiled")
def test_that_all_epochs_are_done_already_is_told(features, tmp_path, run):
    output = tmp_path / "m.weights.h5"
    arguments = ("train", features, "-o", output, "--epochs", 1, "--patches-per-epoch", 32, "-q")
    assert run(*arguments) == (0, f"{output}\n", "")
    before = read_arrays(output)
    status, out, error = run(*arguments[:-1])
    assert (status, out) == (0, f"{output}\n")
    told = "1 of 1 epochs are done already: --epochs with more goes on, --restart begins anew"
    assert f"hiphopss: {output}: {told}\n" in error
    for name, array in read_arrays(output).items():
        np.testing.assert_array_equal(array, before[name])


@pytest.mark.usefixtures("uncompiled")
def test_a_diverging_run_stops_with_a_reason(features, tmp_path):
    output = tmp_path / "m.weights.h5"
    with h5py.File(features, "r+") as file:
        file["mixture"][:] = np.inf
    with pytest.raises(
        HiphopssError, match=r"f\.h5: the loss of epoch 1 is not finite: the frames"
    ):
        train(features, output, TrainingSettings(epochs=1), progress=False)
    assert not list(tmp_path.glob("*.weights.h5"))


def test_features_of_other_settings_are_refused(features, tmp_path, published):
    with h5py.File(features, "r+") as file:
        other = json.loads(file.attrs["config"]) | {"window": "hann"}
        file.attrs["config"] = SignalConfig(**other).to_json()
    with pytest.raises(HiphopssError, match=r"made with window hann, but .* blackmanharris"):
        train(features, tmp_path / "m.weights.h5", init=published, progress=False)
