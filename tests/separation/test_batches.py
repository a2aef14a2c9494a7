"""Many songs at once: each costs only itself, and no stems are replaced by another song's."""

import errno
import os
import re
import threading
from pathlib import Path

import numpy as np
import pytest
import soundfile
from helpers.songs import RATE, noise, read_json, told

from hiphopss import SOURCES, HiphopssError, separate
from hiphopss.datasets.mixtures import find_mixtures
from hiphopss.errors import AudioError
from hiphopss.separation import song
from hiphopss.separation.files import SeparationSettings, separate_files
from hiphopss.separation.outputs import StemFiles

posix = pytest.mark.skipif(os.name != "posix", reason="names, pipes and links as Unix has them")


def write(path, seed=1):
    path.parent.mkdir(parents=True, exist_ok=True)
    kind = {"format": "WAV"} if path.suffix in (".wave", ".bwf") else {}
    soundfile.write(path, noise(1500, seed), RATE, **kind)
    return path


@pytest.fixture
def separated(published, tmp_path):
    """Separate into the folder ``out``; gives the tracks, and the lines about other songs."""

    def separated(*inputs, leave_out=True):
        done = separate_files(
            inputs,
            tmp_path / "out",
            SeparationSettings(published),
            leave_out=leave_out,
            progress=False,
        )
        return sorted(f.name for f in done.folders), list(map(str, done.left_out))

    return separated


@posix
def test_one_song_costs_only_itself(tmp_path, separated, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))  # without ffmpeg
    songs = tmp_path / "in"
    long = "b" * 250
    good = ["a.wav", "b.wave", "c.bwf", f"{long}.wav", "line\nbreak.wav", "CON.wav", "z.wav"]
    for number, name in enumerate([*good, "one/tag.flac", "tag.mp3", "two/tag.flac"]):
        write(songs / name, number)
    (songs / "d.m4a").write_bytes(b"\0\0\0\x20ftypM4A " + bytes(200))
    (songs / "e.ape").write_bytes(b"MAC " + bytes(200))
    (songs / "z.aup3").write_bytes(b"SQLite")  # a project beside the song that it made
    (songs / "lost.wav").symlink_to("nowhere.wav")
    (songs / "round.wav").symlink_to("round.wav")
    os.mkfifo(songs / "pipe.wav")
    for name in ("cover.jpg", "list.m3u", ".hidden.wav", "notes.txt"):
        (songs / name).write_text("no song")
    names, left = separated(songs, tmp_path / "missing.wav")
    assert names == sorted(["CON", "a", "b", long, "c", "line\nbreak", "tag", "z"])
    parts = {
        "d.m4a": "only ffmpeg can decode it",
        "e.ape": "only ffmpeg can decode it",
        "z.aup3": "would be written to the same folder as .*z.wav",
        "lost.wav": "no such file",
        "round.wav": "can't be opened",
        "pipe.wav": "a pipe or device",
        "two/tag.flac": "would be written to the same folder as .*one/tag.flac: rename one",
        "in/tag.mp3": "would be written to the same folder as .*one/tag.flac: rename one",
        "missing.wav": "no such file or folder: check the path",
    }
    assert len(left) == len(parts)
    for name, part in parts.items():
        (line,) = (line for line in left if line.partition(": ")[0].endswith(name))
        assert re.search(part, line), (name, line)
    inside = {path.name for path in (tmp_path / "out").iterdir()}
    assert inside == {*names, "separation.json"}  # no temporary files or locks


