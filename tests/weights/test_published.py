"""Published pickles: read without running them, and refused with a reason."""

import os
import pickle

import numpy as np
import pytest
import released

from hiphopss import HiphopssError
from hiphopss.weights.published import (
    PUBLISHED_ARRAYS,
    read_pickle,
    read_published,
    write_published,
)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, ">f4", ">f8"])
@pytest.mark.parametrize("protocol", [0, 2, 4, 5])
def test_reads_every_float_type_and_protocol(tmp_path, arrays, dtype, protocol):
    path = tmp_path / "model.pkl"
    path.write_bytes(pickle.dumps([a.astype(dtype) for a in arrays], protocol=protocol))
    named = read_published(path)
    assert list(named) == [name for name, _ in PUBLISHED_ARRAYS]
    for array, value in zip(arrays, named.values(), strict=True):
        assert value.dtype == np.float32
        np.testing.assert_array_equal(value, array)


def python2_bytes_pickle(array):
    """A list of one float64 array as Python 2's cPickle wrote it, opcode by opcode."""
    raw = array.astype("<f8").tobytes()

    def short(text):
        return b"U" + bytes([len(text)]) + text

    return (
        b"\x80\x02]q\x01cnumpy.core.multiarray\n_reconstruct\nq\x02cnumpy\nndarray\nq\x03"
        b"K\x00\x85q\x04" + short(b"b") + b"\x87Rq\x05(K\x01"
        b"K" + bytes([len(array)]) + b"\x85cnumpy\ndtype\nq\x06" + short(b"f8") + b"K\x00K\x01\x87R"
        b"(K\x03" + short(b"<") + b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
        b"\x89T" + len(raw).to_bytes(4, "little") + raw + b"tba."
    )


def test_reads_byte_strings_of_python_2(tmp_path):
    array = np.random.default_rng(0).standard_normal(50)
    (tmp_path / "old.pkl").write_bytes(python2_bytes_pickle(array))
    (read,) = read_pickle(tmp_path / "old.pkl")
    np.testing.assert_array_equal(read, array)


def test_fortran_order_is_kept(tmp_path, arrays):
    turned = [np.asfortranarray(a) for a in arrays]
    (tmp_path / "f.pkl").write_bytes(pickle.dumps(turned, protocol=2))
    for array, value in zip(arrays, read_published(tmp_path / "f.pkl").values(), strict=True):
        np.testing.assert_array_equal(value, array)


