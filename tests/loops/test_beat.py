"""Sources from copies."""

from dataclasses import replace

import numpy as np
import pytest
from helpers.loop_songs import sdr

from hiphopss.loops import beat as beats
from hiphopss.loops.agreement import EDGES
from hiphopss.loops.beat import Constants, chosen
from hiphopss.loops.grid import N_BINS

N_FRAMES, N_BANDS = 3, len(EDGES) - 1
DEFAULT = Constants()


def gaussian(seed, n_channels=2):
    rng = np.random.default_rng(seed)
    parts = rng.standard_normal((2, n_channels, N_FRAMES, N_BINS))
    return (parts[0] + 1j * parts[1]).astype(np.complex64)


def powers(seed):
    return np.random.default_rng(seed).uniform(0.1, 2, (4, N_FRAMES, N_BINS)).astype(np.float32)


def copy_of(spectra, powers):
    loudest = powers.max(axis=0) + np.float32(1e-6)
    return beats.Copy(np.concatenate([spectra.real, spectra.imag]), powers / loudest, loudest)


def split(here, copies, agreements, shares, constants):
    together = [
        np.array([getattr(copy, name) for copy in copies]).reshape(-1, *getattr(here, name).shape)
        for name in ("parts", "masks", "scale")
    ]
    agreements = np.array(agreements, np.float32).reshape(-1, *shares.shape[1:])
    return beats.split(here, beats.Copy(*together), agreements, shares, constants).stems()


def agreeing(value):
    return np.full((N_FRAMES, N_BANDS), value, np.float32)


SHARES = np.full((4, N_FRAMES, N_BANDS), 0.5, np.float32)


@pytest.mark.parametrize("n_copies", [0, 1, 5])
def test_the_sources_sum_to_the_mixture(n_copies):
    here = copy_of(gaussian(0), powers(0))
    copies = [copy_of(gaussian(n), powers(n)) for n in range(1, n_copies + 1)]
    rng = np.random.default_rng(1)
    agreements = [rng.uniform(-1, 1, (N_FRAMES, N_BANDS)) for _ in copies]
    stems = split(here, copies, agreements, SHARES, DEFAULT)
    np.testing.assert_allclose(stems.sum(axis=0), gaussian(0), atol=1e-5)


@pytest.mark.parametrize("agreement", [None, DEFAULT.gate, 0, -1])
def test_where_no_copy_agrees_the_stems_are_those_of_the_masks(agreement):
    here = copy_of(gaussian(0), powers(0))
    copies = [] if agreement is None else [copy_of(gaussian(1), powers(1))] * 2
    shares = np.random.default_rng(2).uniform(0.02, 0.98, SHARES.shape).astype(np.float32)
    stems = split(here, copies, [agreeing(agreement) for _ in copies], shares, DEFAULT)
    voiced = np.arange(N_BINS) >= EDGES[1]
    raised = here.powers + DEFAULT.floor * voiced * here.powers.sum(axis=0)
    masks = raised / raised.sum(axis=0)
    np.testing.assert_allclose(stems, masks[:, None] * gaussian(0), atol=1e-4)


def test_the_beat_is_the_posterior_mean_of_the_model():
    """Solved for single bins as a system of linear equations."""
    constants = replace(
        DEFAULT, rounds=1, floor=0.0, averaged=0.0, few=0.0, voice_repeats=0.0, rest_repeats=1.0
    )
    everything = [copy_of(gaussian(n), powers(n)) for n in range(4)]
    here, *copies = everything
    likeness = [0.85, 0.95, 0.9]
    stems = split(here, copies, [agreeing(q) for q in likeness], SHARES, constants)
    for frame, number in [(0, 0), (1, 50), (2, 2000)]:
        at = frame, number
        beat = here.powers[1:, *at].sum()
        apart = [0, *((1 - q) / q + 1e-3 for q in likeness)]
        voices = [c.powers[0, *at] + a * beat for c, a in zip(everything, apart, strict=True)]
        covariance = beat * np.ones((4, 4)) + np.diag(voices)
        observed = np.array([gaussian(n)[:, *at] for n in range(4)])
        mean = beat * np.ones(4) @ np.linalg.solve(covariance, observed)
        np.testing.assert_allclose(stems[1:, :, *at].sum(axis=0), mean, rtol=1e-3, atol=1e-4)
        np.testing.assert_allclose(stems[0, :, *at], observed[0] - mean, rtol=1e-3, atol=1e-4)