def test_stems_of_another_song_are_not_replaced(tmp_path, separated):
    one, two = write(tmp_path / "a" / "tag.flac"), write(tmp_path / "b" / "tag.mp3", 2)
    separated(one)
    stems = tmp_path / "out" / "tag"
    before = {path.name: path.read_bytes() for path in stems.iterdir()}
    refused = r"tag\.mp3: .*out/tag holds the stems of another file \(tag\.flac\): rename"
    with pytest.raises(AudioError, match=refused):
        separated(two)
    names, (left,) = separated(two, write(tmp_path / "c.wav", 3))
    assert names == ["c"]
    assert "holds the stems of another file" in left
    assert {path.name: path.read_bytes() for path in stems.iterdir()} == before
    (stems / "bass.wav").write_text("spoilt")
    again = tmp_path / "elsewhere" / "tag.flac"
    again.parent.mkdir()
    one.rename(again)  # the same song, in another place
    assert separated(again) == (["tag"], [])
    assert (stems / "bass.wav").read_bytes() == before["bass.wav"]
    known = read_json(stems / "track.json")
    assert known["file"] == "tag.flac"
    assert len(known["sha256"]) == 64


@posix
def test_two_spellings_of_one_folder(tmp_path, separated):
    """As where the file system takes names for equal that differ in case or Unicode form."""
    separated(write(tmp_path / "Song.wav"))
    (tmp_path / "out" / "song").symlink_to("Song")
    with pytest.raises(AudioError, match=r"out/song holds the stems of another file \(Song\.wav\)"):
        separated(write(tmp_path / "song.wav", 2))
    assert separated(write(tmp_path / "other" / "song.wav")) == (["song"], [])


def test_separated_stems_are_no_songs(tmp_path, separated):
    write(tmp_path / "in" / "a.wav")
    separated(tmp_path / "in")
    (tmp_path / "out").rename(tmp_path / "in" / "before")
    with told() as lines:
        assert separated(tmp_path / "in") == (["a"], [])
    assert any("the folders in it hold stems (separation.json says so)" in line for line in lines)
    with pytest.raises(AudioError, match="before: no audio files in this folder"):
        find_mixtures(tmp_path / "in" / "before")
    # Songs may lie beside their own stems.
    write(tmp_path / "in" / "before" / "b.wav")
    assert list(find_mixtures(tmp_path / "in" / "before")) == ["b"]


@posix
def test_links_to_folders_are_not_searched(tmp_path):
    write(tmp_path / "in" / "a" / "one.wav")
    write(tmp_path / "far" / "two.wav")
    (tmp_path / "in" / "a" / "up").symlink_to("..")
    (tmp_path / "in" / "far").symlink_to(tmp_path / "far")
    with told() as lines:
        assert list(find_mixtures(tmp_path / "in")) == ["one"]
    assert len(lines) == 1
    assert "in/far: a link to another folder, which is not searched" in lines[0]


def test_a_folder_that_can_not_be_searched_is_told(tmp_path, monkeypatch):
    write(tmp_path / "in" / "a.wav")
    walk = os.walk

    def no_permission(root, onerror):
        onerror(PermissionError(errno.EACCES, "Permission denied", str(Path(root) / "secret")))
        yield from walk(root)

    monkeypatch.setattr("hiphopss.datasets.mixtures.os.walk", no_permission)
    left = []
    assert list(find_mixtures(tmp_path / "in", left_out=left.append)) == ["a"]
    assert [str(error) for error in left] == [
        f"{tmp_path / 'in' / 'secret'}: can't be searched (Permission denied): check its "
        "permissions"
    ]
    with pytest.raises(AudioError, match="secret: can't be searched"):
        find_mixtures(tmp_path / "in")


def test_a_folder_that_can_not_be_made_costs_its_song(tmp_path, separated, monkeypatch):
    songs = [write(tmp_path / f"{name}.wav") for name in "abc"]
    filled_whole, code = song.filled_whole, errno.EINVAL

    def fail(folder):
        if folder.name == "b":
            raise OSError(code, os.strerror(code), str(folder))
        return filled_whole(folder)

    monkeypatch.setattr(song, "filled_whole", fail)
    names, (left,) = separated(*songs)
    assert names == ["a", "c"]
    assert left.startswith(f"{tmp_path / 'out' / 'b'}: can't hold the stems of {songs[1]} (Inval")
    code = errno.ENOSPC  # the next song would fail as well
    with pytest.raises(OSError, match="No space"):
        separated(*songs)


