"""The demo as a static site, and with songs of one's own."""

import numpy as np
import pytest
import soundfile
from helpers.mutations import TEXTS
from helpers.songs import noise, nothing_warned, read_json, warned, write_song

from hiphopss import SOURCES
from hiphopss.datasets.stems import load_stems, mixture_gain
from hiphopss.demo.catalogue import GeneratedSongs, load_models, own_songs, true_stems
from hiphopss.demo.export import export_site
from hiphopss.errors import HiphopssError

STEP = 2**-15  # of 16 bit


@pytest.fixture(scope="module")
def exported(tmp_path_factory, published):
    """A site with a generated song and one of one's own, separated by one model."""
    all_songs = GeneratedSongs.songs
    songs = tmp_path_factory.mktemp("own")
    soundfile.write(songs / "My Demo.wav", noise(30000, 1), 22050)
    site = tmp_path_factory.mktemp("export") / "site"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(GeneratedSongs, "songs", lambda self: all_songs(self)[1:2])  # one is enough
        folder = export_site(site, weights=[published], songs=songs, seconds=4.0, progress=False)
    assert folder == site
    return site


@pytest.fixture
def own_song(tmp_path, monkeypatch):
    """A folder with one short song, the only one to export."""
    monkeypatch.setattr(GeneratedSongs, "songs", lambda self: [])
    folder = tmp_path / "songs"
    folder.mkdir()
    soundfile.write(folder / "Other.wav", noise(9000, 2), 44100)
    return folder


def test_site_holds_all_that_it_names(exported):
    site = read_json(exported / "site.json")
    assert site["static"] is True
    assert [model["id"] for model in site["models"]] == ["model-hh-fft-1024"]
    assert [song["id"] for song in site["songs"]] == ["my-demo", "copper-sky"]
    for song in site["songs"]:
        path = exported / song["result"]
        result = read_json(path)
        kinds = ["model", "true"] if song["true_stems"] else ["model"]
        assert [version["kind"] for version in result["versions"]] == kinds
        tracks = [result["original"]]
        for version in result["versions"]:
            assert (path.parent / version["zip"]).is_file()
            tracks += [version["stems"][source] for source in SOURCES]
        for track in tracks:
            info = soundfile.info(path.parent / track["audio"])
            assert (info.frames, info.samplerate) == (result["n_samples"], result["sample_rate"])
            assert (path.parent / track["peaks"]).is_file()
            assert (path.parent / track["spectrogram"]).is_file()
    assert (exported / "index.html").is_file()
    assert site["songs"][0]["true_stems"] is False
    listed = read_json(exported / "export.json")["files"]
    there = [path for path in exported.rglob("*") if path.is_file()]
    assert listed == sorted(path.relative_to(exported).as_posix() for path in there)


def test_export_replaces_what_it_wrote_and_nothing_else(exported, published, own_song):
    (exported / "CNAME").write_text("stems.example")
    (exported / "results" / "copper-sky" / "notes.txt").write_text("mine")
    (exported / "style.css").write_text("old")
    export_site(exported, weights=[published], songs=own_song, progress=False)
    assert (exported / "CNAME").read_text() == "stems.example"
    assert (exported / "style.css").read_text() != "old"
    left = [path for path in (exported / "results").rglob("*") if path.is_file()]
    assert {path.parent.name for path in left} == {"other", "copper-sky"}
    assert [path.name for path in left if path.parent.name == "copper-sky"] == ["notes.txt"]


@pytest.mark.parametrize(
    "own", ["style.css", "results", "index.html/notes.txt", "results/other/bass.flac"]
)
def test_own_files_in_the_way_are_kept(own_song, published, tmp_path, own):
    own = own.replace("bass", "model-hh-fft-1024.bass")  # known only when all is separated
    site = tmp_path / "site"
    (site / own).parent.mkdir(parents=True)
    (site / own).write_text("mine")
    (site / "old.js").write_text("old")
    (site / "export.json").write_text('{"files": ["export.json", "index.html", "old.js"]}')
    with pytest.raises(HiphopssError, match="in the way of the new one: move it") as caught:
        export_site(site, weights=[published], songs=own_song, progress=False)
    assert "\n" not in str(caught.value)
    assert (site / own).read_text() == "mine"
    assert (site / "old.js").read_text() == "old"
    names = {path.relative_to(site).as_posix() for path in site.rglob("*") if path.is_file()}
    assert names == {own, "old.js", "export.json"}


def test_export_to_the_folder_one_is_in(own_song, published, tmp_path, monkeypatch):
    site = tmp_path / "site"
    site.mkdir()
    monkeypatch.chdir(site)
    for _ in range(2):  # and again
        export_site(".", weights=[published], songs=own_song, progress=False)
        assert read_json("site.json")["songs"][0]["result"] == "results/other/result.json"
    assert {path.name for path in tmp_path.iterdir()} == {"songs", "site"}


