"""Training on several devices and in several processes, against one; and what can go wrong."""

import csv
import importlib.util
import json
import os
import socket
import subprocess
import sys
import threading
from contextlib import nullcontext

import numpy as np
import pytest
import released

from hiphopss import HiphopssError
from hiphopss.datasets.features.make import make_features
from hiphopss.training import processes as distribution
from hiphopss.training.loop import train
from hiphopss.training.processes import Cluster, Share, joined
from hiphopss.training.roll_call import _GREETING
from hiphopss.weights.files import read_arrays

needs_jax = pytest.mark.skipif(importlib.util.find_spec("jax") is None, reason="JAX is optional")

EPOCHS, BATCH = 3, 8
ALONE = """
import sys
sys.modules["tensorflow"] = None  # Keras would import it too, for seconds
import json, shutil
from dataclasses import replace
import numpy as np
from hiphopss.training import steps
from hiphopss.training.loop import train as training
from hiphopss.config import PRESETS, LossWeights
from hiphopss.training.processes import Cluster
features, init, folder = sys.argv[1:]
options = {"init": init, "batch_size": BATCH, "progress": False}

# one device, with a copy of the checkpoint after the first epoch
save = training.save_checkpoint
def save_and_copy(path, model, run, **settings):
    save(path, model, run, **settings)
    if run.epochs_done == 1:
        shutil.copy(path, f"{folder}/two.checkpoint.weights.h5")
training.save_checkpoint = save_and_copy
training.train(features, f"{folder}/one.weights.h5", epochs=EPOCHS, **options)
training.save_checkpoint = save

# one device, batch by batch; and every batch in memory of its own
steps.frames_in_place = lambda *_: None
training.train(features, f"{folder}/read.weights.h5", epochs=EPOCHS, **options)
read = training.FeatureFile.read
training.FeatureFile.read = lambda self, patches, out=None: read(self, patches)
training.train(features, f"{folder}/fresh.weights.h5", epochs=EPOCHS, **options)
training.FeatureFile.read = read

# all devices, and a loss whose parts on the devices have opposite signs
training.train(features, f"{folder}/all.weights.h5", epochs=1, cluster=Cluster(), **options)
from hiphopss.training.processes import joined
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
sys.modules["tensorflow"] = None
from hiphopss.training.loop import train as training
from hiphopss.cli import main
dies, *arguments = sys.argv[1:]
batches = training.epoch_batches
def batches_until_killed(*data, epoch, **options):
    if epoch == int(dies):
        os.kill(os.getpid(), signal.SIGKILL)
    return batches(*data, epoch=epoch, **options)
training.epoch_batches = batches_until_killed
sys.exit(main(["train", *arguments]))
"""


