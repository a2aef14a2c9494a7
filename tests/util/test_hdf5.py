"""HDF5 files of any origin: what is sound is read, the rest is refused, and nothing crashes."""

import hashlib
import os
import signal
import sys
import time
import warnings
from concurrent.futures import ThreadPoolExecutor

import h5py
import numpy as np
import pytest
from helpers import hdf5 as hostile

from hiphopss import HiphopssError
from hiphopss.util.hdf5 import process
from hiphopss.util.hdf5.reading import HDF5File, is_hdf5

VALUES = np.arange(12, dtype="<f4").reshape(3, 4)
POSIX = pytest.mark.skipif(os.name != "posix", reason="signals and pipes of Unix")


@pytest.fixture
def path(tmp_path):
    """A small file of everything that is sound."""
    path = tmp_path / "sound.h5"
    with h5py.File(path, "w") as file:
        file.attrs["text"], file.attrs["number"], file.attrs["flag"] = "Grüße", 7, True
        file.attrs["list"] = ["a", "b"]
        file["group/values"] = VALUES
        file["group"].attrs["name"] = "inner"
        file["counts"] = np.arange(5)
        file["none"] = np.zeros((0, 4), "<f4")
        file["note"] = "a\nnote"
        kinds = [("name", h5py.string_dtype()), ("n", "<i8"), ("gain", "<f8")]
        rows = [[("x", 1, 0.5), ("", 2, 1.5)], [("é", 3, 2.5), ("x", 4, 3.5)]]
        file["table"] = np.array(rows, kinds)
    return path


def opened(path, **options):
    return HDF5File(path, mend="mend it", **options)


def test_everything_sound_is_read(path):
    with opened(path) as file:
        file.require_sound()
        assert file.groups[""] == {
            "text": "Grüße",
            "number": 7,
            "flag": True,
            "list": ["a", "b"],
        }
        assert file.groups["group"] == {"name": "inner"}
        assert file.texts == {"note": "a\nnote"}
        assert file.arrays["none"].shape == file.array("none").shape == (0, 4)
        np.testing.assert_array_equal(file.array("group/values"), VALUES)
        np.testing.assert_array_equal(file.mapped("group/values"), VALUES)
        np.testing.assert_array_equal(file.array("counts", "<i8"), np.arange(5))
        table = file.tables["table"]
        assert table.texts == {"name": ["x", "", "é", "x"]}
        np.testing.assert_array_equal(table.numbers["n"], [[1, 2], [3, 4]])
        np.testing.assert_array_equal(table.numbers["gain"], [[0.5, 1.5], [2.5, 3.5]])
        with pytest.raises(HiphopssError, match="'counts' has values of type int64, not float32"):
            file.array("counts")


ODD = {
    "a complex number": 3j,
    "many digits": np.longdouble(3),
    "nothing": h5py.Empty("f4"),
    "no text": h5py.Empty("S4"),
    "a pair": np.array((1, 2), "<i4,<i4"),
    "texts in two axes": np.array([["a", "b"]], "S1"),
    "bytes": np.void(b"\1\2"),
    "a reference": None,
}


@pytest.mark.parametrize("kind", ODD)
def test_an_attribute_of_an_odd_type_is_read_or_told_and_ends_nothing(path, kind):
    opened(path).close()
    before = process._running.process.pid
    with h5py.File(path, "r+") as file:
        file.attrs["odd"] = file["none"].ref if kind == "a reference" else ODD[kind]
    told = ""
    try:
        with opened(path) as file:
            assert file.groups[""]["number"] == 7
    except HiphopssError as error:
        told = str(error)
    assert "crashes" not in told
    assert "\n" not in told
    assert process._running.process.pid == before  # the same process goes on
    assert process._running.process.poll() is None


