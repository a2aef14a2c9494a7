"""Streams of stem files: decoded to the sample, once, and nothing is left behind."""

import os
import re
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from helpers.songs import nothing_warned, warned
from helpers.stem_mp4 import N_SAMPLES, make_stem_mp4, one_line, start_anew, streams_of

from hiphopss import HiphopssError
from hiphopss.signal import containers, decoded, ffmpeg, reading
from hiphopss.signal.containers import STREAMS


@pytest.fixture
def decodings(monkeypatch):
    """The files that were decoded."""
    found, decode = [], ffmpeg.decode

    def counted(path, folder, **options):
        found.append(path.name)
        return decode(path, folder, **options)

    monkeypatch.setattr(decoded, "decode", counted)
    return found


def snr(given, found):
    return 10 * np.log10(np.sum(given**2) / np.sum((given - found) ** 2))


def test_paths():
    mp4 = Path("x", "Song.STEM.mp4")
    assert containers.stream_paths(mp4)["vocals"] == mp4 / "vocals"
    assert containers.song_name(mp4) == "Song"
    assert containers.container_of(mp4 / "bass") == containers.container_of(mp4) == mp4
    assert containers.is_inside(str(mp4 / "mixture"))
    for other in (mp4, mp4 / "vocals.wav", mp4 / "guitar", Path("x.mp4", "vocals"), Path("vocals")):
        assert not containers.is_inside(other)
        assert containers.container_of(other) == other


def test_samples_are_where_they_were_before_encoding(song):
    for name, given in streams_of().items():
        audio = reading.read(song / name)
        assert (audio.sample_rate, audio.subtype) == (44100, "AAC")
        assert audio.waveform.shape == given.shape
        assert audio.waveform.dtype == np.float32
        # any other stream, and this one a sample later, is worse than 10 dB
        assert snr(given, audio.waveform) > 15
        lags = np.correlate(audio.waveform[9000:15000, 0], given[10000:14000, 0], "valid")
        assert np.argmax(lags) == 1000
        header = reading.read_header(song / name, end=True)
        assert header == reading.Header(N_SAMPLES, 44100, 2, "AAC")
        blocks = np.concatenate(list(reading.read_blocks(song / name)))
        np.testing.assert_array_equal(blocks, audio.waveform)
        exact = reading.read(song / name, exact=True)
        np.testing.assert_array_equal(exact.waveform, audio.waveform)  # no scaling of integers


def test_other_rates_and_channels(tmp_path, ffmpeg_on_path):
    path = make_stem_mp4(tmp_path / "b.stem.mp4", streams_of(9000, 1), 48000)
    audio = reading.read(str(path / "vocals"))
    assert audio.waveform.shape == (9000, 1)
    assert audio.sample_rate == 48000
    assert reading.read_header(path / "vocals").n_channels == 1


def test_names_are_no_options_or_addresses(tmp_path, song, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = ["-y.stem.mp4", "100%41 #1.stem.mp4", "é 'x'.stem.mp4"]
    names += [] if sys.platform == "win32" else ["http:x|y.stem.mp4", "a\\b\nc.stem.mp4"]
    for name in names:
        shutil.copy(song, tmp_path / name)
        assert reading.read(Path(name) / "bass").waveform.shape == (N_SAMPLES, 2)


def test_a_song_is_decoded_once_and_the_last_two_stay(tmp_path, song, decodings, monkeypatch):
    start_anew(monkeypatch)
    others = [tmp_path / f"{name}.stem.mp4" for name in "bc"]
    for other in others:
        shutil.copy(song, other)
    for name in STREAMS:
        reading.read_header(song / name)
        reading.read(song / name)
        reading.read(others[0] / name)
    assert decodings == ["a song.stem.mp4", "b.stem.mp4"]
    folder = decoded._copies._scratch.folder
    assert len([path for path in folder.iterdir() if path.is_dir()]) == 2
    blocks = reading.read_blocks(song / "bass")  # is read while two others are
    first = next(blocks)
    for other in others:
        reading.read(other / "bass")
    reading.read(song / "bass")
    assert decodings == ["a song.stem.mp4", "b.stem.mp4", "c.stem.mp4"]
    np.testing.assert_array_equal(
        np.concatenate([first, *blocks]), reading.read(others[1] / "bass").waveform
    )
    assert len([path for path in folder.iterdir() if path.is_dir()]) == 2
    make_stem_mp4(song, streams_of(5000))  # another file of the same name
    assert len(reading.read(song / "bass").waveform) == 5000
    shutil.rmtree(folder)  # as systems do with old temporary files
    assert len(reading.read(song / "bass").waveform) == 5000


def test_threads_share_a_copy(tmp_path, ffmpeg_on_path, decodings, monkeypatch):
    start_anew(monkeypatch)
    paths = []
    for number in range(4):
        streams = {name: stream[:3000] for name, stream in streams_of(first=number).items()}
        paths.append(make_stem_mp4(tmp_path / f"{number}.stem.mp4", streams))
    wanted = [reading.read(path / "vocals").waveform for path in paths]
    decodings.clear()
    with ThreadPoolExecutor(8) as pool:
        turns = [number % 4 for number in range(64)]
        found = pool.map(lambda number: reading.read(paths[number] / "vocals").waveform, turns)
        for number, waveform in zip(turns, found, strict=True):
            np.testing.assert_array_equal(waveform, wanted[number])
    start_anew(monkeypatch)
    decodings.clear()
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: reading.read(paths[0] / "vocals"), range(8)))
    assert decodings == ["0.stem.mp4"]


