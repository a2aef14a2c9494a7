"""Training on several devices and in several processes, against one; and what can go wrong."""

import csv
import importlib.util
import json
import socket
import time

import numpy as np
import pytest
import released
from helpers.jax_process import jax_process
from helpers.songs import noise, write_song

from hiphopss import SOURCES, HiphopssError
from hiphopss.datasets.features.make import make_features
from hiphopss.training import processes
from hiphopss.training.loop import train
from hiphopss.training.processes import Cluster, Share, joined
from hiphopss.weights.files import read_arrays

needs_jax = pytest.mark.skipif(importlib.util.find_spec("jax") is None, reason="JAX is optional")

EPOCHS, BATCH = 2, 8  # one epoch alone, and one that goes on from its checkpoint
ALONE = """
import json, shutil
from dataclasses import replace
import numpy as np
from hiphopss.config import PRESETS, LossWeights
from hiphopss.training import (loop as training, steps)
from hiphopss.training.settings import TrainingSettings
from hiphopss.training.processes import Cluster, joined
features, init, folder = sys.argv[1:]
settings = TrainingSettings(epochs=EPOCHS, batch_size=BATCH)
options = {"init": init, "progress": False}

# one device, with a copy of the checkpoint after the first epoch
save = training.save_checkpoint
def save_and_copy(path, model, run, **settings):
    save(path, model, run, **settings)
    if run.epochs_done == 1:
        shutil.copy(path, f"{folder}/two.checkpoint.weights.h5")
training.save_checkpoint = save_and_copy
training.train(features, f"{folder}/one.weights.h5", settings, **options)
training.save_checkpoint = save

# one device, batch by batch; and every batch in memory of its own
steps.frames_in_place = lambda *_: None
training.train(features, f"{folder}/read.weights.h5", settings, **options)
read = training.FeatureFile.read
training.FeatureFile.read = lambda self, patches, out=None: read(self, patches)
training.train(features, f"{folder}/fresh.weights.h5", settings, **options)
training.FeatureFile.read = read

# all devices, and a loss whose parts on the devices have opposite signs
settings = replace(settings, epochs=1)
training.train(features, f"{folder}/all.weights.h5", settings, cluster=Cluster(), **options)
from hiphopss.network.losses import SeparationLoss
from hiphopss.weights.files import load_model
with training.FeatureFile(features) as file:
    mixture, targets = file.read(np.arange(0, file.n_patches, file.n_patches // BATCH)[:BATCH])
mixture[BATCH // 2 :] *= 0.1  # so that the halves differ much
preset = PRESETS["released"]
signed = replace(preset, absolute_loss=False)
estimates = load_model(init)[0].predict_on_batch(mixture)
def loss(weight, part):
    made = SeparationLoss(signed, LossWeights(weight, weight, weight))
    return float(made(targets[part], estimates[part]))
halves = slice(0, BATCH // 2), slice(BATCH // 2, BATCH)
ratios = [loss(0, half) / (loss(0, half) - loss(1, half)) for half in halves]
weight = float(np.sqrt(np.prod(ratios)))
told = {"halves": [loss(weight, half) for half in halves]}
told["terms"] = sum(loss(0, half) for half in halves)
def step():
    model = load_model(init)[0]
    steps.compile_model(model, preset, loss_weights=LossWeights(weight, weight, weight))
    value = model.train_on_batch(mixture, targets, return_dict=True)["loss"]
    np.savez(f"{folder}/step{int('one' in told)}.npz", *model.get_weights())
    return float(value)
told["one"] = step()
with joined(Cluster(), batch_size=BATCH, agreed={}, files={}):
    told["two"] = step()
print(json.dumps(told))
"""
TOGETHER = """
import os, signal, sys
from hiphopss.cli import main
from hiphopss.training import (loop as training)
dies, *arguments = sys.argv[1:]
batches = training.epoch_batches
def batches_until_killed(*data, epoch, **options):
    if epoch == int(dies):
        os.kill(os.getpid(), signal.SIGKILL)
    return batches(*data, epoch=epoch, **options)
training.epoch_batches = batches_until_killed
sys.exit(main(["train", *arguments]))
"""

MEMBER = """
import json, os, sys
from hiphopss import HiphopssError
from hiphopss.training import (processes)
version, agreed, *place = json.loads(sys.argv[1])
processes._versions = lambda: version
try:
    with processes.joined(processes.Cluster(*place), batch_size=12, agreed=agreed, files={}):
        pass
except HiphopssError as error:
    print(error, file=sys.stderr, flush=True)
    os._exit(2)
"""


def start(program, *arguments, devices=1):
    program = program.replace("BATCH", str(BATCH)).replace("EPOCHS", str(EPOCHS))
    return jax_process(program, *arguments, devices=devices)


def free_address():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return f"127.0.0.1:{server.getsockname()[1]}"


def read_log(path):
    with open(path, newline="") as file:
        rows = list(csv.DictReader(file))
    return np.array([[float(v) for v in list(row.values())[:-2]] for row in rows])  # but times


