"""The project's BSS Eval engine: mir_eval's numbers from correlations, and what mir_eval can't."""

import warnings

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.linalg import qr, toeplitz
from scipy.signal import butter, lfilter, sosfiltfilt

from hiphopss import HiphopssError
from hiphopss.eval.bss import engine
from hiphopss.eval.bss.correlation import correlate_windows
from hiphopss.eval.bss.projection import EPS, SINGULAR, Projection, gram_matrix
from hiphopss.eval.bss.scores import References, bss_eval

METRICS = ("sdr", "sir", "sar", "isr")
UNCERTAIN = "references nearly dependent: SIR, SAR and ISR are uncertain"


def make_signals(n_sources, n_samples=6000, n_channels=None, *, pole=0.0, distance=0.1, seed=0):
    """Coloured noise as references; with leakage and other noise as estimates."""
    random = np.random.default_rng(seed)
    shape = (n_sources, n_samples) + ((n_channels,) if n_channels else ())
    references, noise = (
        lfilter([1], [1, -pole], random.standard_normal(shape), axis=1) for _ in range(2)
    )
    return references, references + distance * (references.sum(axis=0) + noise)


def columns(scores):
    """All scores [shape=(n_metrics, n_sources, n_windows)]."""
    return np.array([getattr(scores, name) for name in METRICS])


def assert_like_mir_eval(references, estimates, *, atol=1e-9, **options):
    """The scores and notes of both engines are the same."""
    own = bss_eval(references, estimates, **options)
    other = bss_eval(references, estimates, engine="mir_eval", **options)
    # Rounding errors of about 1e-16 of an energy are 1e-12 dB in scores of up to 30 dB.
    assert_allclose(columns(own), columns(other), rtol=0, atol=atol)
    assert_array_equal(own.notes, other.notes)
    assert_array_equal(own.permutation, other.permutation)
    return own


@pytest.mark.parametrize(
    ("mode", "n_sources", "n_channels", "pole"),
    [
        ("sources", 1, None, 0.0),
        ("sources", 3, None, 0.99),
        ("images", 1, 2, 0.9),
        ("images", 3, None, 0.999),
        ("images", 2, 2, 0.99),
    ],
)
def test_random_and_coloured_signals_score_as_by_mir_eval(mode, n_sources, n_channels, pole):
    references, estimates = make_signals(n_sources, n_channels=n_channels, pole=pole)
    scores = assert_like_mir_eval(references, estimates, mode=mode)
    assert not any(scores.notes.flat)


@pytest.mark.slow
def test_eight_sources_score_as_by_mir_eval():
    # The steps of its bss_eval_sources, for one estimate: all eight take 10 s.
    from mir_eval.separation import _bss_decomp_mtifilt, _bss_source_crit

    references, estimates = make_signals(8)
    scores = bss_eval(references, estimates)
    expected = _bss_source_crit(*_bss_decomp_mtifilt(references, estimates[5], 5, 512))
    assert_allclose(columns(scores)[:3, 5, 0], expected, rtol=0, atol=1e-9)


@pytest.mark.parametrize("mode", ["sources", "images"])
def test_high_scores_are_mir_evals(mode):
    references, estimates = make_signals(2, distance=1.4e-3)
    # At 60 dB a rest is 1e-6 of the energy, known to some 1e-15: 1e-9 of it, or 1e-8 dB.
    scores = assert_like_mir_eval(references, estimates, mode=mode, atol=1e-6)
    assert 54 < scores.sar.max() < 60


def test_identical_signals_score_as_high_as_rounding_lets_them():
    references, _ = make_signals(2)
    highest = 10 * np.log10(1 / EPS)  # 157 dB
    for mode in ("sources", "images"):
        scores = columns(bss_eval(references, references, mode=mode))[: 3 + (mode == "images")]
        # mir_eval's are about 300 dB, or infinite: no more than rounding, either.
        assert (columns(bss_eval(references, references, engine="mir_eval"))[:3] > 200).all()
        assert (scores > 130).all()
        assert (scores < highest + 1e-9).all()


