"""Arrays in temporary files."""

import os
import tempfile

import numpy as np
import pytest
from helpers.disk import files_limited

from hiphopss.loops.spool import Spool


@pytest.mark.parametrize("at_once", [True, False])
def test_records_are_read_back_and_zeros_beyond_the_ends(monkeypatch, at_once):
    if not at_once:  # as on Windows
        monkeypatch.delattr(os, "preadv", raising=False)
    records = np.arange(1, 31, dtype=np.float32).reshape(5, 2, 3)
    with Spool((2, 3), np.float32) as spool:
        spool.append(records)
        assert spool.n_records == 5
        np.testing.assert_array_equal(spool.read(0, 5), records)
        around = spool.read(-2, 8)
        np.testing.assert_array_equal(around[2:7], records)
        assert not around[:2].any()
        assert not around[7:].any()
        for start, stop in [(-4, -1), (5, 9), (3, 3)]:
            outside = spool.read(start, stop)
            assert outside.shape == (stop - start, 2, 3)
            assert not outside.any()


def test_appends_and_reads_take_turns():
    rng = np.random.default_rng(0)
    everything = np.zeros((0, 4), np.complex64)
    with Spool((4,), np.complex64) as spool:
        for n in (3, 0, 1, 50, 7):
            # as spectra arrive: neither contiguous nor of the file's type
            new = (rng.standard_normal((4, n)) + 1j * rng.standard_normal((4, n))).T
            spool.append(new)
            everything = np.concatenate([everything, new.astype(np.complex64)])
            middle = len(everything) // 2
            np.testing.assert_array_equal(spool.read(0, middle), everything[:middle])
            np.testing.assert_array_equal(spool.read(middle, len(everything)), everything[middle:])


def test_a_full_disk_is_an_error_of_the_system():
    records = np.ones(3000, np.float32)
    with Spool((), np.float32) as spool:
        with files_limited(10_000), pytest.raises(OSError, match="too large"):
            spool.append(records)
        assert spool.n_records == 0
        spool.append(2 * records)  # there is room again
        np.testing.assert_array_equal(spool.read(0, 3000), 2 * records)


def test_the_file_is_gone_after_use(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with Spool((), np.uint8) as spool:
        spool.append(np.zeros(3))
    assert not list(tmp_path.iterdir())
    with pytest.raises(ValueError, match="closed"):
        spool.read(0, 1)
    with pytest.raises(ValueError, match="closed"):
        spool.append(np.zeros(3))
