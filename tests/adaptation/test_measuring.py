"""Scores and errors of weights on pieces, against the project's own functions."""

import numpy as np
from helpers.networks import both_networks
from helpers.short_songs import CONFIG, INFO, RATE, stem

from hiphopss import SOURCES, bss_eval
from hiphopss.adaptation.material import Piece
from hiphopss.adaptation.measuring import RelativeError, sdr_of
from hiphopss.separation.separator import Separator, separate
from hiphopss.weights.files import network_arrays

STEMS = np.stack([stem(source, 7, 0) for source in SOURCES])
PIECE = Piece("song", np.round(STEMS * 1e5).astype(np.int16), 1e-5)


def test_sdr_is_that_of_the_separated_sum(keras):
    model, network = both_networks(INFO.fidelity, CONFIG)
    separator = Separator(network, CONFIG, INFO.fidelity)
    estimates = separate(PIECE.samples().sum(axis=0), RATE, weights=separator)
    expected = bss_eval(PIECE.samples(), [estimates[source] for source in SOURCES]).sdr[:, 0]
    found = sdr_of(PIECE, INFO, [network_arrays(model)])
    # Single precision in the separation, and energies whose difference has fewer digits.
    np.testing.assert_allclose(found, [expected], atol=0.01)


def test_the_error_is_0_for_the_truth_and_1_for_silence():
    error = RelativeError([PIECE, PIECE], CONFIG)

    def truth(mixture, frames):
        start = truth.n_done % len(error._targets)
        chosen = (start + np.arange(len(mixture))) % len(error._targets)
        truth.n_done += len(mixture)
        return error._targets[chosen]

    truth.n_done = 0
    assert error.of(truth, 48) == 0
    silence = error.of(lambda mixture, frames: np.zeros((48, *error._targets.shape[1:])), 48)
    np.testing.assert_allclose(silence, 1, rtol=1e-5)


def test_a_source_that_is_silent_does_not_count():
    whole = PIECE.stems.copy()
    whole[0] = 0
    error = RelativeError([Piece("song", whole, 1e-5)], CONFIG)
    silence = error.of(lambda mixture, frames: np.zeros((64, *error._targets.shape[1:])), 64)
    np.testing.assert_allclose(silence, 1, rtol=1e-5)
