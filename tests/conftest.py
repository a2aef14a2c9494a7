"""Fixtures: tiny songs and weight files, made on the spot."""

import logging
import os
import shutil
import tempfile
from collections import Counter
from itertools import zip_longest
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import released
from helpers.eager import uncompiled_steps
from helpers.songs import noise, write_song
from helpers.stem_mp4 import put_ffmpeg

from hiphopss import SOURCES
from hiphopss.util.keras_backend import import_keras

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

SAMPLE = Path(__file__).parents[2] / "shared" / "data" / "dsd100-sample"


COMPILED = "JAX_COMPILATION_CACHE_DIR"


def pytest_configure(config):
    """Let the processes of this run share what JAX compiles; they would compile the same."""
    if COMPILED not in os.environ:  # the processes of xdist have it from the one that starts them
        folder = os.environ[COMPILED] = tempfile.mkdtemp(prefix="hiphopss-tests-jax-")
        os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0"
        config.add_cleanup(lambda: os.environ.pop(COMPILED))
        config.add_cleanup(lambda: shutil.rmtree(folder, ignore_errors=True))


def pytest_collection_modifyitems(items):
    """Begin with the files that have most slow tests, so that all processes end together.

    Between these come files whose tests mostly wait for a browser.
    """
    n_slow = Counter(item.path for item in items if item.get_closest_marker("slow"))
    browser = list({item.path: None for item in items if item.get_closest_marker("browser")})
    slow = [path for path, _ in n_slow.most_common()]
    order = [path for pair in zip_longest(slow, browser) for path in pair if path]
    place = {path: n for n, path in reversed(list(enumerate(order)))}
    items.sort(key=lambda item: place.get(item.path, len(order)))


@pytest.fixture(scope="session")
def keras():
    """Keras, imported without its notices."""
    return import_keras()


@pytest.fixture
def uncompiled(keras):
    """TensorFlow does each operation by itself; see :func:`helpers.eager.uncompiled_steps`."""
    with uncompiled_steps():
        yield


@pytest.fixture(scope="session")
def arrays():
    """Random weights in the published order."""
    return released.random_arrays(seed=0)


@pytest.fixture(scope="session")
def published(tmp_path_factory, arrays):
    """The same weights as a published file: a Python 2 pickle in double precision."""
    path = tmp_path_factory.mktemp("published") / "model_hh_fft_1024.pkl"
    return released.write_python2_pickle(path, [a.astype(np.float64) for a in arrays])


@pytest.fixture
def dataset(tmp_path):
    """Two Dev songs and one Test song of a second or two, their mixture 0.7 x the sum."""
    root = tmp_path / "songs"
    for number, (subset, n_samples) in enumerate((("Dev", 60000), ("Dev", 45001), ("Test", 50000))):
        stems = {s: noise(n_samples, 10 * number + i) for i, s in enumerate(SOURCES)}
        write_song(root, subset, f"{number:03d} - song", stems, gain=0.7)
    return root


@pytest.fixture
def run(capsys):
    """Run the command line; give its exit status, output and error output."""
    from hiphopss.cli import main

    def run(*arguments):
        try:
            status = main([str(a) for a in arguments])
        except SystemExit as stop:
            status = stop.code
        captured = capsys.readouterr()
        return status, captured.out, captured.err

    return run


@pytest.fixture
def ffmpeg_on_path(tmp_path_factory, monkeypatch):
    """``ffmpeg`` in the PATH, and an empty cache folder, which is the value."""
    folder = put_ffmpeg(tmp_path_factory.mktemp("ffmpeg"))
    monkeypatch.setenv("PATH", os.pathsep.join([str(folder), os.environ["PATH"]]))
    cache = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache))
    return cache


@pytest.fixture
def lines():
    """Lines for people as they are logged: ``told`` (what happens), ``wrong``, and ``all``."""
    found = SimpleNamespace(all=[], told=[], wrong=[])

    def emit(record):
        kind = found.told if record.levelno <= logging.INFO else found.wrong
        for some in (found.all, kind):
            some.append(record.getMessage())

    logger, handler = logging.getLogger("hiphopss"), logging.Handler()
    handler.emit, level = emit, logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    yield found
    logger.removeHandler(handler)
    logger.setLevel(level)


@pytest.fixture(scope="session")
def sample():
    """The real multitrack, where it is at hand."""
    if not SAMPLE.is_dir():
        pytest.skip("no real recording beside the checkout")
    return SAMPLE
