"""New mixtures of stems: batches against the transform of samples that are mixed by hand."""

import numpy as np
import pytest
from helpers.short_songs import CONFIG, RATE

from hiphopss import SOURCES
from hiphopss.adaptation.material import Piece
from hiphopss.adaptation.mixing import EVERY, MixedBatches
from hiphopss.adaptation.settings import Augmentation

PLAIN = Augmentation(apart=0, gain_db=0, speed=0, silent=0)


def pieces(n=2):
    return [
        Piece(
            f"{number}",
            np.random.default_rng(number).integers(-9999, 9999, (4, 7 * RATE)).astype(np.int16),
            1e-4,
        )
        for number in range(n)
    ]


def first(augmentation, seed=0, size=6, songs=None):
    mixed = MixedBatches(songs or pieces(), CONFIG, augmentation, seed=seed)
    return next(mixed.batches(1, size))


def test_shapes_and_frames():
    mixture, frames, targets = first(Augmentation())
    assert mixture.shape == (6, CONFIG.context, CONFIG.bins)
    assert targets.shape == (6, len(SOURCES), CONFIG.context // EVERY, CONFIG.bins)
    assert (frames == frames[0]).all()
    assert (np.diff(frames[0]) == EVERY).all()
    assert frames.max() < CONFIG.context


def test_without_augmentation_batches_are_patches_of_the_songs():
    songs = pieces(1)
    songs[0].stems[1:] = 0
    mixture, frames, targets = first(PLAIN, songs=songs)
    for patch, target, chosen in zip(mixture, targets, frames, strict=True):
        np.testing.assert_allclose(target[0], patch[chosen], rtol=1e-6)
        assert not target[1:].any()
    # the loudness of the song's own patches: scale, window and factor of the samples are as there
    noise = songs[0].samples()[0]
    window = np.sqrt(np.mean(np.square(np.blackman(64))))
    expected = CONFIG.scale * noise.std() * window
    assert np.sqrt(np.mean(np.square(mixture))) == pytest.approx(expected, rel=0.2)


def test_the_mixture_is_the_sum_of_stems_with_their_phases():
    songs = pieces(1)
    songs[0].stems[1] = -songs[0].stems[0]
    songs[0].stems[2:] = 0
    mixture, _, targets = first(PLAIN, songs=songs)
    assert targets[:, :2].max() > 0.01
    assert mixture.max() < 1e-5 * targets.max()  # they cancel, but for rounding


def test_stems_play_apart_or_together():
    songs = pieces(1)
    songs[0].stems[1:] = songs[0].stems[0]
    together, apart = (
        first(Augmentation(apart=share, gain_db=0, speed=0, silent=0), songs=songs)[2]
        for share in (0, 1)
    )
    np.testing.assert_allclose(together[:, 0], together[:, 1], rtol=1e-5)
    assert np.abs(apart[:, 0] - apart[:, 1]).max() > 0.1 * apart.max()


def test_a_stem_may_be_silent_but_not_all():
    targets = first(Augmentation(silent=0.9), size=60)[2]
    sounding = targets.any(axis=(2, 3))
    assert sounding.any(axis=1).all()
    assert not sounding.all()


def test_equal_seeds_give_equal_batches_and_others_do_not():
    for number, array in enumerate(first(Augmentation(), seed=3)):
        np.testing.assert_array_equal(array, first(Augmentation(), seed=3)[number])
    assert np.abs(first(Augmentation(), seed=3)[0] - first(Augmentation(), seed=4)[0]).max() > 0


def test_as_many_batches_as_asked_for(monkeypatch):
    monkeypatch.setattr("hiphopss.adaptation.mixing._EXCERPTS", 2)
    n_each = 2 * (128 - CONFIG.context + 1) // 100
    mixed = MixedBatches(pieces(), CONFIG, Augmentation(), seed=0)
    found = [batch[0] for batch in mixed.batches(2 * n_each + 1, 100)]
    assert len(found) == 2 * n_each + 1
    assert np.abs(found[0] - found[n_each]).max() > 0  # of new excerpts