class Attack:
    """Makes a file, if unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.system, (f"touch {self.path}",)


@pytest.mark.parametrize("protocol", [0, 2, 5])
def test_a_pickle_that_runs_code_is_refused_unrun(tmp_path, arrays, protocol):
    mark = tmp_path / "was-run"
    path = tmp_path / "evil.pkl"
    path.write_bytes(pickle.dumps([*arrays[:-1], Attack(mark)], protocol=protocol))
    with pytest.raises(HiphopssError, match=r"evil\.pkl: refused: the pickle asks for .*system"):
        read_published(path)
    assert not mark.exists()


@pytest.mark.parametrize(
    ("data", "part"),
    [
        (b"<!doctype html><title>Sign in</title>", "not a pickle"),
        (b"", "not a pickle"),
        (pickle.dumps([np.zeros(3)])[:-20], "not a pickle"),
        (pickle.dumps({"a": np.zeros(3)}, protocol=2), "has a EMPTY_DICT"),
        (pickle.dumps([1, 2, 3], protocol=2), "not a list of arrays"),
        (pickle.dumps(np.zeros(3), protocol=2), "not a list of arrays"),
        (pickle.dumps([np.zeros(3, int)], protocol=2), "not float32 or float64"),
        (pickle.dumps([np.zeros(3, object)], protocol=2), "type 'O8'"),
        (pickle.dumps([np.array([{"a": 1}])], protocol=2), "has a EMPTY_DICT"),
        (b"\x80\x02]r\xff\xff\xff\x7f.", "numbers its parts beyond"),
        (b"\x80\x02]\x82\x01.", "has a EXT1"),
        (b"\x80\x02]U\x01aQ.", "has a BINPERSID"),
        (b"\x80\x02cos\nsystem\n.", r"asks for 'os\.system'"),
        (b"\x80\x04\x8c\x08bad\x1b[2J\n\x8c\x01a\x93.", r"asks for 'bad\\x1b\[2J\\n\.a'"),
        (b"\x80\x02" + b"(" * 100000 + b"t" * 100000 + b".", "not a list of arrays"),
        (b"\x80\x02" + b"]" + b"2" * 50 + b".", "has a DUP"),
        (b"\x80\x02cnumpy\ndtype\n](K\x01eK\x00K\x01\x87R.", "in a way unknown"),
    ],
)
def test_what_is_wrong_is_said(tmp_path, data, part):
    path = tmp_path / "wrong.pkl"
    path.write_bytes(data)
    with pytest.raises(HiphopssError, match=part) as caught:
        read_published(path)
    assert "wrong.pkl" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_pickle_cannot_spoil_the_next_read(tmp_path, arrays):
    # BUILD on the named function, with attributes to set on it
    poison = b"\x80\x02cnumpy.core.multiarray\n_reconstruct\n(N(U\x08__name__U\x01xtt"
    (tmp_path / "poison.pkl").write_bytes(poison + b"b.")
    good = tmp_path / "good.pkl"
    released.write_python2_pickle(good, arrays)
    with pytest.raises(HiphopssError):
        read_published(tmp_path / "poison.pkl")
    for array, value in zip(arrays, read_published(good).values(), strict=True):
        np.testing.assert_array_equal(value, array)


@pytest.mark.parametrize(
    ("count", "guess"), [(13, "iKala"), (17, "Bach10"), (14, "another network"), (0, "another")]
)
def test_another_number_of_arrays_is_explained(tmp_path, arrays, count, guess):
    path = tmp_path / "other.pkl"
    path.write_bytes(pickle.dumps((arrays * 2)[:count], protocol=2))
    with pytest.raises(HiphopssError, match=f"{count} arrays instead of 15.*{guess}"):
        read_published(path)


def test_a_wrong_shape_says_which_what_and_expected(tmp_path, arrays):
    changed = list(arrays)
    changed[0] = np.zeros((50, 1, 1, 1025), np.float32)
    path = tmp_path / "2048.pkl"
    path.write_bytes(pickle.dumps(changed, protocol=2))
    expected = r"array 0 \(conv1/kernel\) has shape \(50, 1, 1, 1025\) instead of \(50, 1, 1, 513\)"
    with pytest.raises(HiphopssError, match=expected):
        read_published(path)


def test_weights_that_are_not_finite_are_refused(tmp_path, arrays):
    changed = [a.copy() for a in arrays]
    changed[7][3] = np.nan
    path = tmp_path / "diverged.pkl"
    path.write_bytes(pickle.dumps(changed, protocol=2))
    with pytest.raises(HiphopssError, match=r"array 7 .bottleneck/bias. .*not finite"):
        read_published(path)


def test_written_files_name_what_python_2_knows(tmp_path, arrays):
    named = {name: a for (name, _), a in zip(PUBLISHED_ARRAYS, arrays, strict=True)}
    path = tmp_path / "out.pkl"
    write_published(path, named)
    data = path.read_bytes()
    assert data.startswith(b"\x80\x02")
    assert b"numpy._core" not in data[:200]
    for a, b in zip(pickle.loads(data), arrays, strict=True):
        np.testing.assert_array_equal(a, b)
    assert all(np.array_equal(a, named[n]) for n, a in read_published(path).items())


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(HiphopssError, match=r"none\.pkl: can't be read"):
        read_published(tmp_path / "none.pkl")


def test_released_shapes_of_the_test_are_the_packages():
    assert [shape for _, shape in PUBLISHED_ARRAYS] == released.PUBLISHED_SHAPES