@pytest.mark.parametrize(
    "record",
    [None, "[]", "{}", '{"files": 3}', '{"files": ["../precious.txt"]}', '{"files": ["/a"]}'],
)
def test_other_folders_are_refused(run, tmp_path, record):
    precious = tmp_path / "precious.txt"
    precious.write_text("mine")
    site = tmp_path / "site"
    site.mkdir()
    (site / "thesis.txt").write_text("mine, too")
    if record is not None:
        (site / "export.json").write_text(record)
    status, _, error = run("demo", "--export", site)
    assert (status, error.count("\n")) == (2, 1)
    assert f"{site}" in error
    assert "choose another folder" in error
    assert precious.is_file()


def test_own_songs_with_stems_sum_to_their_mixture(dataset):
    songs = own_songs(dataset, taken=["000-song"])
    assert [song.id for song in songs] == ["000-song-2", "001-song", "002-song"]
    assert [song.true_stems for song in songs] == [True] * 3
    files = songs[0].files()
    mixture, _ = soundfile.read(files.mixture, always_2d=True)
    stems = np.concatenate(list(true_stems(files, 1)), axis=1)
    # the mixture is 0.7 times the sum, in single precision
    np.testing.assert_allclose(stems.sum(axis=0), mixture, atol=1e-6)


def test_own_songs_of_several_kinds(tmp_path):
    stems = {source: noise(9000, k) for k, source in enumerate(SOURCES)}
    plain = tmp_path / "songs"
    write_song(tmp_path, "Dev", "made", stems)
    (tmp_path / "Sources" / "Dev" / "made").rename(plain)
    plain.rename(tmp_path / "moved")
    plain.mkdir()
    (tmp_path / "moved").rename(plain / "Made")
    with pytest.raises(HiphopssError, match=r"Made: has stems but no mixture.wav: add it"):
        own_songs(plain)
    soundfile.write(plain / "Made" / "mixture.wav", sum(stems.values()), 44100)
    soundfile.write(plain / "Loose Ends.flac", noise(9000, 9), 44100)
    (plain / "notes.txt").write_text("no song")
    songs = own_songs(plain)
    assert [(song.title, song.true_stems) for song in songs] == [
        ("Made", True),
        ("Loose Ends", False),
    ]
    expected = list(true_stems(songs[0].files(), 1))
    both = np.stack([stems["bass"]] * 2, axis=1)
    soundfile.write(plain / "Made" / "bass.wav", both, 44100, subtype="FLOAT")
    np.testing.assert_array_equal(list(true_stems(songs[0].files(), 1)), expected)  # averaged
    soundfile.write(plain / "Made" / "bass.wav", stems["bass"][:-1], 44100, subtype="FLOAT")
    with warned(r"bass\.wav: 8999 samples, but .*mixture\.wav has 9000: the longer files are cut"):
        cut = np.concatenate(list(true_stems(own_songs(plain)[0].files(), 1)), axis=1)
    assert cut.shape == (4, 9000, 1)  # as long as the mixture, beside which it plays
    np.testing.assert_allclose(cut[:, :-1], np.concatenate(expected, axis=1)[:, :-1], atol=1e-6)
    assert not cut[:, -1].any()
    soundfile.write(plain / "Made" / "bass.wav", stems["bass"][:4500], 44100)
    with warned(r"bass\.wav: 4500 samples, but .*mixture\.wav has 9000: export the song's files"):
        assert [song.title for song in own_songs(plain)] == ["Loose Ends"]
    (plain / "Made" / "Bass.flac").touch()
    with warned(r"Bass\.flac: there is also bass\.wav: keep one of them \(the song is left out"):
        assert [song.title for song in own_songs(plain)] == ["Loose Ends"]


def test_mastered_mixture_is_no_matter_of_warning(dataset):
    files = own_songs(dataset)[0].files()
    mixture, rate = soundfile.read(files.mixture)
    soundfile.write(files.mixture, np.tanh(3 * mixture), rate, subtype="FLOAT")
    with warned("not the scaled sum"):  # where one trains, it is
        gain = mixture_gain(files, load_stems(files, rate), rate)
    with nothing_warned():
        stems = np.concatenate(list(true_stems(files, 1)), axis=1)
    expected = gain * load_stems(files, rate)
    np.testing.assert_allclose(stems[..., 0], expected, atol=1e-6)  # single precision


def test_songs_that_can_not_be_used_are_left_out_and_named(dataset):
    (dataset / "Sources" / "Dev" / "000 - song" / "drums.wav").write_bytes(b"no drums")
    (dataset / "Sources" / "Test" / "002 - song" / "other.wav").unlink()
    (dataset / "notes.wav").write_text("no audio")
    (dataset / "bounces.wav").mkdir()  # a folder is no file, whatever its name
    soundfile.write(dataset / "loose.wav", noise(9000, 3), 44100)
    with warned("the song is left out") as told:
        songs = own_songs(dataset)
    assert [song.id for song in songs] == ["001-song", "loose"]
    parts = [
        ("000 - song/drums.wav: ", "convert it to WAV or FLAC"),
        ("002 - song/other.wav: ", "add the stem"),
        ("notes.wav: ", "convert it to WAV or FLAC"),
    ]
    for line, (file, mend) in zip(told, parts, strict=True):
        assert file in line
        assert mend in line
        assert line.endswith(" (the song is left out)")
        assert "\n" not in line