def assert_same_weights(actual, expected, start):
    for array, reference, before in zip(actual, expected, start, strict=True):
        error = np.linalg.norm(array - reference)
        # rounding gives 1e-6 of what was learned in one step, 1e-4 in some epochs; a missing or
        # doubled share of a batch would give more than 0.1
        assert error <= 1e-3 * np.linalg.norm(reference - before)


@pytest.fixture(scope="module")
def songs(tmp_path_factory):
    root = tmp_path_factory.mktemp("several") / "songs"
    stems = {s: noise(90000, i) for i, s in enumerate(SOURCES)}
    write_song(root, "Dev", "song", stems)
    features = make_features(root, root.parent / "f.h5", preset="corrected", progress=False)
    # As in test_three_optimiser_steps: no rectified unit near 0, where rounding takes sides.
    arrays = released.random_arrays(seed=1)
    arrays[-1] += 3
    init = released.write_python2_pickle(root.parent / "model_hh.pkl", arrays)
    return features, init, root.parent


@pytest.fixture(scope="module")
def alone(songs):
    """One process with two devices; what it said, and the folder with what it wrote."""
    process = start(ALONE, *songs, devices=2)
    out, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors
    return json.loads(out.splitlines()[-1]), songs[2]


@needs_jax
@pytest.mark.slow
def test_one_process_on_two_devices_is_as_on_one(alone):
    _, folder = alone
    expected = read_log(folder / "one.log.csv")
    np.testing.assert_allclose(read_log(folder / "all.log.csv"), expected[:1], rtol=1e-5)


@needs_jax
@pytest.mark.slow
def test_loss_and_step_are_those_of_the_whole_batch(alone, songs):
    # The absolute value (Q10) of each device's sum would be the difference of the two here.
    told, folder = alone
    first, second = told["halves"]
    assert first * second < 0
    rounding = 1e-6 * told["terms"]  # positive and negative terms, which nearly cancel
    assert min(abs(first), abs(second)) > 10 * rounding
    assert told["one"] == pytest.approx(abs(first + second), abs=rounding)
    assert told["two"] == pytest.approx(told["one"], abs=rounding)
    one, two = (np.load(folder / f"step{n}.npz") for n in (0, 1))
    from hiphopss.weights.files import load_model

    before = load_model(songs[1])[0].get_weights()
    assert_same_weights([two[n] for n in two], [one[n] for n in one], before)


@needs_jax
@pytest.mark.slow
def test_memory_of_batches_can_be_used_again(alone):
    # JAX on a CPU computes on NumPy's memory itself, without a copy.
    _, folder = alone
    one, read, fresh = (
        read_arrays(folder / f"{name}.weights.h5") for name in ("one", "read", "fresh")
    )
    for name, array in one.items():
        np.testing.assert_array_equal(array, fresh[name])
        np.testing.assert_array_equal(read[name], fresh[name])


def ends(members):
    """Exit statuses and error output."""
    errors = [member.communicate(timeout=300)[1] for member in members]
    return [member.returncode for member in members], errors


def train_together(songs, outputs, *, dies=(-1, -1), epochs=EPOCHS):
    """Train in two processes, the second without the initial weights."""
    features, init, _ = songs
    options = ["--batch-size", BATCH, "--epochs", epochs, "-q"]
    cluster = ["--coordinator", free_address(), "--n-processes", 2, "--process"]
    inits = init, init.with_name("elsewhere") / init.name
    return ends(
        [
            start(
                TOGETHER, dies[n], features, "-o", output, "--init", inits[n], *options, *cluster, n
            )
            for n, output in enumerate(outputs)
        ]
    )


@needs_jax
@pytest.mark.slow
def test_two_processes_go_on_as_one_would(alone, songs, tmp_path):
    # They start from the checkpoint of the first epoch, which only process 0 has.
    _, folder = alone
    outputs = [folder / "two.weights.h5", tmp_path / "two.weights.h5"]
    stale = tmp_path / "two.checkpoint.weights.h5"
    stale.write_bytes(b"of another training")
    statuses, errors = train_together(songs, outputs)
    assert statuses == [0, 0], errors
    expected = read_log(folder / "one.log.csv")
    # sums in another order; see assert_same_weights
    np.testing.assert_allclose(read_log(folder / "two.log.csv"), expected, rtol=1e-5)
    one, two = (read_arrays(folder / f"{name}.weights.h5") for name in ("one", "two"))
    before = read_arrays(songs[1])
    names = [name for name in one if name in before]
    assert_same_weights(*([arrays[name] for name in names] for arrays in (two, one, before)))
    assert list(tmp_path.iterdir()) == [stale]  # process 1 writes nothing


@needs_jax
@pytest.mark.slow
def test_a_killed_process_ends_the_others_with_a_reason(songs, tmp_path):
    outputs = [tmp_path / f"{n}.weights.h5" for n in range(2)]
    statuses, errors = train_together(songs, outputs, dies=(-1, 2), epochs=9)
    assert statuses == [2, -9]
    assert "lost another process" in errors[0]
    assert "they go on from the last epoch" in errors[0]
    assert len(read_log(tmp_path / "0.log.csv")) == 2
    assert (tmp_path / "0.checkpoint.weights.h5").exists()


