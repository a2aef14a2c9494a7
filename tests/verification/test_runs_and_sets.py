"""Runs of ``reproduce`` with their store, and data sets."""

import json
import os
import shutil
import zipfile

import pytest

from hiphopss import SOURCES, verify
from hiphopss.datasets.fetch.unzip import unzip
from hiphopss.reproduction.store import Store, record_outcome
from hiphopss.util.files import sha256_of


def wrong(*paths, **options):
    found = verify(paths, progress=False, **options)
    good = ("ok", "not recorded")
    return {(f.kind, f.state): f"{f.name}: {f.told}" for f in found.findings if f.state not in good}


@pytest.fixture
def a_run(chain, far):
    """A run that has taken the weights and stems of the chain for its own."""
    output = far / "run"
    store = Store(output / "store")
    weights = store.path("weights", "HH", {"of": "weights"}, ".weights.h5")
    estimates = store.path("estimates", "HH", {"of": "estimates"})
    shutil.copyfile(chain.weights, weights)
    shutil.copytree(chain.stems, estimates)
    (output / "weights").mkdir()
    shutil.copyfile(chain.weights, output / "weights" / "HH.weights.h5")
    (output / "report.md").write_text("# Report")
    (output / "run.json").write_text("{}")
    made = [output / "report.md", output / "weights" / "HH.weights.h5"]
    record_outcome(output, store, made, [weights, estimates, chain.weights])
    return output, weights, estimates


def test_a_run_is_what_its_store_has(chain, a_run):
    output, weights, estimates = a_run
    assert wrong(output, look_in=chain.root) == {}
    assert wrong(output / "run.json", look_in=chain.root) == {}
    assert ("features", "missing") in wrong(output)
    (output / "report.md").write_text("# Reports")
    with open(estimates / "002 - song" / "bass.wav", "r+b") as file:
        file.seek(-10, os.SEEK_END)
        file.write(b"changed")
    found = wrong(output, look_in=chain.root)
    assert "report.md is not the file that was written" in found["file", "differs"]
    assert "not what the run used" in found["estimates", "differs"]
    assert "bass.wav is not" in found["track", "differs"]
    inputs = weights.with_name(weights.name.replace(".weights.h5", ".inputs.json"))
    inputs.write_text('{"of": "others"}')
    assert (
        "other inputs than its name says" in wrong(output, look_in=chain.root)["weights", "differs"]
    )
    shutil.rmtree(estimates)
    assert "not in a store" in wrong(output, look_in=chain.root)["estimates", "missing"]


def test_a_run_that_has_not_ended(tmp_path):
    (tmp_path / "run.json").write_text("{}")
    found = verify(tmp_path, progress=False)
    assert [f.state for f in found.findings] == ["not recorded"]
    assert "has not ended" in found.text()


def test_a_generated_set(dataset):
    record = {"seed": 0, "songs": []}
    for split, name in (("Dev", "000 - song"), ("Test", "002 - song")):
        files = {s: dataset / "Sources" / split / name / f"{s}.wav" for s in SOURCES}
        files["mixture"] = dataset / "Mixtures" / split / name / "mixture.wav"
        hashes = {source: sha256_of(path) for source, path in files.items()}
        record["songs"].append({"name": name, "split": split, "sha256": hashes})
    (dataset / "generated.json").write_text(json.dumps(record), "utf-8")
    assert wrong(dataset) == {}
    found = verify(dataset / "generated.json", progress=False)
    assert [f.kind for f in found.findings] == ["songs", "song", "song"]
    (dataset / "Sources" / "Dev" / "000 - song" / "bass.wav").write_bytes(b"changed")
    (dataset / "Mixtures" / "Test" / "002 - song" / "mixture.wav").unlink()
    assert wrong(dataset) == {
        ("song", "differs"): "000 - song: bass.wav is not the file that was generated",
        ("song", "missing"): "002 - song: mixture.wav is not there",
    }


