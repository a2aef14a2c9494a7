"""Gains, pans, mutes and solos, for whole songs and block by block."""

from itertools import pairwise

import numpy as np
import pytest
from helpers.songs import noise

from hiphopss import SOURCES, HiphopssError
from hiphopss.remixing.mixing import Mix, Mixer, mix

RNG = np.random.default_rng(0)
STEREO = np.array([[noise(4000, 2 * i), noise(4000, 2 * i + 1)] for i in range(4)], np.float32)
MONO = STEREO[:, :1]


def test_a_mix_that_changes_nothing_is_the_sum():
    for stems in (STEREO, MONO):
        np.testing.assert_array_equal(mix(stems, Mix()), stems[0] + stems[1] + stems[2] + stems[3])


def test_a_mixture_comes_back_bit_for_bit_if_nothing_changes():
    mixture = RNG.standard_normal((2, 4000), np.float32)  # not the sum of the stems
    np.testing.assert_array_equal(mix(STEREO, Mix(), mixture=mixture), mixture)
    np.testing.assert_array_equal(
        mix(STEREO, Mix(gains={"bass": -0.0}, pans={"drums": 0}), mixture=mixture), mixture
    )


def test_gains_and_mutes_change_the_mixture_by_the_stems():
    rest = RNG.standard_normal((2, 4000), np.float32)  # what no stem has
    mixture = STEREO.sum(axis=0) + rest
    settings = Mix.parse(gains=["vocals=-6", "drums = +3", "bass=-inf"], muted=["other"])
    expected = rest + 10 ** (-6 / 20) * STEREO[0] + 10 ** (3 / 20) * STEREO[2]
    # sums of a few numbers of size 4 in single precision
    np.testing.assert_allclose(mix(STEREO, settings, mixture=mixture), expected, atol=4e-6)


def test_a_solo_leaves_nothing_else_not_even_the_rest():
    mixture = STEREO.sum(axis=0) + 1
    np.testing.assert_array_equal(
        mix(STEREO, Mix(soloed=frozenset({"vocals"})), mixture=mixture), STEREO[0]
    )
    both = Mix(soloed=frozenset({"vocals", "bass"}), muted=frozenset({"bass"}))
    np.testing.assert_array_equal(mix(STEREO, both), STEREO[0])


@pytest.mark.parametrize("pan", [-1, -0.4, 0.3, 1])
def test_stereo_pans_as_the_web_audio_api_says(pan):
    stems = np.zeros_like(STEREO)
    stems[1] = STEREO[1]
    left, right = STEREO[1].astype(float)
    # W3C Web Audio API, "StereoPanner algorithm", for stereo input
    x = pan + 1 if pan <= 0 else pan
    gain_left, gain_right = np.cos(x * np.pi / 2), np.sin(x * np.pi / 2)
    if pan <= 0:
        expected = left + right * gain_left, right * gain_right
    else:
        expected = left * gain_left, right + left * gain_right
    np.testing.assert_allclose(mix(stems, Mix(pans={"bass": pan})), expected, atol=1e-6)


@pytest.mark.parametrize("pan", [-1, -0.5, 0.2, 1])
def test_a_panned_mono_stem_keeps_its_power(pan):
    stems = np.zeros_like(MONO)
    stems[1] = MONO[1]
    left, right = mix(stems, Mix(pans={"bass": pan}))
    power = float(np.sum(MONO[1].astype(float) ** 2))
    assert np.sum(left.astype(float) ** 2 + right.astype(float) ** 2) == pytest.approx(2 * power)
    assert np.sign(np.sum(right**2) - np.sum(left**2)) == np.sign(pan)


def test_unpanned_mono_stems_stay_in_the_middle():
    out = mix(MONO, Mix(pans={"bass": -1}), mixture=MONO.sum(axis=0))
    alone = MONO[0] + MONO[2] + MONO[3]
    # a sum and a difference in single precision
    np.testing.assert_allclose(out[1], alone[0], atol=1e-6)
    np.testing.assert_allclose(out[0], alone[0] + np.sqrt(2) * MONO[1, 0], atol=1e-6)


