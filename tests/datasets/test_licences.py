"""Which data sets songs belong to, and what feature files say about their licences."""

import json

import h5py
import pytest
from helpers.hhds import write_hhds, write_songs
from helpers.songs import RATE, noise, told, write_song

from hiphopss import SOURCES, Song, make_features
from hiphopss.datasets import licences
from hiphopss.datasets.features.file import FeatureFile
from hiphopss.datasets.features.segments import PROVENANCE
from hiphopss.datasets.licences import data_of, merged, tell_licences
from hiphopss.datasets.songs import find_songs

RESTRICTED = "for non-commercial, educational use only"


@pytest.fixture(autouse=True)
def new_run(monkeypatch):
    monkeypatch.setattr(licences, "_told", set())


def song(root, name, stem="{}.wav"):
    """A song that is only a name and paths."""
    return Song(name, "", None, {s: root / stem.format(s) for s in SOURCES})


def test_songs_of_dsd100_are_known_by_number_and_name(tmp_path):
    folder = tmp_path / "Sources" / "Dev"
    songs = [
        song(folder / "x", name) for name in ("051 - AM Contra - Heart Peripheral", "81 - mine - x")
    ]
    assert data_of(songs) == [{"set": "DSD100", "licence": RESTRICTED}]


def test_songs_of_musdb18_have_their_own_licences(tmp_path):
    names = ("A Classic Education - NightOwl", "Actions - Devil's Words", "actions - devils words")
    songs = [song(tmp_path / "train" / name, name) for name in names]
    both = f"CC BY-NC-SA; {RESTRICTED}"
    assert data_of(songs) == [{"set": "MUSDB18-HQ", "licence": both}]
    assert data_of(songs[1:]) == [{"set": "MUSDB18-HQ", "licence": RESTRICTED}]
    files = [song(tmp_path / "train", name, f"{name}.stem.mp4/{{}}") for name in names]
    assert data_of(files) == [{"set": "MUSDB18", "licence": both}]


def test_hhds_is_known_by_what_its_archive_holds(tmp_path):
    songs = find_songs(write_hhds(tmp_path / "HHDS"))
    record = "see its record: https://doi.org/10.5281/zenodo.823037"
    hhds, dsd100 = {"set": "HHDS", "licence": record}, {"set": "DSD100", "licence": RESTRICTED}
    assert data_of(songs) == [dsd100, hhds]
    assert data_of(songs[:1]) == [hhds]


def test_of_ones_own_songs_nothing_is_said(tmp_path):
    write_songs(tmp_path, "Dev", ["001 - Me - Mine", "02 - Me - Rockshow"])
    assert data_of(find_songs(tmp_path)) == []
    assert data_of([song(tmp_path / "plain", "song")]) == []


def test_generated_songs_need_no_licence_whatever_they_are_called(tmp_path):
    write_songs(tmp_path, "Dev", ["001 - ANiMAL - Clinic A"])
    (tmp_path / "generated.json").write_text('{"songs": []}')
    data = data_of(find_songs(tmp_path))
    assert data == [
        {"set": "generated songs", "licence": "none is needed: synthesised by hiphopss"}
    ]
    with told() as messages:
        tell_licences(data)
    assert messages == []


def test_statements_are_joined_each_once():
    a, b = {"set": "A", "licence": "x"}, {"set": "B", "licence": "y"}
    assert merged([a], [b, a], []) == [a, b]


@pytest.fixture
def dsd100(tmp_path):
    for name in ("055 - Angels In Amplifiers - I'm Alright", "060 - Bobby Nobody - Stitch Up"):
        stems = {source: noise(RATE, i) for i, source in enumerate(SOURCES)}
        write_song(tmp_path / "DSD100", "Dev", name, stems)
    return tmp_path / "DSD100"


def test_features_say_the_licence_once_in_a_run_and_in_the_file(dsd100, tmp_path):
    with told() as messages:
        path = make_features(dsd100, tmp_path / "a.h5", preset="corrected", progress=False)
        make_features(dsd100, tmp_path / "b.h5", preset="released", progress=False)
    expected = f"DSD100: licence: {RESTRICTED}; features and weights made of these songs say so"
    assert messages == [expected]
    with FeatureFile(path) as file:
        assert file.data == [{"set": "DSD100", "licence": RESTRICTED}]
        assert set(file.provenance) == {"version", "sha256", "data", "frames"}


def test_a_file_without_the_statement_is_read_and_is_the_same_content(dsd100, tmp_path):
    path = make_features(dsd100, tmp_path / "a.h5", preset="corrected", progress=False)
    with FeatureFile(path) as file:
        identity = file.identity
    with h5py.File(path, "r+") as file:  # as it was made before
        provenance = json.loads(file[PROVENANCE][()])
        del provenance["data"], file[PROVENANCE]
        file[PROVENANCE] = json.dumps(provenance, sort_keys=True)
    with FeatureFile(path) as file:
        assert file.data == []
        assert file.identity == identity
