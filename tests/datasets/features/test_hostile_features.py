"""Feature files that were damaged, edited or made to harm."""

import json
import os

import h5py
import numpy as np
import pytest
from helpers import hdf5 as hostile

from hiphopss import HiphopssError
from hiphopss.datasets.features.audition import audition
from hiphopss.datasets.features.file import FeatureFile, is_feature_file
from hiphopss.datasets.features.make import make_features


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """The content of a feature file."""
    from helpers.songs import noise, write_song

    folder = tmp_path_factory.mktemp("made")
    stems = {s: noise(45001, k) for k, s in enumerate(("vocals", "bass", "drums", "other"))}
    write_song(folder / "songs", "Dev", "A - B", stems, gain=0.7)
    path = make_features(folder / "songs", folder / "f.h5", progress=False)
    return path.read_bytes(), folder / "songs"


@pytest.fixture
def path(made, tmp_path):
    path = tmp_path / "f.h5"
    path.write_bytes(made[0])
    return path


def edit(path, change):
    with h5py.File(path, "r+") as file:
        change(file)


def refused(path, part):
    with pytest.raises(HiphopssError, match=part) as caught:
        FeatureFile(path)
    assert "f.h5: " in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("make", hostile.UNSOUND, ids=lambda make: make.__name__)
@pytest.mark.parametrize("name", ["mixture", "sources"])
def test_frames_must_lie_in_the_file_as_they_are_written(path, name, make):
    edit(path, lambda file: hostile.replaced(file, name, make))
    refused(path, hostile.UNSOUND[make])
    assert is_feature_file(path)  # so it may be made again over this one


@pytest.mark.parametrize(
    "name", ["patch_start", "patch_segment", "segments", "parts", "provenance", "mixture"]
)
@pytest.mark.parametrize("make", [hostile.soft_link, hostile.link_into_another_file, None])
def test_tables_and_texts_must_be_there(path, name, make):
    if make is None:
        edit(path, lambda file: file.__delitem__(name))
    else:
        edit(path, lambda file: hostile.replaced(file, name, make))
    refused(path, "link|has no (table|text|data set)|not a feature file")


@pytest.mark.parametrize(
    ("name", "values", "part"),
    [
        ("mixture", np.zeros((40, 513), "<f8"), "values of type float64, not float32"),
        ("mixture", np.zeros((40, 512), "<f4"), r"the shape \(40, 512\), not \(n_frames, 513\)"),
        ("sources", np.zeros((5, 513), "<f4"), "table parts has values that are out of range"),
        ("sources", np.zeros(513, "<f4"), r"the shape \(513,\)"),
        ("patch_start", np.zeros(3, "<i8"), "not of one length"),
        ("patch_start", np.zeros(3, "<f4"), "values of type float32, not int64"),
        ("segments", np.zeros(3, "<i8"), "has no table segments"),
        ("parts", np.zeros(3, [("a", "<i8")]), "table parts has another form"),
        ("provenance", np.zeros(3), "has no text provenance"),
    ],
)
def test_data_sets_of_another_form_are_named(path, name, values, part):
    def change(file):
        del file[name]
        file[name] = values

    edit(path, change)
    refused(path, part)


@pytest.mark.parametrize(
    ("table", "column", "value"),
    [
        ("segments", "first_frame", -1),
        ("segments", "first_frame", 2**62),
        ("segments", "n_frames", 0),
        ("segments", "n_frames", 10**6),
        ("segments", "n_samples", 2**40),
        ("segments", "start", -1),
        ("parts", "first_frame", 2**62),
        ("parts", "first_frame", -7),
        ("parts", "shift", -(2**62)),
        ("parts", "target_gain", np.nan),
        ("parts", "gain", np.inf),
        ("parts", "gain", 1e300),
        ("parts", "target_gain", -1e39),
        ("patch_start", None, -1),
        ("patch_start", None, 10**6),
        ("patch_segment", None, 1),
        ("patch_segment", None, -1),
    ],
)
def test_places_outside_of_the_file_are_refused(path, table, column, value):
    def change(file):
        rows = file[table][...]
        values = rows if column is None else rows[column]
        values.flat[-1] = value
        file[table][...] = rows

    edit(path, change)
    refused(path, f"its table {table} has values that are out of range")


