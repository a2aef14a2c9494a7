"""DSD100 and its styles, the test sets, names, and where data sets are."""

import json
import zipfile

import openpyxl
import pytest
from helpers.archives import refused
from helpers.hhds import FOREIGN, write_songs
from helpers.songs import nothing_warned, warned

from hiphopss.datasets.dsd100 import dsd100_songs, is_hip_hop, styles
from hiphopss.datasets.names import match_name, near_names, numbered_title
from hiphopss.datasets.roots import dataset_root, find_root
from hiphopss.datasets.songs import read_songs
from hiphopss.datasets.testsets import hip_hop_test_songs, training_songs

CLINIC, ROCKSHOW, TIGER = FOREIGN


@pytest.fixture
def dsd100(tmp_path):
    """A few songs of DSD100, where they belong."""
    root = tmp_path / "DSD100"
    write_songs(root, "Test", [CLINIC, ROCKSHOW, "024 - BigTroubles - Phantom"])
    write_songs(root, "Dev", [TIGER, "090 - Side Effects Project - Sing With Me"])
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


def write_sheet(path, *rows, title="songs"):
    book = openpyxl.Workbook()
    book.active.append(["About DSD100"])
    sheet = book.create_sheet(title)
    for row in rows:
        sheet.append(row)
    book.save(path)


def names_of(songs):
    return [song.name for song in songs]


def test_songs_by_subset(dsd100):
    with warned(r"2 Dev \+ 3 Test songs, but DSD100 has 50 Dev \+ 50"):
        songs = dsd100_songs(dsd100)
    assert [s.subset for s in songs] == ["Dev"] * 2 + ["Test"] * 3
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


def test_styles_from_the_list_of_dsd100(dsd100):
    write_sheet(
        dsd100 / "DSD100.xlsx",
        [None, "a title above"],
        ["Duration", "STYLE ", None, "name"],
        [200, "Rap", None, "Side Effects project - Sing with me"],
        [210, "HipHop", None, "002-ANiMAL - Rockshow"],
        [None, None, None, None],
        [220, None, None, TIGER],
        [230, "Indie", None, "BigTroubles_Phantom"],
        [240, "Jazz", None, "Somebody - Else"],
    )
    assert styles(dsd100) == {
        ROCKSHOW: "HipHop",
        "024 - BigTroubles - Phantom": "Indie",
        "090 - Side Effects Project - Sing With Me": "Rap",
    }


def test_a_list_may_say_wrong_how_large_it_is(dsd100):
    path = dsd100 / "dsd100.xlsx"
    write_sheet(path, ["Name", "Style"], [TIGER, "Rock"])
    with zipfile.ZipFile(path) as book:
        parts = {name: book.read(name) for name in book.namelist()}
    sheet = "xl/worksheets/sheet2.xml"
    assert b'ref="A1:B2"' in parts[sheet]
    parts[sheet] = parts[sheet].replace(b'ref="A1:B2"', b'ref="A1"')
    with zipfile.ZipFile(path, "w") as book:
        for name, content in parts.items():
            book.writestr(name, content)
    assert styles(dsd100) == {TIGER: "Rock"}


def test_a_song_that_may_be_either_of_two_has_no_style(tmp_path):
    write_songs(tmp_path, "Dev", ["A - Intro", "003 - A - Outro"])
    rows = [["001 - A - Intro", "Rock"], ["002 - A - Intro", "Rap"], ["A - Outro", "Rap"]]
    write_sheet(tmp_path / "dsd100.xlsx", ["Name", "Style"], *rows)
    assert styles(tmp_path) == {"003 - A - Outro": "Rap"}


def test_styles_without_a_list_are_those_that_are_known(dsd100):
    assert styles(dsd100) == {
        **dict.fromkeys(FOREIGN, "Hip-Hop"),
        "090 - Side Effects Project - Sing With Me": "Rap",
    }


def test_styles_of_a_generated_set(generated):
    assert list(styles(generated).values()) == ["Hip-Hop", "Rock", "Hip-Hop"]


def test_a_bad_list_is_told(dsd100, generated):
    (dsd100 / "dsd100.xlsx").write_text("not a spreadsheet")
    refused(r"dsd100\.xlsx: can't read this as a spreadsheet.*remove it", styles, dsd100)
    write_sheet(dsd100 / "dsd100.xlsx", ["Name", "Genre"], [TIGER, "Rock"])
    refused("no songs under columns 'Name' and 'Style'", styles, dsd100)
    (generated / "generated.json").write_text('{"songs": [1]}')
    refused(r"generated\.json: can't read the songs.*generate it again", styles, generated)


