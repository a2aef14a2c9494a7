"""Stem files that are written: read back by our reader, and described by ffmpeg and ffprobe."""

import json
import os
import re
from pathlib import Path

import numpy as np
import pytest
from helpers.disk import files_limited
from helpers.songs import noise, warned
from helpers.stem_mp4 import (
    N_SAMPLES,
    described,
    one_line,
    samples_of,
    start_anew,
    streams_of,
    told_of,
)

from hiphopss import SOURCES, HiphopssError, write_stem_file
from hiphopss.signal import reading, stem_files
from hiphopss.signal.containers import STREAMS
from hiphopss.signal.formats.boxes import boxes_in, find_box
from hiphopss.signal.writing import to_integers

TAGS = {"title": "Tïtle = 1;", "artist": "A", "album": "", "tracknumber": "3/9", "software": "no"}


def song(n_samples=N_SAMPLES, n_channels=2):
    """Stems, and the mixture that is their sum."""
    stems = {name: streams_of(n_samples, n_channels)[name] for name in SOURCES}
    return sum(stems.values()), stems


def snr(given, found):
    return 10 * np.log10(np.sum(given**2) / np.sum((given - found) ** 2))


def refused(told, *arguments, **options):
    """The one line of the error."""
    return one_line(None, told, lambda _: write_stem_file(*arguments, **options), HiphopssError)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("stem files")


@pytest.fixture
def aac(folder, ffmpeg_on_path):
    """A stem file, made once."""
    path = folder / "Ä song's.stem.mp4"
    if not path.exists():
        write_stem_file(path, *song(), 44100, tags=TAGS)
    return path


def test_our_reader_finds_every_stream_where_it_was(aac):
    mixture, stems = song()
    for name, given in {"mixture": mixture, **stems}.items():
        audio = reading.read(aac / name)
        assert audio.sample_rate == 44100
        assert audio.waveform.shape == given.shape  # as long as the song, to the sample
        assert snr(given, audio.waveform) > 15  # another stream, or a sample later, is below 10 dB
        lags = np.correlate(audio.waveform[9000:15000, 0], given[10000:14000, 0], "valid")
        assert np.argmax(lags) == 1000
        # neither quieter nor louder
        assert np.std(audio.waveform) == pytest.approx(np.std(given), rel=0.02)
    together = sum(reading.read(aac / name).waveform for name in SOURCES)
    assert snr(mixture, together) > 15


def test_it_has_what_dj_software_asks_for(aac):
    _, content = find_box(aac, b"moov", b"udta", b"stem")
    manifest = json.loads(content)
    assert manifest["version"] == 1
    assert [stem["name"] for stem in manifest["stems"]] == ["Drums", "Bass", "Other", "Vocals"]
    assert all(re.fullmatch("#[0-9A-F]{6}", stem["color"]) for stem in manifest["stems"])
    effects = manifest["mastering_dsp"]
    assert not effects["compressor"]["enabled"]
    assert not effects["limiter"]["enabled"]
    with open(aac, "rb") as file:
        kinds = [box.kind for box in boxes_in(file, 0, aac.stat().st_size)]
    assert kinds[:2] == [b"ftyp", b"moov"]
    assert find_box(aac, b"ftyp")[1].startswith(b"M4A ")
    # a track's header has whether it is switched on: 3, or 2 for in the movie, but not switched on
    _, movie = find_box(aac, b"moov")
    flags = [movie[head.end() + 3] for head in re.finditer(b"tkhd", movie)]
    assert flags == [3, 2, 2, 2, 2]


def test_ffmpeg_describes_it(aac):
    streams, whole = told_of(aac)
    assert len(streams) == 5
    assert all("aac (LC)" in line and "44100 Hz, stereo" in line for line in streams)
    assert ["(default)" in line for line in streams] == [True, False, False, False, False]
    assert "major_brand     : M4A" in whole
    assert "title           : Tïtle = 1;" in whole
    assert "track           : 3/9" in whole
    assert "album" not in whole
    assert "encoder" not in whole
    assert "creation_time" not in whole


