"""The factorisation baseline, on sources whose spectra tell them apart."""

import json
import shutil

import numpy as np
import pytest
import soundfile
from helpers.eval_songs import estimated, run
from helpers.hhds import write_musdb, write_songs
from helpers.songs import warned, write_song
from numpy.testing import assert_allclose, assert_array_equal

from hiphopss import SOURCES, HiphopssError, SignalConfig
from hiphopss.datasets.songs import find_songs, read_songs
from hiphopss.eval.baselines.nmf import SupervisedNmf, learn_dictionaries, nmf_masked

RATE = 8000
N_SAMPLES = 2 * RATE
CONFIG = SignalConfig()


def make_stems(seed):
    """A few notes a source, in bands of their own, that start at random."""
    random = np.random.default_rng(seed)
    time = np.arange(N_SAMPLES) / RATE
    stems = {}
    for source, pitches in zip(
        SOURCES, ((900, 1100), (60, 90), (3000, 3400), (1900, 2300)), strict=True
    ):
        notes = [
            np.sin(2 * np.pi * pitch * time) * (time > random.uniform(0, 1)) for pitch in pitches
        ]
        stems[source] = 0.1 * sum(notes) + 1e-4 * random.standard_normal(N_SAMPLES)
    return stems


@pytest.fixture
def dataset(tmp_path):
    """Two songs to train on, one of them without vocals, and one to test on."""
    for seed, (subset, song) in enumerate((("Dev", "a"), ("Dev", "b"), ("Test", "c"))):
        write_song(tmp_path / "data", subset, song, make_stems(seed), gain=0.7, rate=RATE)
    (tmp_path / "data/Sources/Dev/b/vocals.wav").unlink()
    return tmp_path / "data"


def songs_of(dataset, subset):
    return read_songs(dataset, (subset,))


def test_sources_of_their_own_spectra_are_told_apart(dataset):
    (song,) = songs_of(dataset, "Test")
    baseline = SupervisedNmf(dataset, [song], n_components=3)
    mixture, _ = soundfile.read(dataset / "Mixtures/Test/c/mixture.wav")
    estimates = estimated(baseline, song)[:, :, 0]
    # In single precision.
    assert_allclose(estimates.sum(axis=0), mixture, atol=1e-6)
    truth = 0.7 * np.array(list(make_stems(2).values()))
    errors = np.square(estimates - truth).sum(axis=1) / np.square(truth).sum(axis=1)
    # Half of the rest is in frames where a note starts: the others do better than 20 dB.
    assert 10 * np.log10(errors).max() < -12
    assert baseline.record == {
        "model": "NMF",
        "n_components": 3,
        "seed": 0,
        "trained_on": ["a", "b"],
        "config": json.loads(CONFIG.to_json()),
    }


def test_the_seed_fixes_it(dataset):
    train, test = songs_of(dataset, "Dev"), songs_of(dataset, "Test")
    one, again, two = (
        estimated(SupervisedNmf(train, test, n_components=3, seed=seed), test[0])
        for seed in (1, 1, 2)
    )
    assert_array_equal(one, again)
    assert not np.array_equal(one, two)


def test_dictionaries_are_spectra_at_the_mixtures_rate(dataset):
    songs = read_songs(dataset, ("Dev",))
    for rate in (RATE, 16000):
        spectra = learn_dictionaries(songs, rate, n_components=2, seed=0, config=CONFIG)
        assert spectra.shape == (4, 2, CONFIG.bins)
        assert spectra.min() >= 0
        # Sums of some hundred numbers in single precision.
        assert_allclose(spectra.sum(axis=2), 1, atol=1e-5)
        peak = spectra[SOURCES.index("drums")].sum(axis=0).argmax() * rate / CONFIG.frame
        assert 2900 < peak < 3500


def test_every_channel_is_masked_by_itself_and_silence_shared():
    random = np.random.default_rng(0)
    dictionaries = random.random((4, 3, CONFIG.bins)).astype(np.float32)
    dictionaries /= dictionaries.sum(axis=2, keepdims=True)
    mixture = 0.1 * random.standard_normal((3000, 2))
    mixture[:, 1] = 0
    estimates = nmf_masked(mixture, dictionaries, CONFIG)
    # The masks add up to 1 to single precision.
    assert_allclose(estimates.sum(axis=0), mixture, atol=1e-6)
    assert not estimates[..., 1].any()
    alone = nmf_masked(mixture[:, :1], dictionaries, CONFIG)
    assert_array_equal(estimates[..., :1], alone)
    # The masks don't depend on how loud the mixture is.
    assert_allclose(
        nmf_masked(1e-3 * mixture[:, :1], dictionaries, CONFIG), 1e-3 * alone, atol=1e-9
    )


def test_what_cant_be_is_named(dataset, tmp_path):
    songs = find_songs(dataset)
    with pytest.raises(HiphopssError, match=r"bass\.wav: a song to train on and to test"):
        SupervisedNmf(songs, songs[:1])
    with pytest.raises(HiphopssError, match="0 components: give 1 or more"):
        SupervisedNmf(dataset, songs_of(dataset, "Test"), n_components=0)
    shutil.copytree(dataset / "Sources/Test", tmp_path / "net")
    shutil.rmtree(dataset / "Sources/Dev")
    with pytest.raises(HiphopssError, match="holds no songs of subset 'Dev'"):
        run(dataset, tmp_path / "net", tmp_path / "s.csv", nmf=dataset)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data", "net"]


def test_it_learns_from_no_test_song_of_another_data_set(tmp_path):
    """A song of DSD100's Test half may be in the training half of MUSDB18."""
    write_musdb(tmp_path / "MUSDB", "train", ["ANiMAL - Rockshow", "A - B"])
    write_songs(tmp_path / "DSD100", "Test", ["002 - ANiMAL - Rockshow"])
    tests = find_songs(tmp_path / "DSD100")
    with warned("NMF doesn't learn from songs to test on: ANiMAL - Rockshow$"):
        nmf = SupervisedNmf(tmp_path / "MUSDB", tests)
    assert nmf.record["trained_on"] == ["A - B"]
    with pytest.raises(HiphopssError, match="Rockshow: songs to test on: give others"):
        SupervisedNmf(find_songs(tmp_path / "MUSDB")[1:], tests)
