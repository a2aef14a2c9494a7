"""The log of a training for TensorBoard, read back by TensorBoard."""

import csv

import numpy as np
import pytest

from hiphopss import HiphopssError
from hiphopss.datasets.features.make import make_features
from hiphopss.training import board
from hiphopss.training.loop import train
from hiphopss.training.settings import TrainingSettings

pytest.importorskip("tensorboard", reason="TensorBoard is a package of its own")
SETTINGS = TrainingSettings(epochs=2, batch_size=4, patches_per_epoch=8, validation=0.5)
ROWS = [
    {
        "epoch": 1,
        "loss": 3.0,
        "alpha": 0.25,
        "val_loss": 4.0,
        "patches_per_s": 10.5,
        "seconds": 9.0,
    },
    {"epoch": 2, "loss": 2.0, "alpha": 0.125, "val_loss": 3.5, "patches_per_s": 11.0, "seconds": 8},
    {"epoch": 3, "loss": 1.1, "alpha": 0.125, "val_loss": 3.0, "patches_per_s": 11.0, "seconds": 8},
]


def charts(place):
    """What TensorBoard shows of a folder: for each chart, the values by epoch."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    shown = EventAccumulator(str(place))
    shown.Reload()
    return {
        tag: {event.step: event.value for event in shown.Scalars(tag)}
        for tag in shown.Tags()["scalars"]
    }


@pytest.mark.usefixtures("uncompiled")
def test_the_log_is_in_the_board_also_when_resumed(keras, dataset, tmp_path):
    features = make_features(dataset, tmp_path / "f.h5", preset="corrected", progress=False)

    def slow_down(epoch, logs):
        slower.model.optimizer.learning_rate = 0.25

    slower = keras.callbacks.LambdaCallback(on_epoch_end=slow_down)
    output, folders = tmp_path / "m.weights.h5", [tmp_path / "one", tmp_path / "two"]
    for folder in folders:  # the second one only gets what was done before
        train(
            *(features, output, SETTINGS),
            callbacks=[slower],
            tensorboard=folder,
            progress=False,
        )
        assert [path.name for path in folder.iterdir()] == ["m"]
    with open(tmp_path / "m.log.csv", newline="") as file:
        log = [
            {name: np.float32(value) for name, value in row.items()} for row in csv.DictReader(file)
        ]
    shown, filled_in = (charts(folder / "m" / "train") for folder in folders)
    assert shown.pop("learning_rate") == {1: 1.0, 2: 0.25}  # the log doesn't have it
    assert filled_in == shown
    names = {name.removeprefix("terms/"): values for name, values in shown.items()}
    assert set(names) == set(log[0]) - {"epoch", "seconds", "val_loss"}
    assert {"terms/reconstruction_vocals", "terms/alpha"} < set(shown)
    for name, values in names.items():
        assert values == {row["epoch"]: row[name] for row in log}
    for folder in folders:
        losses = charts(folder / "m" / "validation")
        assert losses == {"loss": {row["epoch"]: row["val_loss"] for row in log}}


def test_each_training_finds_its_own_folder(tmp_path):
    for rows in (ROWS, [dict(row, loss=5.0) for row in ROWS]):  # of the same name, elsewhere
        board.Board(tmp_path, "m", []).write(rows[:1])
    resumed = board.Board(tmp_path, "m", ROWS[:1])
    resumed.write(ROWS[:1])
    resumed.write(ROWS[:2])
    (tmp_path / "m-2" / "train" / "events.out.tfevents.1").write_bytes(b"no events" * 9)
    # what a killed process began to write
    with open(tmp_path / "m" / "train" / "events.out.tfevents.0000000002", "ab") as file:
        file.write(b"\x30" + bytes(9))
    board.Board(tmp_path, "m", ROWS[:2]).write(ROWS)
    assert charts(tmp_path / "m" / "train")["loss"] == {1: 3, 2: 2, 3: np.float32(1.1)}
    assert charts(tmp_path / "m-2" / "train")["loss"] == {1: 5}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["m", "m-2"]


def test_what_hinders_a_board_is_one_line(tmp_path, monkeypatch, run):
    (tmp_path / "file").write_text("")
    with pytest.raises(HiphopssError, match=r"file.*choose another output"):
        board.Board(tmp_path / "file", "m", [])
    monkeypatch.setattr("hiphopss.util.extras.is_installed", lambda name: name != "tensorboard")
    status, _, told = run(
        "train", tmp_path / "f.h5", "-o", tmp_path / "m.weights.h5", "--tensorboard", tmp_path
    )
    assert status == 2
    assert told == (
        "hiphopss: error: --tensorboard: needs the extra 'tensorboard' of hiphopss: "
        'pip install "tensorboard>=2.20,<3"\n'
    )
