"""The mixture and the ideal ratio mask as estimates."""

import json
import shutil
import warnings

import numpy as np
import pytest
import soundfile
from helpers.songs import warned
from numpy.testing import assert_allclose, assert_array_equal

from hiphopss import SOURCES, HiphopssError, SignalConfig
from hiphopss.datasets.songs import find_songs, song_at
from hiphopss.eval import evaluate, ideal_ratio_mask_estimates, mixture_estimates
from hiphopss.eval.baselines.bounds import ideal_ratio_masked

RATE = 8000
N_SAMPLES = 8000


def make_sources(n_channels=1):
    """Tones and clicks that overlap little [shape=(n_sources, n_samples, n_channels)]."""
    random = np.random.default_rng(0)
    time = np.arange(N_SAMPLES) / RATE
    vocals = 0.2 * np.sin(2 * np.pi * 700 * time + 8 * np.sin(2 * np.pi * 5 * time))
    bass = 0.3 * np.sin(2 * np.pi * 60 * time)
    drums = 0.4 * random.standard_normal(N_SAMPLES) * np.exp(-40 * (time % 0.25))
    other = 0.2 * np.sin(2 * np.pi * 2500 * time) * (time > 0.4)
    mono = np.stack([vocals, bass, drums, other])
    gains = 1 - 0.3 * np.arange(4)[:, None, None] * np.arange(n_channels)
    return mono[..., None] * gains + 0.001 * random.standard_normal((4, N_SAMPLES, n_channels))


@pytest.fixture
def dataset(tmp_path):
    """A test song, a training song without vocals; mixtures at 0.704 of the sum, like HHDS's."""
    root = tmp_path / "data"
    for subset, song, missing in (("Test", "a", 0), ("Dev", "b", 1)):
        sources = make_sources()[missing:]
        for name in (f"Sources/{subset}/{song}", f"Mixtures/{subset}/{song}"):
            (root / name).mkdir(parents=True)
        for source, samples in zip(SOURCES[missing:], sources, strict=True):
            soundfile.write(root / f"Sources/{subset}/{song}/{source}.wav", samples, RATE)
        mixture = 0.704 * sources.sum(axis=0)
        soundfile.write(root / f"Mixtures/{subset}/{song}/mixture.wav", mixture, RATE)
    return root


def read(folder):
    """Stems of a folder [shape=(n_sources, n_samples)]."""
    return np.array([soundfile.read(folder / f"{source}.wav")[0] for source in SOURCES])


def test_the_mixture_is_every_estimate(dataset, tmp_path):
    assert mixture_estimates(dataset, tmp_path / "out") == ["b", "a"]
    mixture, _ = soundfile.read(dataset / "Mixtures/Test/a/mixture.wav")
    assert_array_equal(read(tmp_path / "out" / "a"), np.tile(mixture, (4, 1)))
    assert json.loads((tmp_path / "out/separation.json").read_text()) == {"model": "mixture"}


def test_only_the_songs_of_a_subset_are_written(dataset, tmp_path):
    assert mixture_estimates(dataset, tmp_path / "out", "Test") == ["a"]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a", "separation.json"]


def test_what_is_in_the_output_already_is_not_touched(dataset, tmp_path):
    mixture_estimates(dataset, tmp_path / "out", "Test")
    with pytest.raises(HiphopssError, match="out: a folder with something in it"):
        ideal_ratio_mask_estimates(dataset, tmp_path / "out")
    assert json.loads((tmp_path / "out/separation.json").read_text()) == {"model": "mixture"}


def test_the_mask_beats_the_mixture_whose_sdr_is_mir_evals(dataset, tmp_path):
    from mir_eval.separation import bss_eval_sources

    mixture_estimates(dataset, tmp_path / "lower", "Dev")
    ideal_ratio_mask_estimates(dataset, tmp_path / "upper", "Dev")
    rows = {
        name: evaluate(dataset, tmp_path / name, tmp_path / f"{name}.csv", n_jobs=1, progress=False)
        for name in ("lower", "upper")
    }
    mixture, _ = soundfile.read(dataset / "Mixtures/Dev/b/mixture.wav")
    stems = [soundfile.read(dataset / f"Sources/Dev/b/{source}.wav")[0] for source in SOURCES[1:]]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        sdr = bss_eval_sources(np.array(stems), np.tile(mixture, (3, 1)), False)[0]
    assert rows["lower"][0].SDR is None
    # The engine agrees with mir_eval to 1e-5 dB; equations are solved in another order.
    assert_allclose([row.SDR for row in rows["lower"][1:]], sdr, rtol=0, atol=1e-5)
    assert {row.model for row in rows["lower"]} == {"mixture"}
    assert {row.model for row in rows["upper"]} == {"ideal ratio mask"}
    for lower, upper in zip(rows["lower"][1:], rows["upper"][1:], strict=True):
        assert upper.SDR > lower.SDR + 5
    record = json.loads((tmp_path / "upper.json").read_text())
    assert (
        SignalConfig(**record["models"]["ideal ratio mask"]["provenance"]["config"])
        == SignalConfig()
    )


def test_missing_vocals_are_estimated_silent(dataset, tmp_path):
    ideal_ratio_mask_estimates(dataset, tmp_path / "out", "Dev")
    estimates = read(tmp_path / "out" / "b")
    assert not estimates[0].any()
    assert estimates[1].any()