def test_a_long_table_is_read_in_parts(tmp_path):
    kinds = [("name", h5py.string_dtype()), ("n", "<i8")]
    rows = np.array([(f"song {k % 7}", k) for k in range(20_001)], kinds)
    with h5py.File(tmp_path / "long.h5", "w") as file:
        file["table"] = rows
    with opened(tmp_path / "long.h5") as file:
        assert file.tables["table"].texts["name"] == [f"song {k % 7}" for k in range(20_001)]
        np.testing.assert_array_equal(file.tables["table"].numbers["n"], np.arange(20_001))


@pytest.mark.parametrize("make", hostile.UNSOUND, ids=lambda make: make.__name__)
def test_what_is_not_plain_is_refused_by_name(path, make):
    with h5py.File(path, "r+") as file:
        hostile.replaced(file, "group/values", make)
    with opened(path) as file, pytest.raises(HiphopssError) as caught:
        file.require_sound()
    assert "sound.h5: 'group/values" in str(caught.value)
    assert f"{hostile.UNSOUND[make]}" in str(caught.value)
    assert str(caught.value).endswith(": mend it")


@pytest.mark.parametrize("deep", [False, True])
def test_too_many_groups_are_not_followed(tmp_path, deep):
    with h5py.File(tmp_path / "many.h5", "w") as file:
        group = file
        for number in range(40 if deep else 2100):
            inner = group.create_group(str(number))
            group = inner if deep else group
    with opened(tmp_path / "many.h5") as file, pytest.raises(HiphopssError, match="holds too much"):
        file.require_sound()


def test_arrays_over_one_another_are_refused(path, monkeypatch):
    look_through = process.look_through

    def lie(*arguments):
        facts, blobs = look_through(*arguments)
        facts["arrays"]["counts"][2] = facts["arrays"]["group/values"][2] + 4
        return facts, blobs

    monkeypatch.setattr(process, "look_through", lie)
    with pytest.raises(HiphopssError, match="'counts' is not in a place of its own"):
        opened(path)


def test_damage_is_one_line_and_harms_nothing(path):
    data, rng = path.read_bytes(), np.random.default_rng(0)
    messages = []
    for _ in range(12):
        damaged = bytearray(data)
        for at in rng.integers(0, len(data), 12):
            damaged[at] ^= 1 << rng.integers(8)
        path.write_bytes(damaged)
        try:
            with opened(path) as file:
                file.require_sound()
        except HiphopssError as error:
            messages.append(str(error))
    assert len(messages) > 3
    assert not any("\n" in message for message in messages)
    path.write_bytes(data)
    opened(path).close()


@POSIX
def test_a_process_that_hangs_is_ended(path, monkeypatch):
    opened(path).close()
    os.kill(process._running.process.pid, signal.SIGSTOP)
    monkeypatch.setattr(process, "_WAIT_S", 0.2)
    begun = time.monotonic()
    with pytest.raises(HiphopssError, match="looking through it does not end"):
        opened(path)
    assert time.monotonic() - begun < 5
    monkeypatch.undo()
    opened(path).close()


def test_a_process_that_ended_is_replaced(path):
    opened(path).close()
    process._running.process.kill()
    opened(path).close()
    process._close()
    process.start_for(path)  # ahead, and for nothing
    process._running.process.kill()
    opened(path).close()


def test_a_process_that_does_not_start_is_no_fault_of_the_file(path, monkeypatch):
    monkeypatch.setattr(process, "_running", None)
    monkeypatch.setattr(process.program, "__file__", str(path))
    with pytest.raises(HiphopssError, match=r"can't be started to look through HDF5 files"):
        opened(path)


def test_a_file_that_crashes_each_process_is_called_damaged(path, monkeypatch):
    send, ended = process._Child._send, []

    def crash(child, data):
        child.process.kill()
        ended.append(child.process.wait())
        send(child, data)

    monkeypatch.setattr(process._Child, "_send", crash)
    monkeypatch.setattr(process, "_running", None)
    with pytest.raises(HiphopssError, match="libhdf5 crashes on it"):
        opened(path)
    assert len(ended) == 1  # a new process, which ended on this file