@pytest.mark.parametrize(
    ("style", "expected"),
    [("HipHop", True), ("Hip-Hop/Rap", True), ("hip hop", True), ("Rap", False), ("", False)],
)
def test_what_counts_as_hip_hop(style, expected):
    assert is_hip_hop(style) is expected


def test_the_three_test_songs_come_from_dsd100_first(dsd100, hhds):
    with nothing_warned():
        songs = hip_hop_test_songs(dsd100=dsd100, hhds=hhds)
        only = hip_hop_test_songs(hhds=hhds.parent / "HHDS")
    assert names_of(songs) == list(FOREIGN)
    assert [s.subset for s in songs] == ["Test", "Test", "Dev"]
    assert all(dsd100 in song.stems["bass"].parents for song in songs)
    assert names_of(only) == list(FOREIGN)
    assert all(hhds in song.stems["bass"].parents for song in only)


def test_each_test_song_comes_from_where_it_is(tmp_path, hhds):
    write_songs(tmp_path / "part", "Test", ["animal - ROCKSHOW"])
    songs = hip_hop_test_songs(dsd100=tmp_path / "part", hhds=hhds)
    assert names_of(songs) == [CLINIC, "animal - ROCKSHOW", TIGER]
    with warned(f"without {CLINIC}, {TIGER}"):
        songs = hip_hop_test_songs(dsd100=tmp_path / "part")
    assert names_of(songs) == ["animal - ROCKSHOW"]


def test_the_test_songs_of_a_generated_set(generated, hhds):
    assert names_of(hip_hop_test_songs(dsd100=generated)) == ["003 - Stand-in - Calle"]
    assert names_of(hip_hop_test_songs(dsd100=generated, hhds=hhds)) == ["003 - Stand-in - Calle"]
    (generated / "generated.json").write_text('{"songs": []}')
    refused("no Test song in it of the style Hip-Hop", hip_hop_test_songs, dsd100=generated)


def test_missing_test_songs_are_told(tmp_path):
    write_songs(tmp_path / "mine", "Test", ["a song"])
    refused("none of the hip-hop test songs.*ANiMAL.*name", hip_hop_test_songs, hhds=tmp_path)
    refused("no data set given.*DSD_PATH.*HHDS_PATH", hip_hop_test_songs)


def test_other_test_songs_by_name(dsd100, hhds):
    names = ["bigtroubles phantom", "Rapera - Dos", "BigTroubles - Phantom"]
    songs = hip_hop_test_songs(dsd100=dsd100, hhds=hhds, names=names)
    assert names_of(songs) == ["024 - BigTroubles - Phantom", "02 - Rapera - Dos"]
    message = "'Rockshaw': no song of this name.*near ones are: 002 - ANiMAL - Rockshow"
    refused(message, hip_hop_test_songs, dsd100=dsd100, names=["Rockshaw"])
    write_songs(dsd100, "Dev", ["070 - BigTroubles - Phantom"])
    refused("several songs.*070 - .*024 - ", hip_hop_test_songs, dsd100=dsd100, names=names[:1])
    (song,) = hip_hop_test_songs(dsd100=dsd100, names=["24 - BigTroubles - Phantom"])
    assert song.name == "024 - BigTroubles - Phantom"


def test_no_test_song_is_trained_on(dsd100, hhds):
    tests = hip_hop_test_songs(dsd100=dsd100, hhds=hhds) + read_songs(hhds, ("Test",))
    dev = read_songs(dsd100, ("Dev",)) + read_songs(hhds, ("Dev",))
    assert names_of(dev).count(TIGER) == 2
    assert names_of(training_songs(dev, tests)) == [
        "090 - Side Effects Project - Sing With Me",
        "01 - Rapero - Uno",
    ]


def test_a_renamed_or_renumbered_test_song_is_not_trained_on(tmp_path, hhds):
    renamed = ["animal_easy tiger", "7 - ANiMAL - Clinic A", "002 - ANIMAL—RockShow"]
    write_songs(tmp_path / "other", "Dev", [*renamed, "002 - ANiMAL - Another"])
    dev = read_songs(tmp_path / "other", ("Dev",))
    assert names_of(training_songs(dev, hip_hop_test_songs(hhds=hhds))) == [
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
