"""BSS Eval: mir_eval's numbers, and silence that voids only its own score; with either engine."""

import warnings

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from hiphopss import HiphopssError
from hiphopss.eval.bss.ratios import si_sdr, usdr
from hiphopss.eval.bss.scores import BSS_ENGINES, bss_eval, window_layout

N_SAMPLES = 6000
WINDOW, HOP = 3000, 1500

each_engine = pytest.mark.parametrize("engine", BSS_ENGINES)
each_way = pytest.mark.parametrize(
    ("mode", "engine"), [("sources", "hiphopss"), ("images", "hiphopss"), ("sources", "mir_eval")]
)


def make_signals(n_sources=3, n_channels=None, seed=0):
    """Noise as references; references with leakage and noise as estimates."""
    random = np.random.default_rng(seed)
    shape = (n_sources, N_SAMPLES) if n_channels is None else (n_sources, N_SAMPLES, n_channels)
    references = random.standard_normal(shape)
    noise = random.standard_normal(shape)
    return references, references + 0.2 * references.sum(axis=0) + 0.1 * noise


def direct(name, references, estimates, **options):
    """What mir_eval itself says."""
    from mir_eval import separation

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        return getattr(separation, name)(
            references, estimates, compute_permutation=False, **options
        )


def columns(scores, window=0):
    """Scores of one window [shape=(n_metrics, n_sources)]."""
    return np.array([getattr(scores, name)[:, window] for name in ("sdr", "sir", "sar", "isr")])


def assert_scores(found, wanted, engine):
    """The same scores: with mir_eval bit by bit."""
    # Rounding errors of 1e-16 of an energy are 1e-13 dB at these scores of 5 to 25 dB.
    assert_allclose(found, wanted, rtol=0, atol=0 if engine == "mir_eval" else 1e-10)


@each_engine
def test_sources_are_mir_evals_numbers(engine):
    references, estimates = make_signals(2)
    scores = bss_eval(references, estimates, engine=engine)
    sdr, sir, sar, _ = direct("bss_eval_sources", references, estimates)
    assert_scores(columns(scores)[:3], [sdr, sir, sar], engine)
    assert np.isnan(scores.isr).all()
    assert scores.sdr.shape == scores.notes.shape == (2, 1)
    assert not any(scores.notes.flat)


@each_engine
@pytest.mark.parametrize("n_channels", [None, 2])
def test_images_are_mir_evals_numbers(n_channels, engine):
    references, estimates = make_signals(2, n_channels)
    scores = bss_eval(references, estimates, mode="images", engine=engine)
    sdr, isr, sir, sar, _ = direct("bss_eval_images", references, estimates)
    assert_scores(columns(scores), [sdr, sir, sar, isr], engine)


@each_way
def test_windows_are_those_of_mir_eval(mode, engine):
    references, estimates = make_signals(2)
    scores = bss_eval(references, estimates, mode=mode, window=WINDOW, hop=HOP, engine=engine)
    expected = direct(f"bss_eval_{mode}_framewise", references, estimates, window=WINDOW, hop=HOP)
    names = ("sdr", "sir", "sar") if mode == "sources" else ("sdr", "isr", "sir", "sar")
    for name, values in zip(names, expected, strict=False):
        assert_scores(getattr(scores, name), values, engine)
    assert scores.window_starts.tolist() == [0, 1500, 3000]


def test_fewer_than_two_windows_are_the_whole_signal():
    references, estimates = make_signals(2)
    whole = bss_eval(references, estimates)
    scores = bss_eval(references, estimates, window=4000, hop=2001)
    assert_array_equal(scores.sdr, whole.sdr)
    assert_scores(
        scores.sdr,
        direct("bss_eval_sources_framewise", references, estimates, window=4000, hop=2001)[0],
        "hiphopss",
    )


def test_default_hop_is_half_a_window():
    starts, length = window_layout(10, 4, None)
    assert starts.tolist() == [0, 2, 4, 6]
    assert length == 4


