"""Songs separated into stem files: the same stems as in four files, and one file for each song."""

import json

import numpy as np
import pytest
import soundfile
from helpers.songs import RATE, noise, read_json, told
from helpers.stem_mp4 import samples_of, told_of

from hiphopss import SOURCES, HiphopssError, verify
from hiphopss.datasets.mixtures import find_mixtures
from hiphopss.errors import AudioError
from hiphopss.separation.files import separate_files
from hiphopss.separation.settings import OutputSettings, SeparationSettings
from hiphopss.signal import reading, stem_files
from hiphopss.signal.containers import STREAMS


@pytest.fixture
def write(tmp_path):
    """Write a short song into the folder ``in``."""

    def write(name, n_channels=2, rate=RATE, seed=1, n_samples=70_001):
        path = tmp_path / "in" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        song = np.stack([noise(n_samples, seed + channel) for channel in range(n_channels)], 1)
        soundfile.write(path, song, rate)
        return path

    return write


@pytest.fixture
def separated(published, tmp_path, ffmpeg_on_path):
    """Separate into the folder ``out``, by default to ALAC."""

    def separated(*inputs, stem_file="alac", **options):
        settings = SeparationSettings(published, stem_file=stem_file)
        out = tmp_path / ("out" if stem_file else "four")
        return separate_files(inputs, out, settings, progress=False, **options)

    return separated


def test_a_stem_file_has_the_song_and_the_stems_of_four_files(separated, write):
    song = write("Song.wav")
    (four,), *_ = separated(song, stem_file=None)
    (one,), *_ = separated(song)
    assert one.name == "Song.stem.mp4"
    assert sorted(path.name for path in one.parent.iterdir()) == [one.name, "separation.json"]
    assert read_json(one.parent / "separation.json") == read_json(four.parent / "separation.json")
    files = {"mixture": song, **{source: four / f"{source}.wav" for source in SOURCES}}
    for number, name in enumerate(STREAMS):  # both have 16 bit
        wanted, _ = soundfile.read(files[name], dtype="int16")
        assert np.array_equal(samples_of(one, number, "s16le"), wanted), name
    known = json.loads(stem_files.read_record_text(one))
    made = read_json(four / "track.json")
    assert {name: known[name] for name in ("sha256", "loop")} == {
        name: made[name] for name in ("sha256", "loop")
    }
    assert known["encoding"] == "alac"
    assert known["file"] == "Song.wav"


def test_stem_files_can_have_other_names(separated, write, published, tmp_path):
    songs = [write("one/Intro.wav", n_samples=3000), write("two/Intro.wav", 1, n_samples=3000)]
    settings = SeparationSettings(
        published, stem_file="alac", output=OutputSettings(name="{folder} - {track}.{ext}")
    )
    out = tmp_path / "named"
    for skipped in (False, True):
        done = separate_files(songs, out, settings, skip_existing=True, progress=False)
        assert done.folders == [out / f"{name} - Intro.stem.mp4" for name in ("one", "two")]
        assert [song.skipped for song in done.songs] == [skipped] * 2


def test_aac_is_the_default_of_the_command(run, published, tmp_path, write, ffmpeg_on_path):
    song, out = write("song.wav"), tmp_path / "out"
    arguments = ["separate", song, "-o", out, "--weights", published, "-q", "--stem-file"]
    assert run(*arguments)[:2] == (0, f"{out / 'song.stem.mp4'}\n")
    audio = reading.read(out / "song.stem.mp4" / "mixture")
    given = reading.read(song).waveform
    assert audio.waveform.shape == given.shape
    assert np.sum((audio.waveform - given) ** 2) < 0.1 * np.sum(given**2)
    status, _, error = run(*arguments[:-1], "--stem-codec", "alac")
    assert status == 2
    assert "--stem-codec: there is no stem file: give --stem-file, too" in error
    status, _, error = run(*arguments, "--subtype", "FLOAT")
    assert status == 2
    assert "subtype FLOAT: a stem file has its own codec and stems" in error


