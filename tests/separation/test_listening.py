"""Separation with loops, from the command line and for arrays, and what is recorded of it."""

import json
import re
import tempfile
from functools import partial

import numpy as np
import pytest
import soundfile
from helpers.disk import files_limited
from helpers.songs import RATE, looped, noise, read_json, told

from hiphopss import SOURCES, HiphopssError, separate
from hiphopss.errors import AudioError
from hiphopss.separation.files import SeparationSettings, separate_files
from hiphopss.separation.separator import Separator

SHORT = noise(3000, 1)


@pytest.fixture(scope="module")
def song(tmp_path_factory):
    """A file of a loop under noise that does not repeat, in 32-bit floating point."""
    path = tmp_path_factory.mktemp("songs") / "song.wav"
    soundfile.write(path, looped(), RATE, subtype="FLOAT")
    return path


@pytest.fixture(scope="module")
def alone(song):
    """The network's stems of the song `[shape=(n_sources, n_samples)]`."""
    blocks = Separator.from_weights().stems([soundfile.read(song, dtype="float32")[0][:, None]])
    return np.concatenate(list(blocks), axis=1)[..., 0]


def stems_in(folder):
    """Stems in a folder `[shape=(n_sources, n_samples)]`."""
    return np.stack([soundfile.read(folder / f"{s}.wav", dtype="float32")[0] for s in SOURCES])


def test_a_loop_is_used_by_default_and_told(tmp_path, run, song, alone):
    status, _, errors = run("separate", song, "-o", tmp_path / "out")
    assert status == 0
    loop = read_json(tmp_path / "out" / "song" / "track.json")["loop"]
    assert f"hiphopss: song: {loop}" in errors.splitlines()
    assert "loop" in loop
    assert read_json(tmp_path / "out" / "separation.json")["loops"] == "auto"
    stems = stems_in(tmp_path / "out" / "song")
    # float32 sums of some numbers below 1 err by some 1e-7
    np.testing.assert_allclose(stems.sum(axis=0), soundfile.read(song)[0], atol=2e-6)
    assert np.abs(stems - alone).max() > 1e-3
    with told() as lines:
        arrays = separate(soundfile.read(song)[0], RATE)
    np.testing.assert_allclose(np.stack([arrays[s] for s in SOURCES]), stems, atol=1e-6)
    assert f"waveform: {loop}" in lines


def test_off_gives_the_stems_of_the_network(tmp_path, run, song, alone):
    status, _, errors = run("separate", song, "-o", tmp_path / "out", "--loops", "off")
    assert (status, "repeats" in errors, "loop" in errors) == (0, False, False)
    assert read_json(tmp_path / "out" / "separation.json")["loops"] == "off"
    assert read_json(tmp_path / "out" / "song" / "track.json")["loop"] is None
    np.testing.assert_array_equal(stems_in(tmp_path / "out" / "song"), alone)
    arrays = separate(soundfile.read(song)[0], RATE, loops="off")
    np.testing.assert_array_equal(np.stack([arrays[s] for s in SOURCES]), alone)


def test_where_nothing_repeats_the_stems_are_those_of_the_network(tmp_path):
    soundfile.write(tmp_path / "noise.wav", noise(5 * RATE, 1), RATE)
    with told() as lines:
        separate_files(tmp_path / "noise.wav", tmp_path / "auto", progress=False)
    assert "noise: nothing repeats, so the stems are those of the network alone" in lines
    assert read_json(tmp_path / "auto" / "noise" / "track.json")["loop"] is None
    without = SeparationSettings(loops="off")
    separate_files(tmp_path / "noise.wav", tmp_path / "off", without, progress=False)
    for source in SOURCES:
        names = (tmp_path / kind / "noise" / f"{source}.wav" for kind in ("auto", "off"))
        first, second = (name.read_bytes() for name in names)
        assert first == second


def test_the_released_network_has_no_loops(tmp_path, run, published):
    """So that a comparison with the original baseline is one, whatever the default is."""
    soundfile.write(tmp_path / "song.wav", SHORT, RATE)
    arguments = ["separate", tmp_path / "song.wav", "--weights", published]
    line = f"hiphopss: {published.name}: separates without loops, as the released code does\n"
    for number, (more, said) in enumerate(
        [([], True), (["--loops", "auto"], True), (["--loops", "off"], False)]
    ):
        status, _, errors = run(*arguments, "-o", tmp_path / f"{number}", *more)
        assert (status, errors.count(line)) == (0, said)
        assert read_json(tmp_path / f"{number}" / "separation.json")["loops"] == "off"


