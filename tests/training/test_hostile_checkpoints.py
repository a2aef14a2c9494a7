"""Checkpoints that lack something, or were edited."""

import csv
import json
import shutil

import h5py
import numpy as np
import pytest
from helpers import hdf5 as hostile

from hiphopss import PRESETS, HiphopssError, SignalConfig
from hiphopss.training.checkpoints import Run, resume, save_checkpoint
from hiphopss.weights.files import network_arrays


@pytest.fixture(scope="module")
def model(keras):
    from hiphopss.network.model import build_model
    from hiphopss.training.steps import compile_model

    model = compile_model(build_model("corrected", seed=1), "corrected", jit_compile=False)
    model.optimizer.build(model.trainable_variables)
    for variable in model.optimizer.variables[2:]:
        variable.assign(np.full(variable.shape, 0.25))
    return model


@pytest.fixture(scope="module")
def made(model, tmp_path_factory):
    path = tmp_path_factory.mktemp("made") / "m.checkpoint.weights.h5"
    run = Run({"seed": 1}, log=[{"epoch": 1, "loss": 0.5}], best=network_arrays(model))
    save_checkpoint(path, model, run, config=SignalConfig(), fidelity=PRESETS["corrected"])
    return path


def test_a_checkpoint_gives_back_what_was_saved(made, model):
    before = [variable.numpy() for variable in [*model.weights, *model.optimizer.variables]]
    run = Run({"seed": 1})
    resume(made, model, run)
    after = [variable.numpy() for variable in [*model.weights, *model.optimizer.variables]]
    for one, other in zip(before, after, strict=True):
        assert one.dtype == other.dtype
        np.testing.assert_array_equal(one, other)
    assert run.log == [{"epoch": 1, "loss": 0.5}]
    for name, array in network_arrays(model).items():
        np.testing.assert_array_equal(run.best[name], array)


def double(file, name, values):
    file[name] = values.astype("<f8")


def larger(file, name, values):
    file[name] = np.zeros((7, 7), "<f4")


def not_finite(file, name, values):
    file[name] = np.full(values.shape, np.nan, values.dtype)


def missing(file, name, values):
    pass


@pytest.mark.parametrize(
    ("make", "part"),
    [
        (missing, "lacks a part of the optimiser's state"),
        (larger, "lacks a part of the optimiser's state"),
        (double, "lacks a part of the optimiser's state"),
        (not_finite, "has values that are not finite"),
        (hostile.made_of_itself, "has its values in other data sets"),
        (hostile.link_into_another_file, "is a link into another file"),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
@pytest.mark.parametrize("name", ["training/5", "training/best/conv1/kernel"])
def test_an_edited_state_is_refused(made, model, tmp_path, name, make, part):
    path = shutil.copy(made, tmp_path / "m.checkpoint.weights.h5")
    with h5py.File(path, "r+") as file:
        hostile.replaced(file, name, make)
    with pytest.raises(HiphopssError, match=part) as caught:
        resume(path, model, Run({"seed": 1}))
    assert "m.checkpoint.weights.h5" in str(caught.value)


def test_weights_are_no_checkpoint(made, model, tmp_path):
    path = shutil.copy(made, tmp_path / "m.checkpoint.weights.h5")
    with h5py.File(path, "r+") as file:
        del file["training"]
    with pytest.raises(HiphopssError, match="not a checkpoint of a training run"):
        resume(path, model, Run({"seed": 1}))


@pytest.mark.parametrize("name", ["training/5", "training/best/conv1/kernel"])
def test_other_numbers_in_the_state_are_refused(made, model, tmp_path, name):
    path = shutil.copy(made, tmp_path / "m.checkpoint.weights.h5")
    with h5py.File(path, "r+") as file:
        file[name][(0,) * file[name].ndim] += 1
    with pytest.raises(HiphopssError, match="state of its training is not the one it records"):
        resume(path, model, Run({"seed": 1}))


def with_log(made, tmp_path, log):
    path = shutil.copy(made, tmp_path / "m.checkpoint.weights.h5")
    with h5py.File(path, "r+") as file:
        attributes = file["training"].attrs
        attributes["run"] = json.dumps(json.loads(attributes["run"]) | {"log": log})
    return path


@pytest.mark.parametrize("more", [{}, {"val_loss": 0.25, "of another version": 1}])
def test_a_log_of_other_columns_is_gone_on_with(made, model, tmp_path, more):
    first = {"epoch": 1, "loss": 0.5} | more
    path, run = with_log(made, tmp_path, [first]), Run({"seed": 1})
    resume(path, model, run)
    run.log.append({"epoch": 2, "loss": 0.25, "seconds": 3.5})
    save_checkpoint(path, model, run, config=SignalConfig(), fidelity=PRESETS["corrected"])
    with open(tmp_path / "m.log.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == [*first, "seconds"]
    assert [row["loss"] for row in rows] == ["0.5", "0.25"]
    assert [row["seconds"] for row in rows] == ["", "3.5"]
    after = Run({"seed": 1})
    resume(path, model, after)
    assert after.log == run.log


def test_the_best_epoch_is_one_of_those_that_were_validated():
    log = [{"epoch": 1, "loss": 0.5}, *({"epoch": n, "loss": 1, "val_loss": 1 / n} for n in (2, 3))]
    assert Run({}, log=log).best_epoch == 3
    assert Run({}, log=log[:1]).best_epoch == 0


def test_a_log_without_losses_is_one_line(made, model, tmp_path):
    path = with_log(made, tmp_path, [{"epoch": 1}])
    with pytest.raises(HiphopssError, match="rows of the log lack columns: use --restart"):
        resume(path, model, Run({"seed": 1}))
