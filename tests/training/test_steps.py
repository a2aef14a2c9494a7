"""Training steps: many a call on frames where they are, and batch by batch."""

import json
import sys
from types import SimpleNamespace

import h5py
import numpy as np
import pytest
from helpers.both_ways import both_ways
from helpers.jax_process import jax_process
from helpers.songs import warned

from hiphopss.datasets.features.file import FeatureFile
from hiphopss.datasets.features.make import make_features
from hiphopss.network.model import build_model
from hiphopss.training.processes import Share
from hiphopss.training.steps import compile_model, training_steps
from hiphopss.util import keras_backend as backend


@pytest.fixture
def on_processor(keras):
    """Skip where a GPU is used."""
    tensorflow = pytest.importorskip("tensorflow")
    if tensorflow.config.list_logical_devices("GPU"):
        pytest.skip("frames are not used in place on TensorFlow's GPUs")


@pytest.fixture
def features(dataset, tmp_path):
    (dataset / "Sources" / "Dev" / "001 - song" / "vocals.wav").unlink()  # silence in a part
    (dataset / "Mixtures" / "Dev" / "001 - song" / "mixture.wav").unlink()
    with warned("their vocals are silence"):
        return make_features(dataset, tmp_path / "f.h5", preset="corrected", progress=False)


def assert_same(told):
    for in_place, read in list(zip(told["in place"], told["read"], strict=True))[:2]:
        assert [n for n, _ in in_place] == [3, 3, 1]
        assert [n for n, _ in read] == [1] * 7
        for (_, mine), expected in zip(in_place, (read[2], read[5], read[6]), strict=True):
            # the same operations; what compilers put together may differ in rounding
            assert mine == pytest.approx(expected[1], rel=1e-5)
    assert told["apart"] < 1e-3  # a batch more or less would give tenths
    assert all(told["shared"])


@pytest.mark.slow
@pytest.mark.parametrize("jit_compile", [True, False])
def test_steps_in_place_are_those_on_batches(on_processor, features, jit_compile):
    few = not jit_compile  # the number of batches in a call doesn't depend on the compiler
    told = both_ways(features, jit_compile=jit_compile, few=few)
    assert_same(told)
    if few:
        assert [len(told[way][2]) for way in ("in place", "read")] == [1, 2]  # two are one call


@pytest.mark.slow
def test_steps_in_place_on_jax(features):
    path = sys.modules[both_ways.__module__].__file__
    program = f"import runpy; runpy.run_path({path!r}, run_name='__main__')"
    process = jax_process(program, features)
    out, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors
    assert_same(json.loads(out))


def test_frames_that_cannot_be_used_in_place_are_read(on_processor, features, monkeypatch):
    with FeatureFile(features) as file:
        frames = file.mixture, file.sources
        assert backend.frames_in_place(*frames) is not None
        assert backend.frames_in_place(frames[0], frames[1][1:]) is None  # 2,052 bytes further
        size = sum(array.nbytes for array in frames)
        monkeypatch.setattr(backend, "_memory", lambda: 2 * size - 1)
        assert backend.frames_in_place(*frames) is None
        model = compile_model(build_model(seed=0), jit_compile=False)
        ((n_batches, means),) = training_steps(model, file, Share())(np.arange(8)[None])
        assert n_batches == 1
        assert np.isfinite(means["loss"])


def test_frames_go_to_the_gpu_of_jax_where_there_is_room(monkeypatch):
    arrays = np.ones((3, 5), np.float32), np.zeros((7, 5), np.float32)
    memory = {"bytes_limit": 2 * (3 + 7) * 5 * 4}
    device = SimpleNamespace(platform="gpu", memory_stats=lambda: memory)
    converted = []
    fake = SimpleNamespace(
        backend=SimpleNamespace(backend=lambda: "jax"),
        distribution=SimpleNamespace(distribution=lambda: None),
        ops=SimpleNamespace(convert_to_tensor=lambda array: converted.append(array) or array),
    )
    monkeypatch.setattr(backend, "import_keras", lambda: fake)
    monkeypatch.setitem(sys.modules, "jax", SimpleNamespace(local_devices=lambda: [device]))
    assert len(backend.frames_in_place(*arrays)) == 2
    memory["bytes_limit"] -= 1
    assert backend.frames_in_place(*arrays) is None
    device.memory_stats = lambda: None
    assert backend.frames_in_place(*arrays) is None
    fake.distribution.distribution = object
    assert backend.frames_in_place(*arrays) is None
    assert len(converted) == 2


def test_frames_of_a_feature_file_are_aligned(features):
    with h5py.File(features) as file:
        for name in ("mixture", "sources"):
            assert file[name].id.get_offset() % backend.ALIGNMENT == 0


def test_rows_say_where_patches_are(features):
    with FeatureFile(features) as file:
        patches = np.random.default_rng(1).permutation(file.n_patches).reshape(-1, 2)
        rows = file.rows(patches)
        assert rows.sources.shape == rows.gains.shape == (*patches.shape, 4)
        mixture, targets = file.read(patches[:, 1])
        for number, (first, sources, gains) in enumerate(
            zip(*(part[:, 1] for part in rows), strict=True)
        ):
            scaled = file.mixture[first : first + 30] * np.float32(file.config.scale)
            np.testing.assert_array_equal(mixture[number], scaled)
            for source, (row, gain) in enumerate(zip(sources, gains, strict=True)):
                own = file.sources[row : row + 30] * gain
                np.testing.assert_array_equal(targets[number, source], own)
        silent = rows.gains[..., 0] == 0  # the vocals of one of the songs
        assert 0 < silent.sum() < silent.size
