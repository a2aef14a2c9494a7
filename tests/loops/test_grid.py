"""Frames that lie under their copies."""

import numpy as np
import pytest
from helpers.loop_songs import periodic

from hiphopss.loops.grid import FRAME, N_BINS, Grid

STEP = 16_123.37


def whole(grid, samples):
    """Spectra of all frames of some signals `[shape=(n_signals, n_samples)]`."""
    padded = np.pad(samples, [(0, 0), (FRAME, 2 * FRAME)])
    return grid.analyse(padded, -FRAME, 0, grid.n_frames)


def test_the_hop_is_a_whole_part_of_the_step():
    grid = Grid(STEP, 50_000)
    assert grid.frames_per_step * grid.hop == pytest.approx(STEP, rel=1e-12)
    assert grid.hop == pytest.approx(FRAME / 2, rel=0.1)
    starts = grid.starts(0, grid.n_frames)
    assert starts[0] == -(FRAME // 2)
    assert np.abs(starts + FRAME // 2 - np.arange(grid.n_frames) * grid.hop).max() <= 0.5


@pytest.mark.parametrize("n_samples", [1, 2000, 30_001])
def test_frames_give_back_the_signal(n_samples):
    signals = np.random.default_rng(0).standard_normal((2, n_samples)).astype(np.float32)
    grid = Grid(STEP, n_samples)
    found, offset = grid.synthesise(whole(grid, signals), 0)
    inside = slice(-offset, n_samples - offset)
    weights = grid.weights(0, grid.n_frames)[inside]
    assert weights.min() > 0.2  # each sample is well within some frame
    np.testing.assert_allclose(found[:, inside] / weights, signals, atol=1e-5)


def test_a_spectrum_is_that_of_its_frame_turned_to_its_time():
    signal = np.random.default_rng(1).standard_normal((1, 30_000)).astype(np.float32)
    grid = Grid(STEP, signal.shape[1])
    frame, bins = 5, np.arange(0, N_BINS, 97)
    start = grid.starts(frame, frame + 1)[0]
    n = np.arange(FRAME)
    window = 0.5 - 0.5 * np.cos(2 * np.pi * n / FRAME)
    centre = n + start + FRAME // 2 - frame * grid.hop  # time from the frame's exact place
    waves = np.exp(-2j * np.pi / FRAME * np.outer(bins, centre))
    expected = waves @ (window * signal[0, start : start + FRAME])
    found = grid.analyse(signal[:, start:], start, frame, frame + 1)[0, 0, bins]
    np.testing.assert_allclose(found, expected, atol=1e-3)  # of values of some 40


def test_a_copy_one_step_later_has_the_same_spectrum():
    signal = periodic(STEP, 80_000, 2)
    grid = Grid(STEP, len(signal))
    spectra = whole(grid, signal[None])[0]
    later = grid.frames_per_step
    # frames that are within the signal
    early, late = spectra[2 : -later - 3], spectra[2 + later : -3]
    assert len(early) > later
    # The windows are half a sample apart, and the signal is interpolated: some thousandths.
    assert np.linalg.norm(late - early) < 0.01 * np.linalg.norm(early)