@pytest.mark.parametrize(("n_channels", "rate"), [(1, 44100), (2, 48000), (1, 96000)])
def test_mono_and_other_rates(separated, write, n_channels, rate):
    song = write("song.wav", n_channels, rate, n_samples=rate // 2)
    (one,), *_ = separated(song)
    kept = 48000 if rate == 48000 else 44100
    streams = {name: reading.read(one / name) for name in STREAMS}
    assert {(a.sample_rate, a.waveform.shape) for a in streams.values()} == {(kept, (kept // 2, 2))}
    total = sum(streams[source].waveform for source in SOURCES)
    # the network's rate is 44.1 kHz: at 48 kHz the stems have nothing above 22.05 kHz
    wanted = streams["mixture"].waveform
    if kept == 48000:
        wanted = reading.resample(reading.resample(wanted, kept, 44100), 44100, kept)
    assert np.allclose(total, wanted, atol=4 / 2**15)  # each of the five is rounded to 16 bit


def test_a_song_that_is_cut_off_is_told_once(separated, write):
    song = write("a.wav")
    song.write_bytes(song.read_bytes()[:-80_000])  # 20,000 samples
    with told() as lines:
        (one,), *_ = separated(song)
    assert len([line for line in lines if "cut off" in line]) == 1
    assert reading.read_header(one / "vocals").n_samples == 50_001


def test_songs_of_more_channels_cost_only_themselves(separated, write):
    good, wide = write("a.wav"), write("b.wav", 6)
    with pytest.raises(AudioError, match=r"b\.wav: has 6 channels, but stem files are stereo"):
        separated(good, wide)
    done = separated(good, wide, leave_out=True)
    assert [path.name for path in done.folders] == ["a.stem.mp4"]
    assert len(done.left_out) == 1


def test_the_tags_of_the_song_are_in_the_stem_file(separated, write):
    song = write("a.flac")
    samples, _ = soundfile.read(song)
    with soundfile.SoundFile(song, "w", RATE, 2) as file:
        file.title, file.artist, file.tracknumber = "A title", "Somebody", "3"
        file.write(samples)
    (one,), *_ = separated(song)
    _, whole = told_of(one)
    found = dict(
        line.split(" : ", 1) for line in map(str.strip, whole.splitlines()) if " : " in line
    )
    found = {name.strip(): text for name, text in found.items()}
    assert (found["title"], found["artist"], found["track"]) == ("A title", "Somebody", "3")


def test_stem_files_that_are_there_are_skipped(separated, write):
    songs = [write("a.wav"), write("b.wav", seed=4)]
    (made, _), *_ = separated(*songs)
    made.with_name("b.stem.mp4").unlink()
    before = made.stat().st_mtime_ns
    done = separated(*songs, skip_existing=True)
    assert [path.name for path in done.folders] == ["a.stem.mp4", "b.stem.mp4"]
    assert made.stat().st_mtime_ns == before
    separated(songs[0], skip_existing=True, stem_file="aac")  # with another codec
    assert made.stat().st_mtime_ns != before


def test_other_choices_of_files_contradict_stem_files():
    for options in (
        {"stems": ("bass",)},
        {"two_stems": "vocals"},
        {"output": OutputSettings(format="flac")},
        {"output": OutputSettings("mp3", 192)},
    ):
        with pytest.raises(HiphopssError, match="a stem file has its own codec and stems"):
            SeparationSettings(stem_file="aac", **options)


def test_a_stem_file_of_another_song_is_not_replaced(separated, write, tmp_path):
    one, other = write("a/tag.wav"), write("b/tag.flac", seed=5)
    (made,), *_ = separated(one)
    before = made.read_bytes()
    refused = r"b/tag\.flac: .*tag\.stem\.mp4 holds the stems of another file \(tag\.wav\): .* file"
    with pytest.raises(AudioError, match=refused.replace("/", r"[/\\]")):
        separated(other)
    assert made.read_bytes() == before
    separated(other, replace=True)
    assert made.read_bytes() != before
    separated(other)  # its own may be made again
    made.write_bytes(b"\0\0\0\x20ftypM4A somebody's own")
    with pytest.raises(AudioError, match=r"tag\.stem\.mp4: is there already, and was not written"):
        separated(other)
    (made.parent / "separation.json").unlink()
    with pytest.raises(HiphopssError, match="nothing says that it was separated with these"):
        separated(other)


def test_stem_files_are_results_and_no_songs(separated, write, tmp_path):
    (made,), *_ = separated(write("a.wav"))
    made.parent.rename(tmp_path / "in" / "before")
    with told() as lines:
        assert list(find_mixtures(tmp_path / "in")) == ["a"]
    assert any("the stem files in it hold stems (separation.json says so)" in x for x in lines)
    named = tmp_path / "in" / "before" / made.name
    assert find_mixtures(named) == {"a": named / "mixture"}  # who names one means it


def test_stem_files_are_verified(separated, write):
    song = write("a.wav")
    (made,), *_ = separated(song)

    def states():
        found = verify([made.parent], look_in=[song.parent], progress=False).findings
        return {f.kind: f.state for f in found if f.kind in ("track", "song")}

    assert states() == {"track": "ok", "song": "ok"}
    content = bytearray(made.read_bytes())
    content[-len(content) // 2] ^= 1
    made.write_bytes(content)
    assert states()["track"] == "differs"
    made.write_bytes(content[: -len(stem_files.read_record_text(made)) - 24])
    assert states() == {"track": "not recorded", "song": "not recorded"}


def test_no_ffmpeg_is_said_before_any_work(published, tmp_path, write, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    settings = SeparationSettings(published, stem_file="aac")
    with pytest.raises(HiphopssError, match=r"^stem file: ffmpeg is missing .*only it can"):
        separate_files([write("a.wav")], tmp_path / "out", settings, progress=False)
    assert not (tmp_path / "out").exists()
    with pytest.raises(HiphopssError, match="stem file 'mp3': no such codec: choose aac or alac"):
        SeparationSettings(stem_file="mp3")