def test_ffprobe_describes_it(aac):
    found = described(aac)
    assert found["format"]["format_name"] == "mov,mp4,m4a,3gp,3g2,mj2"
    assert found["format"]["tags"]["artist"] == "A"
    assert len(found["streams"]) == 5
    for stream, name in zip(found["streams"], STREAMS, strict=True):
        assert (stream["codec_name"], stream["profile"]) == ("aac", "LC")
        assert (stream["sample_rate"], stream["channels"]) == ("44100", 2)
        assert (stream["start_time"], stream["duration_ts"]) == ("0.000000", N_SAMPLES)
        assert stream["disposition"]["default"] == (name == "mixture")
        assert stream["tags"]["handler_name"] == name
        assert 200_000 < int(stream["bit_rate"]) < 300_000


def test_equal_songs_give_equal_files(aac, tmp_path):
    write_stem_file(tmp_path / "b.stem.mp4", *song(), 44100, tags=TAGS)
    assert (tmp_path / "b.stem.mp4").read_bytes() == aac.read_bytes()
    assert [path.name for path in tmp_path.iterdir()] == ["b.stem.mp4"]


@pytest.mark.parametrize(("bits", "kind"), [(16, "s16le"), (24, "s32le")])
def test_alac_keeps_every_bit(tmp_path, ffmpeg_on_path, bits, kind):
    path = tmp_path / "a.stem.mp4"
    mixture, stems = song()
    mixture = mixture.astype(np.float32)
    mixture[5] = 1.5
    planes = np.stack([stems[source] for source in SOURCES]).astype(np.float32)
    with warned(r"a\.stem\.mp4: 2 samples clipped at full scale: use --stem-codec aac"):
        pieces = [(mixture[a:b], planes[:, a:b]) for a, b in ((0, 7), (7, 9000), (9000, None))]
        stem_files.write_blocks(path, pieces, 48000, codec="alac", bits=bits)
    named = {"mixture": mixture, **dict(zip(SOURCES, planes, strict=True))}
    for number, name in enumerate(STREAMS):
        assert np.array_equal(samples_of(path, number, kind), to_integers(named[name], bits)[0])
    assert all("alac" in line and "48000 Hz" in line for line in told_of(path)[0])


def test_mono_songs_become_stereo(tmp_path, ffmpeg_on_path):
    mixture, stems = song(5000, 1)
    for number, shape in enumerate(((5000,), (5000, 1))):
        path = tmp_path / f"{number}.stem.mp4"
        shaped = {source: stem.reshape(shape) for source, stem in stems.items()}
        write_stem_file(path, mixture.reshape(shape), shaped, 44100, codec="alac")
        left, right = reading.read(path / "bass").waveform.T
        assert np.array_equal(left, right)
        assert np.allclose(left, stems["bass"][:, 0], atol=1e-6)  # 24 bit