@pytest.mark.parametrize("mode", ["sources", "images"])
def test_near_silent_sources_score_as_by_mir_eval(mode):
    references, estimates = make_signals(2)
    references[0] *= 1e-9
    estimates[1] *= 1e-6
    assert_like_mir_eval(references, estimates, mode=mode)


def test_levels_do_not_matter_to_sources():
    references, estimates = make_signals(3)
    scores = bss_eval(references, estimates)
    levels = np.array([[1e-12], [1.0], [1e6]])
    quiet = bss_eval(references * levels, estimates * levels[::-1])
    # mir_eval itself changes by 1e-4 dB here.
    assert_allclose(columns(quiet)[:3], columns(scores)[:3], rtol=0, atol=1e-9)


def test_near_silence_beside_a_loud_window_keeps_its_digits():
    references, estimates = make_signals(2)
    references[:, 2000:4000] *= 1e-9
    estimates[:, 2000:4000] *= 1e-9
    windows = bss_eval(references, estimates, window=2000, hop=1000)
    alone = bss_eval(references[:, 2000:4000], estimates[:, 2000:4000])
    # The window's own rounding errors, no matter what is before and after it.
    assert_allclose(columns(windows)[:3, :, 2], columns(alone)[:3, :, 0], rtol=0, atol=1e-9)


def test_single_precision_is_scored_in_double():
    single = [signals.astype(np.float32) for signals in make_signals(2)]
    double = [signals.astype(np.float64) for signals in single]
    assert_array_equal(columns(bss_eval(*single)), columns(bss_eval(*double)))
    assert_like_mir_eval(*single)


