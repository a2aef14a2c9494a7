"""The registry of weights, and separating without naming any."""

import json

import pytest
import soundfile
from helpers.songs import RATE, noise, read_json

from hiphopss import HiphopssError
from hiphopss.util.files import sha256_of
from hiphopss.weights import registry
from hiphopss.weights.files import read_arrays, read_info
from hiphopss.weights.published import PUBLISHED_ARRAYS


def test_the_shipped_file_is_the_registrys():
    shipped = [entry for entry in registry.registry() if entry.shipped]
    assert shipped[0] is registry.registry()[0]
    for entry in shipped:
        path = registry.resolve_weights(entry.name)
        assert path.stat().st_size < 5_000_000
        assert sha256_of(path) == entry.sha256
        info = read_info(path)
        assert info.fidelity.name == entry.preset
        assert len(read_arrays(path)) == len(PUBLISHED_ARRAYS)  # a decoder more, two biases fewer
        assert "music" not in json.dumps(info.provenance)
        assert "no recorded music" in entry.trained_on
    assert registry.resolve_weights(None) == registry.resolve_weights("default")


def test_published_files_are_known_but_not_here(tmp_path, monkeypatch):
    published = [entry for entry in registry.registry() if not entry.shipped]
    assert {entry.model for entry in published} == {"DSD", "HH", "HH_CS", "HH_IA", "HH_MA"}
    assert all(entry.file == f"{entry.name}.pkl" for entry in published)
    with pytest.raises(HiphopssError, match=r"not shipped: get model_hh_fft_1024\.pkl by hand"):
        registry.resolve_weights("model_hh_fft_1024")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "model_hh_fft_1024").write_text("a file goes before a name")
    assert registry.resolve_weights("model_hh_fft_1024").name == "model_hh_fft_1024"


@pytest.mark.parametrize(
    "arguments",
    [
        "separate song.wav -o out --weights nope",
        "remix song.wav -o out.wav --karaoke --weights nope -q",
        "live --input song.wav --output out.wav --weights nope",
        "demo --port 0 --weights nope",
        "weights info nope",
        "train features.h5 -o new.weights.h5 --init nope",
    ],
)
def test_a_name_that_is_not_known_is_answered_with_the_list(tmp_path, monkeypatch, run, arguments):
    monkeypatch.chdir(tmp_path)
    soundfile.write("song.wav", noise(2000, 1), RATE)
    status, out, err = run(*arguments.split())
    assert (status, out) == (2, "")
    assert err == (
        "hiphopss: error: nope: neither a weight file nor the name of one: check the path, or "
        "take a name from `hiphopss weights list`\n"
    )


def test_a_damaged_shipped_file_is_refused(tmp_path, monkeypatch):
    entry = registry.registry()[0]
    monkeypatch.setattr(registry, "shipped_folder", lambda: tmp_path)
    with pytest.raises(HiphopssError, match="missing, or not the file that was shipped: install"):
        registry.resolve_weights(None)
    (tmp_path / entry.file).write_bytes(b"something else")
    with pytest.raises(HiphopssError, match="missing, or not the file that was shipped: install"):
        registry.resolve_weights(None)


def test_separate_without_weights_says_what_it_uses(tmp_path, run):
    soundfile.write(tmp_path / "song.wav", noise(RATE, 1), RATE)
    arguments = ["separate", tmp_path / "song.wav", "-o", tmp_path / "out"]
    assert run(*arguments, "-q")[::2] == (0, "")
    status, out, err = run(*arguments)
    assert status == 0
    assert out.strip() == str(tmp_path / "out" / "song")
    weights, loops = (line for line in err.splitlines() if line.startswith("hiphopss: "))
    assert "shipped weights 'generated', trained on no recorded music" in weights
    assert loops.startswith("hiphopss: song: nothing repeats")
    record = read_json(tmp_path / "out" / "separation.json")
    assert record["sha256"] == read_info(registry.resolve_weights(None)).sha256
    status, listed, _ = run("weights", "list")
    assert status == 0
    assert "no recorded music" in listed
    assert "model_dsd_fft_1024.pkl" in listed
