"""Scores and errors of weights on pieces, against the project's own functions."""

import numpy as np
import pytest
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
    estimates = separate(PIECE.samples().sum(axis=0), RATE, weights=separator, loops="off")
    expected = bss_eval(PIECE.samples(), [estimates[source] for source in SOURCES]).sdr[:, 0]
    found = sdr_of(PIECE, INFO, [network_arrays(model)])
    # Single precision in the separation, and energies whose difference has fewer digits.
    np.testing.assert_allclose(found, [expected], atol=0.01)


@pytest.mark.parametrize("n_pieces", [1, 2, 3])
def test_the_error_is_the_mean_in_db_over_pieces_and_sources_that_sound(n_pieces):
    quiet = Piece("quiet", np.where(np.arange(4)[:, None] == 0, 0, PIECE.stems // 10), 1e-5)
    error = RelativeError([PIECE, quiet, PIECE][:n_pieces], CONFIG)
    share = np.array([0.1, 0.5, 1.0, 0.01])[:, None, None]
    given = []

    def estimates(mixture, frames):
        """The truth, less a share of each source."""
        first = sum(map(len, given)) % len(error._targets)
        given.append(mixture)
        chosen = np.arange(first, first + len(mixture)) % len(error._targets)
        np.testing.assert_array_equal(mixture, error._mixtures[chosen])
        return error._targets[chosen] * (1 - share)

    decibels = 20 * np.log10(share[:, 0, 0])
    expected = [decibels, decibels[1:], decibels][:n_pieces]
    np.testing.assert_allclose(error.of(estimates, 48), np.concatenate(expected).mean(), rtol=1e-3)
