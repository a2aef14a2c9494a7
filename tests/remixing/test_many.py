"""Many songs, mixed in one way."""

import numpy as np
import pytest
import soundfile
from helpers.songs import RATE, noise

from hiphopss import HiphopssError, Mix, remix_files


@pytest.fixture
def songs(tmp_path):
    """Two songs, of which one is tagged, in different folders, and a file that is none."""
    folder = tmp_path / "my songs"
    (folder / "album").mkdir(parents=True)
    soundfile.write(folder / "a.wav", noise(5000, 1), RATE)
    with soundfile.SoundFile(folder / "album" / "b.flac", "w", RATE, 1, "PCM_16") as file:
        file.title, file.artist = "Bee", "Somebody"
        file.write(noise(6000, 2))
    (folder / "broken.wav").write_text("no audio")
    return folder


def test_each_song_is_mixed_into_a_file_of_its_name(songs, tmp_path, run):
    out = tmp_path / "out"
    status, told, error = run(
        *("remix", songs, "-o", out, "--format", "flac", "--name", "{track} mix.{ext}", "-q")
    )
    assert status == 1
    assert told.split("\n")[:-1] == [str(out / "a mix.flac"), str(out / "b mix.flac")]
    assert "broken.wav" in error
    assert "left out" in error
    for name, file in (("a mix", songs / "a.wav"), ("b mix", songs / "album" / "b.flac")):
        mixed, rate = soundfile.read(out / f"{name}.flac")
        assert rate == RATE
        np.testing.assert_array_equal(mixed, soundfile.read(file)[0])
    with soundfile.SoundFile(out / "b mix.flac") as file:
        assert (file.title, file.artist) == ("Bee (remix)", "Somebody")


def test_settings_reach_every_song(songs, tmp_path, published):
    (songs / "broken.wav").unlink()
    files, left_out = remix_files(
        songs, tmp_path / "out", Mix(muted={"vocals"}), weights=published, progress=False
    )
    assert not left_out
    for done, whole in zip(files, (songs / "a.wav", songs / "album" / "b.flac"), strict=True):
        mixed, _ = soundfile.read(done.path)
        assert np.abs(mixed - soundfile.read(whole)[0]).max() > 0.01


def test_no_mix_replaces_a_song(songs, tmp_path, run):
    here, there = songs / "a.wav", songs / "album" / "a.wav"
    there.write_bytes(here.read_bytes())
    before = there.read_bytes()
    # the second is left out, because of its name, and the first one's mix would be there
    status, _, error = run("remix", here, there, "-o", there.parent, "--mute", "vocals", "-q")
    assert status == 2
    assert "album/a.wav: is a song to separate: choose another name or output" in error
    assert there.read_bytes() == before


def test_what_does_not_fit_is_one_line(songs, tmp_path, run):
    with pytest.raises(HiphopssError, match="broken"):
        remix_files(songs, tmp_path / "out", Mix(), progress=False)
    for arguments, told in (
        ((songs, "-o", tmp_path / "mix.wav"), "of a folder of songs, -o names a folder"),
        ((songs, songs / "a.wav", "-o", tmp_path / "m.wav"), "is a file's name: name a folder"),
        ((songs / "a.wav", "-o", tmp_path / "b.wav", "--format", "mp3"), "--format: is for many"),
        ((songs, "-o", tmp_path / "o", "--name", "x.{ext}"), "all songs would be one file"),
    ):
        status, _, error = run("remix", *arguments, "-q")
        assert status == 2
        assert told in error
