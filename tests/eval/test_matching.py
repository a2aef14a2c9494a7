"""Which estimates belong to which references, and what is told of them."""

import json

import pytest
from helpers.hhds import write_musdb, write_songs
from helpers.songs import nothing_warned, warned

from hiphopss import HiphopssError
from hiphopss.eval.matching import find_estimates


@pytest.fixture
def musdb(tmp_path):
    write_musdb(tmp_path / "MUSDB", "train", ["ANiMAL - Rockshow"])
    write_musdb(tmp_path / "MUSDB", "test", ["A - B"])
    return tmp_path / "MUSDB"


def estimated(tmp_path, *names, **record):
    """A folder of estimates of songs of these names."""
    write_musdb(tmp_path, "estimates", names)
    (tmp_path / "estimates" / "separation.json").write_text(json.dumps({"model": "HH", **record}))
    return tmp_path / "estimates"


def test_names_match_in_the_spelling_of_either_data_set(musdb, tmp_path):
    with nothing_warned():
        found = find_estimates(musdb, estimated(tmp_path, "002 - animal_rockshow"))
    assert [(song.subset, song.name) for song, _ in found.songs] == [("Dev", "ANiMAL - Rockshow")]
    assert set(found.songs[0][1]) == {"vocals", "bass", "drums", "other"}


def test_songs_that_only_another_data_set_has_are_left_out(tmp_path):
    write_songs(tmp_path / "DSD100", "Test", ["002 - ANiMAL - Rockshow"])
    others = ["A Classic Education - NightOwl", "Music Delta - Rock"]  # of MUSDB18 alone
    folder = estimated(tmp_path, "ANiMAL - Rockshow", *others)
    with warned(f"not in .*DSD100, not evaluated: {', '.join(others)}$"):
        found = find_estimates(tmp_path / "DSD100", folder)
    assert [song.name for song, _ in found.songs] == ["002 - ANiMAL - Rockshow"]
    with pytest.raises(HiphopssError, match=r"Mine: .*DSD100 has no song of this name"):
        find_estimates(tmp_path / "DSD100", estimated(tmp_path / "b", "Mine"))


def test_two_folders_of_one_song_are_told_before_any_work(musdb, tmp_path):
    folder = estimated(tmp_path, "A - B", "001 - A - B")
    with pytest.raises(HiphopssError, match=r"A - B: is the song of .*001 - A - B, too: take one"):
        find_estimates(musdb, folder)


def test_scores_of_songs_that_a_model_was_trained_on_are_told(musdb, tmp_path):
    names = ["A - B", "ANiMAL - Rockshow"]
    folder = estimated(tmp_path, *names, trained_on=["002 - ANiMAL - Rockshow", "Else - Where"])
    with warned("HH was trained on 1 of the 2 songs that are scored: ANiMAL - Rockshow$"):
        find_estimates(musdb, folder)
    folder = estimated(tmp_path / "b", *names, trained_on=["Else - Where"])
    with nothing_warned():
        find_estimates(musdb, folder)
