"""The mixture and the ideal ratio mask as estimates."""

import json
import shutil
import warnings

import numpy as np
import pytest
import soundfile
from helpers.eval_songs import computed, estimated, run, write_estimates
from helpers.songs import warned
from numpy.testing import assert_allclose, assert_array_equal

from hiphopss import SOURCES, HiphopssError, SignalConfig
from hiphopss.datasets.songs import find_songs, song_at
from hiphopss.eval.baselines.bounds import IdealRatioMask, Mixture, ideal_ratio_masked
from hiphopss.eval.evaluation import write_results

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


def song_of(dataset, subset):
    """The song of a subset."""
    (song,) = (song for song in find_songs(dataset) if song.subset == subset)
    return song


def write_model(folder, songs):
    """The mixtures as the estimates of a model that is called as its folder."""
    (write_estimates(folder, Mixture(), songs) / "separation.json").unlink()
    return folder


def test_the_mixture_is_every_estimate(dataset, tmp_path):
    mixture, _ = soundfile.read(dataset / "Mixtures/Test/a/mixture.wav", always_2d=True)
    assert_array_equal(estimated(Mixture(), song_of(dataset, "Test")), np.tile(mixture, (4, 1, 1)))
    assert Mixture().record == {"model": "mixture"}
    results = computed(Mixture(), find_songs(dataset))
    assert [(row.subset, row.song) for row in results.rows[::4]] == [("Test", "a"), ("Dev", "b")]
    write_results(results, tmp_path / "scores.csv")
    record = json.loads((tmp_path / "scores.json").read_text())
    assert record["models"]["mixture"]["provenance"] == {"model": "mixture"}


def test_only_the_songs_of_a_subset_have_bounds(dataset, tmp_path):
    net = write_model(tmp_path / "net", find_songs(dataset))
    rows = run(dataset, net, tmp_path / "all.csv", subset="Test", bounds=True)
    assert {(row.song, row.subset) for row in rows} == {("a", "Test")}
    assert len({row.model for row in rows}) == 4


def test_the_mask_beats_the_mixture_whose_sdr_is_mir_evals(dataset, tmp_path):
    from mir_eval.separation import bss_eval_sources

    rows = {}
    for name, bound in (("lower", Mixture()), ("upper", IdealRatioMask())):
        write_estimates(tmp_path / name, bound, [song_of(dataset, "Dev")])
        rows[name] = run(dataset, tmp_path / name, tmp_path / f"{name}.csv")
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


def test_missing_vocals_are_estimated_silent(dataset):
    estimates = estimated(IdealRatioMask(), song_of(dataset, "Dev"))
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


@pytest.mark.parametrize("bound", [Mixture(), IdealRatioMask()])
def test_a_missing_mixture_is_named_and_nothing_is_left(dataset, tmp_path, bound):
    (dataset / "Mixtures/Test/a/mixture.wav").unlink()
    songs = find_songs(dataset)
    for refused in (lambda: computed(bound, songs), lambda: estimated(bound, songs[1])):
        with pytest.raises(HiphopssError, match=r"Test/a/mixture\.wav: no such file") as caught:
            refused()
        assert "\n" not in str(caught.value)
    assert [path.name for path in tmp_path.iterdir()] == ["data"]


def test_a_data_set_without_songs_is_named(dataset, tmp_path):
    net = write_model(tmp_path / "net", find_songs(dataset))
    (tmp_path / "empty").mkdir()
    with pytest.raises(HiphopssError, match=r"net/a: .*empty has no song of this name"):
        run(tmp_path / "empty", net, tmp_path / "s.csv", bounds=True)
    with pytest.raises(HiphopssError, match=r"no folder of estimates for a song of .* \(test\)"):
        run(dataset, net, tmp_path / "s.csv", subset="test", bounds=True)
    with pytest.raises(HiphopssError, match="empty: holds no songs of subset 'Dev'"):
        run(dataset, net, tmp_path / "s.csv", nmf=tmp_path / "empty")
    assert not list(tmp_path.glob("s*"))


def test_stems_of_another_length_are_named(dataset):
    soundfile.write(dataset / "Sources/Test/a/bass.wav", np.zeros(99), RATE)
    with pytest.raises(
        HiphopssError, match=r"a/bass\.wav: 99 samples, but .*mixture\.wav has 8000"
    ):
        computed(IdealRatioMask(), find_songs(dataset))


def test_songs_from_anywhere_have_bounds(dataset, tmp_path):
    song = song_of(dataset, "Test")
    beside = tmp_path / "plain" / "d"
    shutil.copytree(dataset / "Sources/Test/a", beside)
    shutil.copy(song.mixture, beside)
    songs = [song, song_at(beside, subset="mine")]
    net = write_model(tmp_path / "net", songs)
    rows = run(songs, net, tmp_path / "all.csv", bounds=True)
    assert {(row.song, row.subset) for row in rows if row.model != "net"} == {
        *{("a", "Test"), ("d", "mine")}
    }
    rows = run(songs, net, tmp_path / "mine.csv", subset="mine", bounds=True)
    assert {(row.song, row.subset) for row in rows} == {("d", "mine")}
    (plain,) = find_songs(tmp_path / "plain")
    assert plain.name == "d"
    both = [estimated(IdealRatioMask(), one) for one in (songs[1], plain)]
    assert_array_equal(*both)
    with pytest.raises(HiphopssError, match="net/a: is a song of Test and of Test: say which"):
        run([song, song], net, tmp_path / "twice.csv", bounds=True)


def test_padded_mixtures_are_cut_where_that_is_tolerated(dataset):
    song = song_of(dataset, "Test")
    exact = estimated(IdealRatioMask(), song)
    rows = computed(IdealRatioMask(), [song]).rows
    mixture, _ = soundfile.read(song.mixture)
    soundfile.write(song.mixture, np.pad(mixture, (0, 99)), RATE)
    assert_array_equal(estimated(IdealRatioMask(), song), exact)
    with pytest.raises(HiphopssError, match=r"vocals\.wav: 8000 samples, but .* has 8099"):
        computed(IdealRatioMask(), [song], length_tolerance_s=0)
    with warned(r"vocals\.wav: 8000 samples, but .* has 8099"):
        assert computed(IdealRatioMask(), [song]).rows == rows


def test_bounds_stand_beside_a_model_on_the_same_songs(dataset, tmp_path):
    net = write_model(tmp_path / "net", [song_of(dataset, "Test")])
    rows = run(dataset, [net], tmp_path / "all.csv", bounds=True)
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