def test_many_clean_copies_give_the_voice_far_better_than_the_masks():
    beat, voices = 2 * gaussian(0), [gaussian(n) for n in range(1, 8)]
    # a network that hears too much of everything
    vague = np.array([2.0, 1.5, 1.5, 1.5], np.float32)[:, None, None]
    heard = np.broadcast_to(vague, (4, N_FRAMES, N_BINS))
    copies = [copy_of(beat + voice, heard) for voice in voices]
    agreements = [agreeing(0.97)] * 6
    stems = split(copies[0], copies[1:], agreements, SHARES, DEFAULT)
    masked = vague[0] / vague.sum() * (beat + voices[0])
    assert sdr(voices[0], stems[0]) > sdr(voices[0], masked) + 4
    assert sdr(voices[0], stems[0]) > 5


def test_a_copy_without_a_voice_counts_more():
    beat, voice, other = 2 * gaussian(0), gaussian(1), 2 * gaussian(2)
    loud = np.array([1.0, 1, 1, 1], np.float32)[:, None, None] * np.ones((N_FRAMES, N_BINS))
    clean = loud * np.array([1e-4, 1, 1, 1], np.float32)[:, None, None]
    here = copy_of(beat + voice, loud)
    copies = [copy_of(beat + other, loud), copy_of(beat, clean)]
    told = split(here, copies, [agreeing(0.99)] * 2, SHARES, DEFAULT)
    copies[1] = copy_of(beat, loud)  # now the network doesn't say so
    untold = split(here, copies, [agreeing(0.99)] * 2, SHARES, DEFAULT)
    assert sdr(voice, told[0]) > sdr(voice, untold[0]) + 0.5


def test_what_copies_sound_like_counts_for_the_beat():
    """Here the second and third sources sound equally loud, and in the copies only the second."""
    heard = np.ones((4, N_FRAMES, N_BINS), np.float32)
    elsewhere = heard * np.array([0.01, 1, 0, 0], np.float32)[:, None, None]
    beat = gaussian(0)
    copies = [copy_of(beat, elsewhere)] * 3

    def second_to_third(constants):
        stems = split(copy_of(beat, heard), copies, [agreeing(0.99)] * 3, SHARES, constants)
        return np.linalg.norm(stems[1]) / np.linalg.norm(stems[2])

    assert second_to_third(DEFAULT) > 1.1
    assert second_to_third(replace(DEFAULT, averaged=0.0)) == pytest.approx(1, rel=1e-4)


@pytest.mark.parametrize("n_copies", [0, 3])
def test_silence_stays_silence(n_copies):
    silent = copy_of(np.zeros((1, N_FRAMES, N_BINS), np.complex64), np.zeros_like(powers(0)))
    with np.errstate(divide="raise", invalid="raise", over="raise"):
        stems = split(silent, [silent] * n_copies, [agreeing(0)] * n_copies, SHARES, DEFAULT)
        assert not stems.any()
        stems = split(silent, [silent] * n_copies, [agreeing(1)] * n_copies, SHARES, DEFAULT)
        assert not stems.any()


def test_some_stems_are_the_first_ones():
    here = copy_of(gaussian(0), powers(0))
    found = beats.split(here, here[None], agreeing(0.9)[None], SHARES, DEFAULT)
    np.testing.assert_array_equal(found.stems(3), found.stems()[:3])


def test_the_most_alike_copies_are_chosen():
    scores = {-3: 0.0, -2: 0.1, -1: 0.5, 1: 0.9, 2: 0.6}
    assert chosen(scores, 8) == [1, 2, -1, -2]
    assert chosen(scores, 2) == [1, 2]
    assert chosen({1: 0.0}, 2) == []