def test_masked_estimates_add_up_to_the_mixture_in_each_channel():
    sources = make_sources(2)
    mixture = 0.704 * sources.sum(axis=0)
    estimates = ideal_ratio_masked(sources, mixture, SignalConfig())
    # Estimates are rounded to single precision: by 6e-8 of some tenths each.
    assert_allclose(estimates.sum(axis=0, dtype=float), mixture, rtol=0, atol=1e-7)
    one = ideal_ratio_masked(sources[..., 1:], mixture[:, 1:], SignalConfig())
    assert_array_equal(estimates[..., 1:], one)


def test_runs_of_frames_join(monkeypatch):
    sources = make_sources(2)
    mixture = sources.sum(axis=0)
    whole = ideal_ratio_masked(sources, mixture, SignalConfig())
    monkeypatch.setattr("hiphopss.eval.baselines.bounds.RUN", 3)
    joined = ideal_ratio_masked(sources, mixture, SignalConfig())
    assert_allclose(joined, whole, rtol=0, atol=1e-7)  # single precision


def test_where_no_source_sounds_all_share_equally():
    sources = np.zeros((4, N_SAMPLES, 1))
    mixture = make_sources().sum(axis=0)
    estimates = ideal_ratio_masked(sources, mixture, SignalConfig())
    assert_allclose(estimates, np.tile(mixture / 4, (4, 1, 1)), rtol=0, atol=1e-7)


@pytest.mark.parametrize("bound", [mixture_estimates, ideal_ratio_mask_estimates])
def test_a_missing_mixture_is_named_and_nothing_is_left(dataset, tmp_path, bound):
    (dataset / "Mixtures/Test/a/mixture.wav").unlink()
    with pytest.raises(HiphopssError, match=r"Test/a/mixture\.wav: no such file") as caught:
        bound(dataset, tmp_path / "out")
    assert "\n" not in str(caught.value)
    assert [path.name for path in tmp_path.iterdir()] == ["data"]


def test_a_data_set_without_songs_is_named(dataset, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(HiphopssError, match="empty: holds no songs"):
        mixture_estimates(tmp_path / "empty", tmp_path / "out")
    with pytest.raises(HiphopssError, match="holds no songs of subset 'test'"):
        mixture_estimates(dataset, tmp_path / "out", "test")


def test_stems_of_another_length_are_named(dataset, tmp_path):
    soundfile.write(dataset / "Sources/Test/a/bass.wav", np.zeros(99), RATE)
    with pytest.raises(
        HiphopssError, match=r"a/bass\.wav: 99 samples, but .*mixture\.wav has 8000"
    ):
        ideal_ratio_mask_estimates(dataset, tmp_path / "out")


def test_songs_from_anywhere_have_bounds(dataset, tmp_path):
    song = find_songs(dataset)[1]
    beside = tmp_path / "plain" / "d"
    shutil.copytree(dataset / "Sources/Test/a", beside)
    shutil.copy(song.mixture, beside)
    songs = [song, song_at(beside, subset="mine")]
    assert mixture_estimates(songs, tmp_path / "all") == ["a", "d"]
    assert ideal_ratio_mask_estimates(songs, tmp_path / "mine", "mine") == ["d"]
    assert ideal_ratio_mask_estimates(tmp_path / "plain", tmp_path / "plainly") == ["d"]
    assert_array_equal(read(tmp_path / "mine" / "d"), read(tmp_path / "plainly" / "d"))
    with pytest.raises(HiphopssError, match="two songs are called 'a'"):
        mixture_estimates([song, song], tmp_path / "twice")


def test_padded_mixtures_are_cut_where_that_is_tolerated(dataset, tmp_path):
    ideal_ratio_mask_estimates(dataset, tmp_path / "exact", "Test")
    path = dataset / "Mixtures/Test/a/mixture.wav"
    mixture, _ = soundfile.read(path)
    soundfile.write(path, np.pad(mixture, (0, 99)), RATE)
    with warned(r"vocals\.wav: 8000 samples, but .* has 8099"):
        ideal_ratio_mask_estimates(dataset, tmp_path / "cut", "Test", length_tolerance_s=0.1)
    assert_array_equal(read(tmp_path / "cut" / "a"), read(tmp_path / "exact" / "a"))


def test_bounds_stand_beside_a_model_on_the_same_songs(dataset, tmp_path):
    mixture_estimates(dataset, tmp_path / "net", "Test")
    (tmp_path / "net" / "separation.json").unlink()
    rows = evaluate(
        dataset, [tmp_path / "net"], tmp_path / "all.csv", bounds=True, n_jobs=1, progress=False
    )
    by_model = {}
    for row in rows:
        assert row.song == "a"
        by_model.setdefault(row.model, []).append(row.SDR)
    assert list(by_model) == ["net", "mixture", "ideal ratio mask", "NMF"]
    assert by_model["net"] == by_model["mixture"]
    assert min(by_model["ideal ratio mask"]) > max(by_model["mixture"])
    record = json.loads((tmp_path / "all.json").read_text())
    assert list(record["models"]) == sorted(by_model)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "all.csv", "all.json", "all_summary.csv", "data", "net",
    ]  # fmt: skip
