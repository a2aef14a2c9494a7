"""Which songs are found in the DSD100 layout and in plain folders."""

import shutil

import pytest
import soundfile
from helpers.songs import RATE, noise

from hiphopss import SOURCES, HiphopssError
from hiphopss.datasets.songs import find_mixtures, find_songs, read_songs, song_at


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


def test_a_missing_stem_is_reported_by_song_and_file(dataset):
    (dataset / "Sources" / "Dev" / "001 - song" / "drums.wav").unlink()
    with pytest.raises(HiphopssError, match=r"drums\.wav: missing.*'001 - song'"):
        read_songs(dataset)


def test_a_wrong_root_fails_loudly(tmp_path, dataset):
    with pytest.raises(HiphopssError, match="nowhere: no such folder"):
        read_songs(tmp_path / "nowhere")
    with pytest.raises(HiphopssError, match="no folder 'Sources'"):
        read_songs(tmp_path)
    shutil.rmtree(dataset / "Sources" / "Test")
    with pytest.raises(HiphopssError, match="Test: no songs"):
        read_songs(dataset)


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


def test_a_folder_with_a_mixture_is_one_song(tmp_path):
    # the layout of MUSDB18-HQ: the true stems beside the mixture are not to be separated
    for subset, name in (("train", "A - One"), ("test", "B - Two")):
        for source in ("mixture", *SOURCES):
            path = tmp_path / "musdb" / subset / name / f"{source}.wav"
            path.parent.mkdir(parents=True, exist_ok=True)
            soundfile.write(path, noise(100, 1), RATE)
    (tmp_path / "musdb/test/B - Two/takes").mkdir()
    soundfile.write(tmp_path / "musdb/test/B - Two/takes/first.wav", noise(100, 1), RATE)
    soundfile.write(tmp_path / "musdb/loose.wav", noise(100, 1), RATE)
    found = find_mixtures(tmp_path / "musdb")
    assert sorted(found) == ["A - One", "B - Two", "loose"]
    assert found["B - Two"] == tmp_path / "musdb/test/B - Two/mixture.wav"
    assert list(find_mixtures([tmp_path / "musdb/test/B - Two"])) == ["B - Two"]
