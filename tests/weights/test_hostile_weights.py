"""Weight files that were damaged, edited or made to harm, and what weights are wrapped in."""

import bz2
import gzip
import json
import lzma
import os
import pickle
import shutil
import zlib

import h5py
import numpy as np
import pytest
import released
from helpers import hdf5 as hostile

from hiphopss import HiphopssError
from hiphopss.util.hdf5 import process
from hiphopss.weights import wrappings
from hiphopss.weights.description import describe_weights
from hiphopss.weights.files import (
    digest_of,
    read_arrays,
    read_info,
    read_weights,
    require_finite,
)
from hiphopss.weights.published import read_published
from hiphopss.weights.registry import resolve_weights

KERNEL, BIAS = "layers/dense/vars/0", "layers/dense/vars/1"  # of the bottleneck


@pytest.fixture
def own(tmp_path):
    """A weight file of the project's own."""
    return shutil.copy(resolve_weights(None), tmp_path / "own.weights.h5")


def edited(path, edit, *, arrays=None):
    """Edit a weight file, and with ``arrays`` give it the hash of these."""
    with h5py.File(path, "r+") as file:
        edit(file)
        if arrays is not None:
            stored = json.loads(file.attrs["hiphopss"])
            stored["sha256"] = digest_of(arrays)
            file.attrs["hiphopss"] = json.dumps(stored)
    return path


def test_shipped_weights_need_no_other_process(own, monkeypatch):
    expected = read_arrays(own)
    monkeypatch.setattr(process, "look_through", lambda *_: pytest.fail("not needed"))
    info, arrays = read_weights(own)
    assert info.sha256 == digest_of(arrays) == digest_of(expected)


def test_own_weights_are_the_same_through_the_other_process(own):
    expected = read_arrays(own)
    edited(own, lambda file: file.attrs.create("more", 1))  # no longer the shipped file
    arrays = read_arrays(own)
    assert list(arrays) == list(expected)
    for name, array in arrays.items():
        np.testing.assert_array_equal(array, expected[name])


@pytest.mark.parametrize("make", hostile.UNSOUND, ids=lambda make: make.__name__)
@pytest.mark.parametrize("name", [KERNEL, BIAS])
def test_nothing_but_plain_arrays_is_read(own, name, make):
    edited(own, lambda file: hostile.replaced(file, name, make))
    for read in (read_info, read_arrays):
        with pytest.raises(HiphopssError, match=hostile.UNSOUND[make]) as caught:
            read(own)
        assert "own.weights.h5: 'layers/dense" in str(caught.value)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_values_that_are_not_finite_are_refused_whatever_the_hash(own, value, run):
    arrays = read_arrays(own)
    arrays["bottleneck/bias"][5] = value
    edited(own, lambda file: file[BIAS].write_direct(arrays["bottleneck/bias"]), arrays=arrays)
    message = r"own\.weights\.h5: array bottleneck/bias has values that are not finite"
    with pytest.raises(HiphopssError, match=message):
        read_weights(own)
    status, _, err = run("weights", "info", own)
    assert (status, err.count("\n")) == (2, 1)


def test_double_precision_is_refused_and_not_read_as_single(own):
    arrays = read_arrays(own)

    def doubled(file, name, values):
        file[name] = values.astype("<f8")

    edited(own, lambda file: hostile.replaced(file, BIAS, doubled), arrays=arrays)
    with pytest.raises(HiphopssError, match="vars/1' has values of type float64, not float32"):
        read_arrays(own)


def test_other_shapes_and_more_arrays_are_refused_before_they_are_read(own):
    arrays = read_arrays(own)

    def turned(file, name, values):
        file[name] = np.ascontiguousarray(values.T)

    other = {**arrays, "bottleneck/kernel": arrays["bottleneck/kernel"].T}
    edited(own, lambda file: hostile.replaced(file, KERNEL, turned), arrays=other)
    with pytest.raises(HiphopssError, match=r"bottleneck/kernel: found \(128, 800\), expected"):
        read_arrays(own)
    edited(own, lambda file: hostile.replaced(file, KERNEL, turned), arrays=arrays)
    read_arrays(own)

    def more(file):
        group = file.create_group("layers/more/vars")
        group.attrs["name"] = "more\x1b[2J"
        group["0"] = np.zeros(3, "<f4")

    edited(own, more)
    with pytest.raises(HiphopssError, match=r"more.*found \(3,\), expected nothing") as caught:
        read_arrays(own)
    assert "\x1b" not in str(caught.value)


