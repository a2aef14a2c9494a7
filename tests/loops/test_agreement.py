"""Which copies agree."""

import numpy as np
import pytest

from hiphopss.loops.agreement import BINS, EDGES, STARTS, Agreement, Features, spread
from hiphopss.loops.grid import N_BINS

PER_STEP, N_FRAMES = 40, 200


def spectra(n_frames, seed):
    rng = np.random.default_rng(seed)
    parts = rng.standard_normal((2, n_frames, len(BINS)))
    return (parts[0] + 1j * parts[1]).astype(np.complex64)


def agreement(values, voice=0, steps=(1, 2)):
    """Of spectra of which a share ``voice`` of 255 is the network's voice."""
    masks = np.zeros((4, *values.shape), np.uint8)
    masks[0], masks[1] = voice, 255 - voice
    features = Features(values, masks, PER_STEP)
    return Agreement(features, steps, voice_apart=0.6, voice_alike=0.85)


INSIDE = slice(20, -20)  # of what is compared: further from its ends than is averaged
BEAT = np.tile(spectra(PER_STEP, 0), (N_FRAMES // PER_STEP, 1))


def test_bands_hold_all_bins():
    assert (EDGES[0], EDGES[-1]) == (0, N_BINS)
    assert (np.diff(EDGES) > 0).all()
    bands = spread(np.arange(len(EDGES) - 1))
    assert len(bands) == N_BINS
    np.testing.assert_array_equal(np.flatnonzero(np.diff(bands)) + 1, EDGES[1:-1])
    np.testing.assert_array_equal(bands[BINS[STARTS]], np.arange(len(STARTS)))


def test_a_repeated_beat_agrees_and_another_does_not():
    same = agreement(BEAT).of(1, 0, N_FRAMES - PER_STEP)
    assert same.max() <= 1
    assert same.min() > 0.85  # at the ends there are fewer frames to compare
    np.testing.assert_allclose(same[INSIDE], 1, atol=1e-3)  # kept in half precision
    other = agreement(spectra(N_FRAMES, 1)).of(1, 0, N_FRAMES - PER_STEP)
    assert np.abs(other).mean() < 0.2
    opposite = BEAT * np.repeat([1, -1, 1, -1, 1], PER_STEP)[:, None]
    np.testing.assert_allclose(agreement(opposite).of(1, 20, 100), -1, atol=1e-3)


def test_agreement_is_told_for_places_and_bands():
    values = BEAT.copy()
    # in the upper bands, something else from some time on
    values[3 * PER_STEP :, STARTS[10] :] = spectra(2 * PER_STEP, 2)[:, STARTS[10] :]
    compared = agreement(values)
    last = compared.of(1, 0, N_FRAMES)[2 * PER_STEP + PER_STEP // 2]
    assert last[:10].min() > 0.99
    assert last[10:].max() < 0.5
    first = compared.of(1, 0, N_FRAMES)[PER_STEP // 2]
    assert first.min() > 0.99


def test_a_copy_whose_voice_repeats_counts_for_nothing():
    assert agreement(BEAT, voice=100).of(1, 0, N_FRAMES - PER_STEP).max() < 0.2  # the gate
    # a voice that is silent, in a beat that repeats
    quiet = agreement(BEAT, voice=0).of(1, 0, N_FRAMES - PER_STEP)
    assert quiet[INSIDE].min() > 0.99


def test_a_copy_before_is_as_alike_as_one_after():
    values = BEAT + 0.7 * spectra(N_FRAMES, 3)
    compared = agreement(values)
    assert sorted(compared.signed_steps()) == [-2, -1, 1, 2]
    for step in (1, 2):
        shift = step * PER_STEP
        after = compared.of(step, 0, N_FRAMES)
        before = compared.of(-step, 0, N_FRAMES)
        np.testing.assert_array_equal(before[shift:], after[:-shift])
        backwards = agreement(values[::-1]).of(step, 0, N_FRAMES)[::-1]
        np.testing.assert_allclose(before, backwards, atol=2e-3)  # half precision


@pytest.mark.parametrize("step", [-2, -1, 1, 2])
def test_there_is_no_copy_outside_of_the_song(step):
    compared = agreement(BEAT)
    here = np.arange(N_FRAMES)
    there = here + step * PER_STEP
    inside = (there >= 0) & (there < N_FRAMES)
    values = compared.of(step, 0, N_FRAMES)
    assert not values[~inside].any()
    assert values[inside].min() > 0.8
    # in blocks as well
    blocks = [compared.of(step, n, n + 25) for n in range(0, N_FRAMES, 25)]
    np.testing.assert_array_equal(np.concatenate(blocks), values)


def test_silence_agrees_with_nothing():
    with np.errstate(all="raise"):
        values = agreement(np.zeros((N_FRAMES, len(BINS)), np.complex64), voice=100)
        assert not values.of(1, 0, N_FRAMES).any()
