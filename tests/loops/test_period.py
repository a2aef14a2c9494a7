"""Periods that are found, to a fraction of a sample, and songs that have none."""

import numpy as np
import pytest
from helpers.loop_songs import periodic

from hiphopss.loops.period import DECIMATION, Likeness, find_period

RATE = 5000.0  # of the signals that are looked at
LEAST = 0.25


def noise(n_samples, seed=9):
    return np.random.default_rng(seed).standard_normal(n_samples).astype(np.float32)


def period_of(waveform):
    return find_period(Likeness(waveform, RATE), least=LEAST)


def test_likeness_is_the_normalised_product_of_a_signal_and_itself_later():
    signal = noise(1000) * np.linspace(0.1, 2, 1000, dtype=np.float32)
    lags = np.array([1, 7, 500, 600])
    expected = [
        signal[:-n] @ signal[n:] / np.linalg.norm(signal[:-n]) / np.linalg.norm(signal[n:])
        for n in lags
    ]
    # single precision, over sums of some hundred products
    np.testing.assert_allclose(Likeness(signal, RATE).at(lags), expected, atol=1e-4)


@pytest.mark.parametrize("length", [9000.37, 11234.6])
def test_a_length_is_found_to_a_twentieth_of_a_sample(length):
    n_samples = int(90 * RATE)
    song = periodic(length, n_samples, 1) + 0.6 * noise(n_samples)
    period = period_of(song)
    assert period.samples == pytest.approx(DECIMATION * length, abs=0.05)
    assert period.n_steps == 1
    assert period.likeness == pytest.approx(1 / 1.36, abs=0.03)  # the noise has a power of 0.36


@pytest.mark.parametrize("n_bars", [3, 4, 11])
def test_a_loop_of_several_bars(n_bars):
    """Drums repeat with each bar, and a melody with each loop."""
    bar, n_samples = 8000.3, int(90 * RATE)
    drums, melody = periodic(bar, n_samples, 2), periodic(n_bars * bar, n_samples, 3)
    period = period_of(drums + melody + 0.3 * noise(n_samples))
    assert period.n_steps == n_bars
    assert period.samples == pytest.approx(DECIMATION * bar, abs=0.05)
    assert period.loop == period.n_steps * period.samples


@pytest.mark.parametrize(
    "song",
    [
        noise(int(30 * RATE)),
        np.zeros(int(30 * RATE), np.float32),
        periodic(4 * RATE, int(6 * RATE), 4),  # not twice
        noise(100),
        np.ones(1, np.float32),
    ],
    ids=["noise", "silence", "less than two loops", "short", "one sample"],
)
def test_where_nothing_repeats_there_is_no_period(song):
    assert period_of(song) is None


def test_silence_around_a_song_does_not_matter():
    quiet = np.zeros(int(5 * RATE), np.float32)
    song = np.concatenate([quiet, periodic(9000.5, int(60 * RATE), 5), quiet])
    assert period_of(song).samples == pytest.approx(DECIMATION * 9000.5, abs=0.05)
