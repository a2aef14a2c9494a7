"""Validation on songs that don't train: the split, the loss, the best epoch, and when to stop."""

import csv
import importlib.util
import socket
from dataclasses import replace

import numpy as np
import pytest
import released
from helpers.jax_process import jax_process
from helpers.songs import noise, write_song

from hiphopss import SOURCES, HiphopssError, SignalConfig
from hiphopss.config import PRESETS
from hiphopss.datasets.features.file import FeatureFile
from hiphopss.datasets.features.make import make_features
from hiphopss.datasets.songs import read_songs
from hiphopss.network.model import build_model
from hiphopss.training import split as splitting
from hiphopss.training import validation as validating
from hiphopss.training.checkpoints import beside
from hiphopss.training.loop import train
from hiphopss.training.processes import Share
from hiphopss.training.settings import TrainingSettings
from hiphopss.training.split import split_patches
from hiphopss.training.steps import compile_model
from hiphopss.training.validation import Validation
from hiphopss.weights.files import load_model, load_published, read_arrays, read_info

pytestmark = pytest.mark.usefixtures("keras")
QUIET = {"progress": False}
TRAIN = "from hiphopss.cli import main; sys.exit(main())"
SHORT = TrainingSettings(epochs=3, batch_size=8, patches_per_epoch=32, seed=2)
"""Few batches, so that nothing is compiled for long."""


@pytest.fixture(scope="module")
def songs(tmp_path_factory):
    """Six songs of a second or two."""
    root = tmp_path_factory.mktemp("validation") / "songs"
    for number in range(6):
        stems = {s: noise(50000 + 3000 * number, 10 * number + i) for i, s in enumerate(SOURCES)}
        write_song(root, "Dev", f"00{number} - Maker {number} - Title {number}", stems)
    return read_songs(root, ("Dev",))


@pytest.fixture(scope="module")
def features(songs):
    """Features of the first four songs."""
    folder = songs[0].mixture.parents[3]
    return make_features(songs[:4], folder.parent / "f.h5", preset="corrected", **QUIET)


@pytest.fixture(scope="module")
def others(songs, features):
    """Features of the other two."""
    return make_features(songs[4:], features.with_name("o.h5"), preset="corrected", **QUIET)


def read_log(output):
    with open(beside(output, ".log.csv"), newline="") as file:
        return list(csv.DictReader(file))


def assert_same_arrays(one, other):
    expected = read_arrays(other)
    for name, array in read_arrays(one).items():
        np.testing.assert_array_equal(array, expected[name])


# the split


@pytest.mark.parametrize("augmentation", ["mix", "combined", "circular-shift"])
def test_songs_that_validate_do_not_train_in_any_version(songs, tmp_path, augmentation):
    path = make_features(
        songs, tmp_path / "f.h5", augmentation=augmentation, preset="corrected", seed=3, **QUIET
    )
    with FeatureFile(path) as file, split_patches(file, 0.3, seed=1) as split:
        segments = file.segments()
        held = {label.partition("/")[2] for label in split.told["songs"]}
        assert len(held) == 2  # of six
        playing = [set(segment.songs) for segment in segments]
        trained = {int(file.owners[patch]) for patch in split.training}
        validated = {int(file.owners[patch]) for patch in split.validation}
        assert trained == {n for n, names in enumerate(playing) if not names & held}
        assert set().union(*(playing[n] for n in trained)) == {s.name for s in songs} - held
        for n in validated:  # as they are: every source of one song, not shifted
            (part,) = {(part.song, part.shift) for part in segments[n].parts}
            assert part[0] in held
            assert part[1] == 0
        assert {name for n in validated for name in playing[n]} == held
        if augmentation != "circular-shift":
            assert any(len(names) > 1 and names & held for names in playing)  # some mixes are out


def test_songs_without_an_unshifted_version_validate_as_they_are_there(songs, tmp_path):
    path = make_features(songs[:2], tmp_path / "f.h5", augmentation="CS", **QUIET)  # released: Q7
    with FeatureFile(path) as file, split_patches(file, 0.5, seed=1) as split:
        held = np.isin(np.arange(file.n_patches), split.training, invert=True)
        assert sorted(split.validation) == list(np.flatnonzero(held))


def test_the_choice_of_songs_is_seeded_and_leaves_songs_on_both_sides(features):
    with FeatureFile(features) as file:

        def chosen(share, seed):
            with split_patches(file, share, seed=seed) as split:
                return tuple(split.told["songs"])

        assert chosen(0.5, 3) == chosen(0.5, 3)
        assert len({chosen(0.5, seed) for seed in range(9)}) > 1
        assert len(chosen(0.001, 0)) == 1
        assert len(chosen(0.999, 0)) == 3