@pytest.mark.parametrize(("rate", "kept"), [(48000, 48000), (96000, 44100), (22050, 44100)])
def test_rates_are_those_that_players_expect(tmp_path, ffmpeg_on_path, rate, kept):
    path = tmp_path / "a.stem.mp4"
    mixture = noise(rate // 10, 3)
    write_stem_file(path, mixture, dict.fromkeys(SOURCES, mixture / 4), rate, codec="alac")
    audio = reading.read(path / "mixture")
    assert (audio.sample_rate, len(audio.waveform)) == (kept, kept // 10)
    wanted = reading.resample(mixture.astype(np.float32)[:, None], rate, kept)
    assert np.allclose(audio.waveform, wanted, atol=1e-5)


def test_what_does_not_fit_is_said(tmp_path, ffmpeg_on_path):
    mixture, stems = song(1000)
    path = tmp_path / "a.stem.mp4"
    wrong = stems | {"bass": np.full((1000, 2), np.nan)}
    five = np.zeros((1000, 5))
    for arguments, options, told in [
        ((tmp_path / "a.mp4", mixture, stems), {}, "no name of a stem file"),
        ((path, mixture, {"vocals": mixture}), {}, "give vocals, bass, drums, other"),
        ((path, five, dict.fromkeys(SOURCES, five)), {}, "mono or stereo"),
        ((path, mixture[:0], stems), {}, "mixture of shape"),
        ((path, mixture[:999], stems), {}, r"vocals of shape \(1000, 2\): the mixture has"),
        ((path, mixture, wrong), {}, "bass: not finite numbers"),
        ((path, mixture.astype(int), stems), {}, "mixture: not finite numbers"),
        ((path, mixture, stems), {"codec": "mp3"}, "no such codec: choose aac or alac"),
    ]:
        refused(told, *arguments, 44100, **options)
    refused("sample rate 0: give a positive", path, mixture, stems, 0)
    assert list(tmp_path.iterdir()) == []


def put_program(folder, script):
    """A program ``ffmpeg`` in an own folder for the PATH."""
    if os.name != "posix":
        pytest.skip("a shell script")
    program = Path(folder, "ffmpeg")
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    return str(folder)


@pytest.mark.parametrize(
    ("script", "told"),
    [
        (None, r"ffmpeg is missing \(not on the PATH\), and only it can write stem files"),
        ("echo 'Unrecognized option movie_timescale' >&2; exit 1", "says 'Unrecognized option"),
        ("cat >/dev/null; echo 'x: No space left on device' >&2; exit 1", "make room"),
        ("cat >/dev/null; kill -9 $$", "ended by signal 9"),
        ('for last; do :; done; cat >"${last#file:}"', "wrote something else than an MP4"),
        ("cat >/dev/null", "than an MP4 .no file"),
    ],
)
def test_an_ffmpeg_that_fails_costs_the_file(tmp_path, monkeypatch, script, told):
    tools = tmp_path / "tools"
    tools.mkdir()
    folder = str(tools) if script is None else put_program(tools, script)
    monkeypatch.setenv("PATH", folder if script is None else f"{folder}:{os.environ['PATH']}")
    silence = np.zeros(100_000)
    path = tmp_path / "out" / "a.stem.mp4"
    line = refused(told, path, silence, dict.fromkeys(SOURCES, silence), 44100)
    assert line.startswith(str(path))
    assert not list(tmp_path.glob("out/*"))


def test_an_interrupt_ends_ffmpeg_and_leaves_nothing(tmp_path, ffmpeg_on_path):
    def blocks():
        yield np.zeros((1000, 2), np.float32), np.zeros((4, 1000, 2), np.float32)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stem_files.write_blocks(tmp_path / "a.stem.mp4", blocks(), 44100)
    assert list(tmp_path.iterdir()) == []


def test_a_disk_that_takes_no_more_is_said(tmp_path, ffmpeg_on_path):
    path = tmp_path / "a.stem.mp4"
    with files_limited(20_000):
        refused("a.stem.mp4: ", path, *song(), 44100)
    assert list(tmp_path.iterdir()) == []


def test_a_record_is_found_again_and_covers_what_is_before_it(
    tmp_path, ffmpeg_on_path, monkeypatch
):
    path = tmp_path / "a.stem.mp4"
    mixture, stems = (np.zeros((3000, 2), np.float32), np.zeros((4, 3000, 2), np.float32))
    stem_files.write_blocks(path, [(mixture, stems)], 44100, record=lambda: {"file": "ä.wav"})
    record = json.loads(stem_files.read_record_text(path))
    assert record == {"file": "ä.wav", "stems": {"stem.mp4": stem_files.content_sha256(path)}}
    content = bytearray(path.read_bytes())
    content[len(content) // 3] ^= 1
    path.write_bytes(content)
    assert stem_files.content_sha256(path) != record["stems"]["stem.mp4"]
    start_anew(monkeypatch)
    assert not reading.read(path / "drums").waveform.any()  # players pass the record over
    stem_files.write_blocks(path, [(mixture, stems)], 44100)
    assert stem_files.read_record_text(path) is None