def test_a_downloaded_set(tmp_path):
    with zipfile.ZipFile(tmp_path / "set.zip", "w") as archive:
        for source in SOURCES:
            archive.writestr(f"HHDS/Sources/Dev/a - b/{source}.wav", source * 100)
    told = {"set": "hhds", "archive": "set.zip"}
    root = unzip(
        tmp_path / "set.zip", tmp_path / "HHDS", holding=["Sources"], told=told, progress=False
    )
    assert wrong(root) == {}
    assert "what set.zip holds, by the CRC-32 of 4 files" in verify(root, progress=False).text()
    song = root / "Sources" / "Dev" / "a - b"
    (song / "bass.wav").write_text("bASs" * 100)
    (song / "drums.wav").unlink()
    found = wrong(root)
    assert "Sources/Dev/a - b/bass.wav: not the file" in found["file", "differs"]
    assert "Sources/Dev/a - b/drums.wav: not there" in found["file", "missing"]


def test_another_set_has_no_record(dataset):
    found = verify(dataset, progress=False)
    assert found.ok
    assert "nothing of its 3 songs" in found.text()


# records that a stranger has written

VALUES = [
    None,
    1,
    "text",
    "../../x",
    "\x1b[2J",
    [],
    [1],
    {"a": 1},
    {"../x": {"vocals": "y"}},
    [["x"]],
]


@pytest.mark.parametrize("name", ["separation.json", "generated.json", "downloaded.json"])
@pytest.mark.parametrize("key", ["songs", "files", "sha256", "model", "weights"])
def test_records_with_any_value_are_told_from_good_ones(far, name, key):
    for value in VALUES:
        (far / name).write_text(json.dumps({key: value}), "utf-8")
        found = verify(far, progress=False)
        assert found.findings
        assert "\x1b" not in found.text()


@pytest.mark.parametrize(
    "name", ["separation.json", "generated.json", "downloaded.json", "run.json"]
)
@pytest.mark.parametrize("text", ["", "{", "[]", "1", "\udcff", '{"songs": ' * 50])
def test_damaged_records_are_unreadable(far, name, text):
    (far / name).write_bytes(text.encode("utf-8", "surrogateescape"))
    found = verify(far, progress=False)
    assert found.status == 2
    assert "can't be read" in found.text()


def test_names_that_lead_out_of_the_folder(far):
    (far / "secret.wav").write_text("x")
    folder = far / "stems"
    folder.mkdir()
    for name, songs in (
        ("generated.json", {"songs": [{"name": "..", "split": "Dev", "sha256": {"a": "b"}}]}),
        ("downloaded.json", {"files": {"../secret.wav": [1, 1]}}),
        ("outcome.json", {"files": {"/etc/passwd": "x", "../secret.wav": "y"}}),
    ):
        (folder / name).write_text(json.dumps(songs), "utf-8")
        found = verify(folder, progress=False)
        assert found.status == 2, name
        assert not any("differs" in f.state for f in found.findings)
        (folder / name).unlink()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes")
def test_pipes_are_not_read(chain, kept):
    stem = kept(chain.stems / "002 - song" / "bass.wav")
    stem.unlink()
    os.mkfifo(stem)
    assert "bass.wav is no plain file" in wrong(chain.stems)["track", "differs"]


@pytest.mark.parametrize("length", [300, 5000])
def test_names_that_are_too_long_for_files(far, length):
    name = "n" * length
    digest = "0" * 64
    for record, told in (
        ("separation.json", {"model": name, "weights": name, "sha256": digest}),
        ("generated.json", {"songs": [{"name": name, "split": "Dev", "sha256": {name: digest}}]}),
        ("downloaded.json", {"files": {name: [1, 1], f"a/{name}/b.wav": [1, 1]}}),
        ("outcome.json", {"files": {name: digest}, "store": {f"weights/{name}": digest}}),
    ):
        (far / record).write_text(json.dumps(told), "utf-8")
        found = verify(far, progress=False)
        states = {one.state for one in found.findings}
        assert states & {"missing", "not recorded", "can't be read"}, found.text()
        assert "differs" not in states
        (far / record).unlink()