def test_many_patches_are_a_fixed_choice(features, others, monkeypatch, lines):
    monkeypatch.setattr(splitting, "_MOST", 7)
    with FeatureFile(features) as file:
        with split_patches(file, others, seed=0) as split:
            first, n_all = split.validation, split.validation_file.n_patches
            split.tell()
        with split_patches(file, others, seed=1) as split:
            np.testing.assert_array_equal(split.validation, first)
    assert len(set(first)) == 7 < n_all
    assert f"o.h5: validation on 7 of {n_all} patches of Dev/004" in lines.told[0]


def test_songs_that_train_too_are_refused(features, songs, tmp_path):
    content = replace(songs[0], name="another name")
    name = replace(songs[5], name="Maker 3 - Title 3")  # without the number
    with FeatureFile(features) as file:
        for number, same in enumerate((songs[3], content, name)):
            path = tmp_path / f"{number}.h5"
            make_features([same, songs[4]], path, preset="corrected", **QUIET)
            message = rf"{number}\.h5: 1 of its songs train too \(Dev/{same.name}\): make it of"
            with (
                pytest.raises(HiphopssError, match=message),
                split_patches(file, path, seed=0),
            ):
                pass


def test_features_of_other_settings_are_refused(features, songs, tmp_path):
    released_ones = make_features(songs[4:], tmp_path / "r.h5", **QUIET)
    hann = make_features(
        songs[4:],
        tmp_path / "h.h5",
        preset="corrected",
        config=SignalConfig(window="hann"),
        **QUIET,
    )
    alone = make_features(songs[:1], tmp_path / "a.h5", preset="corrected", **QUIET)
    for validation, message in (
        (released_ones, r"r\.h5: made with \w+ \w+, but \w+ is asked for: make the features again"),
        (hann, r"h\.h5: made with window hann, but .*f\.h5 with blackmanharris: "),
        (tmp_path / "none.h5", r"none\.h5: no such file"),
    ):
        settings = replace(SHORT, validation=validation)
        with pytest.raises(HiphopssError, match=message):
            train(features, tmp_path / "m.weights.h5", settings)
    with pytest.raises(HiphopssError, match=r"a\.h5: has one song, so that none can be held out"):
        train(alone, tmp_path / "m.weights.h5", replace(SHORT, validation=0.5))


def test_switches_that_features_do_not_depend_on_validate_too(features, others):
    fidelity = replace(PRESETS["corrected"], redundant_biases=True)
    with (
        FeatureFile(features, fidelity) as file,
        split_patches(file, others, seed=0) as split,
    ):
        assert split.validation_file.fidelity == fidelity


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--validation", "1.5"], "validation 1.5: give a share of the songs between 0 and 1"),
        (["--validation", "0"], "validation 0.0: give a share of the songs between 0 and 1"),
        (["--validation", "0.5", "--patience", "0"], "patience 0: give 1 epoch or more"),
        (["--patience", "3"], "patience 3: only a validation says which epoch is best: add --val"),
        (["--keep", "best"], "keep best: only a validation says which epoch is best: add --valid"),
    ],
)
def test_settings_that_make_no_sense_are_refused(features, tmp_path, run, options, message):
    output = tmp_path / "m.weights.h5"
    status, out, error = run("train", features, "-o", output, "--epochs", 1, *options)
    assert (status, out) == (2, "")
    assert error.startswith(f"hiphopss: error: {message}")
    assert error.count("\n") == 1
    assert not list(tmp_path.iterdir())


# the loss


@pytest.mark.parametrize("preset", PRESETS)
def test_the_loss_is_the_reference_pages_for_batches_as_in_training(
    songs, tmp_path, published, monkeypatch, preset
):
    monkeypatch.setattr(validating, "_AT_ONCE", 2)  # several calls, the last one filled up
    path = make_features(songs, tmp_path / "f.h5", preset=preset, **QUIET)
    model = load_published(published, build_model(preset))
    compile_model(model, preset, jit_compile=False)
    with FeatureFile(path) as file, split_patches(file, 0.99, seed=0) as split:
        patches = split.validation
        assert len(patches) % 8
        assert len(patches) % 64
        expected = 0.0
        for first in range(0, len(patches), 8):
            mixture, targets = file.read(patches[first : first + 8])
            estimates = model.predict_on_batch(mixture)
            expected += released.loss(estimates, targets, released=preset == "released")
        expected *= 8 / len(patches)  # of the last batch, the part that is there
        validation = Validation(model, split, 8, Share())
        # sums of a patch's 6e4 squares in single precision
        assert validation.loss() == pytest.approx(expected, rel=1e-5)
        monkeypatch.setattr(validating, "frames_in_place", lambda *_, **__: None)
        read = Validation(model, split, 8, Share())
        assert read.loss() == pytest.approx(expected, rel=1e-5)
        model.set_weights([0.9 * array for array in model.get_weights()])
        assert validation.loss() != pytest.approx(expected, rel=1e-4)  # the new weights'