def test_lengths_are_remembered(song, ffmpeg_on_path, decodings, monkeypatch):
    decoded.measure([song], progress=False)
    assert decodings == ["a song.stem.mp4"]
    start_anew(monkeypatch)
    decoded.measure([song], progress=False)
    assert reading.read_header(song / "vocals").n_samples == N_SAMPLES
    assert len(decodings) == 1
    (memory,) = ffmpeg_on_path.rglob("*.json")
    for damage in ("", "{}", '{"stamp": 1, "streams": 2}', "[1]"):
        memory.write_text(damage)
        start_anew(monkeypatch)
        assert reading.read_header(song / "vocals").n_samples == N_SAMPLES
    assert len(decodings) == 5
    os.utime(song, ns=(0, 0))  # as if it were another file
    assert reading.read_header(song / "vocals").n_samples == N_SAMPLES
    assert len(decodings) == 6
    start_anew(monkeypatch)
    if sys.platform != "win32":  # another ffmpeg may pad in another way
        other = Path(shutil.which("ffmpeg"))
        program = other.rename(other.parent / "other")
        other.write_text(f'#!/bin/sh\nexec "{program}" "$@"\n')
        other.chmod(0o755)
        reading.read_header(song / "vocals")
        assert len(decodings) == 7
    assert [path.suffix for path in memory.parent.iterdir()] == [".json"]


def test_lengths_that_can_not_be_written_down(song, ffmpeg_on_path, monkeypatch, decodings):
    (ffmpeg_on_path / "hiphopss").write_text("a file where the folder should be")
    start_anew(monkeypatch)
    with nothing_warned():
        for name in STREAMS:
            assert reading.read_header(song / name).n_samples == N_SAMPLES
    assert len(decodings) == 1


def test_streams_that_encoders_padded_differently_are_cut(tmp_path, ffmpeg_on_path, monkeypatch):
    start_anew(monkeypatch)
    streams = streams_of(20000)
    streams["bass"] = streams["bass"][:18000]
    path = make_stem_mp4(tmp_path / "a.stem.mp4", streams)
    with warned("differ by up to 2000 samples.*shortest, 18000") as messages:
        lengths = {len(reading.read(path / name).waveform) for name in STREAMS}
        lengths |= {reading.read_header(path / name).n_samples for name in STREAMS}
    assert lengths == {18000}
    assert len(messages) == 1
    streams["bass"] = streams["bass"][:15000]
    path = make_stem_mp4(tmp_path / "b.stem.mp4", streams)
    one_line(
        path / "bass", r"b\.stem\.mp4: stream mixture is 5000 samples longer than bass: export"
    )


def test_without_ffmpeg_one_line_says_so(song, monkeypatch, tmp_path):
    reading.read(song / "bass")
    start_anew(monkeypatch)
    monkeypatch.setenv("PATH", str(tmp_path))
    for read in (reading.read, reading.read_header, lambda path: decoded.measure([path.parent])):
        told = one_line(song / "bass", "only ffmpeg can decode it", read, HiphopssError)
        assert told.startswith(f"{song}: ")
    # It is no error about one file, so no song is left out for it.
    with pytest.raises(HiphopssError) as caught:
        reading.read(song / "bass")
    assert not isinstance(caught.value, reading.AudioError)


