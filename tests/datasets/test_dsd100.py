"""DSD100 and its list, the test sets, names, and where data sets are."""

import json

import pytest
from helpers.archives import refused
from helpers.hhds import FOREIGN, KNOCKOUT, write_musdb, write_songs
from helpers.songs import nothing_warned, warned

from hiphopss.datasets import musdb18
from hiphopss.datasets.dsd100 import dsd100_songs, is_hip_hop, listed, listed_song
from hiphopss.datasets.names import match_name, near_names, numbered_title
from hiphopss.datasets.roots import dataset_root, find_root
from hiphopss.datasets.songs import read_songs
from hiphopss.datasets.testsets import held_out, second_test_set, song_names, training_songs

CLINIC, ROCKSHOW, TIGER = FOREIGN


@pytest.fixture
def dsd100(tmp_path):
    """A few songs of DSD100, where they belong."""
    root = tmp_path / "DSD100"
    write_songs(root, "Test", [CLINIC, ROCKSHOW, KNOCKOUT, "024 - BigTroubles - Phantom"])
    write_songs(root, "Dev", [TIGER, "085 - Side Effects Project - Sing With Me"])
    return root


@pytest.fixture
def hhds(tmp_path):
    """The archive of HHDS, with fewer songs."""
    root = tmp_path / "HHDS"
    write_songs(root, "Dev", ["01 - Rapero - Uno", TIGER])
    write_songs(root, "Test", ["02 - Rapera - Dos", CLINIC, ROCKSHOW])
    return root


@pytest.fixture
def generated(tmp_path):
    """A generated set in DSD100's stead."""
    root = tmp_path / "stand-in"
    songs = [("Dev", "Alba", "Hip-Hop"), ("Test", "Bruma", "Rock"), ("Test", "Calle", "Hip-Hop")]
    entries = []
    for number, (split, title, style) in enumerate(songs, 1):
        name = f"{number:03d} - Stand-in - {title}"
        write_songs(root, split, [name])
        entries.append({"name": name, "split": split, "style": style})
    (root / "generated.json").write_text(json.dumps({"songs": entries}))
    return root


def names_of(songs):
    return [song.name for song in songs]


def test_songs_by_subset(dsd100):
    with warned(r"2 Dev \+ 4 Test songs, but DSD100 has 50 Dev \+ 50"):
        songs = dsd100_songs(dsd100)
    assert [s.subset for s in songs] == ["Dev"] * 2 + ["Test"] * 4
    assert names_of(songs)[0] == TIGER


def test_a_whole_dsd100_and_a_generated_one_raise_no_warning(tmp_path, generated):
    root = tmp_path / "whole"
    for number in range(1, 101):  # empty files: nothing is read
        folder = root / "Sources" / ("Test" if number < 51 else "Dev") / f"{number:03d} - A - B"
        folder.mkdir(parents=True)
        for source in ("vocals", "bass", "drums", "other"):
            (folder / f"{source}.wav").touch()
    with nothing_warned():
        assert len(dsd100_songs(root)) == 100
        assert len(dsd100_songs(generated)) == 3


def test_the_list_of_dsd100():
    songs = listed()
    assert [song.number for song in songs] == list(range(1, 101))
    assert {song.subset for song in songs[:50]} == {"Test"}
    assert {song.subset for song in songs[50:]} == {"Dev"}
    assert [song.folder_name for song in songs if is_hip_hop(song.style)] == [
        *(CLINIC, ROCKSHOW, KNOCKOUT, TIGER),
        "076 - Little Chicago's Finest - My Own",
        "085 - Side Effects Project - Sing With Me",
    ]


@pytest.mark.parametrize(
    ("name", "number"),
    [
        ("ANiMAL - Rockshow", 2),
        ("2_animal_ROCKSHOW", 2),
        ("003 - ANiMAL - Rockshow", None),
        ("2 ANiMAL Rockshow", 2),
        ("3 ANiMAL Rockshow", None),
        ("Patrick Talbot - Set Me Free", 81),
        ("081 - Patrick Talbot - Set Free Me", 81),
        ("081 Patrick Talbot - Set Me Free", 81),
        ("Actions - Devil\u2019s Words", 53),
        ("Somebody - Else", None),
    ],
)
def test_songs_are_found_in_the_list_in_any_spelling(name, number):
    song = listed_song(name)
    assert (song and song.number) == number


