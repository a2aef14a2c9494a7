"""Which songs are found in the known layouts and in plain folders."""

import os
import re
import shutil
import sys
import unicodedata

import pytest
import soundfile
from helpers.hhds import write_musdb
from helpers.songs import RATE, noise, write_song

from hiphopss import SOURCES, HiphopssError
from hiphopss.datasets import musdb18
from hiphopss.datasets.features.make import make_features
from hiphopss.datasets.features.selection import SongChoice
from hiphopss.datasets.layouts import layout_of
from hiphopss.datasets.mixtures import find_mixtures
from hiphopss.datasets.musdb18 import training_part
from hiphopss.datasets.roots import facts, find_root, song_root
from hiphopss.datasets.songs import find_songs, read_songs, song_at
from hiphopss.datasets.stems import load_stems


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


def test_the_layout_of_musdb18_is_recognised(tmp_path):
    root = tmp_path / "musdb18hq"
    write_musdb(root, "train", ["A - One"])
    write_musdb(root, "test", ["B - Two", ".hidden"])
    (root / "test" / "C - Three.stem.mp4").write_bytes(b"")  # no file is opened
    songs = read_songs(root)
    assert [song.key for song in songs] == [
        ("Dev", "A - One"),
        ("Test", "B - Two"),
        ("Test", "C - Three"),
    ]
    assert songs == find_songs(root) == read_songs(find_root(tmp_path))
    assert songs[1].mixture == root / "test" / "B - Two" / "mixture.wav"
    stem_file = root / "test" / "C - Three.stem.mp4"
    assert songs[2].stems == {source: stem_file / source for source in SOURCES}
    assert (songs[2].mixture, songs[2].folder) == (stem_file / "mixture", stem_file)
    assert [song_root(song) for song in songs] == [root] * 3
    plain = find_songs(root / "test")
    assert [(song.subset, song.name) for song in plain] == [("", "B - Two"), ("", "C - Three")]
    assert find_mixtures(root / "test") == {song.name: song.mixture for song in songs[1:]}
    assert find_mixtures(stem_file) == {"C - Three": stem_file / "mixture"}
    assert song_at(stem_file).stems == songs[2].stems
    write_musdb(root, "test", ["C - Three"])
    with pytest.raises(HiphopssError, match=r"C - Three.*there is also .*C - Three.*keep one"):
        read_songs(root)


def test_folders_called_train_and_test_are_no_data_set_without_songs(tmp_path):
    for name in ("train", "test"):
        (tmp_path / name / "pictures").mkdir(parents=True)
    assert layout_of(tmp_path) is None
    with pytest.raises(HiphopssError, match="nor songs in 'train' or 'test'"):
        find_root(tmp_path)


def test_names_of_files_match_whatever_their_case(tmp_path):
    """A stem called Vocals.WAV must not count as missing, which would be silence."""
    write_musdb(tmp_path, "train", ["A - One"])
    folder = tmp_path / "train" / "A - One"
    for name in ("vocals", "mixture"):
        (folder / f"{name}.wav").rename(folder / f"{name.title()}.WAV")
    (song,) = read_songs(tmp_path, ("Dev",))
    assert song.stems["vocals"] == folder / "Vocals.WAV"
    assert find_mixtures(tmp_path) == {"A - One": folder / "Mixture.WAV"}
    shutil.copy(folder / "Vocals.WAV", folder / "vocals.flac")
    with pytest.raises(HiphopssError, match=r"Vocals\.WAV: there is also vocals\.flac: keep one"):
        read_songs(tmp_path, ("Dev",))


@pytest.mark.parametrize("name", ["vocal.wav", "Vox.WAV", "lead vocals.flac", "vocls.wav"])
def test_a_misspelt_stem_does_not_become_silence(tmp_path, name):
    write_musdb(tmp_path, "train", ["A - One"])
    folder = tmp_path / "train" / "A - One"
    (folder / "vocals.wav").rename(folder / name)
    message = f"{name}: looks like the vocals of 'A - One', which has none: rename it to vocals"
    for find in (read_songs, find_songs):
        with pytest.raises(HiphopssError, match=re.escape(message)):
            find(tmp_path)
    (folder / name).rename(folder / "brass.wav")
    assert "vocals" not in read_songs(tmp_path, ("Dev",))[0].stems
    # Of a song that has all of its stems, other files are nobody's business.
    write_musdb(tmp_path, "train", ["B - Two"])
    shutil.copy(folder / "bass.wav", tmp_path / "train" / "B - Two" / name)
    assert len(find_songs(tmp_path)) == 2


def test_a_stem_in_a_format_that_can_not_be_read_is_no_silence(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))  # without ffmpeg
    write_musdb(tmp_path, "train", ["A - One"])
    folder = tmp_path / "train" / "A - One"
    (folder / "vocals.wav").unlink()
    (folder / "vocals.ape").write_bytes(b"MAC " + bytes(100))
    (song,) = read_songs(tmp_path, ("Dev",))
    with pytest.raises(HiphopssError, match=r"vocals\.ape: only ffmpeg can decode it"):
        load_stems(song, RATE)


def test_songs_match_their_mixtures_in_any_unicode_form(tmp_path):
    composed, decomposed = (unicodedata.normalize(form, "Café") for form in ("NFC", "NFD"))
    write_song(tmp_path, "Dev", composed, {s: noise(100, 1) for s in SOURCES})
    (tmp_path / "Mixtures/Dev" / composed).rename(tmp_path / "Mixtures/Dev" / decomposed)
    (song,) = read_songs(tmp_path, ("Dev",))
    assert song.mixture.exists()


def test_the_validation_songs_of_musdb18(tmp_path):
    write_musdb(tmp_path, "train", ["Leaf - Summerghost", "A - One"])
    songs = read_songs(tmp_path, ("Dev",))
    assert [s.name for s in training_part(songs, "validation")] == ["Leaf - Summerghost"]
    assert [s.name for s in training_part(songs, "train")] == ["A - One"]
    with pytest.raises(HiphopssError, match="part 'validation': no song of it is there"):
        training_part(songs[:1], "validation")
    names = {song.name for song in musdb18.listed()}
    assert names.issuperset(facts()["musdb18"]["validation"])


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere, names of files are Unicode")
def test_a_song_whose_name_is_no_text(tmp_path):
    write_musdb(tmp_path / "data", "train", ["coffee"])
    song = tmp_path / "data" / "train" / "coffee"
    song.rename(song.with_name(os.fsdecode(b"caf\xe9")))
    refused = r"the name of the song 'caf\\udce9' is not in UTF-8"
    with pytest.raises(HiphopssError, match=refused):
        make_features(tmp_path / "data", tmp_path / "f.h5", preset="corrected")


def test_parts_are_of_musdb18_alone(dataset, tmp_path):
    with pytest.raises(HiphopssError, match="has no parts, which are of MUSDB18"):
        make_features(dataset, tmp_path / "f.h5", preset="corrected", songs=SongChoice("train"))
