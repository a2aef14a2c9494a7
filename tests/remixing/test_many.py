"""Many songs, mixed in one way."""

import numpy as np
import pytest
import soundfile
from helpers.songs import RATE, noise

from hiphopss import HiphopssError, Mix, remix_files
from hiphopss.signal import reading


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
    files, left_out, _ = remix_files(
        songs, tmp_path / "out", Mix(muted={"vocals"}), weights=published, progress=False
    )
    assert not left_out
    for done, whole in zip(files, (songs / "a.wav", songs / "album" / "b.flac"), strict=True):
        mixed, _ = soundfile.read(done.path)
        assert np.abs(mixed - soundfile.read(whole)[0]).max() > 0.01


def test_part_format_and_bitrate_of_every_song_in_two_processes(songs, tmp_path, run):
    (songs / "broken.wav").unlink()
    other = songs / "other" / "a.wav"  # of the same name
    other.parent.mkdir()
    soundfile.write(other, noise(7000, 3), RATE)
    out = tmp_path / "out"
    names = ["album - b.mp3", "my songs - a.mp3", "other - a.mp3"]
    arguments = ["remix", songs, "-o", out, "--format", "mp3", "--bitrate", "64", "--jobs", "2"]
    arguments += ["--name", "{folder} - {track}.{ext}", "--start", "0.01", "--duration", "0.1"]
    arguments += ["--mute", "bass", "--skip-existing"]
    status, told, error = run(*arguments, "-v")
    assert (status, sorted(told.split("\n")[:-1])) == (0, [str(out / name) for name in names])
    assert error.count("done by process") == 3
    assert error.count("separating with the shipped weights") == 1
    for name in names:
        assert soundfile.info(out / name).frames == 4410
        assert (out / name).stat().st_size < 4000  # 64 kbit/s for 0.1 s, and tags
    (out / names[0]).unlink()
    status, told, error = run(*arguments)
    assert (status, len(told.split("\n")[:-1])) == (0, 3)
    assert "1 mixed, 2 already there" in error


def test_a_part_of_stems_and_one_song_in_a_folder(songs, tmp_path, run, ffmpeg_on_path):
    stems = tmp_path / "stems"
    stems.mkdir()
    whole = {
        name: noise(6000, k) / 2 for k, name in enumerate(("vocals", "bass", "drums", "other"))
    }
    for name, stem in whole.items():
        soundfile.write(stems / f"{name}.wav", stem, RATE, "FLOAT")
    part = ["--start", "0.05", "--duration", "0.04", "-q"]
    assert run("remix", stems, "-o", tmp_path / "m.wav", *part)[0] == 0
    mixed, _ = soundfile.read(tmp_path / "m.wav")
    np.testing.assert_allclose(mixed, sum(whole.values())[2205 : 2205 + 1764], atol=1e-6)
    assert run("remix", stems, "-o", tmp_path / "m.m4a", "--bitrate", "96", "-q")[0] == 0
    assert reading.read(tmp_path / "m.m4a").waveform.shape == (6000, 1)
    assert run("remix", songs / "a.wav", "-o", tmp_path / "one", "--format", "flac", "-q")[0] == 0
    assert (tmp_path / "one" / "a.flac").exists()
    status, _, error = run("remix", stems, "-o", tmp_path / "one", "--format", "flac")
    assert status == 2
    assert "is a folder of stems, whose mix is a file that -o names" in error


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
        (
            (songs / "a.wav", "-o", tmp_path / "b.wav", "--format", "mp3"),
            "--format: names the mixes in a folder: leave",
        ),
        ((songs, "-o", tmp_path / "o", "--name", "x.{ext}"), "all songs would be one file"),
    ):
        status, _, error = run("remix", *arguments, "-q")
        assert status == 2
        assert told in error