def test_the_standalone_script_has_no_loops(tmp_path, run):
    soundfile.write(tmp_path / "song.wav", SHORT, RATE)
    arguments = ["separate", tmp_path / "song.wav", "-o", tmp_path / "out", "--standalone-script"]
    assert run(*arguments)[0] == 0
    assert read_json(tmp_path / "out" / "separation.json")["loops"] == "off"
    status, _, errors = run(*arguments, "--loops", "auto")
    assert (status, errors) == (
        2,
        "hiphopss: error: loops 'auto': the stand-alone script separates without loops: leave out "
        "one of the two\n",
    )


@pytest.mark.parametrize("call", [SeparationSettings, partial(separate, SHORT, RATE)])
def test_another_choice_is_refused(call):
    with pytest.raises(HiphopssError, match=r"^loops 'on': no such choice: choose auto or off$"):
        call(loops="on")


def test_stems_with_loops_and_without_are_not_mixed(tmp_path):
    soundfile.write(tmp_path / "song.wav", SHORT, RATE)
    out, record = tmp_path / "out", tmp_path / "out" / "separation.json"

    def separated(loops):
        settings = SeparationSettings(loops=loops)
        separate_files(tmp_path / "song.wav", out, settings, progress=False)

    separated("off")
    older = read_json(record)
    assert older.pop("loops") == "off"
    record.write_text(json.dumps(older))  # as an older version wrote it
    refused = r"separation\.json: the stems here were made {}, unlike the new ones: choose another"
    with pytest.raises(HiphopssError, match=refused.format("without loops")):
        separated("auto")
    assert read_json(record) == older
    separated("off")
    assert read_json(record)["loops"] == "off"
    record.write_text(json.dumps(older | {"loops": "auto"}))
    with pytest.raises(HiphopssError, match=refused.format("with loops")):
        separated("off")
    separated("auto")
    record.write_text(json.dumps(older | {"loops": "sometimes"}))
    with pytest.raises(HiphopssError, match=r"separation\.json: .*\(at loops\): remove it, or"):
        separated("auto")


@pytest.fixture
def temporary(tmp_path, monkeypatch):
    """The folder for temporary files, which is empty."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def test_a_full_disk_for_temporary_files_is_one_line(temporary):
    advice = "allow larger files (ulimit -f), or choose a folder on another disk by the variable"
    line = f"{temporary}: can't be written (File too large): {advice} TMPDIR, or leave loops out"
    with files_limited(20_000), pytest.raises(HiphopssError, match=f"^{re.escape(line)}"):
        separate(noise(RATE, 1), RATE)
    assert not list(temporary.iterdir())


def test_no_folder_for_temporary_files(monkeypatch):
    def none():
        raise FileNotFoundError(2, "No usable temporary directory found")

    monkeypatch.setattr(tempfile, "gettempdir", none)
    with pytest.raises(HiphopssError, match=r"^no folder for temporary files can be written to"):
        separate(SHORT, RATE)


def test_what_stops_a_separation_leaves_nothing(temporary, tmp_path, song, monkeypatch):
    class Stopped(Exception):
        pass

    def stop(*_):
        raise Stopped

    made, files = tempfile.TemporaryFile, []
    monkeypatch.setattr("hiphopss.separation.song.StemFiles.write", stop)
    monkeypatch.setattr(
        tempfile, "TemporaryFile", lambda *a, **k: files.append(made(*a, **k)) or files[-1]
    )
    with pytest.raises(Stopped):
        separate_files(song, tmp_path / "out", progress=False)
    assert files
    assert all(file.closed for file in files)  # although the error is still held
    assert not list(temporary.iterdir())
    assert not (tmp_path / "out").exists()


def test_an_error_of_the_song_stays_its_own(tmp_path):
    soundfile.write(tmp_path / "a.wav", SHORT, RATE, format="FLAC")
    content = bytearray((tmp_path / "a.wav").read_bytes())
    content[-1000:-900] = bytes(100)
    (tmp_path / "a.flac").write_bytes(content)
    with pytest.raises(AudioError, match=r"a\.flac: "):
        separate_files(tmp_path / "a.flac", tmp_path / "out", progress=False)
