"""The generated data set that stands in for DSD100."""

import json

import numpy as np
import pytest
import soundfile as sf

from hiphopss.config import SOURCES
from hiphopss.datasets.generated import band, effects, generate, song, style
from hiphopss.datasets.generated.collection import load_collection
from hiphopss.datasets.generated.grid import STEPS, Grid
from hiphopss.datasets.generated.instruments import drummer
from hiphopss.datasets.generated.vocals import rap
from hiphopss.errors import HiphopssError

SECONDS = 8.0
SEED = 3
N_DEV, N_TEST = 7, 1  # of each style one or more
STYLES = ("rock", "pop", "folk", "heavy", "reggae", "electronic", "live_hiphop")


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return generate(
        tmp_path_factory.mktemp("generated") / "set",
        collection="dsd100",
        seconds=SECONDS,
        n_dev=N_DEV,
        n_test=N_TEST,
        seed=SEED,
        progress=False,
    )


@pytest.fixture(scope="module")
def record(root):
    return json.loads((root / "generated.json").read_text("utf-8"))


def read(root, entry, source):
    """A WAV's 16-bit samples."""
    kind, stem = ("Mixtures", "mixture") if source == "mixture" else ("Sources", source)
    path = root / kind / entry["split"] / entry["name"] / f"{stem}.wav"
    x, rate = sf.read(path, dtype="int16")
    assert (rate, x.shape) == (44100, (round(SECONDS * 44100),))
    return x.astype(int)


def test_songs_are_numbered_as_those_of_dsd100(root, record):
    assert record["collection"] == "dsd100"
    names = {(entry["split"], entry["name"]) for entry in record["songs"]}
    starts = {(split, name.split(" - ")[0]) for split, name in names}
    assert starts == {("Dev", f"{51 + i:03d}") for i in range(N_DEV)} | {
        ("Test", f"{1 + i:03d}") for i in range(N_TEST)
    }
    for kind in ("Sources", "Mixtures"):
        folders = {(path.parent.name, path.name) for path in (root / kind).glob("*/*")}
        assert folders == names


def test_default_has_16_and_6_songs_of_many_styles():
    collection = load_collection("dsd100")
    songs = collection.songs(*collection.sizes(None, None))
    labels = {"Dev": [], "Test": []}
    for each in songs:
        labels[each.split].append(style.load(collection.style(each)[0])["label"])
    assert (len(labels["Dev"]), len(labels["Test"])) == (16, 6)
    assert labels["Test"].count("Hip-Hop") == 3
    assert len(set(labels["Dev"]) - {"Hip-Hop"}) >= 5
    # a small set has them, too
    assert labels["Test"][:3] == ["Hip-Hop"] * 3


def test_styles_are_told(record):
    assert record["songs"][-1]["style"] == "Hip-Hop"
    assert len({entry["style"] for entry in record["songs"]}) == 7


def test_mixture_is_the_plain_sum_of_the_stems(root, record):
    for entry in record["songs"]:
        mixture = read(root, entry, "mixture")
        total = sum(read(root, entry, source) for source in SOURCES)
        np.testing.assert_array_equal(mixture, total)
        assert entry["mixture_gain"] == 1.0
        # the drawn peak, but for the rounding of four stems
        assert abs(np.abs(mixture).max() - entry["peak"] * 32767) <= 2


def test_every_source_sounds_and_none_clips(root, record):
    for entry in record["songs"]:
        rms = {}
        for source in SOURCES:
            x = read(root, entry, source) / 32768
            rms[source] = 10 * np.log10(np.mean(x**2))
            assert np.abs(x).max() < 0.96, (entry["name"], source)
        # the quietest stem in some hundred songs had -31 dB
        assert min(rms.values()) > -36, (entry["name"], rms)
        assert max(rms.values()) - min(rms.values()) < 14, (entry["name"], rms)


def test_sources_lie_in_their_bands(root, record):
    for entry in record["songs"]:
        share = {}
        for source in SOURCES:
            power = np.abs(np.fft.rfft(read(root, entry, source))) ** 2
            hz = np.fft.rfftfreq(round(SECONDS * 44100), 1 / 44100)
            share[source] = power[hz < 250].sum() / power.sum()
        assert share["bass"] > 0.6, (entry["name"], share)
        assert share["vocals"] < 0.6, (entry["name"], share)
        assert share["other"] < 0.7, (entry["name"], share)


def test_a_song_does_not_depend_on_the_others(root, record):
    collection = load_collection("dsd100")
    first_test = next(s for s in collection.songs(99, 1) if s.split == "Test")
    stems, facts = song.render_song(collection, first_test, seconds=SECONDS, seed=SEED)
    entry = next(entry for entry in record["songs"] if entry["split"] == "Test")
    assert collection.song_name(first_test, facts["title"]) == entry["name"]
    for source in SOURCES:
        written = np.round(stems[source] * 32767).astype(int)
        np.testing.assert_array_equal(written, read(root, entry, source))


