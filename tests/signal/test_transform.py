"""Transform and inverse against NumPy written from docs/released-code.md."""

import numpy as np
import pytest
import released
from helpers.songs import noise
from scipy.signal import get_window

from hiphopss import HiphopssError, SignalConfig
from hiphopss.signal.transform import (
    InverseTransform,
    analysis_window,
    frame_count,
    istft,
    magnitude,
    stft,
)

CONFIG = SignalConfig()


@pytest.mark.parametrize("name", ["blackmanharris", "hann"])
def test_window_is_scipys_symmetric_one(name):
    ours = analysis_window(SignalConfig(window=name))
    # the four-term sums differ in their last bits only
    np.testing.assert_allclose(ours, get_window(name, 1024, fftbins=False), atol=1e-15)


def test_unknown_window_is_refused():
    with pytest.raises(HiphopssError, match="no window named 'kaiser'"):
        analysis_window(SignalConfig(window="kaiser"))


@pytest.mark.parametrize("n_samples", [1, 511, 512, 513, 80000])  # 159 frames: several pieces
def test_stft_and_inverse_against_numpy(n_samples):
    x = noise(n_samples, seed=3)
    expected = released.stft(x)
    assert frame_count(n_samples, CONFIG) == len(expected)
    for dtype, tolerance in ((np.float32, 1e-5), (np.float64, 1e-12)):
        spectrum = stft(x.astype(dtype), CONFIG)
        assert spectrum.real.dtype == dtype
        np.testing.assert_allclose(spectrum, expected, atol=tolerance)
        back = istft(spectrum, n_samples, CONFIG)
        assert back.dtype == dtype
        np.testing.assert_allclose(back, released.istft(expected, n_samples), atol=tolerance)
        np.testing.assert_allclose(back, x, atol=tolerance)


def test_inverse_of_an_edited_spectrum_against_numpy():
    # A consistent spectrum inverts under any normalisation; an edited one tests the divisor.
    expected = released.stft(noise(20000, seed=4))
    expected *= np.random.default_rng(0).random(expected.shape)
    ours = istft(expected.astype(np.complex64), 20000, CONFIG)
    np.testing.assert_allclose(ours, released.istft(expected, 20000), atol=1e-6)


def test_a_range_of_frames_is_that_range():
    for dtype in (np.float32, np.float64):
        x = noise(80000, seed=5).astype(dtype)
        whole = stft(x, CONFIG)
        n_frames = len(whole)
        for start, stop in ((0, 3), (7, 20), (60, 140), (n_frames - 2, n_frames)):
            part = stft(x, CONFIG, start=start, stop=stop)
            np.testing.assert_array_equal(part, whole[start:stop])


def test_channels_are_transformed_on_their_own():
    x = np.stack([noise(80000, seed=1), noise(80000, seed=2)], axis=1)
    both = stft(x.T, CONFIG)  # not contiguous
    for channel, spectrum in enumerate(both):
        np.testing.assert_array_equal(spectrum, stft(x[:, channel].copy(), CONFIG))


def test_inverse_in_runs_is_the_inverse():
    x = np.stack([noise(30000, seed=6), noise(30000, seed=7)])
    spectrum = stft(x, CONFIG)
    inverse = InverseTransform((2,), np.float64, CONFIG)
    cuts = np.split(np.arange(spectrum.shape[1]), [1, 2, 17, 40])
    joined = np.concatenate([inverse.push(spectrum[:, c]) for c in cuts], axis=1)
    np.testing.assert_allclose(joined[:, 512:30512], x, atol=1e-12)


def test_magnitude_is_divided_by_the_root_of_the_frame():
    spectrum = stft(noise(5000, seed=8), CONFIG)
    np.testing.assert_allclose(magnitude(spectrum, CONFIG), np.abs(spectrum) / 32)


def test_settings_are_those_that_are_given():
    x = noise(3000, seed=9)
    config = SignalConfig(frame=256, hop=128, window="hann")
    spectrum = stft(x, config)
    assert spectrum.shape == (frame_count(3000, config), 129)
    np.testing.assert_allclose(istft(spectrum, 3000, config), x, atol=1e-12)
    padded = np.pad(x, (128, 512))
    frame = padded[5 * 128 :][:256] * get_window("hann", 256, fftbins=False)
    np.testing.assert_allclose(spectrum[5], np.fft.rfft(frame), atol=1e-12)
    np.testing.assert_array_equal(stft(x), stft(x, CONFIG))
    np.testing.assert_array_equal(istft(stft(x), 3000), istft(stft(x), 3000, CONFIG))


@pytest.mark.parametrize(("window", "covered"), [("hann", 511), ("blackmanharris", 512)])
def test_what_only_the_last_frame_covers_is_flushed(window, covered):
    config = SignalConfig(window=window)
    x = np.stack([noise(9000, seed=10), noise(9000, seed=11)])
    inverse = InverseTransform((2,), np.float64, config)
    pushed = inverse.push(stft(x, config, stop=7))
    last = inverse.flush()
    assert last.shape == (2, 512)
    np.testing.assert_allclose(pushed[:, 512:], x[:, : 6 * 512], atol=1e-12)
    # The window ends near 0, and the division makes rounding as much larger.
    rounding = 1e-14 / analysis_window(config)[512 : 512 + covered] ** 2
    error = np.abs(last - x[:, 6 * 512 : 7 * 512])[:, :covered]
    assert np.all(error < rounding)
    assert np.isfinite(last).all()  # also where the window is 0, and nothing is known
    single = InverseTransform((2,), np.float32, config)
    single.push(stft(x.astype(np.float32), config, stop=7))
    assert single.flush().dtype == np.float32
