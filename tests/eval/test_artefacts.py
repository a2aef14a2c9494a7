"""Measures of artefacts find what was put in, and nothing in clean sound."""

import numpy as np
import pytest
from helpers.looped_song import RATE, looped_song
from scipy import signal

from hiphopss import SOURCES
from hiphopss.eval.artefacts import clicks, level_steps, musical_noise

VOCALS, BASS, DRUMS, OTHER = range(len(SOURCES))
PLACES = np.arange(1, 16) * 0.7 * RATE


@pytest.fixture(scope="module")
def song():
    """A mixture and its stems, 12 seconds."""
    return looped_song(6)


def with_jumps(stem, places, size):
    """A stem that jumps at some places, and comes back smoothly within 20 ms."""
    bent = stem.copy()
    for place in places:
        bent[place : place + 800] += size * np.hanning(1601)[801:].astype(np.float32)
    return bent


def with_gains(stem, places, decibels):
    """A stem that is turned up and down in turns, within 20 ms."""
    gains = 10 ** (np.resize([-1, 1], len(places) + 1) * decibels / 40)
    at = (places[:, None] + [-400, 400]).ravel()
    return stem * np.interp(np.arange(len(stem)), at, np.repeat(gains, 2)[1:-1])


# clicks


@pytest.mark.parametrize("source", range(len(SOURCES)))
def test_clean_sound_has_no_clicks(song, source):
    mixture, stems = song
    leaking = 0.8 * stems[source] + 0.1 * mixture
    assert not len(clicks(leaking, mixture, stems[source]))


@pytest.mark.parametrize("source", [BASS, OTHER])
def test_clicks_are_found_where_they_are(song, source):
    mixture, stems = song
    places = np.array([70_003, 140_000, 251_111, 400_000])
    size = stems[source].std()  # heard, but far from the loudest
    found = clicks(with_jumps(stems[source], places, size), mixture, stems[source])
    assert len(found) == len(places)
    assert np.abs(found - places).max() <= 5


def test_what_clicks_in_the_mixture_or_in_the_true_stem_is_no_artefact(song):
    _, stems = song
    places = np.array([70_003, 251_111])
    size = stems[OTHER].std()
    mixture = stems[[BASS, OTHER]].sum(axis=0)  # drums would hide it
    other, mixed = (with_jumps(x, places, size) for x in (stems[OTHER], mixture))
    assert len(clicks(0.5 * other, mixture, stems[OTHER])) == 2
    assert not len(clicks(0.5 * other, mixture, other))
    assert not len(clicks(0.5 * other, mixed, stems[OTHER]))


# musical noise


def masked_rest(song, share):
    """Vocals into which the rest leaks, through a mask that is open here and there."""
    mixture, stems = song
    if share == 1:
        return stems[VOCALS] + 0.1 * (mixture - stems[VOCALS])
    _, _, rest = signal.stft(mixture - stems[VOCALS], RATE, nperseg=1024)
    mask = np.random.default_rng(1).uniform(size=rest.shape) < share
    return stems[VOCALS] + 0.1 * signal.istft(rest * mask, RATE, nperseg=1024)[1][: len(mixture)]


def test_what_is_only_quieter_is_no_musical_noise(song):
    mixture, stems = song
    # not exactly 0, because the voice is not quite silent there
    assert abs(musical_noise(masked_rest(song, 1), stems[VOCALS], mixture)) < 0.1


def test_isolated_peaks_are_musical_noise_and_the_rarer_the_more(song):
    mixture, stems = song
    found = [musical_noise(masked_rest(song, s), stems[VOCALS], mixture) for s in (0.5, 0.2, 0.05)]
    assert 0.2 < found[0] < found[1] - 0.1 < found[2] - 0.2


def test_a_stem_that_is_never_silent_has_no_musical_noise(song):
    mixture, _ = song
    assert np.isnan(musical_noise(mixture, mixture, mixture))


# level steps


@pytest.mark.parametrize("source", range(len(SOURCES)))
def test_level_steps_are_found_only_where_they_are(song, source):
    mixture, stems = song
    leaking = 0.8 * stems[source] + 0.1 * mixture
    clean = level_steps(leaking, stems[source], PLACES)
    assert clean.n_places == len(PLACES) - 1
    assert abs(clean.excess) < 3 * clean.standard_error
    stepped = level_steps(with_gains(leaking, PLACES, 4), stems[source], PLACES)
    assert stepped.excess > clean.excess + 1
    between = level_steps(with_gains(leaking, PLACES + 0.35 * RATE, 4), stems[source], PLACES)
    assert between.excess < clean.excess - 0.3


def test_level_steps_are_those_that_were_made(song):
    _, stems = song
    for decibels in (1, 3):
        found = level_steps(with_gains(stems[OTHER], PLACES, decibels), stems[OTHER], PLACES)
        # less where the stem is nearly silent, which is not heard
        assert 0.75 * decibels < found.there < 1.05 * decibels
        assert found.elsewhere < 0.2 * decibels


def test_level_steps_need_two_places_inside(song):
    mixture, stems = song
    with pytest.raises(ValueError, match="no two places"):
        level_steps(stems[BASS], mixture, np.array([100.0, 5000.0]))
