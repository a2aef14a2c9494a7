"""HDF5 files that are written through Python."""

import h5py
import numpy as np
import pytest
from helpers.disk import files_limited

from hiphopss.util.hdf5.writing import opened_for_writing


def test_a_file_can_be_made_and_changed(tmp_path):
    rng = np.random.default_rng(0)
    first, second = rng.random((100, 70)), rng.random(3000)
    with opened_for_writing(tmp_path / "a.h5", "w") as file:
        file["first"] = first
    with opened_for_writing(tmp_path / "a.h5", "r+") as file:
        file["group/second"] = second
        file.attrs["note"] = "x" * 9000
        file["first"][10:20] = 0
    first[10:20] = 0
    with h5py.File(tmp_path / "a.h5") as file:
        np.testing.assert_array_equal(file["first"], first)
        np.testing.assert_array_equal(file["group/second"], second)
        assert file.attrs["note"] == "x" * 9000


def test_a_full_disk_is_an_ordinary_error(tmp_path):
    """libhdf5 itself would end this process."""

    def write():
        with opened_for_writing(tmp_path / "a.h5", "w") as file:
            file["data"] = np.ones(90_000, np.uint8)

    with files_limited(50_000), pytest.raises(OSError, match="File too large"):
        write()
    write()
    with h5py.File(tmp_path / "a.h5") as file:
        assert file["data"][:].all()


def test_nothing_is_written_after_an_error(tmp_path):
    def fail():
        with opened_for_writing(tmp_path / "a.h5", "w") as file:
            file["data"] = np.ones(9)
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert (tmp_path / "a.h5").stat().st_size == 0