def test_frames_that_are_not_finite_are_noticed(path, tmp_path):
    with FeatureFile(path) as file:
        assert file.is_finite()

    def change(file):
        file["sources"][-1, 7] = np.nan

    edit(path, change)
    with FeatureFile(path) as file:
        assert not file.is_finite()
        with pytest.raises(HiphopssError, match="frames that are not finite: make it again"):
            file.frames(file.segments()[-1])


def test_an_older_format_is_called_that_however_it_is_stored(path):
    edit(path, lambda file: hostile.replaced(file, "mixture", hostile.in_chunks))
    edit(path, lambda file: file.attrs.__setitem__("format", 1))
    refused(path, "not a feature file of format 2")
    assert is_feature_file(path)


def test_other_files_are_no_feature_files(path, tmp_path, monkeypatch):
    path.write_bytes(path.read_bytes()[:3000])
    refused(path, "a damaged HDF5 file")
    assert not is_feature_file(path)
    (tmp_path / "text").write_text("text")
    assert not is_feature_file(tmp_path / "text")
    monkeypatch.setattr(os, "open", lambda *_: (_ for _ in ()).throw(PermissionError(13, "no")))
    with pytest.raises(HiphopssError, match="change its permissions"):
        is_feature_file(path)


@pytest.mark.parametrize("named", ["secret.txt", "A - B/notes.wav", "C - D/vocals.wav", "folder"])
def test_audition_opens_only_stems(path, made, tmp_path, named, monkeypatch):
    secret = tmp_path / "elsewhere" / named
    secret.parent.mkdir(parents=True)
    secret.mkdir() if named == "folder" else secret.write_text("secret")

    def change(file):
        paths = {name: str(secret) for name in json.loads(file["paths"][()])}
        del file["paths"]
        file["paths"] = json.dumps(paths)

    edit(path, change)
    monkeypatch.setattr(
        "hiphopss.datasets.features.audition.sha256_of", lambda path: pytest.fail(f"opened {path}")
    )
    with pytest.raises(HiphopssError, match="does not name a song's stems: add --dataset"):
        audition(path, 0, tmp_path / "out")
    monkeypatch.undo()
    assert audition(path, 0, tmp_path / "out", dataset=made[1])


def test_a_file_without_patches_is_refused(path):
    def change(file):
        for name in ("patch_start", "patch_segment"):
            del file[name]
            file[name] = np.zeros(0, "<i8")

    edit(path, change)
    refused(path, "f.h5: has no patches")


@pytest.mark.parametrize("n_frames", [3, 0, "one more"])
def test_a_phase_of_other_frames_is_refused(path, n_frames):
    def change(file):
        n_all = len(file["mixture"])
        shape = (n_all + 1 if n_frames == "one more" else n_frames, 513)
        file["phase"] = np.zeros(shape, "<f4")

    edit(path, change)
    refused(path, "has another number of frames in phase than in mixture")


def test_an_unknown_augmentation_is_told_of_its_file(path):
    edit(path, lambda file: file.attrs.__setitem__("augmentation", "none such"))
    refused(path, "f.h5: .*none such")


def test_a_segment_behind_the_end_of_its_song_is_told(path, made, tmp_path):
    def change(file):
        rows = file["segments"][...]
        rows["start"] = 10**9
        file["segments"][...] = rows

    edit(path, change)
    with pytest.raises(HiphopssError, match="a segment that is not within its song 'A - B'"):
        audition(path, 0, tmp_path / "out", dataset=made[1])
    assert not (tmp_path / "out").exists()