def test_what_is_no_stem_file_is_told_in_one_line(tmp_path, ffmpeg_on_path, monkeypatch):
    start_anew(monkeypatch)
    path = tmp_path / "a.stem.mp4"
    one_line(path / "bass", r"a\.stem\.mp4: no such file: check")
    path.touch()
    one_line(path / "bass", r"a\.stem\.mp4: empty: copy", reading.read_header)
    path.write_text("not an MP4")
    one_line(
        path / "bass", r"a\.stem\.mp4: damaged, .* \(ffmpeg says 'moov atom not found'\): copy"
    )
    streams = streams_of(9000)
    make_stem_mp4(path, {name: streams[name] for name in ("mixture", "bass")})
    one_line(path / "mixture", r"a\.stem\.mp4: has fewer than 5 audio streams: export")
    playlist = "#EXTM3U\n#EXTINF:1,\nhttp://localhost/x.aac\n"  # ffmpeg would open what it names
    path.write_text(playlist)
    one_line(path / "mixture", "damaged, cut off or in another format")
    one_line(path, r"a\.stem\.mp4: has several streams: name one, such as .*mp4.mixture$")
    decoded.measure([path, tmp_path / "missing.stem.mp4"], progress=False)
    assert not [path for path in decoded._copies._scratch.folder.iterdir() if path.is_dir()]


def test_damaged_files_are_told_in_one_line(tmp_path, song):
    whole = song.read_bytes()
    song.write_bytes(whole[: len(whole) // 2])
    one_line(song / "bass", r"song\.stem\.mp4: damaged, cut off")
    # The index in front, as in files for the web: ffmpeg then takes what it finds for the whole.
    song.write_bytes(whole)
    in_front = tmp_path / "b.stem.mp4"
    command = [shutil.which("ffmpeg"), "-v", "error", "-i", song, "-map", "0", "-c", "copy"]
    subprocess.run([*command, "-movflags", "+faststart", in_front], check=True)
    assert reading.read(in_front / "bass").waveform.shape == (N_SAMPLES, 2)
    content = in_front.read_bytes()
    middle = len(content) // 2
    cut = [content[:-100], *(content[: middle + 1000 * k] for k in range(4))]
    for damaged in (*cut, content[:middle] + bytes(400) + content[middle + 400 :]):
        in_front.write_bytes(damaged)
        one_line(in_front / "bass", r"b\.stem\.mp4: damaged, cut off")
    # Cut where a packet begins: ffmpeg takes that for the end.
    in_front.write_bytes(content[:middle])
    all_streams = [*command[:3], "-i", in_front, "-map", "0", "-f", "null", "-"]
    done = subprocess.run(all_streams, capture_output=True)
    begin = int(re.search(rb"offset (0x[0-9a-f]+): partial file", done.stderr)[1], 16)
    in_front.write_bytes(content[:begin])
    one_line(in_front / "bass", r"b\.stem\.mp4: cut off: copy")


@pytest.mark.skipif(sys.platform == "win32", reason="a shell script in place of ffmpeg")
@pytest.mark.parametrize(
    ("script", "kind", "told"),
    [
        ("echo '[out] x: No space left on device' >&2; exit 1", HiphopssError, "disk is full"),
        ("exit 3", reading.AudioError, "ffmpeg says 'nothing'"),
        ("exec sleep 9", reading.AudioError, r"did not decode it within 0\.3 s: convert it"),
    ],
)
def test_what_can_happen_to_ffmpeg(song, tmp_path, monkeypatch, script, kind, told):
    monkeypatch.setattr(ffmpeg, "_TIME_LIMIT_S", 0.3)
    start_anew(monkeypatch)
    fake = tmp_path / "bin" / "ffmpeg"
    fake.parent.mkdir()
    fake.write_text(f"#!/bin/sh\n{script}\n")
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{fake.parent}{os.pathsep}{os.defpath}")
    assert str(song) in one_line(song / "bass", told, kind=kind)
    fake.write_text("#!/nowhere\n")
    assert "can't be run" in one_line(song / "bass", "install ffmpeg again", kind=HiphopssError)


def test_errors_in_spite_of_which_ffmpeg_reports_success(song, monkeypatch):
    start_anew(monkeypatch)
    run, said = subprocess.run, b"[aac @ 0x1] [x] strange \x1b frame\nmore"

    def talking(*arguments, **options):
        done = run(*arguments, **options)
        done.stderr = said
        return done

    monkeypatch.setattr(ffmpeg.subprocess, "run", talking)
    with warned(r"a song\.stem\.mp4: decoded, but ffmpeg says 'strange  frame'"):
        reading.read(song / "bass")
    start_anew(monkeypatch)
    said = b"[in#0 @ 0x1] stream 0, offset 0xca2f: partial file"
    one_line(song / "bass", "damaged, cut off .*partial file")