def test_every_song_of_dsd100_is_in_musdb18():
    of_dsd = [song.name for song in musdb18.listed() if song.origin == "DSD"]
    assert sorted(listed_song(name).number for name in of_dsd) == list(range(1, 101))
    assert len(musdb18.listed()) == 150


def test_musdb18_stands_in_for_dsd100(tmp_path):
    write_musdb(tmp_path, "train", ["ANiMAL - Rockshow", "ANiMAL - Easy Tiger", "Leaf - A"])
    write_musdb(tmp_path, "test", ["M.E.R.C. Music - Knockout", "Patrick Talbot - Set Me Free"])
    with warned(r"2 Dev \+ 2 Test songs, but DSD100 has 50 Dev \+ 50 Test"):
        songs = dsd100_songs(tmp_path)
    assert [(song.subset, song.name) for song in songs] == [
        ("Dev", TIGER),
        ("Dev", "081 - Patrick Talbot - Set Free Me"),
        ("Test", ROCKSHOW),
        ("Test", KNOCKOUT),
    ]
    assert songs[2].mixture == tmp_path / "train" / "ANiMAL - Rockshow" / "mixture.wav"
    own = read_songs(tmp_path)
    assert [song.subset for song in own] == ["Dev", "Dev", "Dev", "Test", "Test"]


def test_songs_of_ones_own_in_that_layout_keep_their_names(tmp_path):
    write_musdb(tmp_path, "train", ["Me - Mine"])
    with warned("1 Dev"):
        assert names_of(dsd100_songs(tmp_path)) == ["Me - Mine"]


def test_the_list_of_a_generated_set_that_cant_be_read_is_told(generated):
    (generated / "generated.json").write_text('{"songs": [1]}')
    refused(
        r"generated\.json: expected an object, .*generate the set again",
        *(second_test_set,),
        dsd100=generated,
    )


@pytest.mark.parametrize(
    ("style", "expected"),
    [("HipHop", True), ("Hip-Hop/Rap", True), ("hip hop", True), ("Rap", False), ("", False)],
)
def test_what_counts_as_hip_hop(style, expected):
    assert is_hip_hop(style) is expected


def test_the_papers_three_test_songs_come_from_dsd100_first(dsd100, hhds):
    with nothing_warned():
        found = second_test_set(dsd100=dsd100, hhds=hhds)
    assert (found.name, names_of(found.songs)) == ("paper", [CLINIC, ROCKSHOW, KNOCKOUT])
    assert {song.subset for song in found.songs} == {"Test"}
    assert all(dsd100 in song.stems["bass"].parents for song in found.songs)


def test_hhds_alone_has_another_third_song_which_is_told(hhds):
    told = "the second test set is .*027 of the paper's three is not among them.*052 is in.*Dev"
    with warned(told):
        found = second_test_set(hhds=hhds)
    assert (found.name, names_of(found.songs)) == ("hhds-archive", list(FOREIGN))
    assert all(hhds in song.stems["bass"].parents for song in found.songs)
    with warned(f"without {KNOCKOUT}$"):
        found = second_test_set(hhds=hhds, test_set="paper")
    assert names_of(found.songs) == [CLINIC, ROCKSHOW]


def test_the_songs_in_hhdss_archive_by_name(dsd100, hhds):
    with nothing_warned():
        found = second_test_set(dsd100=dsd100, hhds=hhds, test_set="hhds-archive")
    assert names_of(found.songs) == list(FOREIGN)
    assert [song.subset for song in found.songs] == ["Test", "Test", "Dev"]
    refused("no test set named 'nope'.*paper, hhds-archive", song_names, "nope")


