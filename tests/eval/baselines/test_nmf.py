"""The factorisation baseline, on sources whose spectra tell them apart."""

import json
import shutil

import numpy as np
import pytest
import soundfile
from helpers.songs import write_song
from numpy.testing import assert_allclose, assert_array_equal

from hiphopss import SOURCES, HiphopssError, SignalConfig
from hiphopss.datasets.songs import find_songs, read_songs
from hiphopss.eval import nmf_estimates
from hiphopss.eval.baselines.nmf import learn_dictionaries, nmf_masked

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


def read(folder):
    """Stems of a folder [shape=(n_sources, n_samples)]."""
    return np.array([soundfile.read(folder / f"{source}.wav")[0] for source in SOURCES])


def test_sources_of_their_own_spectra_are_told_apart(dataset, tmp_path):
    output = tmp_path / "nmf"
    assert nmf_estimates(dataset, dataset, output, n_components=3, progress=False) == ["c"]
    mixture, _ = soundfile.read(dataset / "Mixtures/Test/c/mixture.wav")
    estimates = read(output / "c")
    # Files in single precision.
    assert_allclose(estimates.sum(axis=0), mixture, atol=1e-6)
    truth = 0.7 * np.array(list(make_stems(2).values()))
    errors = np.square(estimates - truth).sum(axis=1) / np.square(truth).sum(axis=1)
    # Half of the rest is in frames where a note starts: the others do better than 20 dB.
    assert 10 * np.log10(errors).max() < -12
    assert json.loads((output / "separation.json").read_text()) == {
        "model": "NMF",
        "n_components": 3,
        "seed": 0,
        "trained_on": ["a", "b"],
        "config": json.loads(CONFIG.to_json()),
    }


def test_the_seed_fixes_it(dataset, tmp_path):
    songs = read_songs(dataset, ("Dev",)), read_songs(dataset, ("Test",))
    for name, seed in (("one", 1), ("again", 1), ("two", 2)):
        nmf_estimates(*songs, tmp_path / name, n_components=3, seed=seed, progress=False)
    one, again, two = (read(tmp_path / name / "c") for name in ("one", "again", "two"))
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
        nmf_estimates(songs, songs[:1], tmp_path / "out")
    with pytest.raises(HiphopssError, match="0 components: give 1 or more"):
        nmf_estimates(dataset, dataset, tmp_path / "out", n_components=0)
    shutil.rmtree(dataset / "Sources/Dev")
    with pytest.raises(HiphopssError, match="holds no songs of subset 'Dev'"):
        nmf_estimates(dataset, dataset, tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["data"]
