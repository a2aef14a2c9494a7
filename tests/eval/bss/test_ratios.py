"""SI-SDR and uSDR, each against its formula in NumPy."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from hiphopss.eval.bss.ratios import si_sdr, usdr


@pytest.fixture
def signals():
    """References and estimates of two stereo sources."""
    random = np.random.default_rng(0)
    references = random.standard_normal((2, 900, 2))
    return references, 0.3 * references + 0.1 * random.standard_normal(references.shape)


def test_si_sdr_is_its_formula(signals):
    starts = np.array([0, 300])
    found = si_sdr(*signals, starts, 600)
    for i, (reference, estimate) in enumerate(zip(*signals, strict=True)):
        for k, start in enumerate(starts):
            s, e = (x[start : start + 600].ravel() for x in (reference, estimate))
            target = (e @ s) / (s @ s) * s
            expected = 10 * np.log10((target @ target) / ((target - e) @ (target - e)))
            assert found[i, k] == pytest.approx(expected, abs=1e-10)


def test_si_sdr_doesnt_depend_on_the_scale(signals):
    references, estimates = signals
    whole = np.zeros(1, int), 900
    found = si_sdr(references, estimates, *whole)
    assert_allclose(si_sdr(references, -5 * estimates, *whole), found, atol=1e-10)
    balance = estimates * [1, 2]  # of the two channels, which is no matter of scale
    assert (si_sdr(references, balance, *whole) < found - 1).all()


def test_si_sdr_of_silence_is_undefined_and_of_a_copy_is_the_last_digit(signals):
    references, estimates = (x.copy() for x in signals)
    references[0], estimates[1] = 0, 0
    assert np.isnan(si_sdr(references, estimates, np.zeros(1, int), 900)).all()
    copy = si_sdr(signals[0], 0.5 * signals[0], np.zeros(1, int), 900)
    assert_allclose(copy, 10 * np.log10(2.0**52), rtol=1e-6)


def test_usdr_is_its_formula(signals):
    references, estimates = (x.copy() for x in signals)
    references[1] = 0
    scores = usdr(references, estimates)
    error = np.sum((references - estimates) ** 2, axis=(1, 2)) + 1e-7
    expected = 10 * np.log10((np.sum(references**2, axis=(1, 2)) + 1e-7) / error)
    assert_allclose(scores.sdr[:, 0], expected, atol=1e-10)
    assert_array_equal(scores.notes, [[""], [""]])  # silence has a score, too
    assert np.isnan([scores.sir, scores.sar, scores.isr]).all()
    assert usdr(0 * references, 0 * estimates).sdr.tolist() == [[0.0], [0.0]]
