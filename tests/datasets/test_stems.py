"""The stems of songs: read alike or refused, and the gain of the mixture against them."""

import numpy as np
import pytest
import soundfile
from helpers.songs import RATE, noise, nothing_warned, warned, write_song
from threadpoolctl import threadpool_limits

from hiphopss import SOURCES, HiphopssError
from hiphopss.datasets.songs import read_songs
from hiphopss.datasets.stems import load_stems, mixture_gain, song_length, stem_blocks


def test_stems_are_mono_in_the_order_of_sources(tmp_path):
    stems = {s: np.stack([noise(3000, i), noise(3000, i + 9)], 1) for i, s in enumerate(SOURCES)}
    write_song(tmp_path, "Dev", "a", stems)
    loaded = load_stems(read_songs(tmp_path, ("Dev",))[0], RATE)
    for row, source in zip(loaded, SOURCES, strict=True):
        np.testing.assert_allclose(row, stems[source].mean(axis=1), atol=1e-7)


def test_missing_vocals_are_silence(dataset):
    (dataset / "Sources" / "Dev" / "000 - song" / "vocals.wav").unlink()
    song = read_songs(dataset, ("Dev",))[0]
    assert "vocals" not in song.stems
    stems = load_stems(song, RATE)
    assert not stems[SOURCES.index("vocals")].any()
    assert stems[SOURCES.index("bass")].any()


def test_other_rates_are_resampled_to_the_length_that_headers_promise(tmp_path):
    stems = {s: noise(4801, i) for i, s in enumerate(SOURCES)}
    write_song(tmp_path, "Dev", "a", stems, rate=48000)
    song = read_songs(tmp_path, ("Dev",))[0]
    assert song_length(song, RATE) == 4411
    assert load_stems(song, RATE).shape == (4, 4411)


def test_different_lengths_are_reported_by_song_and_files(dataset):
    path = dataset / "Sources" / "Dev" / "000 - song" / "bass.wav"
    soundfile.write(path, noise(55_590, 1), RATE)  # 0.1 s shorter
    song = read_songs(dataset)[0]
    message = (
        r"000 - song/bass\.wav: 55590 samples, but .*000 - song/vocals\.wav has 60000: "
        "export the song's files alike, or separate its mixture again"
    )
    with pytest.raises(HiphopssError, match=f"{message}$"):
        song_length(song, RATE)
    with pytest.raises(HiphopssError, match=f"{message}.*add --length-tolerance SECONDS$"):
        load_stems(song, RATE, tolerance_s=0.1)


@pytest.mark.parametrize("rate", [RATE, 48000])
def test_stems_of_slightly_different_lengths_are_cut_with_a_warning(tmp_path, rate):
    stems = {s: noise(9000, i).astype(np.float32) for i, s in enumerate(SOURCES)}
    write_song(tmp_path, "Dev", "a", stems, rate=rate)
    song = read_songs(tmp_path, ("Dev",))[0]
    whole = load_stems(song, RATE)
    soundfile.write(song.stems["bass"], stems["bass"][:-3], rate, subtype="FLOAT")
    with warned(
        r"bass\.wav: 8997 samples, but .*vocals\.wav has 9000: .*\(by up to 3 samples, 0\.06"
    ):
        cut = load_stems(song, RATE)
    assert cut.shape == (4, song_length(song, RATE))
    kept = slice(None, -500)  # at other rates, the filter's end differs
    np.testing.assert_allclose(cut[:, kept], whole[:, : cut.shape[1]][:, kept], atol=1e-4)
    if rate == RATE:
        np.testing.assert_array_equal(cut, whole[:, :-3])
        with warned(r"Dev/a: 8997 samples, but .*mixture\.wav has 9000: .*\(by up to 3 samples"):
            assert mixture_gain(song, cut, RATE) == pytest.approx(1)
    with pytest.raises(HiphopssError, match="add --length-tolerance"):
        load_stems(song, RATE, tolerance_s=0)
    with nothing_warned():
        load_stems(song, RATE, told=False)