def test_each_test_song_comes_from_where_it_is(tmp_path, hhds):
    write_songs(tmp_path / "part", "Test", ["animal - ROCKSHOW"])
    with warned(f"without {KNOCKOUT}$"):
        found = second_test_set(dsd100=tmp_path / "part", hhds=hhds)
    assert names_of(found.songs) == [CLINIC, "animal - ROCKSHOW"]
    with warned(f"without {CLINIC}, {KNOCKOUT}"):
        found = second_test_set(dsd100=tmp_path / "part")
    assert names_of(found.songs) == ["animal - ROCKSHOW"]


def test_the_test_songs_come_from_either_half_of_musdb18(tmp_path, hhds):
    write_musdb(tmp_path / "MUSDB", "train", ["ANiMAL - Rockshow", "ANiMAL - Clinic A"])
    write_musdb(tmp_path / "MUSDB", "test", ["M.E.R.C. Music - Knockout"])
    with nothing_warned():
        found = second_test_set(dsd100=tmp_path / "MUSDB", hhds=hhds)
    assert names_of(found.songs) == [CLINIC, ROCKSHOW, KNOCKOUT]
    assert all("MUSDB" in str(song.mixture) for song in found.songs)


def test_what_is_held_out_of_a_data_set(dsd100, hhds, tmp_path):
    """In HHDS's archive 052 is a guest; in DSD100 it is a training song."""
    assert names_of(held_out(read_songs(dsd100))) == [CLINIC, ROCKSHOW, KNOCKOUT]
    assert sorted(names_of(held_out(read_songs(hhds)))) == list(FOREIGN)
    write_musdb(
        tmp_path / "MUSDB",
        "train",
        ["ANiMAL - Rockshow", "ANiMAL - Easy Tiger", "Actions - Devil's Words"],
    )
    write_musdb(tmp_path / "MUSDB", "test", ["BigTroubles - Phantom"])
    assert names_of(held_out(read_songs(tmp_path / "MUSDB"))) == ["ANiMAL - Rockshow"]


def test_the_test_songs_of_a_generated_set(generated, hhds):
    for roots in ({"dsd100": generated}, {"dsd100": generated, "hhds": hhds}):
        found = second_test_set(**roots)
        assert (found.name, names_of(found.songs)) == ("generated", ["003 - Stand-in - Calle"])
    archive = {"dsd100": generated, "test_set": "hhds-archive"}
    refused("a generated set, which has no test set 'hhds-archive'", second_test_set, **archive)
    (generated / "generated.json").write_text('{"songs": []}')
    refused("no Test song in it of the style Hip-Hop", second_test_set, dsd100=generated)


def test_missing_test_songs_are_told(tmp_path):
    write_songs(tmp_path / "mine", "Test", ["a song"])
    refused("none of the hip-hop test songs.*ANiMAL.*name", second_test_set, hhds=tmp_path)
    refused("no data set given.*DSD_PATH.*HHDS_PATH", second_test_set)


def test_other_test_songs_by_name(dsd100, hhds):
    names = ["bigtroubles phantom", "Rapera - Dos", "BigTroubles - Phantom"]
    songs = second_test_set(dsd100=dsd100, hhds=hhds, names=names).songs
    assert names_of(songs) == ["024 - BigTroubles - Phantom", "02 - Rapera - Dos"]
    message = "'Rockshaw': no song of this name.*near ones are: 002 - ANiMAL - Rockshow"
    refused(message, second_test_set, dsd100=dsd100, names=["Rockshaw"])
    write_songs(dsd100, "Dev", ["070 - BigTroubles - Phantom"])
    refused("several songs.*070 - .* - ", second_test_set, dsd100=dsd100, names=names[:1])
    (song,) = second_test_set(dsd100=dsd100, names=["24 - BigTroubles - Phantom"]).songs
    assert song.name == "024 - BigTroubles - Phantom"


def test_no_test_song_is_trained_on(dsd100, hhds):
    tests = second_test_set(dsd100=dsd100, test_set="hhds-archive").songs
    tests += read_songs(hhds, ("Test",))
    dev = read_songs(dsd100, ("Dev",)) + read_songs(hhds, ("Dev",))
    assert names_of(dev).count(TIGER) == 2
    assert names_of(training_songs(dev, tests)) == [
        "085 - Side Effects Project - Sing With Me",
        "01 - Rapero - Uno",
    ]


