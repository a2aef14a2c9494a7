"""Keras callbacks in the loop: Keras's own, and what a callback is told."""

import csv
from dataclasses import replace
from importlib.util import find_spec

import numpy as np
import pytest

from hiphopss import HiphopssError
from hiphopss.datasets.features.make import make_features
from hiphopss.training.loop import train
from hiphopss.training.settings import TrainingSettings
from hiphopss.training.validation import Validation
from hiphopss.weights.files import load_model, read_info

pytestmark = pytest.mark.usefixtures("keras")
SETTINGS = TrainingSettings(epochs=2, batch_size=4, patches_per_epoch=12)


@pytest.fixture
def features(dataset, tmp_path):
    return make_features(dataset, tmp_path / "f.h5", preset="corrected", progress=False)


def recorder(heard):
    """A callback that notes what it is told: name, number, logs."""
    from keras.callbacks import Callback

    def hearing(name):
        def hear(self, *arguments, logs=None):
            number = [argument for argument in arguments if isinstance(argument, int)]
            heard.append((name, *number, arguments[-1] if len(arguments) > len(number) else logs))

        return hear

    parts = ("train", "epoch", "train_batch", "test")
    names = [f"on_{part}_{moment}" for part in parts for moment in ("begin", "end")]
    return type("Recorder", (Callback,), {name: hearing(name) for name in names})()


@pytest.mark.usefixtures("uncompiled")
def test_callbacks_of_keras_work(features, tmp_path, monkeypatch):
    from keras import callbacks

    losses, heard, ends = [5.0, 3.0, 4.0, 2.0], [], []
    monkeypatch.setattr(Validation, "loss", lambda self: losses.pop(0))
    monkeypatch.setattr("hiphopss.training.steps._AT_ONCE", 8)  # two batches a call
    best = tmp_path / "best.weights.h5"
    given = [
        callbacks.CSVLogger(tmp_path / "keras.csv"),
        callbacks.ModelCheckpoint(best, "val_loss", save_best_only=True, save_weights_only=True),
        callbacks.EarlyStopping("val_loss", patience=1, restore_best_weights=True),
        callbacks.LambdaCallback(on_train_end=ends.append),
        recorder(heard),
    ]
    if find_spec("tensorboard"):  # a package of its own
        given.append(callbacks.TensorBoard(tmp_path / "board", update_freq=2))
    settings = replace(SETTINGS, epochs=5, validation=0.5, keep="last")
    output = tmp_path / "m.weights.h5"
    train(features, output, settings, callbacks=given, progress=False)

    # stopped after the third epoch, with the weights of the second
    assert losses == [2.0]
    made = read_info(output).provenance
    assert made["epochs"] == 3
    assert made["callbacks"][:3] == ["CSVLogger", "ModelCheckpoint", "EarlyStopping"]
    model, _ = load_model(output)
    written = model.get_weights()
    model.load_weights(best)
    for array, expected in zip(written, model.get_weights(), strict=True):
        np.testing.assert_array_equal(array, expected)

    # what they were told is what the log has
    with open(tmp_path / "keras.csv", newline="") as file, open(tmp_path / "m.log.csv") as own:
        rows, ours = list(csv.DictReader(file)), list(csv.DictReader(own))
    assert [float(row["val_loss"]) for row in rows] == [5, 3, 4]
    assert {"reconstruction_vocals", "alpha"} <= set(rows[0])
    for name in set(rows[0]) - {"epoch"}:
        assert [row[name] for row in rows] == [row[name] for row in ours]
    assert ends == [{name: float(value) for name, value in rows[2].items() if name != "epoch"}]
    assert [entry[:-1] for entry in heard[:10]] == [
        ("on_train_begin",),
        ("on_epoch_begin", 0),
        ("on_train_batch_begin", 0),
        ("on_train_batch_end", 1),
        ("on_train_batch_begin", 2),
        ("on_train_batch_end", 2),
        ("on_test_begin",),
        ("on_test_end",),
        ("on_epoch_end", 0),
        ("on_epoch_begin", 1),
    ]
    assert heard[7][-1] == {"loss": 5.0}
    assert heard[5][-1]["loss"] == heard[8][-1]["loss"]  # the mean of the epoch's batches
    assert given[0].params == {"epochs": 5, "steps": 3, "verbose": 0}
    if find_spec("tensorboard"):
        for part, tag in (("train", b"epoch_loss"), ("validation", b"epoch_loss")):
            (events,) = (tmp_path / "board" / part).glob("events.out.tfevents.*")
            assert tag in events.read_bytes()


@pytest.mark.usefixtures("uncompiled")
def test_a_callback_that_stops_ends_whole_epochs_that_can_be_resumed(features, tmp_path):
    from keras.callbacks import LambdaCallback

    def slow_down(epoch, logs):
        if epoch == 0:
            slower.model.optimizer.learning_rate = 0.25

    def stop(batch, logs):
        stopper.model.stop_training = True

    slower, stopper = (
        LambdaCallback(on_epoch_end=slow_down),
        LambdaCallback(on_train_batch_end=stop),
    )
    whole, parts = (tmp_path / f"{name}.weights.h5" for name in ("whole", "parts"))
    train(features, whole, SETTINGS, callbacks=[slower], progress=False)
    train(features, parts, SETTINGS, callbacks=[slower, stopper], progress=False)
    assert read_info(parts).provenance["epochs"] == 1
    train(features, parts, SETTINGS, progress=False)  # the learning rate is in the checkpoint
    assert read_info(parts).sha256 == read_info(whole).sha256


def test_only_callbacks_are_taken(features, tmp_path):
    with pytest.raises(HiphopssError, match=r"callbacks: str is not a keras\.callbacks\.Callback"):
        train(features, tmp_path / "m.weights.h5", SETTINGS, callbacks=["tensorboard"])
    assert not list(tmp_path.glob("*.weights.h5"))
