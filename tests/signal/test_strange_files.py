"""Pipes, folders, names, 8 bits, and formats that only ffmpeg decodes."""

import os
import socket
import subprocess
import sys

import numpy as np
import pytest
import soundfile
from helpers.songs import noise, nothing_warned, warned
from helpers.stem_mp4 import ffmpeg_program

from hiphopss import HiphopssError
from hiphopss.demo.limits import Limits
from hiphopss.demo.uploads import Refused, inspect
from hiphopss.signal import reading, writing
from hiphopss.signal.formats.kinds import look_at

N, RATE = 30_011, 44_100


def one_line(path, told):
    for read in (reading.read, reading.read_header, lambda path: list(reading.read_blocks(path))):
        with pytest.raises(reading.AudioError, match=told) as caught:
            read(path)
        assert "\n" not in str(caught.value)
        assert str(caught.value).startswith(f"{path}: ")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="a system without pipes that have names")
def test_what_is_no_file_is_called_what_it_is(tmp_path, monkeypatch):
    os.mkfifo(tmp_path / "pipe.wav")  # nobody writes to it
    one_line(tmp_path / "pipe.wav", "is a pipe, which can be read only once: write")
    one_line(tmp_path, "is a folder")
    one_line("/dev/null", "is a device")
    one_line(tmp_path / "none.wav", "no such file")
    one_line(tmp_path / "none.wav" / "a.wav", "no such file")
    monkeypatch.chdir(tmp_path)  # names of sockets must be short
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("socket.wav")
        one_line("socket.wav", "is a pipe")
    reading_end, writing_end = os.pipe()
    try:
        one_line(f"/dev/fd/{reading_end}", "is a pipe")
    finally:
        os.close(reading_end)
        os.close(writing_end)


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no such names")
def test_names_in_another_encoding_are_opened(tmp_path):
    path = tmp_path / os.fsdecode(b"caf\xe9.wav")
    writing.write(path, noise(500, 1), RATE, "PCM_16")
    assert reading.read_header(path).n_samples == 500
    with open(path, "ab") as file:  # one that has to be put together
        file.write(path.read_bytes())
    assert len(reading.read(path).waveform) == 1000