AGREED = {"features": "a" * 64, "epochs": 3}


def join(address, n_processes, process, *, patience=60, version="1", devices=1, **agreed):
    """Start a process that joins others and leaves."""
    told = [version, {**AGREED, **agreed}, address, n_processes, process, patience]
    return start(MEMBER, json.dumps(told), devices=devices)


@needs_jax
@pytest.mark.slow
@pytest.mark.parametrize(
    ("other", "message"),
    [
        ({"features": "b" * 64}, f"process 1: has features {'b' * 64}, process 0 {'a' * 64}: "),
        ({"epochs": 4}, "process 1: has epochs 4, process 0 3: give all the same"),
        ({"version": "2"}, "process 1: has version 2, process 0 1: give all the same"),
        ({"n_processes": 3}, "process 1: has number of processes 3, process 0 2: give all"),
        ({"devices": 2}, "processes with [1, 2] devices: give each the same number"),
    ],
    ids=["features", "options", "versions", "number of processes", "devices"],
)
def test_processes_that_disagree_all_say_why(other, message):
    address = free_address()
    others = {"n_processes": 2, **other}
    statuses, errors = ends([join(address, 2, 0), join(address, process=1, **others)])
    assert statuses == [2, 2]
    assert errors[0].startswith(message)
    assert errors[0].count("\n") == 1
    assert errors[1] == errors[0]


@needs_jax
@pytest.mark.slow
def test_processes_that_do_not_come_and_ports_that_something_else_uses():
    addresses = [free_address() for _ in range(2)]
    with socket.create_server(("127.0.0.1", 0)) as server:  # it never answers
        used = f"127.0.0.1:{server.getsockname()[1]}"
        members = [
            *(join(address, 2, n, patience=1) for n, address in enumerate(addresses)),
            *(join(used, 2, n, patience=1) for n in range(2)),
        ]
        statuses, errors = ends(members)
    assert statuses == [2] * 4
    in_vain = "waited 1 s in vain for all 2 processes"
    for line, message in zip(
        errors,
        [
            f"{addresses[0]}: {in_vain} (something answers there): start all of them again",
            f"{addresses[1]}: {in_vain} (no answer there: Connection refused): start all",
            f"{used}: can't listen on this port (Address already in use): choose another",
            f"{used}: {in_vain} (something answers there): start all of them again",
        ],
        strict=True,
    ):
        assert line.startswith(message)
        assert line.count("\n") == 1


@needs_jax
@pytest.mark.slow
def test_processes_that_jax_ends_say_why():
    address = free_address()
    members = [join(address, 3, 0), join(address, 3, 1), join(address, 3, 1), join(address, 4, 3)]
    deadline = time.monotonic() + 60
    while sum(m.poll() is None for m in members) > 2 and time.monotonic() < deadline:
        time.sleep(0.1)
    ended = [m.poll() is not None for m in members]
    for member in members:
        member.kill()
    _, errors = ends(members)
    assert not ended[0]
    assert ended[1] != ended[2]
    assert ended[3]
    assert errors[3].count("\n") == 1
    assert "process 3 of 4 was ended, as JAX does if another is lost or has the same" in errors[3]
    assert "process 1 of 3 was ended" in errors[1 if ended[1] else 2]


def test_batches_that_can_not_be_shared_out(monkeypatch):
    monkeypatch.setattr(processes, "_require_jax", lambda: None)
    message = "batches of 6 patches can't be shared out evenly among 4 processes"
    with (
        pytest.raises(HiphopssError, match=message),
        joined(Cluster("host:1", 4, 0), batch_size=6, agreed={}, files={}),
    ):
        pass


def test_shares_make_up_the_batches():
    batches = np.arange(24).reshape(3, 8)
    parts = [Share(n, 4).of(batches) for n in range(4)]
    np.testing.assert_array_equal(np.concatenate(parts, axis=1), batches)
    assert [Share(n, 4).writes for n in range(2)] == [True, False]


@pytest.mark.parametrize("address", [None, "host", "host:", ":1", "host:x", "host:70000"])
def test_addresses_that_are_none(address):
    with pytest.raises(HiphopssError, match="give HOST:PORT of process 0"):
        Cluster(address, 2, 0)


def test_process_numbers_start_from_0():
    with pytest.raises(HiphopssError, match="process 2 of 2: processes are numbered from 0"):
        Cluster("host:1", 2, 2)


def test_other_backends_are_refused(keras, songs, tmp_path):
    with pytest.raises(HiphopssError, match="KERAS_BACKEND tensorflow: several devices need JAX"):
        train(songs[0], tmp_path / "m.weights.h5", cluster=Cluster(), progress=False)


def test_half_of_the_options_are_refused(run, songs, tmp_path):
    status, _, errors = run(
        "train", songs[0], "-o", tmp_path / "m.weights.h5", "--coordinator", "host:1"
    )
    assert status == 2
    assert errors.startswith("hiphopss: error: --coordinator, --n-processes, --process: give all")
