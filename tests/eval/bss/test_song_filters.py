"""BSS Eval v4: museval's numbers, window by window."""

import numpy as np
import pytest
from helpers.museval_reader import museval_metrics
from numpy.testing import assert_allclose, assert_array_equal
from scipy.signal import lfilter

from hiphopss.eval.bss.scores import ANOTHER_SILENT, without_silence
from hiphopss.eval.bss.song_filters import SongFilterReferences, song_windows


def make_signals(n_sources, n_channels=2, n_samples=5000):
    """Coloured noise as references; with leakage and other noise as estimates."""
    random = np.random.default_rng(n_sources)
    shape = n_sources, n_samples, n_channels
    references = lfilter([1], [1, -0.9], random.standard_normal(shape), axis=1)
    return references, references + 0.2 * references.sum(axis=0) + random.standard_normal(shape)


def score(references, estimates, window, hop):
    return without_silence(SongFilterReferences(references, window, hop).score(estimates))


def assert_like_museval(scores, references, estimates, window, hop):
    """The scores are museval's, and undefined where those are."""
    theirs = museval_metrics().bss_eval(references, estimates, window=window, hop=hop)
    ours = scores.sdr, scores.isr, scores.sir, scores.sar
    if len(references) == 1:  # no interference: theirs is the rounding errors'
        assert np.isinf(scores.sir).all()
        ours, theirs = (*ours[:2], ours[3]), (*theirs[:2], theirs[3])
    for own, other in zip(ours, theirs, strict=False):
        # Both solve the same equations, whose condition takes some of the 16 digits of energies.
        assert_allclose(own, other, rtol=0, atol=1e-8)


@pytest.mark.parametrize(
    ("n_sources", "n_channels", "window", "hop"),
    [(3, 1, 1000, 1000), (2, 2, 2500, 900), (1, 1, 3000, 3000), (1, 2, 9000, 9000)],
)
def test_windows_score_as_by_museval(n_sources, n_channels, window, hop):
    references, estimates = make_signals(n_sources, n_channels)
    scores = score(references, estimates, window, hop)
    assert_like_museval(scores, references, estimates, window, hop)
    assert scores.window_length == min(window, 5000)
    assert not any(scores.notes.flat)


def test_a_window_with_a_silent_source_has_no_scores():
    references, estimates = make_signals(3, 1)
    references[0, 1000:2000] = 0
    estimates[1, 3000:] = 0
    scores = score(references, estimates, 1000, 1000)
    assert_like_museval(scores, references, estimates, 1000, 1000)
    assert_array_equal(np.isnan(scores.sdr), 3 * [[False, True, False, True, True]])
    another = ANOTHER_SILENT
    assert scores.notes[:, 1].tolist() == ["silent reference", another, another]
    assert scores.notes[:, 3].tolist() == [another, "silent estimate", another]


def test_a_source_that_never_sounds_takes_no_scores_from_others():
    references, estimates = make_signals(3, 1)
    references[1] = 0
    scores = score(references, estimates, 1000, 1000)
    kept = [0, 2]
    alone = score(references[kept], estimates[kept], 1000, 1000)
    # The same equations, in which BLAS may add in another order.
    assert_allclose(scores.sir[kept], alone.sir, rtol=0, atol=1e-10)
    assert np.isnan(scores.sdr[1]).all()
    assert set(scores.notes[1]) == {"silent reference"}
    assert np.isinf(score(references[[0]], estimates[[0]], 1000, 1000).sir).all()


def test_nothing_that_sounds_is_no_error():
    scores = score(np.zeros((2, 3000, 2)), np.zeros((2, 3000, 2)), 1000, 1000)
    assert np.isnan(scores.sdr).all()
    assert set(scores.notes.flat) == {"silent reference and estimate"}


def test_mono_made_stereo_scores_as_mono():
    references, estimates = make_signals(2, 1)
    mono = score(references, estimates, 1000, 1000)
    stereo = score(*(np.repeat(x, 2, axis=2) for x in (references, estimates)), 1000, 1000)
    # The same equations, with twice the energies.
    assert_allclose(stereo.sar, mono.sar, rtol=0, atol=1e-10)
    assert not any(stereo.notes.flat)


def test_windows_are_full_ones():
    starts, length = song_windows(3999, 1000, 1000)
    assert (starts.tolist(), length) == ([0, 1000, 2000], 1000)
    assert song_windows(1000, 1000, 1000)[1] == song_windows(1000, 1001, 1)[1] == 1000
