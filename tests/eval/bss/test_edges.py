"""Scores at the edges: quiet songs, and sources that filters can't tell apart."""

import numpy as np
from numpy.testing import assert_allclose

from hiphopss.eval.bss.engine import UNCERTAIN
from hiphopss.eval.bss.ratios import si_sdr
from hiphopss.eval.bss.song_filters import SongFilterReferences


def test_si_sdr_of_a_quiet_song_is_that_of_a_loud_one():
    random = np.random.default_rng(0)
    references = random.standard_normal((2, 900, 2))
    estimates = references + 0.1 * random.standard_normal(references.shape)
    whole = np.zeros(1, int), 900
    quiet = si_sdr(1e-9 * references, 1e-9 * estimates, *whole)
    assert_allclose(quiet, si_sdr(references, estimates, *whole), atol=1e-9)


def test_sources_that_are_delayed_copies_are_noted():
    random = np.random.default_rng(1)
    first = np.pad(random.integers(-9, 10, (2800, 1)).astype(float), [(600, 600), (0, 0)])
    other = random.standard_normal((4000, 1))
    # Silence at the ends: filters of 512 taps make the one of the other without a rest.
    for second, note in ((np.roll(first, 7, axis=0), UNCERTAIN), (other, "")):
        references = np.stack([first, second])
        estimates = references + 0.1 * random.standard_normal(references.shape)
        scores = SongFilterReferences(references, 2000, 2000).score(estimates)
        assert set(scores.notes.flat) == {note}
