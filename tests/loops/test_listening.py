"""What listeners would hear of the use of loops: no clicks, no jumps, no musical noise."""

from dataclasses import replace

import numpy as np
import pytest
from helpers.listening import looped_stems, plain_stems
from helpers.looped_song import looped_song

from hiphopss.config import SOURCES, SignalConfig
from hiphopss.eval.artefacts import clicks, level_steps, musical_noise
from hiphopss.eval.baselines.bounds import ideal_ratio_masked
from hiphopss.loops import separator as loops
from hiphopss.loops.beat import Constants
from hiphopss.separation.separator import Separator

SOURCE_NUMBERS = range(len(SOURCES))
N_BARS = 7
JUMPS = 0.1  # dB, one audible jump at ten borders
MARGIN = 0.3  # a mask that is open at random in half of all bins adds 0.37


@pytest.fixture(scope="module")
def network():
    return Separator.from_weights()


@pytest.fixture(scope="module")
def song():
    return looped_song(N_BARS)


@pytest.fixture(scope="module")
def plain(network, song):
    return plain_stems(network, song[0])


@pytest.fixture(scope="module")
def ideal(song):
    mixture, true = song
    return ideal_ratio_masked(true[:, :, None], mixture[:, None], SignalConfig())[:, :, 0]


@pytest.fixture(scope="module")
def looped(network, song):
    """The stems, and the middles of where one block of frames fades into the next."""
    stems, borders = looped_stems(network, song[0])
    assert len(borders)  # a loop was found
    return stems, borders


def test_the_song_is_one_that_loops_help(song, plain, looped):
    def error(stems):
        return np.square(stems - song[1]).sum()

    assert error(looped[0]) < 0.9 * error(plain)


@pytest.mark.parametrize("source", SOURCE_NUMBERS)
def test_stems_have_no_clicks(song, plain, looped, source):
    mixture, true = song
    for stems in (plain, looped[0]):
        assert not len(clicks(stems[source], mixture, true[source]))


def test_levels_do_not_jump_where_blocks_meet(network, song):
    """Compared with borders elsewhere, as music steps wherever it wants to.

    The song has six copies of each place; blocks that use only three of them change more.
    """
    mixture, true = song
    few = replace(Constants(), most_copies=3)
    stems, places = looped_stems(network, mixture, constants=few)
    elsewhere, _ = looped_stems(network, mixture, constants=few, block=23)
    assert np.abs(stems - elsewhere).max() > 0.01  # the borders matter

    def excess(stems):
        found = [level_steps(stems[source], true[source], places) for source in SOURCE_NUMBERS]
        assert found[0].n_places > 12
        return np.mean([one.excess for one in found])

    assert excess(stems) < excess(elsewhere) + JUMPS
    block = np.searchsorted(places, np.arange(len(mixture)))  # every other one 2 dB louder:
    assert excess(np.where(block % 2, 1, 10**0.1) * stems) > excess(elsewhere) + JUMPS


@pytest.mark.parametrize("source", SOURCE_NUMBERS)
def test_musical_noise_is_that_of_the_network_or_of_a_perfect_mask(
    song, plain, looped, ideal, source
):
    mixture, true = song
    ours, *theirs = (
        musical_noise(x[source], true[source], mixture) for x in (looped[0], plain, ideal)
    )
    assert ours < max(theirs) + MARGIN


def test_parts_of_a_long_song_meet_without_a_click(network, song, monkeypatch):
    monkeypatch.setattr(loops, "_MOST_SECONDS", 8.0)
    monkeypatch.setattr(loops, "_FADE_SECONDS", 1.0)
    mixture, true = song
    stems = plain_stems(loops.LoopSeparator(network), mixture)
    for source in SOURCE_NUMBERS:
        assert not len(clicks(stems[source], mixture, true[source]))
    np.testing.assert_allclose(stems.sum(axis=0), mixture, atol=1e-4)