def start(program, *arguments, devices=1):
    program = program.replace("BATCH", str(BATCH)).replace("EPOCHS", str(EPOCHS))
    return subprocess.Popen(
        [sys.executable, "-c", program, *map(str, arguments)],
        env={
            **os.environ,
            "KERAS_BACKEND": "jax",
            "JAX_PLATFORMS": "cpu",
            "XLA_FLAGS": f"--xla_force_host_platform_device_count={devices}",
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


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
    from helpers.songs import noise, write_song

    from hiphopss import SOURCES

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


def train_together(songs, outputs, *, dies=(-1, -1), epochs=EPOCHS):
    """Train in two processes; gives their exit statuses and error output."""
    features, init, _ = songs
    options = ["--init", init, "--batch-size", BATCH, "--epochs", epochs, "-q"]
    cluster = ["--coordinator", free_address(), "--n-processes", 2, "--process"]
    processes = [
        start(TOGETHER, dies[n], features, "-o", output, *options, *cluster, n)
        for n, output in enumerate(outputs)
    ]
    errors = [process.communicate(timeout=300)[1] for process in processes]
    return [process.returncode for process in processes], errors


@needs_jax
@pytest.mark.slow
def test_two_processes_go_on_as_one_would(alone, songs, tmp_path):
    # They start from the checkpoint of the first epoch, which only process 0 has.
    _, folder = alone
    outputs = [folder / "two.weights.h5", tmp_path / "empty" / "two.weights.h5"]
    statuses, errors = train_together(songs, outputs)
    assert statuses == [0, 0], errors
    expected = read_log(folder / "one.log.csv")
    # sums in another order; see assert_same_weights
    np.testing.assert_allclose(read_log(folder / "two.log.csv"), expected, rtol=1e-5)
    one, two = (read_arrays(folder / f"{name}.weights.h5") for name in ("one", "two"))
    before = read_arrays(songs[1])
    names = [name for name in one if name in before]
    assert_same_weights(*([arrays[name] for name in names] for arrays in (two, one, before)))
    assert not outputs[1].parent.exists()  # process 1 writes nothing


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


# the roll call, in threads and without JAX


@pytest.fixture
def roll(monkeypatch):
    """Have two processes join, with what each is told; gives what each got or its error."""
    monkeypatch.setattr(distribution, "_require_fresh_jax", lambda cluster: None)
    monkeypatch.setattr(distribution, "_all_devices", lambda cluster, size: nullcontext())
    monkeypatch.setattr(distribution, "_versions", lambda: "1")

    def roll(*members):
        outcomes = [None] * len(members)

        def join(n, cluster, agreed, files):
            try:
                with joined(cluster, batch_size=6, agreed=agreed, files=files) as (share, files):
                    contents = {k: f and (f.name, f.read_bytes()) for k, f in files.items()}
                    outcomes[n] = share, contents
            except HiphopssError as error:
                outcomes[n] = str(error)

        threads = [threading.Thread(target=join, args=(n, *m)) for n, m in enumerate(members)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        return outcomes

    return roll


AGREED = {"features": "a" * 64, "epochs": 3}


def test_all_start_from_the_files_of_process_0(roll, tmp_path):
    address = free_address()
    (tmp_path / "init.pkl").write_bytes(b"weights\n\n")
    own = {"init": tmp_path / "init.pkl", "checkpoint": None}
    other = {"init": tmp_path / "missing.pkl", "checkpoint": tmp_path / "old"}
    first, second = roll(
        (Cluster(address, 2, 0), AGREED, own), (Cluster(address, 2, 1), AGREED, other)
    )
    contents = {"init": ("init.pkl", b"weights\n\n"), "checkpoint": None}
    assert first == (Share(0, 2), contents)
    assert second == (Share(1, 2), contents)


@pytest.mark.parametrize(
    ("cluster", "agreed", "message"),
    [
        ({}, {"features": "b" * 64}, "process 1: has another feature file than process 0 .*copy"),
        ({}, {"epochs": 4}, "process 1: has epochs 4, process 0 3: give all the same"),
        ({"n_processes": 3}, {}, "process 1: is one of 3, process 0 one of 2"),
    ],
)
def test_processes_that_disagree_all_say_why(roll, cluster, agreed, message):
    address = free_address()
    other = Cluster(**{"coordinator": address, "n_processes": 2, "process": 1} | cluster)
    outcomes = roll((Cluster(address, 2, 0), AGREED, {}), (other, AGREED | agreed, {}))
    for outcome in outcomes:
        assert "\n" not in outcome
        with pytest.raises(HiphopssError, match=message):
            raise HiphopssError(outcome)


def test_a_process_that_does_not_come(roll):
    address = free_address()
    (alone,) = roll((Cluster(address, 3, 0, patience=0.3), AGREED, {}))
    assert f"{address}: waited 0.3 s in vain for process 1, 2" in alone
    (alone,) = roll((Cluster(address, 2, 1, patience=0.3), AGREED, {}))
    assert f"{address}: no answer from process 0 in 0.3 s" in alone


def test_a_port_that_something_else_uses(roll):
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
        (alone,) = roll((Cluster(address, 2, 0, patience=1), AGREED, {}))
        assert f"{address}: can't listen on this port" in alone
        (alone,) = roll((Cluster(address, 2, 1, patience=0.3), AGREED, {}))  # it never answers
        assert f"{address}: process 0 does not call the roll" in alone


@pytest.mark.parametrize(
    "message",
    [b"GET / HTTP/1.1", json.dumps({"greeting": _GREETING, "process": [1]}).encode()],
    ids=["of another protocol", "half of ours"],
)
def test_strangers_are_not_counted(roll, message):
    address = free_address()
    cluster = Cluster(address, 2, 0, patience=2)

    def knock():
        host, port = cluster.address
        for _ in range(100):
            try:
                with socket.create_connection((host, port)) as connection:
                    connection.sendall(message + b"\n")
                    return
            except OSError:
                threading.Event().wait(0.02)

    stranger = threading.Thread(target=knock)
    stranger.start()
    (alone,) = roll((cluster, AGREED, {}))
    stranger.join()
    assert "waited 2 s in vain for process 1" in alone


def test_batches_that_can_not_be_shared_out(roll):
    (alone,) = roll((Cluster("host:1", 4, 0), AGREED, {}))
    assert "batches of 6 patches can't be shared out evenly among 4 processes" in alone


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
