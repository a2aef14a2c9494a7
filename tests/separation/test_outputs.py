"""What is written of each song: formats, tags, names, some stems, two stems, and parts of songs."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile
from helpers.songs import RATE, noise, read_json

from hiphopss import (
    SOURCES,
    Executor,
    HiphopssError,
    OutputSettings,
    Part,
    SeparationSettings,
    verify,
)
from hiphopss.datasets.mixtures import find_mixtures
from hiphopss.separation import song as song_module
from hiphopss.separation.files import separate_files
from hiphopss.separation.naming import FileNames
from hiphopss.separation.outputs import part_exactly
from hiphopss.signal import reading
from hiphopss.signal.encoding.tags import Tags, read_tags

N_SAMPLES = 20_011
TAGS = Tags("Một bài", "An artist", "An album", "2017-03-01", "7/12", "Hip hop")


@pytest.fixture
def song(tmp_path):
    """A tagged song in stereo."""
    path = tmp_path / "in" / "a song.flac"
    path.parent.mkdir()
    stereo = np.stack([noise(N_SAMPLES, 1), noise(N_SAMPLES, 2)], axis=1)
    with soundfile.SoundFile(path, "w", RATE, 2, "PCM_16") as file:
        TAGS.put(file)
        file.write(stereo)
    return path


@pytest.fixture
def separated(tmp_path, published, song):
    def separated(*, name=None, bitrate=None, kind="wav", out="out", inputs=song, **settings):
        where = {key: settings.pop(key) for key in ("skip_existing", "where") if key in settings}
        output = OutputSettings(kind, bitrate, name)
        settings = SeparationSettings(published, output=output, **settings)
        return separate_files(inputs, tmp_path / out, settings, progress=False, **where)

    return separated


@pytest.mark.parametrize("kind", ["flac", "mp3", "ogg", "aiff", "m4a"])
def test_every_format_keeps_length_rate_channels_and_tags(tmp_path, separated, kind, request):
    if kind == "m4a":
        request.getfixturevalue("ffmpeg_on_path")
    separated(out="wav", stems=("vocals",))
    separated(kind=kind, stems=("vocals",))
    plain = reading.read(tmp_path / "wav" / "a song" / "vocals.wav")
    path = tmp_path / "out" / "a song" / f"vocals.{kind}"
    found = reading.read(path)
    assert (found.sample_rate, found.waveform.shape) == (RATE, (N_SAMPLES, 2))
    error = np.std(found.waveform - plain.waveform) / np.std(plain.waveform)
    # Vocals of noise have all frequencies, some of which lossy formats leave out.
    assert error == 0 if kind in ("flac", "aiff") else error < 0.4
    expected = TAGS.of("vocals")
    if kind == "aiff":
        expected = Tags(expected.title, expected.artist)
    assert read_tags(path) == expected
    assert expected.title == "Một bài (vocals)"


@pytest.mark.parametrize(("subtype", "bits"), [("PCM_16", 16), ("PCM_24", 24)])
def test_two_stems_add_up_to_the_mixture_exactly(tmp_path, separated, song, subtype, bits):
    separated(two_stems="drums", subtype=subtype)
    folder = tmp_path / "out" / "a song"
    assert {path.stem for path in folder.glob("*.wav")} == {"drums", "no_drums"}
    parts = [soundfile.read(folder / f"{name}.wav")[0] for name in ("drums", "no_drums")]
    full_scale = 2 ** (bits - 1) - 1
    mixture = np.rint(reading.read(song).waveform.astype(float) * full_scale) / (full_scale + 1)
    np.testing.assert_array_equal(parts[0] + parts[1], mixture)
    if bits == 16:
        np.testing.assert_array_equal(mixture, soundfile.read(song)[0])
    assert np.abs(parts[0]).max() > 100 / full_scale


def test_what_would_be_clipped_goes_to_the_other_part():
    mixture = np.array([[0.9], [-0.9], [0.1], [1.5]])
    stem = np.array([[-0.8], [0.8], [0.3], [0.2]])
    part, rest, n_clipped = part_exactly(stem, mixture, 16)
    ints = np.rint(np.stack([part, rest]) * 32767)
    assert np.abs(ints).max() <= 32768
    np.testing.assert_array_equal(ints.sum(0), np.clip(np.rint(mixture * 32767), -32768, 32767))
    assert n_clipped == 1
    assert ints[0, 2, 0] == round(0.3 * 32767)
    part, rest, _ = part_exactly(stem, mixture, None)
    np.testing.assert_allclose(part + rest, mixture, atol=1e-7)


@pytest.mark.parametrize("suffix", ["flac", "mp3", "ogg"])
def test_a_part_is_that_of_the_song(tmp_path, separated, song, suffix):
    given = reading.read(song).waveform
    path = tmp_path / "in" / f"b.{suffix}"
    soundfile.write(path, given, RATE)
    whole = reading.read(path).waveform
    part = Part(0.1, 0.2)
    separated(inputs=path, part=part, two_stems="bass", subtype="PCM_16")
    folder = tmp_path / "out" / "b"
    found = sum(soundfile.read(folder / f"{s}.wav", dtype="int16")[0] for s in ("bass", "no_bass"))
    expected = np.clip(np.rint(whole[4410:13230] * 32767), -32768, 32767)
    assert found.shape == expected.shape
    np.testing.assert_allclose(found, expected, atol=1)
    with pytest.raises(HiphopssError, match="so nothing of it is after 5 s: choose an earlier"):
        separated(inputs=path, part=Part(5), out="new")
    with pytest.raises(HiphopssError, match=r"written with another start \(0\.1\): choose another"):
        separated(inputs=path)


def test_names_of_any_layout_are_known_again(tmp_path, separated, song):
    name = "{stem}/{track}.{ext}"
    done = separated(name=name, stems=("vocals", "bass"))
    out = tmp_path / "out"
    assert done.folders == [out / "vocals" / "a song.wav", out / "bass" / "a song.wav"]
    assert all(path.exists() for path in done.folders)
    assert not list(out.glob(".partial*"))
    record = read_json(out / ".tracks" / "a song.json")
    assert record["files"]["bass"] == "bass/a song.wav"
    flat = separated(name="{track} - {stem}.{ext}", out="in")  # beside the song
    assert len(flat.folders) == len(SOURCES)
    assert list(find_mixtures(song.parent)) == ["a song"]
    (out / ".tracks" / "a song.json").unlink()
    with pytest.raises(HiphopssError, match=r"a song\.wav: is there already, and nothing says"):
        separated(name=name, stems=("vocals", "bass"))
    with pytest.raises(HiphopssError, match=r"a song\.flac: is a song to separate"):
        separated(name="{track}.{ext}", kind="flac", stems=("vocals",), out="in")


@pytest.mark.parametrize(
    ("pattern", "told"),
    [
        ("{year}.{ext}", r"no field \{year\}: use \{track\}, \{stem\}, .*\{folder\}, \{title\}"),
        ("{track.x}-{stem}.{ext}", r"no field \{track\.x\}"),
        ("{track:>9}{stem}.{ext}", "can't be formatted"),
        ("{track}-{stem}.{ext", "not a pattern"),
        ("{track}-{stem}.mp3", "must end in"),
        ("{track}.{ext}", r"all stems of a song would be one file: add \{stem\}"),
        ("{stem}.{ext}", r"all songs would be one file: add \{track\}"),
        ("../{track}-{stem}.{ext}", "is not in the output folder"),
        ("/{track}-{stem}.{ext}", "is not in the output folder"),
    ],
)
def test_bad_names_are_refused(pattern, told):
    with pytest.raises(HiphopssError, match=told) as caught:
        FileNames(pattern, "wav", SOURCES)
    assert "\n" not in str(caught.value)


def test_names_that_clash_are_told():
    names = FileNames("{track}{stem}.{ext}", "wav", ["a", "aa"])
    songs = {name: Path(f"{name}.mp3") for name in ("x", "xa", "y")}
    ((track, error),) = names.clashes(songs).items()
    assert track == "xa"
    assert str(error) == (
        "xa.mp3: xaa.wav would be a file of x.mp3, too: rename one of them, or choose names with "
        "{folder} (--name)"
    )
    songs = {name: Path(f"{name}.mp3") for name in ("Song", "song")}
    assert list(FileNames("{track}-{stem}.{ext}", "wav", ["a"]).clashes(songs)) == ["song"]


def test_of_songs_whose_names_differ_in_capitals_one_is_separated(song, published, tmp_path):
    folder = tmp_path / "songs"
    folder.mkdir()
    for name in ("Air.wav", "air.wav"):
        shutil.copy(song, folder / name)
    if len(list(folder.iterdir())) == 1:
        pytest.skip("these names are one here")
    settings = SeparationSettings(published, loops="off")
    done = separate_files([folder], tmp_path / "out", settings, leave_out=True, progress=False)
    assert len(done.folders) == len(done.left_out) == 1


def test_songs_of_one_name_in_two_albums(tmp_path, separated):
    albums = tmp_path / "albums"
    for number, place in enumerate(["one/cd 2/Intro.wav", "two/Intro.wav", "Intro.wav"]):
        (albums / place).parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(albums / place, noise(5000, number), RATE)
    with pytest.raises(HiphopssError, match=r"rename one of them, or choose names with \{folder\}"):
        separated(inputs=albums)
    name, out = "{folder}/{track}/{stem}.{ext}", tmp_path / "out"
    wanted = {"name": name, "inputs": albums, "stems": ("bass",)}
    folders = [out / "albums" / "Intro", out / "one/cd 2" / "Intro", out / "two" / "Intro"]
    done = separated(**wanted)
    assert sorted(done.folders) == folders
    assert all((folder / "bass.wav").is_file() for folder in folders)
    assert [song.skipped for song in separated(skip_existing=True, **wanted).songs] == [True] * 3
    found = verify(out, look_in=[albums], progress=False)
    assert {f.name: f.state for f in found.findings if f.kind == "song"} == {
        str(path): "ok" for path in albums.rglob("*.wav")
    }
    (albums / "stems").mkdir()
    separated(**wanted, out="albums/stems")
    assert len(find_mixtures(albums, by_folder=True)) == 3
    mixtures = [albums / "two" / "Intro.wav", albums / "Intro.wav"]
    assert list(find_mixtures(mixtures, by_folder=True)) == ["two/Intro", "albums/Intro"]


def test_names_of_tags(tmp_path, separated, song):
    done = separated(name="{artist}/{title} - {stem}.{ext}", stems=("bass",))
    assert done.folders == [tmp_path / "out" / "An artist" / "Một bài - bass.wav"]
    names = FileNames("{artist}/{album}/{title}-{stem}.{ext}", "wav", ["a"], {"x/y": song})
    assert names.of("x/y") == {"a": Path("An artist/An album/Một bài-a.wav")}
    assert names.of("x/z") == {"a": Path("Unknown artist/Unknown album/z-a.wav")}
    with soundfile.SoundFile(tmp_path / "b.flac", "w", RATE, 1) as file:
        Tags(title="../AC\\DC: 1/2.", artist="..").put(file)
        file.write(noise(100, 1))
    names = FileNames("{artist}/{title}-{stem}.{ext}", "wav", ["a"], {"x/y": tmp_path / "b.flac"})
    assert names.of("x/y") == {"a": Path("Unknown artist/_AC_DC_ 1_2-a.wav")}


@pytest.mark.parametrize("name", [None, "{track} - {stem}.{ext}"])
def test_what_is_complete_is_passed_over(tmp_path, separated, monkeypatch, name):
    at_work = []
    entered = song_module.StemFiles.__enter__
    monkeypatch.setattr(
        song_module.StemFiles, "__enter__", lambda self: at_work.append(1) or entered(self)
    )

    def run(**settings):
        at_work.clear()
        done = separated(name=name, skip_existing=True, stems=("bass", "drums"), **settings)
        assert done.n_songs == 1
        assert all(path.exists() for path in done.songs[0].files)
        return len(at_work), done.n_skipped

    assert run() == (1, 0)
    assert run() == (0, 1)
    assert run(subtype="PCM_24") == (1, 0)
    assert run(subtype="PCM_24") == (0, 1)
    bass = next((tmp_path / "out").rglob("*bass.wav"))
    bass.write_bytes(bass.read_bytes()[:-1])  # half written
    assert run(subtype="PCM_24") == (1, 0)
    bass.unlink()
    assert run(subtype="PCM_24") == (1, 0)


def test_stems_can_be_added_later(tmp_path, separated):
    separated(stems=("bass",))
    separated(stems=("drums",))
    assert set(read_json(tmp_path / "out" / "a song" / "track.json")["stems"]) == {"bass", "drums"}


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"kind": "wma"}, "no such format: choose wav, flac"),
        ({"bitrate": 192}, "wav is lossless and has none: leave it out, or choose mp3, ogg, m4a"),
        ({"kind": "mp3", "subtype": "FLOAT"}, "mp3 has none: leave it out"),
        ({"kind": "flac", "subtype": "FLOAT"}, "not in flac: choose PCM_16, PCM_24"),
        ({"kind": "mp3", "bitrate": 100}, r"no bitrate of 100 kbit/s at 44100 Hz: choose one of"),
        ({"kind": "ogg", "bitrate": 9000}, "Vorbis has no bitrate of 9000|OGG|Vorbis"),
        ({"stems": ("piano",)}, "no stem named 'piano': choose from vocals"),
        ({"stems": ("bass",), "two_stems": "bass"}, "leave out one of the two"),
    ],
)
def test_contradictions_are_one_line(separated, settings, told):
    with pytest.raises(HiphopssError, match=told) as caught:
        separated(**settings)
    assert "\n" not in str(caught.value)


def test_m4a_needs_ffmpeg(separated, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(HiphopssError, match=r"^format m4a: ffmpeg is missing .*only it can"):
        separated(kind="m4a")


def test_other_processes_give_the_same_stems(tmp_path, separated, song):
    soundfile.write(song.with_name("b.wav"), noise(3000, 4), RATE)
    song.with_name("c.wav").write_bytes(b"RIFF")
    here = separate_all(separated, tmp_path, "here", None)
    there = separate_all(separated, tmp_path, "there", Executor(2))
    assert here == there
    assert len(here) == 2 * (len(SOURCES) + 1)


def separate_all(separated, tmp_path, out, where):
    song_folder = tmp_path / "in"
    with pytest.raises(HiphopssError, match=r"c\.wav"):
        separated(inputs=song_folder, out=out, where=where)
    inputs = [song_folder / "a song.flac", song_folder / "b.wav"]
    separated(inputs=inputs, out=out, where=where)
    return {
        str(path.relative_to(tmp_path / out)): path.read_bytes()
        for path in (tmp_path / out).rglob("*/*")
    }