@each_way
def test_silent_reference_voids_only_its_own_score(mode, engine):
    references, estimates = make_signals()
    references[1] = 0
    scores = bss_eval(references, estimates, mode=mode, engine=engine)
    rest = bss_eval(references[[0, 2]], estimates[[0, 2]], mode=mode, engine=engine)
    assert np.isnan(columns(scores)[:, 1]).all()
    assert_scores(columns(scores)[:, [0, 2]], columns(rest), engine)
    assert scores.notes[:, 0].tolist() == ["", "silent reference", ""]


@each_way
def test_silent_estimate_leaves_the_others_as_if_it_sounded(mode, engine):
    references, estimates = make_signals()
    whole = bss_eval(references, estimates, mode=mode, engine=engine)
    estimates[1] = 0
    scores = bss_eval(references, estimates, mode=mode, engine=engine)
    assert np.isnan(columns(scores)[:, 1]).all()
    assert_scores(columns(scores)[:, [0, 2]], columns(whole)[:, [0, 2]], engine)
    assert scores.notes[:, 0].tolist() == ["", "silent estimate", ""]


@each_engine
def test_silence_of_several_kinds_at_once(engine):
    references, estimates = make_signals(4)
    references[1] = estimates[1] = 0
    whole = bss_eval(references[[0, 2, 3]], estimates[[0, 2, 3]], engine=engine)
    estimates[3] = 0
    scores = bss_eval(references, estimates, engine=engine)
    assert_scores(columns(scores)[:3, [0, 2]], columns(whole)[:3, [0, 1]], engine)
    assert scores.notes[:, 0].tolist() == [
        "",
        "silent reference and estimate",
        "",
        "silent estimate",
    ]


@each_engine
def test_silence_in_one_window_leaves_the_other_windows(engine):
    references, estimates = make_signals(2)
    how = {"window": 2000, "hop": 2000, "engine": engine}
    whole = bss_eval(references, estimates, **how)
    references[1, :2000] = 0
    estimates[0, 2000:4000] = 0
    scores = bss_eval(references, estimates, **how)
    assert np.isnan(scores.sdr).tolist() == [[False, True, False], [True, False, False]]
    assert_scores(columns(scores, 1)[:, 1], columns(whole, 1)[:, 1], engine)
    assert_scores(columns(scores, 2), columns(whole, 2), engine)
    alone = bss_eval(references[:1, :2000], estimates[:1, :2000], engine=engine)
    assert_scores(columns(scores, 0)[:, :1], columns(alone), engine)


@each_engine
def test_all_silent_is_no_error(engine):
    scores = bss_eval(np.zeros((2, 1000)), np.ones((2, 1000)), engine=engine)
    assert np.isnan(scores.sdr).all()
    assert set(scores.notes.flat) == {"silent reference"}


@each_engine
def test_alone_a_source_has_no_interference(engine):
    references, estimates = make_signals(2)
    references[1] = 0
    scores = bss_eval(references, estimates, engine=engine)
    assert scores.sir[0, 0] == np.inf
    assert scores.notes[0, 0] == "no other reference sounds"


@each_engine
def test_references_without_a_solution_get_a_note(engine):
    # Squares underflow: the equations are 0 = 0. mir_eval's own way out gives minus infinity, or
    # fails where NumPy has no `linalg.linalg` any more: one answer for all.
    references, estimates = make_signals(2)
    scores = bss_eval(1e-200 * references, estimates, engine=engine)
    assert np.isnan(scores.sdr).all()
    assert set(scores.notes.flat) == {"references dependent: not determined"}


@each_engine
def test_channels_that_are_multiples_get_a_note(engine):
    references, estimates = make_signals(2, 2)
    references[..., 1] = 0.5 * references[..., 0]
    scores = bss_eval(references, estimates, mode="images", engine=engine)
    assert np.isfinite(scores.sdr).all()
    assert set(scores.notes.flat) == {"references nearly dependent: SIR, SAR and ISR are uncertain"}


