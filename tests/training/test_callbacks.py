"""Keras callbacks in the loop: Keras's own, and what a callback is told."""

import csv
from dataclasses import replace

import numpy as np
import pytest

from hiphopss import HiphopssError
from hiphopss.datasets.features.make import make_features
from hiphopss.training.loop import train
from hiphopss.training.settings import TrainingSettings
from hiphopss.training.validation import Validation
from hiphopss.weights.files import load_model, read_arrays, read_info

pytestmark = pytest.mark.usefixtures("keras")
SETTINGS = TrainingSettings(epochs=5, batch_size=8, patches_per_epoch=24, validation=0.5)


@pytest.fixture
def features(dataset, tmp_path):
    return make_features(dataset, tmp_path / "f.h5", preset="corrected", progress=False)


@pytest.fixture
def losses(monkeypatch):
    """The validation losses that the trainings of a test see."""
    told = []
    monkeypatch.setattr(Validation, "loss", lambda self: told.pop(0))
    return told


def test_callbacks_of_keras_work(features, tmp_path, losses):
    pytest.importorskip("tensorboard")
    from keras import callbacks

    losses += [5.0, 3.0, 4.0, 2.0]
    ends = []
    output = train(
        features,
        tmp_path / "m.weights.h5",
        SETTINGS,
        callbacks=[
            callbacks.TensorBoard(tmp_path / "board"),
            callbacks.CSVLogger(tmp_path / "keras.csv"),
            callbacks.ModelCheckpoint(
                tmp_path / "{epoch}.weights.h5",
                "val_loss",
                save_best_only=True,
                save_weights_only=True,
            ),
            callbacks.EarlyStopping("val_loss", patience=1),
            callbacks.LambdaCallback(on_train_end=ends.append),
        ],
        progress=False,
    )
    assert losses == [2.0]  # stopped after the third epoch
    assert read_info(output).provenance["epochs"] == 3
    assert read_info(output).provenance["callbacks"][3] == "EarlyStopping"
    for part, tag in (("train", b"epoch_loss"), ("validation", b"evaluation_loss_vs_iterations")):
        (events,) = (tmp_path / "board" / part).glob("events.out.tfevents.*")
        assert tag in events.read_bytes()
    with open(tmp_path / "keras.csv", newline="") as file, open(tmp_path / "m.log.csv") as own:
        rows, ours = list(csv.DictReader(file)), list(csv.DictReader(own))
    assert [float(row["val_loss"]) for row in rows] == [5, 3, 4]
    assert [row["loss"] for row in rows] == [row["loss"] for row in ours]
    assert ends == [{name: float(value) for name, value in rows[2].items() if name != "epoch"}]
    # the best epoch's weights are in Keras's file and in ours
    assert [path.exists() for path in map(tmp_path.joinpath, ("1.weights.h5", "3.weights.h5"))] == [
        True,
        False,
    ]
    model, _ = load_model(output)
    expected = model.get_weights()
    model.load_weights(tmp_path / "2.weights.h5", skip_mismatch=False)
    for array, other in zip(model.get_weights(), expected, strict=True):
        np.testing.assert_array_equal(array, other)


def test_what_a_callback_is_told(features, tmp_path, losses, monkeypatch):
    from keras.callbacks import Callback

    monkeypatch.setattr("hiphopss.training.steps._AT_ONCE", 8)  # two batches a call
    losses += [5.0]
    heard = []

    def hearing(name):
        def hear(self, *arguments, logs=None):
            number = [argument for argument in arguments if isinstance(argument, int)]
            heard.append((name, *number, arguments[-1] if len(arguments) > len(number) else logs))

        return hear

    parts = ("train", "epoch", "train_batch", "test")
    names = [f"on_{part}_{moment}" for part in parts for moment in ("begin", "end")]
    recorder = type("Recorder", (Callback,), {name: hearing(name) for name in names})()
    settings = replace(SETTINGS, epochs=1, batch_size=4, patches_per_epoch=12)
    output = tmp_path / "m.weights.h5"
    train(features, output, settings, callbacks=[recorder], progress=False)
    assert [entry[:-1] for entry in heard] == [
        ("on_train_begin",),
        ("on_epoch_begin", 0),
        ("on_train_batch_begin", 0),
        ("on_train_batch_end", 1),
        ("on_train_batch_begin", 2),
        ("on_train_batch_end", 2),
        ("on_test_begin",),
        ("on_test_end",),
        ("on_epoch_end", 0),
        ("on_train_end",),
    ]
    assert heard[7][-1] == {"loss": 5.0}
    logs = heard[-2][-1]
    assert logs["val_loss"] == 5.0
    assert logs["loss"] == heard[5][-1]["loss"]  # the mean of the epoch's batches
    assert {"reconstruction_vocals", "alpha"} <= set(logs)
    assert recorder.params == {"epochs": 1, "steps": 3, "verbose": 0}
    assert recorder.model.name == "hiphopss"


def test_a_callback_that_stops_ends_whole_epochs_that_can_be_resumed(features, tmp_path):
    from keras.callbacks import LambdaCallback

    settings = replace(SETTINGS, epochs=3, validation=None)
    stopper = LambdaCallback(on_train_batch_end=lambda batch, logs: stop())
    whole = train(features, tmp_path / "whole.weights.h5", settings, progress=False)
    output = tmp_path / "m.weights.h5"

    def stop():
        stopper.model.stop_training = True

    train(features, output, settings, callbacks=[stopper], progress=False)
    assert read_info(output).provenance["epochs"] == 1
    train(features, output, settings, progress=False)
    assert read_info(output).sha256 == read_info(whole).sha256


def test_what_a_callback_changes_is_in_the_checkpoint(features, tmp_path):
    from keras.callbacks import LambdaCallback

    def slow_down(epoch, logs):
        slower.model.optimizer.learning_rate = 0.25

    rates = []
    slower = LambdaCallback(on_epoch_end=slow_down)
    seer = LambdaCallback(
        on_train_begin=lambda logs: rates.append(float(seer.model.optimizer.learning_rate))
    )
    settings, output = replace(SETTINGS, epochs=1, validation=None), tmp_path / "m.weights.h5"
    train(features, output, settings, callbacks=[slower, seer], progress=False)
    train(features, output, replace(settings, epochs=2), callbacks=[seer], progress=False)
    assert rates == [1, 0.25]


def test_only_callbacks_are_taken(features, tmp_path):
    with pytest.raises(HiphopssError, match=r"callbacks: str is not a keras\.callbacks\.Callback"):
        train(features, tmp_path / "m.weights.h5", SETTINGS, callbacks=["tensorboard"])
    assert not list(tmp_path.glob("*.weights.h5"))


def test_weights_that_a_callback_restores_are_written(features, tmp_path, losses):
    from keras.callbacks import EarlyStopping

    losses += [3.0, 4.0, 5.0]
    output, first = tmp_path / "m.weights.h5", tmp_path / "first.weights.h5"
    stopper = EarlyStopping("val_loss", patience=1, restore_best_weights=True)
    settings = replace(SETTINGS, keep="last")
    train(features, output, settings, callbacks=[stopper], progress=False)
    train(features, first, replace(settings, epochs=1), progress=False)
    expected = read_arrays(first)
    for name, array in read_arrays(output).items():
        np.testing.assert_array_equal(array, expected[name])