def test_two_runs_at_once_into_one_folder(tmp_path, separated, monkeypatch):
    """The same song: the second run waits. Others: both are in the record."""
    songs = [write(tmp_path / f"{name}.wav", number) for number, name in enumerate("ab")]
    begun, at_work = threading.Event(), []

    class Slow(StemFiles):
        @property
        def folder(self):
            return self._plan.labels["vocals"].parent

        def __enter__(self):
            at_work.append(self.folder)
            assert len({path.name for path in at_work}) == len(at_work)
            begun.set()
            return super().__enter__()

        def __exit__(self, *error):
            super().__exit__(*error)
            begun.wait(0.2)
            at_work.remove(self.folder)

    monkeypatch.setattr(song, "StemFiles", Slow)
    found = []
    runs = [
        threading.Thread(target=lambda song=song: found.append(separated(song)))
        for song in (songs[0], songs[0], songs[1])
    ]
    for run in runs:
        run.start()
    for run in runs:
        run.join()
    assert sorted(found) == [(["a"], []), (["a"], []), (["b"], [])]
    for name in "ab":
        assert read_json(tmp_path / "out" / name / "track.json")["file"] == f"{name}.wav"
        lengths = {soundfile.info(tmp_path / "out" / name / f"{s}.wav").frames for s in SOURCES}
        assert lengths == {1500}


def test_a_damaged_record_of_a_track_costs_only_its_song(tmp_path, separated):
    songs = [write(tmp_path / "a.wav"), write(tmp_path / "b.wav", 2)]
    separated(*songs)
    for text in ("{", "[]", '{"sha256": 5}', '{"file": 5}'):
        (tmp_path / "out" / "a" / "track.json").write_text(text)
        names, (left,) = separated(*songs)
        assert names == ["b"]
        assert re.search(r"out/a/track\.json: .*: remove its folder$", left)


def test_a_record_that_says_nothing_of_songs(tmp_path, separated):
    """That of an older version, whose stems are replaced as they were then; and broken ones."""
    song = write(tmp_path / "a.wav")
    separated(song)
    path = tmp_path / "out" / "separation.json"
    (tmp_path / "out" / "a" / "track.json").unlink()
    assert separated(write(tmp_path / "new" / "a.wav", 2)) == (["a"], [])
    for text in ("[]", '{"trained_on": 5}', "{"):
        path.write_text(text)
        with pytest.raises(
            HiphopssError, match=r"\.json: .*: remove it, or choose another output$"
        ):
            separated(song)


def test_a_transposed_waveform_is_called_that(published):
    with pytest.raises(HiphopssError, match=r"shape \(2, 44100\) is 44100 channels of 2 samples"):
        separate(np.zeros((2, 44100)), RATE, weights=published)
    with pytest.raises(HiphopssError, match=r"6 channels of 4 samples: transpose it"):
        separate(np.zeros((4, 6)), RATE, weights=published)


def test_a_folder_of_stems_that_is_named_itself_is_refused(tmp_path, separated):
    song = write(tmp_path / "a.wav")
    separated(song)
    before = {path.name: path.read_bytes() for path in (tmp_path / "out" / "a").iterdir()}
    with pytest.raises(AudioError, match=r"out/a: holds stems .separation\.json beside it"):
        separated(tmp_path / "out" / "a")
    names, (left,) = separated(song, tmp_path / "out" / "a")
    assert (names, "out/a: holds stems" in left) == (["a"], True)
    assert {path.name: path.read_bytes() for path in (tmp_path / "out" / "a").iterdir()} == before
    # Its files, named themselves, are songs; and so is a mixture in it.
    assert list(find_mixtures(tmp_path / "out" / "a" / "bass.wav")) == ["bass"]
    write(tmp_path / "out" / "a" / "mixture.wav")
    assert list(find_mixtures(tmp_path / "out" / "a")) == ["a"]
