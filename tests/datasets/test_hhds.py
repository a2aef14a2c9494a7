"""The songs of HHDS: those of its archive without the three of DSD100."""

import pytest
from helpers.hhds import write_hhds, write_songs
from helpers.songs import nothing_warned, warned

from hiphopss.datasets.hhds import hhds_songs


@pytest.fixture(scope="module")
def hhds(tmp_path_factory):
    return write_hhds(tmp_path_factory.mktemp("hhds") / "HHDS")


def test_the_songs_are_18_without_those_of_dsd100(hhds):
    with nothing_warned():
        songs = hhds_songs(hhds)
        assert hhds_songs(hhds.parent) == songs
    assert [s.subset for s in songs] == ["Dev"] * 13 + ["Test"] * 5
    assert not any("ANiMAL" in song.name for song in songs)


def test_songs_of_dsd100_are_known_however_they_are_written(tmp_path):
    foreign = ("animal-clinic a", "2 ANiMAL  -  Rockshow", "52_Animal_Easy_Tiger")
    write_songs(tmp_path, "Dev", ["mine", *foreign[:1]])
    write_songs(tmp_path, "Test", ["Rockshow", *foreign[1:]])
    with warned(r"1 Dev \+ 1 Test songs, but HHDS has 13 Dev \+ 5 Test"):
        songs = hhds_songs(tmp_path)
    assert [song.name for song in songs] == ["mine", "Rockshow"]


def test_a_generated_set_may_have_any_size(tmp_path):
    write_songs(tmp_path, "Dev", ["001 - Generated - A"])
    (tmp_path / "generated.json").write_text('{"songs": []}')
    with nothing_warned():
        assert len(hhds_songs(tmp_path)) == 1
