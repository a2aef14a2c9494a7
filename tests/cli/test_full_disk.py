"""Verbs on a disk that takes no more: one line, status 2, and nothing is left."""

import numpy as np
import pytest
from helpers.disk import files_limited

from hiphopss import HiphopssError, SignalConfig, save_weights
from hiphopss.config import resolve_preset
from hiphopss.network.model import build_model
from hiphopss.training.checkpoints import Run, save_checkpoint
from hiphopss.training.steps import compile_model


def refused(run, folder, *arguments):
    """Run a verb with small files only; the line that it says."""
    with files_limited(20_000):
        status, _, errors = run(*arguments)
    assert status == 2
    assert not list(folder.iterdir())
    (line,) = errors.splitlines()
    assert line.startswith(f"hiphopss: error: {folder}")
    assert "can't be written (File too large): allow larger files" in line
    return line


@pytest.fixture
def out(tmp_path):
    (tmp_path / "out").mkdir()
    return tmp_path / "out"


def test_features(run, dataset, out):
    line = refused(run, out, "features", dataset, "-o", out / "f.h5", "-q")
    assert "f.h5: " in line


def test_generate(run, out, monkeypatch):
    from hiphopss.datasets.generated import song

    stems = dict.fromkeys(("vocals", "bass", "drums", "other"), np.full(50_000, 0.1))
    facts = {"title": "a", "style": "b"}
    monkeypatch.setattr(song, "render_song", lambda *_, **__: (stems, facts))
    refused(run, out, "generate", out / "set", "--dev", "1", "--test", "1", "-q")


def test_weights_convert(run, published, out):
    refused(run, out, "weights", "convert", published, out / "a.weights.h5")


def test_separate(run, published, dataset, out):
    song = dataset / "Mixtures" / "Test"
    weights = ["--weights", published, "--loops", "off"]
    refused(run, out, "separate", song, "-o", out / "stems", *weights, "-q")


def test_remix(run, dataset, out):
    song = dataset / "Sources" / "Test" / "002 - song"
    refused(run, out, "remix", song, "-o", out / "a.flac", "-q")


def test_a_checkpoint_that_can_not_be_written_leaves_the_earlier_one(keras, out):
    config, fidelity = SignalConfig(), resolve_preset("released")
    model = compile_model(build_model(fidelity, config=config), fidelity, jit_compile=False)
    model.optimizer.build(model.trainable_variables)
    run = Run({}, log=[{"epoch": 1, "loss": 0.5}])
    path = out / "a.checkpoint.weights.h5"
    save_checkpoint(path, model, run, config=config, fidelity=fidelity)
    before = path.read_bytes()
    with (
        files_limited(len(before) - 1),
        pytest.raises(HiphopssError, match=r"weights\.h5: can't be written \(File too large\)"),
    ):
        save_checkpoint(path, model, run, config=config, fidelity=fidelity)
    assert path.read_bytes() == before
    assert sorted(file.name for file in out.iterdir()) == [path.name, "a.log.csv"]
    with files_limited(20_000), pytest.raises(HiphopssError, match="can't be written"):
        save_weights(out / "b.weights.h5", model, config=config, fidelity=fidelity)


def test_an_error_of_the_system_says_what_to_do(run, monkeypatch, tmp_path):
    from hiphopss.cli import data

    def fail(*_, **__):
        raise OSError(28, "No space left on device", str(tmp_path / "x"))

    monkeypatch.setattr(data, "_generate", fail)
    status, _, errors = run("generate", tmp_path / "set")
    assert status == 2
    line = f"hiphopss: error: {tmp_path / 'x'}: No space left on device: make room, or choose a "
    assert errors == line + "folder on another disk\n"