def test_a_stem_that_is_cut_off_is_found_before_the_work(dataset):
    path = dataset / "Sources" / "Dev" / "000 - song" / "bass.wav"
    cut = path.with_suffix(".flac")
    soundfile.write(cut, noise(60_000, 1), RATE)
    cut.write_bytes(cut.read_bytes()[: cut.stat().st_size // 2])
    cut.rename(path)
    with pytest.raises(HiphopssError, match=r"bass\.wav: cut off: 0\.\d+ of 1\.4 s are there"):
        song_length(read_songs(dataset)[0], RATE)


def test_gain_of_a_normalised_mixture(dataset):
    song = read_songs(dataset)[0]
    with nothing_warned():
        assert mixture_gain(song, load_stems(song, RATE), RATE) == pytest.approx(0.7, rel=1e-6)


def test_a_mastered_mixture_warns_and_a_foreign_one_is_refused(dataset):
    song = read_songs(dataset)[0]
    stems = load_stems(song, RATE)
    mastered = np.tanh(4 * stems.sum(axis=0))
    soundfile.write(song.mixture, mastered, RATE, subtype="FLOAT")
    with warned(r"mixture\.wav: not the scaled sum of the stems, from which it differs by -\d+ dB"):
        gain = mixture_gain(song, stems, RATE)
    with nothing_warned():
        assert mixture_gain(song, stems, RATE, mastered=True) == gain
    soundfile.write(song.mixture, np.zeros(60000), RATE, subtype="FLOAT")
    with pytest.raises(HiphopssError, match=r"mixture\.wav: silent, but the stems"):
        mixture_gain(song, stems, RATE)
    soundfile.write(song.mixture, noise(60000, 77), RATE, subtype="FLOAT")
    with pytest.raises(HiphopssError, match=r"mixture\.wav: not the mixture of the stems"):
        mixture_gain(song, stems, RATE)


def test_blocks_of_stems_that_end_apart_are_refused(tmp_path):
    for source, n_samples in (("bass", 9000), ("drums", 8999)):
        soundfile.write(tmp_path / f"{source}.wav", noise(n_samples, 1), RATE)
    stems = {source: tmp_path / f"{source}.wav" for source in ("bass", "drums")}
    with pytest.raises(HiphopssError, match=r"drums\.wav: cut off, it is shorter"):
        list(stem_blocks(stems, 1))
    with pytest.raises(HiphopssError, match=r"drums\.wav: cut off, it is shorter"):
        list(stem_blocks(stems, 1, 9000))
    assert sum(block.shape[1] for block in stem_blocks(stems, 1, 8999)) == 8999


def test_the_gain_does_not_depend_on_the_number_of_threads(tmp_path):
    """BLAS divides long sums among threads, and then adds them up in another order."""
    stems = np.stack([noise(600_000, seed) for seed in range(4)])
    write_song(tmp_path, "Dev", "long", dict(zip(SOURCES, stems, strict=True)), gain=0.7)
    (song,) = read_songs(tmp_path, ("Dev",))
    gains = []
    for n_threads in (1, 2):
        with threadpool_limits(n_threads, user_api="blas"):
            gains.append(mixture_gain(song, stems, RATE))
    assert gains[0] == gains[1]


def test_blocks_of_stems_need_not_be_alike(tmp_path, monkeypatch):
    """Decoders give blocks as they come."""
    waveforms = {"bass": noise(1000, 1), "drums": noise(1003, 2)}
    sizes = {"bass": 300, "drums": 170}

    def read_blocks(path):
        for start in range(0, len(waveforms[path.stem]), sizes[path.stem]):
            yield waveforms[path.stem][start : start + sizes[path.stem], None]

    monkeypatch.setattr("hiphopss.datasets.stems.reading.read_blocks", read_blocks)
    stems = {source: tmp_path / f"{source}.wav" for source in waveforms}
    joined = np.concatenate(list(stem_blocks(stems, 1, 1000)), axis=1)[..., 0]
    for source, waveform in waveforms.items():
        expected = waveform[:1000].astype(np.float32)
        np.testing.assert_array_equal(joined[SOURCES.index(source)], expected)
