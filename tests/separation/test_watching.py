"""A folder that is watched: what appears, grows, changes, fails, or was there before."""

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import soundfile
from helpers.songs import RATE, noise, read_json, told

from hiphopss import SOURCES, HiphopssError
from hiphopss.cli import build_parser
from hiphopss.separation import watching
from hiphopss.separation.files import separate_files
from hiphopss.separation.settings import SeparationSettings
from hiphopss.separation.watching import EVERY_S, LOOKS, watch


class Ended(Exception):
    """Raised in place of waiting, when nothing more shall happen."""


@pytest.fixture
def write(tmp_path):
    def write(name, seed=1, n_samples=1500):
        path = tmp_path / "in" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, noise(n_samples, seed), RATE)
        return path

    return write


@pytest.fixture
def watched(tmp_path):
    """Watch ``in``, and do what is given between two looks; gives what was made, and the lines."""
    (tmp_path / "in").mkdir(exist_ok=True)

    def watched(*meanwhile, output="out", folder="in", once=False, **options):
        made, steps, waits = [], iter([*meanwhile, *[lambda: None] * LOOKS]), []

        def wait(seconds):
            waits.append(seconds)
            step = next(steps, None)
            if step is None:
                raise Ended
            step()

        settings = SeparationSettings("generated", **options)
        with told() as lines:
            try:
                watch(
                    *(tmp_path / folder, tmp_path / output, settings),
                    once=once,
                    tell=lambda path: made.append(path.name),
                    progress=False,
                    wait=wait,
                )
            except Ended:
                assert not once
        assert set(waits) <= {EVERY_S}
        return made, lines

    return watched


def is_whole(folder):
    return sorted(path.name for path in folder.iterdir()) == sorted(
        [*(f"{source}.wav" for source in SOURCES), "track.json"]
    )