def test_a_renamed_or_renumbered_test_song_is_not_trained_on(tmp_path, hhds):
    renamed = ["animal_easy tiger", "7 - ANiMAL - Clinic A", "002 - ANIMAL—RockShow"]
    renamed += ["052 ANiMAL - Easy Tiger"]
    write_songs(tmp_path / "other", "Dev", [*renamed, "002 - ANiMAL - Another"])
    dev = read_songs(tmp_path / "other", ("Dev",))
    assert names_of(training_songs(dev, second_test_set(hhds=hhds).songs)) == [
        "002 - ANiMAL - Another"
    ]


def test_numbers_tell_songs_of_one_set_apart(tmp_path):
    write_songs(tmp_path, "Dev", ["001 - A - Intro", "002 - song", "Outro", "003 - B - Skit"])
    write_songs(tmp_path, "Test", ["004 - A - Intro", "005 - song", "006 - Outro", "B - Skit"])
    dev, test = read_songs(tmp_path, ("Dev",)), read_songs(tmp_path, ("Test",))
    assert names_of(training_songs(dev, test)) == ["001 - A - Intro", "002 - song", "Outro"]


def test_titles_of_generated_sets_come_again(tmp_path):
    """Another seed deals the same titles to other songs; only a copy has the numbers too."""
    for seed, name in enumerate(["001 - Generated - Luna", "014 - Generated - Luna"]):
        write_songs(tmp_path / str(seed), "Dev", [name])
        write_songs(tmp_path / str(seed), "Test", ["018 - Generated - Sol"])
        (tmp_path / str(seed) / "generated.json").write_text('{"songs": []}')
    songs = read_songs(tmp_path / "0")
    assert training_songs(songs, read_songs(tmp_path / "1", ("Dev",))) == songs
    assert training_songs(songs, read_songs(tmp_path / "1", ("Test",))) == songs[:1]


@pytest.mark.parametrize(
    ("name", "number", "title"),
    [
        ("002 - ANiMAL - Rockshow", 2, "animalrockshow"),
        ("2. Ánimal \u2013 Rockshow", 2, "animalrockshow"),
        ("052_ANiMAL_Easy_Tiger", 52, "animaleasytiger"),
        ("ANiMAL-Rockshow", None, "animalrockshow"),
        ("001 - song", None, "001song"),
        ("50 Cent - In Da Club", None, "50centindaclub"),
        ("112 - Peaches & Cream", None, "112peachescream"),
        ("!!!", None, "!!!"),
    ],
)
def test_number_and_title(name, number, title):
    assert numbered_title(name) == (number, title)


def test_matching_names():
    names = [ROCKSHOW, "003 - ANiMAL - Rockshow", "001", "002"]
    assert match_name("2 - animal - rockshow", names) == names[:1]
    assert match_name("4 - animal - rockshow", names) == names[:2]
    assert match_name("003_animal_rockshow", names) == names[1:2]
    assert match_name("002", names) == ["002"]
    assert near_names("rock show", names[:1]) == [ROCKSHOW]
    assert near_names("xyz", names) == []


def test_roots_by_argument_and_variable(dsd100, hhds, tmp_path, monkeypatch):
    monkeypatch.delenv("HHDS_PATH", raising=False)
    refused("HHDS_PATH: not set.*export HHDS_PATH=", dataset_root, "hhds")
    monkeypatch.setenv("HHDS_PATH", str(tmp_path / "nowhere"))
    refused(r"HHDS_PATH=.*nowhere: no such folder", dataset_root, "hhds")
    assert dataset_root("hhds", hhds) == hhds
    monkeypatch.setenv("DSD_PATH", str(dsd100))
    assert dataset_root("dsd100") == dsd100
    refused("several data sets in it .DSD100, HHDS.: name one", find_root, tmp_path)
    write_songs(tmp_path / "above" / "root", "Dev", ["a"])
    assert find_root(tmp_path / "above") == tmp_path / "above" / "root"
    refused("no folder 'Sources' in it", find_root, tmp_path / "above" / "root" / "Mixtures")
