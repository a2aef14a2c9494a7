"""The campaign's tables: the figures that are known of them, and songs by their names."""

import hashlib
import unicodedata
from collections import Counter
from importlib.resources import files
from pathlib import Path
from statistics import mean

import pytest

from hiphopss import SOURCES, HiphopssError
from hiphopss.datasets.dsd100 import listed_song
from hiphopss.eval.campaign.tables import campaign

REFERENCE = Path(__file__).parents[4] / "shared" / "reference"
TEST, DEV, HIP_HOP = range(1, 51), range(51, 101), (1, 2, 27)


def sdrs(numbers, system="CHA"):
    """Mean SDR over songs, by source, to two decimals."""
    songs = campaign("sisec2016").songs
    return [
        round(mean(songs[system, number, source].scores["SDR", "mean"] for number in numbers), 2)
        for source in SOURCES
    ]


@pytest.mark.parametrize(
    ("numbers", "expected"),
    [
        (TEST, [0.32, -0.15, 1.11, 0.87]),
        (DEV, [0.99, 0.90, 2.43, 1.15]),
        (HIP_HOP, [0.11, 1.69, -0.09, 0.96]),
    ],
    ids=["Test", "Dev", "the paper's three"],
)
def test_the_original_networks_means_are_those_that_are_known(numbers, expected):
    # Both the table's decimals and these are rounded.
    assert sdrs(numbers) == pytest.approx(expected, abs=0.011)


def test_songs_and_systems_agree():
    known = campaign("sisec2016")
    assert Counter(system for system, _, _ in known.songs) == {"CHA": 500, "IBM": 500}
    for subset, numbers in (("Test", TEST), ("Dev", DEV)):
        for system in ("CHA", "IBM"):
            for (of, half, target), entry in known.systems.items():
                if (of, half) == (system, subset):
                    own = [known.songs[system, n, target].scores["SIR", "mean"] for n in numbers]
                    # The systems' means were rounded to three decimals, and so were the songs'.
                    assert entry.scores["SIR", "mean"] == pytest.approx(mean(own), abs=0.0011)
                    assert entry.n == len(own)


def test_means_of_both_halves_are_over_all_songs():
    known = campaign("sisec2016")
    both = known.means("Dev and Test", "bass", "SDR")
    halves = [known.means(half, "bass", "SDR") for half in ("Dev", "Test")]
    assert len(both) == 13  # the other systems separate only vocals from accompaniment
    assert len(known.means("Test", "vocals", "SDR")) == 24
    for system, value in both.items():
        assert value == pytest.approx(mean(half[system] for half in halves))


@pytest.mark.parametrize(
    ("name", "number"),
    [
        ("001 - ANiMAL - Clinic A", 1),
        ("ANiMAL - Rockshow", 2),
        ("animal_rockshow", 2),
        ("M.E.R.C. Music - Knockout", 27),
        ("081 - Patrick Talbot - Set Me Free", 81),  # in DSD100subset
        ("Patrick Talbot - Set Me Free", 81),
        ("Patrick Talbot - Set Free Me", 81),  # in MUSDB18
        (unicodedata.normalize("NFD", "Voelund - Comfort Lives In Belief"), 47),
        ("Flags - 54", 66),
        ("007 - ANiMAL - Clinic A", None),  # another data set's numbers
        ("Lushlife - Toynbee Suite", None),  # of MUSDB18, but not of DSD100
        ("song", None),
    ],
)
def test_songs_are_found_by_their_names(name, number):
    found = listed_song(name)
    assert (found and found.number) == number
    if found:
        assert found.subset == ("Test" if found.number <= 50 else "Dev")


def test_the_tables_are_the_reference_files():
    if not REFERENCE.is_dir():
        pytest.skip("no reference files here")
    for package, name in (
        ("hiphopss.eval.campaign", "sisec2016-songs.csv"),
        ("hiphopss.eval.campaign", "sisec2016-systems.csv"),
        ("hiphopss.datasets", "dsd100.csv"),
    ):
        shipped = files(package).joinpath(name).read_bytes()
        there = (REFERENCE / name).read_bytes()
        assert hashlib.sha256(shipped).digest() == hashlib.sha256(there).digest(), name


def test_an_unknown_campaign_is_named():
    with pytest.raises(HiphopssError, match="no campaign named 'sisec2018': choose one of sisec"):
        campaign("sisec2018")