def test_a_song_that_grows_is_separated_when_it_is_whole(tmp_path, write, watched):
    whole = write("elsewhere/song.wav", n_samples=4000).read_bytes()
    shutil.rmtree(tmp_path / "in" / "elsewhere")
    song, out = tmp_path / "in" / "song.wav", tmp_path / "out"
    pieces = [whole[: len(whole) * part // 5] for part in range(6)]
    counts = []

    def grow(piece):
        def step():
            counts.append((out / "song").exists())
            song.write_bytes(piece)

        return step

    def rest():
        counts.append((out / "song").exists())

    made, lines = watched(*(grow(piece) for piece in pieces), rest, rest, rest)
    assert made == ["song"]
    assert lines == []
    assert is_whole(out / "song")
    # three looks at the last size, and not before
    assert counts == [False] * 8 + [True]
    assert len(soundfile.read(out / "song" / "bass.wav")[0]) == 4000


def test_nothing_is_done_again_after_a_restart(tmp_path, write, watched):
    write("a.wav")
    write("deep/b.flac", 2)
    assert watched()[0] == ["a", "b"]
    assert watched() == ([], [])
    shutil.rmtree(tmp_path / "out" / "a")  # somebody took them
    assert watched()[0] == []
    known = read_json(tmp_path / "out" / "watch.json")
    assert sorted(known["songs"]) == ["a.wav", "deep/b.flac"]
    write("c.wav", 3)
    assert watched()[0] == ["c"]


def test_what_was_half_done_is_done_again(tmp_path, write, watched, monkeypatch):
    write("a.wav")
    write("b.wav", 2)

    def interrupted(inputs, *arguments, **options):
        if "b" in inputs:
            left = tmp_path / "out" / ".partial-b"  # as a killed run leaves it
            left.mkdir()
            (left / "bass.wav").write_bytes(b"half")
            raise KeyboardInterrupt
        return separate_files(inputs, *arguments, **options)

    with monkeypatch.context() as changed:
        changed.setattr(watching, "separate_files", interrupted)
        with pytest.raises(KeyboardInterrupt):
            watched()
    assert watched()[0] == ["b"]
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names == {"a", "b", "separation.json", "watch.json"}


def test_a_changed_song_is_done_again(tmp_path, write, watched):
    write("a.wav", n_samples=1500)
    watched()
    write("a.wav", 5, n_samples=2500)
    made, lines = watched()
    assert made == ["a"]
    assert lines == []
    assert soundfile.info(tmp_path / "out" / "a" / "bass.wav").frames == 2500
    (tmp_path / "in" / "a.wav").write_bytes(b"no song")
    assert watched()[0] == []
    write("a.wav", 6, n_samples=3500)  # its stems, of two songs ago, are still this watch's own
    assert watched()[0] == ["a"]
    assert soundfile.info(tmp_path / "out" / "a" / "bass.wav").frames == 3500


def test_a_song_that_fails_is_told_once_and_not_tried_again(tmp_path, write, watched):
    bad = tmp_path / "in" / "bad.mp3"
    bad.write_bytes(b"no song at all")
    write("good.wav")
    made, lines = watched()
    assert made == ["good"]
    (line,) = lines
    assert "bad.mp3: not an audio file" in line
    assert "(left out until the song's file changes)" in line
    assert watched() == ([], [])
    bad.write_bytes(b"still no song")
    assert len(watched()[1]) == 1
    bad.write_bytes(write("c.wav").read_bytes())
    assert watched()[0] == ["bad", "c"]


def test_what_is_no_song_is_left_out(tmp_path, write, watched):
    folder = tmp_path / "in"
    for name in (
        "cover.jpg",
        ".hidden.wav",
        "a.mp3.part",
        "b.wav.crdownload",
        "c.tmp",
        "d.WAV.TMP",
    ):
        (folder / name).write_text("nothing")
    (folder / "empty.wav").touch()
    write("loading.wav")
    (folder / "loading.wav.part").touch()  # a browser has both
    made, lines = watched()
    assert made == []
    assert lines == [f"{folder / 'cover.jpg'}: not named like audio, and left out"]
    assert watched() == ([], [])
    (folder / "loading.wav.part").unlink()
    assert watched()[0] == ["loading"]


def test_the_output_may_be_inside(tmp_path, write, watched, ffmpeg_on_path):
    write("a.wav")
    for output, made in (("in/out", "a"), ("in/two", "a.stem.mp4"), ("in", "a.stem.mp4")):
        stem_file = "aac" if made != "a" else None
        assert watched(output=output, stem_file=stem_file) == ([made], [])
        assert watched(output=output, stem_file=stem_file) == ([], [])


def test_what_was_separated_otherwise_is_not_done_again(tmp_path, write, watched):
    song, other = write("a.wav"), write("b.wav", 2)
    settings = SeparationSettings("generated")
    separate_files([song, other], tmp_path / "out", settings, progress=False)
    other = write("b.wav", 3)
    made, lines = watched()
    assert made == []
    (line,) = lines
    assert "b.wav: " in line
    assert "holds the stems of another file (b.wav)" in line


def test_two_songs_of_one_name_cost_one(write, watched):
    write("one/tag.wav")
    write("two/tag.wav", 2)
    made, lines = watched()
    assert made == ["tag"]
    (line,) = lines
    assert "would be written to the same folder" in line


def test_what_concerns_all_songs_ends_it(tmp_path, write, watched):
    write("a.wav")
    with pytest.raises(HiphopssError, match="nowhere: no such folder"):
        watched(folder="nowhere")
    watched()
    with pytest.raises(HiphopssError, match="made with another mono"):
        watched(mono=True)
    (tmp_path / "out" / "watch.json").write_text("{")
    with pytest.raises(HiphopssError, match=r"watch\.json: not JSON.*: remove it"):
        watched()


def test_one_output_is_watched_for_once(write, watched):
    write("a.wav")
    errors = []

    def second():
        with ThreadPoolExecutor(1) as threads:  # another thread has none of this one's locks
            errors.append(threads.submit(watched).exception())

    watched(second)
    (error,) = errors
    assert isinstance(error, HiphopssError)
    assert "watch.json: another run is making it" in str(error)


def test_an_error_that_is_no_song_s_fault_is_forgotten(write, watched, monkeypatch):
    write("a.wav")

    def failing(cause):
        def separate(inputs, *arguments, **options):
            if inputs:
                raise HiphopssError("tmp: no room: make some") from cause
            return separate_files(inputs, *arguments, **options)

        return separate

    with monkeypatch.context() as changed:
        changed.setattr(watching, "separate_files", failing(None))
        assert len(watched()[1]) == 1
        changed.setattr(watching, "separate_files", failing(OSError(errno.ENOSPC, "full")))
        with pytest.raises(HiphopssError, match="no room"):  # nor would another song find any
            watched()
    assert watched()[0] == ["a"]


def test_a_drive_that_goes_is_waited_for(tmp_path, write, watched):
    write("a.wav")
    folder, away = tmp_path / "in", tmp_path / "away"
    made, lines = watched(
        lambda: folder.rename(away), lambda: None, lambda: away.rename(folder), lambda: None
    )
    assert made == ["a"]
    assert lines == [f"{folder}: can't be reached any more: waiting for it"]


def test_once_ends_by_itself(tmp_path, write, watched):
    assert watched(once=True) == ([], [])
    write("a.wav")
    growing = tmp_path / "in" / "b.wav"
    steps = [lambda size=size: growing.write_bytes(bytes(size)) for size in (10, 20, 30)]
    assert watched(*steps, once=True) == (["a"], [])


def test_the_command(tmp_path, run, write, monkeypatch):
    monkeypatch.setattr(watching.time, "sleep", lambda seconds: None)
    write("a.wav")
    (tmp_path / "in" / "bad.mp3").write_bytes(b"no song")
    (tmp_path / "in" / "empty.wav").touch()
    arguments = ["watch", tmp_path / "in", tmp_path / "out", "--weights", "generated", "-q"]
    arguments += ["--once", "--every", "0.001"]
    status, out, error = run(*arguments)
    assert (status, out) == (1, f"{tmp_path / 'out' / 'a'}\n")
    assert [Path(line.split(": ")[2]).name for line in error.splitlines()] == [
        *("bad.mp3", "empty.wav"),
    ]
    assert run(*arguments) == (0, "", "")
    status, _, error = run(*arguments[:-1], "0")
    assert status == 2
    assert "0: give a number of seconds above 0" in error
    options = build_parser().parse_args(["watch", "in", "out"])
    assert options.every == EVERY_S


def test_the_command_writes_what_separate_writes(tmp_path, run, write, monkeypatch):
    monkeypatch.setattr(watching.time, "sleep", lambda seconds: None)
    songs, out = [write("one/a.wav"), write("two/a.wav", 2)], tmp_path / "out"
    (tmp_path / "in" / "bad.mp3").write_bytes(b"no song")
    arguments = ["watch", tmp_path / "in", out, "--weights", "generated", "--once", "-q", "--json"]
    arguments += ["--format", "flac", "--two-stems", "vocals", "--loops", "off"]
    arguments += ["--name", "{folder} - {track} {stem}.{ext}"]
    status, told, _ = run(*arguments)
    record = json.loads(told)
    stems = [
        out / f"{name} - a {s}.flac" for name in ("one", "two") for s in ("vocals", "no_vocals")
    ]
    assert (status, record["n_failed"]) == (1, 1)
    assert [song["path"] for song in record["songs"]] == list(map(str, stems))
    assert record["left_out"][0]["path"] == str(tmp_path / "in" / "bad.mp3")
    for song, stem, rest in zip(songs, stems[::2], stems[1::2], strict=True):
        whole, *parts = (soundfile.read(path, dtype="int16")[0] for path in (song, stem, rest))
        assert (sum(parts) == whole).all()


@pytest.mark.skipif(os.name != "posix", reason="signals as Unix has them")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_end_it_cleanly(tmp_path, write, number):
    write("a.wav")
    code = "from hiphopss.__main__ import run; run()"
    command = [sys.executable, "-c", code, "watch", tmp_path / "in", tmp_path / "out", "-q"]
    command += ["--weights", "generated", "--every", "0.01"]
    watch = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert Path(watch.stdout.readline().strip()) == tmp_path / "out" / "a"
        time.sleep(0.02)  # it is waiting, most likely
        watch.send_signal(number)
        _, error = watch.communicate(timeout=60)
    finally:
        watch.kill()
    assert watch.returncode == (0 if number == signal.SIGINT else 128 + number)
    assert error == ""
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names == {"a", "separation.json", "watch.json"}
