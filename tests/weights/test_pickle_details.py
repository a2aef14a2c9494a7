"""Published pickles in the forms that few programs write, and those that are nearly right."""

import pickle

import numpy as np
import pytest
import released

from hiphopss import HiphopssError
from hiphopss.weights.published import PUBLISHED_ARRAYS, read_pickle, write_published


def short(text):
    return b"U" + bytes([len(text)]) + text


def python2_pickle(*, code=b"f8", order=b"<", shape=(2, 3), data=bytes(48)):
    """One array as Python 2 wrote it, opcode by opcode."""
    sizes = b"".join(b"J" + n.to_bytes(4, "little", signed=True) for n in shape)
    return (
        b"\x80\x02]cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\n"
        b"K\x00\x85" + short(b"b") + b"\x87R(K\x01(" + sizes + b"t"
        b"cnumpy\ndtype\n" + short(code) + b"K\x00K\x01\x87R"
        b"(K\x03" + short(order) + b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
        b"\x89T" + len(data).to_bytes(4, "little") + data + b"tba."
    )


@pytest.mark.parametrize("code", [b"f8", b"<f8"])
@pytest.mark.parametrize("order", [b"<", b">", b"=", b"|"])
def test_order_of_bytes_is_what_the_type_says(tmp_path, code, order):
    array = np.arange(6.0).reshape(2, 3)
    stored = array.astype(">f8" if order == b">" else "<f8")
    data = python2_pickle(code=code, order=order, data=stored.tobytes())
    (tmp_path / "old.pkl").write_bytes(data)
    (read,) = read_pickle(tmp_path / "old.pkl")
    np.testing.assert_array_equal(read, array)


@pytest.mark.parametrize(
    "change", [{"shape": (-2, -3)}, {"shape": (-1, 3)}, {"shape": (2, 4)}, {"data": bytes(47)}]
)
def test_shape_that_does_not_fit_is_refused(tmp_path, change):
    (tmp_path / "wrong.pkl").write_bytes(python2_pickle(**change))
    with pytest.raises(HiphopssError, match=r"wrong\.pkl"):
        read_pickle(tmp_path / "wrong.pkl")


@pytest.mark.parametrize("module", ["numpy.core.numeric", "numpy._core.numeric"])
def test_buffers_of_either_numpy_in_either_order(tmp_path, module):
    arrays = [np.arange(6.0).reshape(2, 3), np.asfortranarray(np.arange(6.0).reshape(2, 3))]
    data = pickle.dumps(arrays, protocol=5)
    for name in ("numpy.core.numeric", "numpy._core.numeric"):  # with their lengths
        data = data.replace(b"\x8c" + bytes([len(name)]) + name.encode(), b"@")
    data = data.replace(b"@", b"\x8c" + bytes([len(module)]) + module.encode(), 1)
    unframed = data[:2] + data[11:]  # without the length of the whole
    (tmp_path / "new.pkl").write_bytes(unframed)
    for read in read_pickle(tmp_path / "new.pkl"):
        np.testing.assert_array_equal(read, arrays[0])


@pytest.mark.parametrize("number", [b"p99999\n", b"q\xff", b"r\xff\xff\x00\x00"])
def test_parts_numbered_beyond_the_file_are_refused(tmp_path, number):
    (tmp_path / "wrong.pkl").write_bytes(b"\x80\x02]" + number + b".")
    with pytest.raises(HiphopssError, match="numbers its parts beyond"):
        read_pickle(tmp_path / "wrong.pkl")


def test_written_in_single_precision_whatever_it_was(tmp_path):
    arrays = released.random_arrays(seed=3)
    named = {
        name: a.astype(np.float64) for (name, _), a in zip(PUBLISHED_ARRAYS, arrays, strict=True)
    }
    write_published(tmp_path / "mine.pkl", named)
    for read, array in zip(read_pickle(tmp_path / "mine.pkl"), arrays, strict=True):
        assert read.dtype == np.float32
        np.testing.assert_array_equal(read, array)