def test_no_name_is_in_both_collections():
    artists = [facts["artist"] for facts in style.load("collections").values()]
    assert len(set(artists)) == len(artists) == 5
    for language in ("spanish", "english"):
        titles = style.load(language)["titles"]
        assert len(set(titles)) == len(titles)
        assert all(title.isascii() and " - " not in title for title in titles)


def test_titles_come_once_in_a_default_set():
    collection = load_collection("dsd100")
    serials = [collection.serial(each) for each in collection.songs(16, 6)]
    assert len(set(serials)) == 22
    assert max(serials) < len(style.load("english")["titles"])


def test_hip_hop_is_another_production_than_the_other_collections():
    ours, theirs = style.load("live_hiphop"), style.load("hiphop")
    assert ours["label"] == theirs["label"] == "Hip-Hop"
    assert not set(ours["kits"]) & {kit["name"] for kit in theirs["kits"]}
    assert not set(ours["basses"]) & {bass["name"] for bass in theirs["basses"]}
    assert ours["language"] != theirs["language"]
    cast = load_collection("dsd100").facts["cast"]
    rappers = set(cast["Test"][:3])
    assert len(rappers) == 3
    assert not rappers & {*cast["Dev"], *cast["Test"][3:]}


@pytest.mark.parametrize("name", STYLES)
def test_what_a_style_names_is_there(name):
    facts, gear = style.load(name), style.load("band")
    assert set(facts["kits"]) <= set(gear["kits"])
    assert set(facts["basses"]) <= set(gear["basses"])
    for progression in facts["progressions"]:
        assert progression["mode"] in gear["scales"]
        qualities = {quality for key in ("verse", "hook") for _, quality in progression[key]}
        assert qualities <= set(gear["qualities"])
    for groove in facts["grooves"]:
        for rows in (groove["verse"], groove["hook"]):
            assert set(rows) <= set(drummer.PARTS)
            assert all(len(row) % STEPS == 0 for row in rows.values()), groove["name"]
    for line in facts["bass_lines"]:
        assert all(at + length <= STEPS for key in ("verse", "hook") for at, length, _ in line[key])
    for line_up in facts["line_ups"]:
        heard = set()
        for part in line_up["parts"]:
            assert part["instrument"] in gear["instruments"]
            assert set(part["sections"]) <= set(gear["sections"])
            assert len(part["rhythm"]) % STEPS == 0, (line_up["name"], part["rhythm"])
            heard |= set(part["sections"])
        assert heard == set(gear["sections"]), line_up["name"]


def test_fills_and_kits_fit():
    gear = style.load("band")
    for fill in gear["fills"]:
        assert len({len(row) for row in fill.values()}) == 1
    for kit in gear["kits"].values():
        assert set(kit["levels"]) == set(drummer.PARTS)


def test_rapped_lines_fit_a_bar():
    language = style.load("english")["rapped"]
    assert len(set(language["lines"])) == len(language["lines"]) >= 32
    grid = Grid(effects.RATE, style.load("live_hiphop")["tempo"][1], 0.5, 10 * effects.RATE)
    rapper = rap.Rapper(style.load("english")["voices"][11], grid)
    for text in language["lines"][::4]:
        line = rapper.say(text)
        places = rapper.place(line, STEPS, 0)
        # words that don't fit between two sixteenths wait for the next one
        assert places[-1] + len(line.pieces[-1]) < grid.at(2 * STEPS + 4), text


def test_harmony_follows_the_sections():
    progression = {"mode": "major", "verse": [[0, "maj"], [9, "m"]], "hook": [[7, "maj"]]}
    harmony = band.Harmony(progression, 2, ["verse", "verse", "hook"])  # D major
    assert [harmony.classes(bar) for bar in (0, 1, 2)] == [{2, 6, 9}, {11, 2, 6}, {9, 1, 4}]
    assert harmony.classes(7) == {9, 1, 4}  # a line may end after the last bar
    assert harmony.voicing(0, "power", 40) == [50, 57, 62]
    close = harmony.voicing(1, "close", 60)
    assert ({note % 12 for note in close}, min(close) >= 60, max(close) < 72) == (
        {11, 2, 6},
        True,
        True,
    )
    strummed = harmony.voicing(2, "strum", 40)
    assert strummed == sorted(strummed)
    assert len(strummed) == 6


def test_an_unknown_collection_is_refused(tmp_path):
    with pytest.raises(HiphopssError, match="'musdb': choose one of hhds, dsd100"):
        generate(tmp_path / "set", collection="musdb", progress=False)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("n_dev", "n_test"), [(16, 51), (950, 6)])
def test_more_songs_than_numbers_are_refused(tmp_path, n_dev, n_test):
    with pytest.raises(HiphopssError, match="choose up to 949 and 50") as caught:
        generate(tmp_path / "set", collection="dsd100", n_dev=n_dev, n_test=n_test, progress=False)
    assert f"{n_dev} songs of Dev and {n_test} of Test: choose" in str(caught.value)
    assert list(tmp_path.iterdir()) == []