@pytest.mark.parametrize(("kind", "subtype"), [("WAV", "PCM_U8"), ("AIFF", "PCM_S8")])
def test_8_bits_keep_their_level(tmp_path, kind, subtype):
    steps = np.arange(-128, 128)
    whole = steps[:, None].astype(np.int16) << 8
    soundfile.write(tmp_path / "a", whole, RATE, format=kind, subtype=subtype)
    read = reading.read(tmp_path / "a")
    np.testing.assert_array_equal(read.waveform[:, 0], steps / 128)
    with nothing_warned():
        writing.write(tmp_path / "b.wav", read.waveform, RATE)
    again = reading.read(tmp_path / "b.wav").waveform
    np.testing.assert_array_equal(np.rint(again[:, 0] * 128), steps)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Function that encodes noise with ffmpeg, and gives the file and the noise."""
    folder = tmp_path_factory.mktemp("by-ffmpeg")
    x = 0.3 * np.stack([noise(N, 1), noise(N, 2)], axis=1)
    soundfile.write(folder / "in.wav", x, RATE)
    x = reading.read(folder / "in.wav").waveform

    def make(name, *options, inputs=("-i", folder / "in.wav")):
        command = [ffmpeg_program(), "-nostdin", "-v", "error", "-y", *inputs, *options]
        subprocess.run([*command, folder / name], check=True)
        return folder / name, x

    return make


FORMATS = {
    "a.m4a": ("-c:a", "aac"),
    "a.aac": ("-c:a", "aac"),
    "a.mov": ("-c:a", "aac"),
    "a.wma": ("-c:a", "wmav2"),
    "a.webm": ("-c:a", "libopus"),
    "a.mkv": ("-c:a", "aac"),
    "a.avi": ("-c:a", "libmp3lame"),
    "a.ts": ("-c:a", "aac"),
    "ac3.wav": ("-c:a", "ac3"),
}


@pytest.mark.parametrize("name", FORMATS)
def test_formats_that_only_ffmpeg_decodes_are_read(made, ffmpeg_on_path, name):
    path, x = made(name, *FORMATS[name])
    header, read = reading.read_header(path, end=True), reading.read(path)
    assert header.n_samples == len(read.waveform)
    assert (header.sample_rate, header.n_channels) == (48_000 if "webm" in name else RATE, 2)
    assert header.subtype == read.subtype
    assert abs(header.seconds - N / RATE) < 5000 / RATE  # frames and delays of codecs
    if header.sample_rate == RATE:
        ours, theirs = read.waveform.mean(axis=1), x.mean(axis=1)
        likeness = np.correlate(ours[:20_000], theirs[3000:10_000])
        assert likeness.max() > 0.8 * (theirs[3000:10_000] ** 2).sum()


@pytest.mark.parametrize(
    ("name", "options", "subtype"),
    [
        ("alac.m4a", ("-c:a", "alac"), "PCM_16"),
        ("alac24.m4a", ("-c:a", "alac", "-sample_fmt", "s32p"), "PCM_24"),
        ("a.wv", ("-c:a", "wavpack"), "PCM_16"),
        ("a.tta", ("-c:a", "tta"), "PCM_16"),
        ("oggflac.ogg", ("-c:a", "flac"), "PCM_16"),
    ],
)
def test_lossless_formats_are_read_as_wav_is(made, ffmpeg_on_path, name, options, subtype):
    path, x = made(name, *options)
    read = reading.read(path)
    assert read.subtype == subtype
    np.testing.assert_allclose(read.waveform, x, rtol=5e-5)  # 32767 and 32768
    if subtype == "PCM_16":
        np.testing.assert_array_equal(read.waveform, x)


def test_the_length_is_that_of_the_sound(made, ffmpeg_on_path):
    picture = ("-f", "lavfi", "-i", "testsrc=d=3:s=64x64:r=5")
    sound = made("in2.wav", "-c:a", "pcm_s16le")[0]
    options = ("-c:v", "mpeg4", "-c:a", "aac", "-map", "0", "-map", "1")
    path, _ = made("video.mp4", *options, inputs=(*picture, "-i", sound))
    assert reading.read_header(path).n_samples == N
    path, _ = made("silent.mp4", "-c:v", "mpeg4", inputs=picture)
    one_line(path, "has no audio track: use another file")


def test_names_of_formats_may_be_wrong(made, ffmpeg_on_path, tmp_path):
    path, _ = made("b.m4a", "-c:a", "aac")
    (tmp_path / "b.mp3").write_bytes(path.read_bytes())
    assert reading.read_header(tmp_path / "b.mp3").n_samples == N
    soundfile.write(tmp_path / "c.wav", noise(500, 1), RATE)
    (tmp_path / "c.wav").rename(tmp_path / "c.mp3")
    assert reading.read_header(tmp_path / "c.mp3").n_samples == 500


def test_an_m4a_that_is_cut_off_is_told(made, ffmpeg_on_path, tmp_path):
    path, _ = made("c.m4a", "-c:a", "aac", "-movflags", "faststart")
    data = path.read_bytes()
    (tmp_path / "cut.m4a").write_bytes(data[: len(data) // 2])
    with warned(r"cut\.m4a: cut off: 0\.\d of 0\.7 s are there"):
        assert 0.2 * N < len(reading.read(tmp_path / "cut.m4a").waveform) < 0.7 * N


@pytest.mark.parametrize(
    ("name", "codec", "options"),
    [
        ("d.m4a", "alac", ("-movflags", "faststart")),
        ("d.mkv", "flac", ()),
        ("d.mka", "aac", ()),
    ],
)
def test_whatever_only_ffmpeg_decodes_is_told_if_it_is_cut_off(
    made, ffmpeg_on_path, tmp_path, name, codec, options
):
    path, _ = made(name, "-c:a", codec, *options)
    with nothing_warned():
        reading.read(path)
    data = path.read_bytes()
    (tmp_path / name).write_bytes(data[: len(data) // 2])
    with warned(rf"{name}: cut off: 0\.\d+ of 0\.\d+ s are there"):
        assert len(reading.read(tmp_path / name).waveform) < 0.8 * N


def test_without_ffmpeg_it_is_said_that_it_is_needed(made, tmp_path, monkeypatch):
    path, _ = made("d.m4a", "-c:a", "aac")
    monkeypatch.setenv("PATH", str(tmp_path))
    one_line(path, r"only ffmpeg can decode it \(MP4\).*: install ffmpeg .*, or convert it to WAV")


def test_uploads_are_decoded_no_further_than_is_allowed(made, ffmpeg_on_path, tmp_path):
    long, _ = made("e.m4a", "-t", "20", "-c:a", "aac", inputs=("-f", "lavfi", "-i", "sine=d=20"))
    upload = tmp_path / "upload"
    upload.write_bytes(long.read_bytes())
    inspect(upload, name="song.wav", limits=Limits(max_seconds=30))
    with pytest.raises(Refused, match=r"song\.wav is longer than the 3 seconds that"):
        inspect(upload, name="song.wav", limits=Limits(max_seconds=3))
    with reading.opened(upload, most_seconds=3) as reader:
        assert reader.header.seconds == pytest.approx(4, abs=0.1)


@pytest.mark.parametrize(
    "content",
    [
        b"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n",
        b"ffconcat version 1.0\nfile /etc/passwd\n",
        b"<?xml version='1.0'?><MPD></MPD>",
        b"v=0\no=- 0 0 IN IP4 127.0.0.1\nm=audio 5004 RTP/AVP 0\n",
    ],
)
def test_lists_of_other_files_are_not_followed(tmp_path, ffmpeg_on_path, content):
    path = tmp_path / "a.mp4"
    path.write_bytes(content)
    assert look_at(path).demuxer is None
    one_line(path, "not an audio file")
    with pytest.raises(HiphopssError, match=r"song\.wav is no song that this server can read"):
        inspect(path, name="song.wav", limits=Limits())