def test_one_channel_is_squeezed():
    references, estimates = make_signals(2)
    scores = bss_eval(references[..., None], estimates[..., None])
    assert_array_equal(scores.sdr, bss_eval(references, estimates).sdr)


@pytest.mark.parametrize(
    ("references", "estimates", "options", "message"),
    [
        (np.ones((2, 9)), np.ones((2, 8)), {}, r"\(2, 9\).*\(2, 8\)"),
        (np.ones(9), np.ones(9), {}, r"shape \(9,\)"),
        (np.ones((2, 9)), [np.ones(9), np.ones(8)], {}, "estimates: sources differ in shape"),
        (np.ones((2, 0)), np.ones((2, 0)), {}, r"shape \(2, 0\)"),
        (np.ones((2, 9, 2)), np.ones((2, 9, 2)), {}, "mode='images'"),
        (np.ones((2, 9)), np.ones((2, 9)), {"mode": "image"}, "sources, images"),
        (np.ones((2, 9)), np.ones((2, 9)), {"engine": "museval"}, "hiphopss, mir_eval"),
        (np.ones((2, 9)), np.ones((2, 9)), {"hop": 3}, "without a window"),
        (np.ones((2, 9)), np.ones((2, 9)), {"window": 0}, "must be positive"),
        (np.ones((2, 9)), np.ones((2, 9)), {"window": 4, "hop": -1}, "must be positive"),
        (np.ones((2, 9)), np.array([9 * [1.0], 8 * [1.0] + [np.nan]]), {}, "estimates: source 1"),
        (np.array([9 * [np.inf], 9 * [1.0]]), np.ones((2, 9)), {}, "references: source 0"),
    ],
)
def test_what_cant_be_scored_is_said_in_one_line(references, estimates, options, message):
    with pytest.raises(HiphopssError, match=message) as caught:
        bss_eval(references, estimates, **options)
    assert "\n" not in str(caught.value)


def test_mir_evals_deprecation_is_not_passed_on():
    references, estimates = make_signals(2)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        bss_eval(references, estimates, mode="images", engine="mir_eval")


@each_way
def test_no_scores_where_filters_fit_anything(mode, engine):
    """Two references have 1024 copies: of 513 samples and 511 more, they make up anything."""
    references, estimates = make_signals(n_sources=2)
    short, filled, enough = (
        bss_eval(references[:, :n], estimates[:, :n], mode=mode, engine=engine)
        for n in (512, 513, 514)
    )
    assert np.isnan([short.sdr, short.sir, short.sar, short.isr]).all()
    told = {"too short: BSS Eval needs more than 512 samples"}
    assert set(short.notes.flat) == told
    assert np.isfinite(filled.sdr).all()
    assert np.isnan([filled.sir, filled.sar]).all()
    assert all("SIR and SAR are not determined" in note for note in filled.notes.flat)
    assert np.isfinite([enough.sdr, enough.sir, enough.sar]).all()
    windows = bss_eval(references, estimates, mode=mode, engine=engine, window=512, hop=2000)
    assert np.isnan(windows.sdr).all()
    assert set(windows.notes.flat) == told


@pytest.mark.parametrize(
    ("shape", "told"),
    [
        ((32000, 2), r"shape \(32000, 2\) is 32000 sources of 2 samples: transpose it"),
        ((40, 4), "40 sources of 4 samples"),
        ((4, 2, 30000), "30000 channels of 2 samples"),
        ((4, 30000, 65), "65 channels of 30000 samples"),
    ],
)
def test_a_transposed_array_is_called_that(shape, told):
    with pytest.raises(HiphopssError, match=told):
        bss_eval(np.ones(shape), np.ones(shape), mode="images")
    ratios = (lambda x: usdr(x, x), lambda x: si_sdr(x, x, np.zeros(1, int), 2))
    for ratio in ratios:
        with pytest.raises(HiphopssError, match="transpose it"):
            ratio(np.ones(shape if len(shape) == 3 else (*shape, 1)))