@pytest.mark.parametrize("sizes", [[4000], [1, 7, 512, 3480]])
def test_a_change_is_a_ramp_whatever_the_blocks(sizes):
    mixer = Mixer(Mix(), 2, ramp=441)
    before = mixer.process(STEREO)
    mixer.settings = Mix(muted=frozenset({"vocals"}), pans={"bass": 0.5})
    after = mix(STEREO, mixer.settings)
    starts = np.cumsum([0, *sizes])
    found = np.concatenate([mixer.process(STEREO[..., a:b]) for a, b in pairwise(starts)], axis=1)
    share = np.minimum(np.arange(1, 4001) / 441, 1)
    np.testing.assert_allclose(found, before + (after - before) * share, atol=2e-6)


def test_nothing_clicks_even_if_a_change_is_changed():
    stems = np.full((4, 2, 100), 0.25, np.float32)
    mixer = Mixer(Mix(), 2, ramp=441)
    blocks = [mixer.process(stems)]
    for muted in ({"vocals"}, set(SOURCES), set(), {"bass"}):
        mixer.settings = Mix(muted=frozenset(muted))
        blocks.append(mixer.process(stems))
    steps = np.diff(np.concatenate(blocks, axis=1), axis=1)
    assert np.abs(steps).max() < 1.01 / 441  # the largest change, of 1, at once would be 1
    assert np.abs(steps).max() > 0.5 / 441


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"gains": ["voice=3"]}, "no source named 'voice': choose one of vocals, bass"),
        ({"gains": ["vocals"]}, "write it as vocals=-0.5"),
        ({"gains": ["vocals=loud"]}, "gain of vocals 'loud': give a number"),
        ({"gains": ["vocals=nan"]}, "give a number"),
        ({"gains": ["vocals=100"]}, "at most 40"),
        ({"gains": ["vocals=1", "vocals=2"]}, "given twice"),
        ({"pans": ["bass=-1.5"]}, "give -1 \\(left\\) to 1 \\(right\\)"),
        ({"muted": ["guitar"]}, "no source named 'guitar'"),
        ({"soloed": ["guitar"]}, "no source named 'guitar'"),
    ],
)
def test_bad_settings_are_told(settings, told):
    with pytest.raises(HiphopssError, match=told):
        Mix.parse(**settings)


def test_there_is_no_panning_of_surround_or_into_mono():
    with pytest.raises(HiphopssError, match="not from 6 to 6 channels"):
        mix(np.zeros((4, 6, 10), np.float32), Mix(pans={"bass": 1}))
    mixer = Mixer(Mix(), 1)
    with pytest.raises(HiphopssError, match="--stereo"):
        mixer.settings = Mix(pans={"bass": 1})
    assert mixer.settings == Mix()


def test_surround_is_not_cut_down_to_stereo():
    with pytest.raises(HiphopssError, match="6 channels: can't be mixed to 2"):
        Mixer(Mix(), 6, n_out=2)
    assert Mixer(Mix(), 6).n_out == 6
    assert Mixer(Mix(), 1, n_out=2).process(MONO).shape == (2, 4000)


def test_audible_sources_are_neither_muted_nor_silent():
    settings = Mix(gains={"bass": -np.inf}, muted=frozenset({"drums"}))
    assert settings.audible == ("vocals", "other")
    assert settings.changed(soloed=frozenset({"bass", "drums"})).audible == ()


def test_transposed_stems_are_called_that():
    transposed = np.zeros((4, 30000, 2), np.float32)
    with pytest.raises(HiphopssError, match="30000 channels: transpose it, the order is"):
        mix(transposed, Mix())
    with pytest.raises(HiphopssError, match=r"stems of shape \(4, 30000, 2\): give \(4, 2, n_samp"):
        Mixer(Mix(), 2).process(transposed)
    with pytest.raises(HiphopssError, match=r"stems of shape \(2, 30000\): give \(4, n_channels"):
        mix(transposed[:2, :, 0], Mix())