def test_arrays_that_are_not_finite_are_not_written():
    with pytest.raises(HiphopssError, match=r"x: array a has values that are not finite"):
        require_finite({"a": np.array([0, np.nan])}, origin="x")


@pytest.mark.skipif(os.name != "posix", reason="Windows has no such pipes")
def test_a_pipe_is_refused_and_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe.pkl")
    for read in (read_info, read_published, describe_weights):
        with pytest.raises(HiphopssError, match="a named pipe, not a file"):
            read(tmp_path / "pipe.pkl")


def test_a_published_file_in_gzip_is_read(tmp_path, arrays):
    plain = released.write_python2_pickle(tmp_path / "model_dsd_fft_1024.pkl", arrays)
    packed = tmp_path / "model_dsd_fft_1024.pkl.gz"
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    for array, value in zip(arrays, read_published(packed).values(), strict=True):
        np.testing.assert_array_equal(array, value)
    assert read_info(packed).provenance.get("released_test_leak") == read_info(
        plain
    ).provenance.get("released_test_leak")
    packed.write_bytes(gzip.compress(plain.read_bytes())[:-2000])
    with pytest.raises(HiphopssError, match="compressed with gzip, and damaged or cut off"):
        read_published(packed)


def test_a_small_gzip_cannot_fill_the_memory(tmp_path, monkeypatch):
    monkeypatch.setattr(wrappings, "_MOST", 1 << 20)
    (tmp_path / "bomb.pkl").write_bytes(gzip.compress(bytes(2 << 20)))
    with pytest.raises(HiphopssError, match="more than 1 MiB, so not a weight file"):
        read_published(tmp_path / "bomb.pkl")


def global_in_pickle(module, name):
    return f"\x80\x02]c{module}\n{name}\nN\x85R".encode("latin1") + b"a."


@pytest.mark.parametrize(
    ("data", "part"),
    [
        (bz2.compress(b"x"), "compressed with bzip2"),
        (lzma.compress(b"x"), "compressed with xz"),
        (zlib.compress(b"x"), "compressed with zlib"),
        (b"PK\x03\x04", r"a zip archive, perhaps an \.npz"),
        (b"\x93NUMPY\x01\x00", "an array in NumPy's own format"),
        (pickle.dumps({"params": [np.zeros(3)]}, 2), "hold a dict: save its arrays"),
        (pickle.dumps([{1, 2}], 4), "hold a set: save its arrays"),
        (pickle.dumps(np.array([None, None]), 2), "hold an array of objects: save"),
        (pickle.dumps([[np.zeros(3)]], 2), "a list with lists in it"),
        (pickle.dumps(np.zeros(3), 2), "not a list of arrays, but one array"),
        (pickle.dumps([1.5], 2), "hold numbers outside of arrays"),
        (global_in_pickle("theano.sandbox.cuda.type", "CudaNdarray_unpickler"), "CudaNdarray"),
        (global_in_pickle("theano.gpuarray.type", "GpuArray_unpickler"), "GpuArray"),
        (global_in_pickle("pygpu.gpuarray", "GpuArray"), "GpuArray"),
        (global_in_pickle("torch._utils", "_rebuild_tensor_v2"), "tensors of PyTorch"),
        (global_in_pickle("cupy._core.core", "array"), "arrays of CuPy"),
    ],
)
def test_weights_in_a_wrapping_say_what_they_are_and_what_to_do(tmp_path, data, part):
    (tmp_path / "wrapped.pkl").write_bytes(data)
    with pytest.raises(HiphopssError, match=part) as caught:
        read_published(tmp_path / "wrapped.pkl")
    assert "\n" not in str(caught.value)
    assert "pickle.dump([numpy.asarray(a) for a in arrays]" in str(caught.value)