def test_shares_of_processes_make_one_loss(features, published):
    class Together(Share):
        def gathered(self, array):
            return np.stack([losses(self.process_patches(n)) for n in range(3)])

        def process_patches(self, n):
            return padded.reshape(3, -1)[n]

    model = load_published(published, build_model("corrected"))
    compile_model(model, "corrected", jit_compile=False)
    with FeatureFile(features) as file, split_patches(file, 0.5, seed=0) as split:
        alone = Validation(model, split, 8, Share())
        losses = alone._losses
        n_patches = len(split.validation)
        padded = np.pad(split.validation, (0, -n_patches % 3), mode="edge")
        assert len(padded) > n_patches
        loss = Validation(model, split, 8, Together(1, 3)).loss()
        assert loss == pytest.approx(alone.loss(), rel=1e-6)  # single precision


# training


def test_watching_other_songs_changes_no_weight(features, others, tmp_path, lines):
    plain = train(features, tmp_path / "plain.weights.h5", SHORT, **QUIET)
    watched = replace(SHORT, validation=others, keep="last", patience=9)
    output = train(features, tmp_path / "watched.weights.h5", watched, **QUIET)
    assert_same_arrays(output, plain)
    rows = read_log(output)
    assert list(rows[0])[-3:] == ["val_loss", "patches_per_s", "seconds"]
    assert "val_loss" not in read_log(plain)[0]
    assert [row["loss"] for row in rows] == [row["loss"] for row in read_log(plain)]
    assert len({row["val_loss"] for row in rows}) == 3
    made = read_info(output).provenance
    with FeatureFile(others) as file:
        songs = ["Dev/004 - Maker 4 - Title 4", "Dev/005 - Maker 5 - Title 5"]
        told = {"features": file.identity, "songs": songs, "patches": file.n_patches}
    assert made["validation"] == told
    assert made["kept_epoch"] == made["epochs"] == 3
    assert made["validation_loss"] == float(rows[2]["val_loss"])
    assert read_info(plain).provenance["validation"] is None
    assert "Dev/004 - Maker 4 - Title 4, Dev/005 - Maker 5 - Title 5" in "\n".join(lines.told)


@pytest.mark.usefixtures("uncompiled")
def test_patience_and_the_best_epoch_survive_an_interruption(
    features, tmp_path, monkeypatch, lines
):
    def see(*told):
        losses = list(told)
        monkeypatch.setattr(Validation, "loss", lambda self: losses.pop(0))
        return losses

    settings = replace(SHORT, epochs=9, patches_per_epoch=16, validation=0.25, patience=2)
    output = tmp_path / "m.weights.h5"
    see(5.0, 4.0)
    best = tmp_path / "best.weights.h5"
    train(features, best, replace(settings, epochs=2, keep="last"), **QUIET)
    left = see(5.0, 4.0, 6.0, 4.0, 1.0)
    for epochs in (3, 9, 9):  # interrupted; then to its end; then the same again
        train(features, output, replace(settings, epochs=epochs), **QUIET)
        assert_same_arrays(output, best)
    assert left == [1.0]
    assert [row["val_loss"] for row in read_log(output)] == ["5.0", "4.0", "6.0", "4.0"]
    made = read_info(output).provenance
    assert (made["epochs"], made["kept_epoch"], made["validation_loss"]) == (4, 2, 4.0)
    assert lines.told[-1] == (
        f"{output}: 4 of 9 epochs, as 2 brought no lower validation loss (a larger patience goes "
        "on); weights of epoch 2, validation loss 4 (the least)"
    )
    see(np.nan)
    with pytest.raises(HiphopssError, match="the validation loss of epoch 5 is not finite"):
        train(features, output, replace(settings, patience=3), **QUIET)
    with pytest.raises(HiphopssError, match=r"another run \(another validation\)"):
        train(features, output, replace(settings, validation=0.5), **QUIET)


# several processes


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("jax") is None, reason="JAX is optional")
def test_two_processes_validate_and_stop_together(features, others, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
    # with such steps the network soon gives nothing more, and its loss stays the same
    options = ["--validation", others, "--patience", 1, "--epochs", 9, "--learning-rate", 1000]
    options += ["--batch-size", 8, "--patches-per-epoch", 16, "--coordinator", address]
    outputs = [tmp_path / f"{number}.weights.h5" for number in range(2)]
    processes = []
    for number, output in enumerate(outputs):
        own = ["--n-processes", 2, "--process", number, "-q", "-o", output]
        processes.append(jax_process(TRAIN, "train", features, *options, *own))
    for process in processes:
        _, errors = process.communicate(timeout=300)
        assert process.returncode == 0, errors
    assert not outputs[1].exists()
    log = read_log(outputs[0])
    model, info = load_model(outputs[0])
    assert len(log) < 9
    assert info.provenance["kept_epoch"] == len(log) - 1
    compile_model(model, "corrected", jit_compile=False)
    with FeatureFile(features) as file, split_patches(file, others, seed=0) as split:
        loss = Validation(model, split, 8, Share()).loss()
    assert info.provenance["validation_loss"] == pytest.approx(loss, rel=1e-5)  # single precision
