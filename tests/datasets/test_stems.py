"""The stems of songs: read alike or refused, and the gain of the mixture against them."""

import numpy as np
import pytest
import soundfile
from helpers.songs import RATE, noise, nothing_warned, warned, write_song

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
    soundfile.write(path, noise(59999, 1), RATE)
    song = read_songs(dataset)[0]
    message = (
        r"000 - song/bass\.wav: 59999 samples, but .*000 - song/vocals\.wav has 60000: "
        "export the song's files alike"
    )
    with pytest.raises(HiphopssError, match=message):
        song_length(song, RATE)


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