@pytest.mark.skipif(sys.platform != "linux", reason="limits of memory are those of Linux")
def test_a_table_of_few_bytes_cannot_take_all_memory(tmp_path):
    path = tmp_path / "bomb.h5"
    with h5py.File(path, "w") as file:
        rows = [("x" * (4 << 20),), *[("y",)] * 400]
        file["table"] = np.array(rows, [("name", h5py.string_dtype())])
        place = file["table"].id.get_offset()
    data = bytearray(path.read_bytes())
    data[place : place + 16 * 401] = data[place : place + 16] * 401  # all rows are the long text
    path.write_bytes(data)
    with pytest.raises(HiphopssError, match=r"takes too much memory|damaged HDF5 file"):
        opened(path)


def test_several_threads_share_the_process(path):
    def read(_):
        with opened(path) as file:
            return file.array("group/values").sum()

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(read, range(40))) == {VALUES.sum()}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="Windows does not fork")
def test_a_forked_process_gets_its_own(path):
    opened(path).close()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # newer Pythons warn of threads
        pid = os.fork()
    if pid == 0:
        status = 1
        try:
            opened(path).close()
            status = 0
        finally:
            os._exit(status)
    assert os.waitpid(pid, 0)[1] == 0
    opened(path).close()


def test_an_interrupted_look_leaves_no_half_answer(path, monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(process._Child, "_receive", interrupt)
    with pytest.raises(KeyboardInterrupt):
        opened(path)
    monkeypatch.undo()
    opened(path).close()


def test_a_known_file_needs_no_process(path, monkeypatch):
    monkeypatch.setattr(process, "look_through", lambda *_: pytest.fail("not needed"))
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    with opened(path, known={digest}) as file:
        np.testing.assert_array_equal(file.array("group/values"), VALUES)
        assert file.tables["table"].texts["name"][2] == "é"


def test_a_file_that_changes_meanwhile_is_called_that(path, monkeypatch):
    look_through = process.look_through

    def change(*arguments):
        found = look_through(*arguments)
        with open(path, "ab") as file:
            file.write(b"more")
        return found

    monkeypatch.setattr(process, "look_through", change)
    with pytest.raises(HiphopssError, match="changed while it was read: wait"):
        opened(path)


@POSIX
def test_a_locked_file_is_called_locked(path, monkeypatch):
    import fcntl

    with open(path, "r+b") as writer:
        fcntl.flock(writer, fcntl.LOCK_EX)
        with pytest.raises(HiphopssError, match="locked by another program"):
            opened(path)
        monkeypatch.setenv("HDF5_USE_FILE_LOCKING", "FALSE")
        opened(path).close()


@POSIX
def test_a_file_system_without_locks_is_no_obstacle(path, monkeypatch):
    import fcntl

    def refuse(*_):
        raise OSError(37, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)
    opened(path).close()


@POSIX
def test_what_is_no_file_is_called_what_it_is(tmp_path):
    os.mkfifo(tmp_path / "pipe.h5")
    for place, kind in ((tmp_path, "a folder"), (tmp_path / "pipe.h5", "a named pipe")):
        with pytest.raises(HiphopssError, match=f"{kind}, not a file: name a file"):
            is_hdf5(place)
    with pytest.raises(HiphopssError, match="/dev/null: a device, not a file"):
        opened("/dev/null")


def test_what_cannot_be_read_says_why(tmp_path, path, monkeypatch):
    with pytest.raises(HiphopssError, match=r"none\.h5: can't be read .No such file.*check the"):
        opened(tmp_path / "none.h5")
    with pytest.raises(HiphopssError, match=r"no name of a file"):
        opened("a\0b.h5")
    path.write_bytes(b"text")
    with pytest.raises(HiphopssError, match=r"sound\.h5: not an HDF5 file: mend it"):
        opened(path)

    def refuse(*_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(HiphopssError, match=r"can't be read .Permission denied.*permissions"):
        opened(path)