def test_folder_of_unusable_songs_is_refused(tmp_path):
    for name in "ab":
        (tmp_path / f"{name}.mp3").write_text("no audio")
    with pytest.raises(HiphopssError) as caught:
        own_songs(tmp_path)
    assert str(caught.value) == (
        f"{tmp_path}: no song in it can be used: {tmp_path / 'a.mp3'}: not an audio file that "
        "libsndfile reads, or a damaged one: get it again, or convert it to WAV or FLAC "
        "(and 1 more like it)"
    )


def test_songs_that_are_cut_off_are_not_offered(dataset):
    for path in (
        dataset / "Sources" / "Dev" / "000 - song" / "drums.flac",
        dataset / "Cut.flac",
    ):
        x, rate = noise(60_000, 4), 44100
        if path.with_suffix(".wav").exists():
            x, rate = soundfile.read(path.with_suffix(".wav"))
            path.with_suffix(".wav").unlink()
        soundfile.write(path, x, rate)
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with warned("the song is left out") as told:
        assert [song.id for song in own_songs(dataset)] == ["001-song", "002-song"]
    for line, file in zip(told, ("drums.flac", "Cut.flac"), strict=True):
        assert f"{file}: cut off: " in line


def test_export_leaves_out_what_can_not_be_read_to_its_end(own_song, published, tmp_path):
    soundfile.write(own_song / "Whole.flac", noise(100_000, 4), 44100)
    x = noise(100_000, 4)
    x[-2_000] = np.nan  # before the end that is looked at first
    soundfile.write(own_song / "Cut.wav", x, 44100, subtype="FLOAT")
    site = tmp_path / "site"
    with warned(r"Cut\.wav: .* \(the song is left out\)$"):
        export_site(site, weights=[published], songs=own_song, progress=False)
    assert [song["id"] for song in read_json(site / "site.json")["songs"]] == ["other", "whole"]
    assert {path.name for path in (site / "results").iterdir()} == {"other", "whole"}
    for name in ("Other.wav", "Whole.flac"):
        (own_song / name).unlink()
    with pytest.raises(HiphopssError, match=r"Cut\.wav: "):
        export_site(tmp_path / "new", weights=[published], songs=own_song, progress=False)
    assert not (tmp_path / "new").exists()


def test_a_record_of_an_export_that_is_none_is_refused_before_any_work(tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    others = (b'{"files": 5}', b'{"files": "abc"}', b'{"files": [null]}', b'{"files": {"a": 1}}')
    elsewhere = (b'{"files": ["../mine.txt"]}', b'{"files": ["/a"]}', b'{"files": ["a\\u0000"]}')
    for text in (*TEXTS, *others, *elsewhere):
        (tmp_path / "export.json").write_bytes(text)
        with pytest.raises(HiphopssError, match=r"choose another folder$"):
            export_site(tmp_path, progress=False)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["export.json", "mine.txt"]


def test_folders_without_songs_are_refused(tmp_path):
    with pytest.raises(HiphopssError, match="no songs or audio files"):
        own_songs(tmp_path)
    with pytest.raises(HiphopssError, match="no such folder"):
        own_songs(tmp_path / "none")


def test_models_have_ids_that_are_safe_in_addresses(published, tmp_path):
    paths = [tmp_path / name for name in ("true.pkl", "Ünser Modell (2).pkl", "..pkl")]
    for path in paths:
        path.write_bytes(published.read_bytes())
    models = load_models([published, published, *paths])
    assert list(models) == [
        "model-hh-fft-1024",
        "model-hh-fft-1024-2",
        "true-2",
        "nser-modell-2",
        "model",
    ]
    names = [model.name for model in load_models([published, published]).values()]
    assert names == ["model_hh_fft_1024", "model_hh_fft_1024 (2)"]
    shipped = load_models()
    assert [(id, model.name) for id, model in shipped.items()] == [("generated", "hiphopss")]
    assert "never from recordings" in shipped["generated"].description
    namesake = tmp_path / "generated.pkl"
    namesake.write_bytes(published.read_bytes())
    (model,) = load_models([namesake]).values()
    assert (model.id, model.name) == ("generated", "generated")
    assert model.description == "Weights of the file generated.pkl."
    leaked = tmp_path / "model_hh_cs_aug_fft_1024.pkl"
    leaked.write_bytes(published.read_bytes())
    (model,) = load_models([leaked]).values()
    assert "learnt from test songs" in model.description