def test_the_best_permutation_is_that_of_mir_eval():
    from mir_eval.separation import bss_eval_sources

    references, estimates = make_signals(3, 3000, seed=1)
    estimates = estimates[[2, 0, 1]]
    scores = bss_eval(references, estimates, permutation=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        *expected, order = bss_eval_sources(references, estimates, compute_permutation=True)
    assert scores.permutation[:, 0].tolist() == order.tolist() == [1, 2, 0]
    assert_allclose(columns(scores)[:3, :, 0], expected, rtol=0, atol=1e-9)


@pytest.mark.parametrize("mode", ["sources", "images"])
def test_both_engines_find_the_same_permutation(mode):
    references, estimates = make_signals(2, 3000)
    scores = assert_like_mir_eval(references, estimates[::-1], mode=mode, permutation=True)
    assert scores.permutation[:, 0].tolist() == [1, 0]


def test_silent_sources_are_matched_with_what_is_left():
    references, estimates = make_signals(3, 3000)
    references[0] = 0
    estimates = estimates[[2, 0, 1]]
    estimates[0] = 0  # of source 2
    scores = assert_like_mir_eval(references, estimates, permutation=True)
    # The estimate of source 0 is left for source 2, whose own is silent.
    assert scores.permutation[:, 0].tolist() == [0, 2, 1]
    assert scores.notes[:, 0].tolist() == ["silent reference and estimate", "", ""]
    references[1] = 0
    scores = bss_eval(references, estimates[[1, 0, 2]], permutation=True)
    assert scores.notes[2, 0] == "no other reference sounds"
    assert scores.permutation[2, 0] in (0, 2)


def test_windows_choose_their_permutations_apart():
    references, estimates = make_signals(2)
    estimates[:, 3000:] = estimates[::-1, 3000:].copy()
    scores = bss_eval(references, estimates, window=3000, hop=3000, permutation=True)
    assert scores.permutation.tolist() == [[0, 1], [1, 0]]
    plain = bss_eval(references, estimates, window=3000, hop=3000)
    assert plain.permutation.tolist() == [[0, 0], [1, 1]]


@pytest.mark.parametrize(
    ("window", "hop"), [(3000, 1500), (2500, 700), (2000, 1990), (1500, 2100), (400, 150)]
)
def test_correlations_are_sums_within_each_window(window, hop):
    x, y = (make_signals(2, 9000, seed=seed)[0] for seed in (3, 4))
    starts = np.arange(0, 9000 - window + 1, hop)
    found = correlate_windows(x, y, starts, window)
    for start, correlations in zip(starts, found, strict=True):
        part = slice(start, start + window)
        for i in range(2):
            for j in range(2):
                padded = np.pad(y[j, part], (0, 511))
                expected = np.correlate(padded, x[i, part], "valid")
                # Energies are up to 3000, and an FFT's rounding errors 1e-15 of that.
                assert_allclose(correlations[i, j], expected, rtol=0, atol=1e-10)


def test_gram_matrix_is_that_of_delayed_signals():
    signals = np.random.default_rng(1).standard_normal((2, 700))
    delayed = np.array([np.pad(s, (d, 511 - d)) for s in signals for d in range(512)])
    correlations = correlate_windows(signals, signals, np.zeros(1, int), 700)[0]
    # Entries are up to 700; the FFT's rounding errors are about 1e-16 of that.
    assert_allclose(gram_matrix(correlations), delayed @ delayed.T, rtol=0, atol=1e-10)


def test_reciprocal_condition_is_near_that_of_the_inverse():
    signals = np.random.default_rng(2).standard_normal((2, 3000))
    signals[1] *= 1e-5  # the level of a signal doesn't matter
    correlations = correlate_windows(signals, signals, np.zeros(1, int), 3000)[0]
    gram = gram_matrix(correlations)
    unit = np.sqrt(np.diag(gram))
    exact = 1 / np.linalg.cond(gram / np.outer(unit, unit), 1)
    # LAPACK's estimate never is below the truth, and within a factor of 3 in practice.
    assert exact * 0.999 < Projection(correlations).reciprocal_condition < 3 * exact


def make_low_passed(n_samples=12000):
    """References without anything above a quarter of the sampling rate; estimates likewise."""
    references, estimates = make_signals(2, n_samples, pole=0.9)
    fade = np.zeros(n_samples)
    fade[1000:-2000] = np.hanning(n_samples - 3000)
    low_pass = butter(10, 0.5, output="sos")
    return [sosfiltfilt(low_pass, signals * fade, axis=1) for signals in (references, estimates)]


def test_empty_bands_leave_the_sdr_right_and_the_others_flagged():
    references, estimates = make_low_passed()
    scores = bss_eval(references, estimates)
    assert set(scores.notes.flat) == {UNCERTAIN}
    estimate = np.pad(estimates[0], (0, 511))
    delayed = toeplitz(np.pad(references[0], (0, 511)), np.zeros(512))
    # Orthogonal directions: the condition of these is the root of the Gram matrix's.
    basis = qr(delayed, mode="economic", overwrite_a=True, check_finite=False)[0]
    target = basis @ (basis.T @ estimate)
    expected = 10 * np.log10(target @ target / ((estimate - target) @ (estimate - target)))
    # 512 taps fit at most 512 of the noise's 6000 degrees of freedom, 0.4 dB. Some of them are in
    # the empty band: measured 0.02 dB, as with mir_eval.
    assert scores.sdr[0, 0] == pytest.approx(expected, abs=0.05)
    images = bss_eval(references, estimates, mode="images")
    assert set(images.notes.flat) == {UNCERTAIN}
    errors = ((estimates - references) ** 2).sum(axis=1)
    expected = 10 * np.log10((references**2).sum(axis=1) / errors)
    # No filter is involved in this one.
    assert_allclose(images.sdr[:, 0], expected, rtol=0, atol=1e-9)


def test_scores_in_empty_bands_do_not_depend_on_the_order_of_sources():
    references, estimates = make_low_passed()
    scores = bss_eval(references, estimates)
    reverse = bss_eval(references[::-1], estimates[::-1])
    # 512 eps of loading bounds the filters, so that rounding errors of eps stay small: measured
    # up to 2e-4 dB. mir_eval's change by up to 20 dB.
    assert_allclose(columns(scores)[:3], columns(reverse)[:3, ::-1], rtol=0, atol=1e-3)


def test_rounding_to_16_bit_fills_empty_bands():
    references, estimates = (np.round(x / 8 * 32768) / 32768 for x in make_low_passed())
    scores = assert_like_mir_eval(references, estimates)
    assert not any(scores.notes.flat)


def test_projections_that_have_no_factor_are_flagged_and_finite():
    signals = np.repeat(np.random.default_rng(0).standard_normal((1, 3000)), 2, axis=0)
    correlations = correlate_windows(signals, signals, np.zeros(1, int), 3000)[0]
    projection = Projection(correlations)
    assert projection.reciprocal_condition < SINGULAR
    # Its own signal is in the span: only the loading's share is lost.
    energies = projection.energies(correlations[:, :1])
    assert_allclose(energies, correlations[0, 0, 0], rtol=1024 * EPS)


def test_stereo_copies_score_as_mono():
    references, estimates = make_signals(2, 3000)
    mono = bss_eval(references, estimates, mode="images")
    stereo = bss_eval(*(np.stack([x, x], axis=2) for x in (references, estimates)), mode="images")
    assert not any(stereo.notes.flat)
    # The same equations, with sums of twice as many products: rounding errors of energies of 1e-15.
    assert_allclose(columns(stereo), columns(mono), rtol=0, atol=1e-11)


def test_multiples_of_a_channel_score_as_mono_but_are_noted():
    references, estimates = make_signals(2, 3000)
    mono = bss_eval(references, estimates, mode="images")
    stereo = (np.stack([x, 0.5 * x], axis=2) for x in (references, estimates))
    panned = bss_eval(*stereo, mode="images")
    assert set(panned.notes.flat) == {UNCERTAIN}
    # The loading takes 1e-13 of energies, so 1e-11 of the rest at 20 dB.
    assert_allclose(columns(panned), columns(mono), rtol=0, atol=1e-8)


def test_a_silent_channel_adds_nothing():
    references, estimates = make_signals(2, 3000)
    mono = bss_eval(references, estimates, mode="images")
    left = [np.stack([x, np.zeros_like(x)], axis=2) for x in (references, estimates)]
    panned = bss_eval(*left, mode="images")
    assert not any(panned.notes.flat)
    assert_allclose(columns(panned), columns(mono), rtol=0, atol=1e-9)


@pytest.fixture
def made(monkeypatch):
    """How many Gram matrices were factorised: the list grows by one for each."""
    made = []

    class Counted(Projection):
        def __init__(self, correlations):
            made.append(len(correlations))
            super().__init__(correlations)

    monkeypatch.setattr(engine, "Projection", Counted)
    return made


def test_references_are_factorised_once(made):
    references, estimates = make_signals(2)
    prepared = References(references, window=3000, hop=3000)
    first = prepared.score(estimates)
    assert made == [2, 1, 1] * 2
    second = prepared.score(estimates[::-1])
    assert len(made) == 6
    for scores, signals in ((first, estimates), (second, estimates[::-1])):
        alone = bss_eval(references, signals, window=3000, hop=3000)
        assert_array_equal(columns(scores), columns(alone))


def test_factors_that_do_not_fit_are_made_again(made, monkeypatch):
    references, estimates = make_signals(2)
    # One window's factors: triangles of 1024 and twice 512 rows in double precision.
    monkeypatch.setattr(engine, "_KEPT_BYTES", 8 * (1024 * 1025 + 2 * 512 * 513) // 2)
    prepared = References(references, window=3000, hop=3000)
    first = prepared.score(estimates)
    second = prepared.score(estimates)
    assert len(made) == 6 + 3
    assert_array_equal(columns(first), columns(second))


def test_estimates_of_another_shape_are_refused():
    prepared = References(np.ones((2, 9)))
    with pytest.raises(HiphopssError, match=r"shape \(2, 9\), estimates \(2, 8\)"):
        prepared.score(np.ones((2, 8)))
