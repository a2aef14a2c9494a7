"""Interrupts during a training, and the number of threads."""

import signal

import pytest

from hiphopss.config import SignalConfig, resolve_preset
from hiphopss.datasets.features.make import make_features
from hiphopss.network.model import build_model
from hiphopss.training import checkpoints
from hiphopss.training.checkpoints import Run
from hiphopss.training.loop import train
from hiphopss.training.settings import TrainingSettings
from hiphopss.training.steps import compile_model
from hiphopss.util import keras_backend
from hiphopss.weights.files import read_info

pytestmark = pytest.mark.usefixtures("keras")
SETTINGS = TrainingSettings(epochs=2, batch_size=2, patches_per_epoch=4)


@pytest.fixture
def interrupting(keras):
    """Sends this process the signal of Ctrl-C while a batch of the second epoch is trained on."""

    class Interrupting(keras.callbacks.Callback):
        def __init__(self):
            self.ended = []

        def on_epoch_begin(self, epoch, logs=None):
            self.now = epoch == 1

        def on_train_batch_begin(self, batch, logs=None):
            if self.now:
                signal.raise_signal(signal.SIGINT)

        def on_train_batch_end(self, batch, logs=None):
            self.ended.append(batch)

    return Interrupting()


@pytest.fixture
def features(dataset, tmp_path):
    return make_features(dataset, tmp_path / "f.h5", preset="corrected", progress=False)


def test_a_batch_is_finished_before_an_interrupt_takes_effect(features, tmp_path, interrupting):
    output = tmp_path / "new" / "w.weights.h5"
    with pytest.raises(KeyboardInterrupt):
        train(features, output, SETTINGS, callbacks=[interrupting], progress=False)
    assert interrupting.ended == [1, 1]  # in each epoch a call does both batches
    left = sorted(path.name for path in output.parent.iterdir())
    assert left == ["w.checkpoint.weights.h5", "w.log.csv"]
    assert read_info(checkpoints.checkpoint_of(output)).provenance["epochs"] == 1


def test_other_threads_than_before_are_told(tmp_path, monkeypatch, lines):
    config, fidelity = SignalConfig(), resolve_preset("released")
    model = compile_model(build_model(fidelity, config=config), fidelity)
    model.optimizer.build(model.trainable_variables)
    path, run = tmp_path / "w.checkpoint.weights.h5", Run({}, log=[{"epoch": 1, "loss": 0.5}])
    monkeypatch.setattr(checkpoints, "threads_in_use", lambda: "1")
    checkpoints.save_checkpoint(path, model, run, config=config, fidelity=fidelity)
    checkpoints.resume(path, model, run)
    assert not lines.wrong
    monkeypatch.setattr(checkpoints, "threads_in_use", lambda: "2 to 8")
    checkpoints.resume(path, model, run)
    (told,) = lines.wrong
    assert "computed in 1 threads, the next ones in 2 to 8" in told


def test_tensorflow_gets_threads_that_round_alike(keras):
    if keras.backend.backend() != "tensorflow":
        pytest.skip("of TensorFlow")
    assert keras_backend.threads_in_use() == "2 to 8"
