"""The reader of the DSD100 layout."""

import shutil

import numpy as np
import pytest
import soundfile
from helpers.songs import RATE, noise, warned, write_song

from hiphopss import SOURCES, HiphopssError
from hiphopss.datasets.songs import (
    find_songs,
    load_stems,
    mixture_gain,
    read_songs,
    song_at,
    song_length,
)


def test_songs_are_listed_by_subset_and_name(dataset):
    (dataset / "Sources" / "Dev" / ".DS_Store").mkdir()
    (dataset / "Sources" / "Dev" / "notes.txt").write_text("not a song")
    songs = read_songs(dataset)
    assert [(s.subset, s.name) for s in songs] == [
        ("Dev", "000 - song"),
        ("Dev", "001 - song"),
        ("Test", "002 - song"),
    ]
    assert [s.name for s in read_songs(dataset, ("Test",))] == ["002 - song"]
    assert songs[0].mixture.name == "mixture.wav"


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


def test_a_missing_stem_is_reported_by_song_and_file(dataset):
    (dataset / "Sources" / "Dev" / "001 - song" / "drums.wav").unlink()
    with pytest.raises(HiphopssError, match=r"drums\.wav: missing.*'001 - song'"):
        read_songs(dataset)


def test_different_lengths_are_reported_by_song_and_files(dataset):
    path = dataset / "Sources" / "Dev" / "000 - song" / "bass.wav"
    soundfile.write(path, noise(59999, 1), RATE)
    song = read_songs(dataset)[0]
    with pytest.raises(HiphopssError, match=r"bass\.wav: 59999 .*vocals\.wav.*'000 - song'.*60000"):
        song_length(song, RATE)


def test_a_stem_that_is_cut_off_is_found_before_the_work(dataset):
    path = dataset / "Sources" / "Dev" / "000 - song" / "bass.wav"
    cut = path.with_suffix(".flac")
    soundfile.write(cut, noise(60_000, 1), RATE)
    cut.write_bytes(cut.read_bytes()[: cut.stat().st_size // 2])
    cut.rename(path)
    with pytest.raises(HiphopssError, match=r"bass\.wav: damaged or cut off"):
        song_length(read_songs(dataset)[0], RATE)


def test_a_wrong_root_fails_loudly(tmp_path, dataset):
    with pytest.raises(HiphopssError, match="nowhere: no such folder"):
        read_songs(tmp_path / "nowhere")
    with pytest.raises(HiphopssError, match="no folder 'Sources'"):
        read_songs(tmp_path)
    shutil.rmtree(dataset / "Sources" / "Test")
    with pytest.raises(HiphopssError, match="Test: no songs"):
        read_songs(dataset)


def test_gain_of_a_normalised_mixture(dataset):
    song = read_songs(dataset)[0]
    assert mixture_gain(song, load_stems(song, RATE), RATE) == pytest.approx(0.7, rel=1e-6)


def test_a_mastered_mixture_warns_and_a_foreign_one_is_refused(dataset):
    song = read_songs(dataset)[0]
    stems = load_stems(song, RATE)
    mastered = np.tanh(4 * stems.sum(axis=0))
    soundfile.write(song.mixture, mastered, RATE, subtype="FLOAT")
    with warned(r"mixture\.wav: -\d+ dB of it are not the scaled sum"):
        mixture_gain(song, stems, RATE)
    soundfile.write(song.mixture, np.zeros(60000), RATE, subtype="FLOAT")
    with pytest.raises(HiphopssError, match=r"mixture\.wav: silent, but the stems"):
        mixture_gain(song, stems, RATE)
    soundfile.write(song.mixture, noise(60000, 77), RATE, subtype="FLOAT")
    with pytest.raises(HiphopssError, match=r"mixture\.wav: not the mixture of the stems"):
        mixture_gain(song, stems, RATE)


def test_songs_are_found_in_a_data_set_its_sources_and_plain_folders(dataset, monkeypatch):
    songs = find_songs(dataset)
    assert songs == read_songs(dataset)
    monkeypatch.chdir(dataset / "Sources")
    relative = find_songs(".")
    assert [(s.name, s.subset) for s in relative] == [(s.name, s.subset) for s in songs]
    assert [s.mixture.resolve() for s in relative] == [s.mixture for s in songs]
    plain = dataset / "Sources" / "Dev"
    shutil.copy(songs[0].mixture, plain / "000 - song")
    (plain / "pictures").mkdir()
    first, second = find_songs(plain)
    assert (first.name, first.subset, first.stems) == ("000 - song", "", songs[0].stems)
    assert first.mixture == plain / "000 - song" / "mixture.wav"
    assert second.mixture is None
    with pytest.raises(HiphopssError, match="nowhere: no such folder"):
        find_songs(dataset / "nowhere")


def test_an_incomplete_song_is_found_as_it_is(dataset):
    folder = dataset / "Sources" / "Dev" / "001 - song"
    (folder / "drums.wav").unlink()
    assert set(find_songs(dataset)[1].stems) == {"vocals", "bass", "other"}
    song = song_at(folder, subset="any label", name="mine")
    assert (song.name, song.subset, song.mixture) == ("mine", "any label", None)
    assert song.stems["bass"] == folder / "bass.wav"
