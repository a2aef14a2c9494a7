"""The generated sets of songs with loops and of songs that don't repeat."""

import json

import numpy as np
import pytest
import soundfile as sf

from hiphopss import verify
from hiphopss.config import SOURCES
from hiphopss.datasets.generated import generate, song, style
from hiphopss.datasets.generated.collection import load_collection
from hiphopss.datasets.generated.studio import choosing
from hiphopss.datasets.songs import read_songs

SECONDS = {"loops": 7.0, "unlooped": 7.0}
SIZES = {"loops": (1, 1), "unlooped": (6, 1)}  # each kind once
SEED = 2


@pytest.fixture(scope="module")
def sets(tmp_path_factory):
    """Both sets, small, with their records."""
    found = {}
    for name, (n_dev, n_test) in SIZES.items():
        root = tmp_path_factory.mktemp("generated") / name
        options = {"collection": name, "seconds": SECONDS[name], "seed": SEED}
        generate(root, n_dev=n_dev, n_test=n_test, progress=False, **options)
        found[name] = root, json.loads((root / "generated.json").read_text("utf-8"))
    return found


def read(root, entry, source):
    """A WAV's 16-bit samples [shape=(n_samples, n_channels)]."""
    kind, stem = ("Mixtures", "mixture") if source == "mixture" else ("Sources", source)
    path = root / kind / entry["split"] / entry["name"] / f"{stem}.wav"
    x, rate = sf.read(path, dtype="int16", always_2d=True)
    assert rate == 44100
    return x.astype(int)


def likeness(x, lag, within=3):
    """How alike a signal is to itself at a lag of samples, or at one next to it, in -1..1."""
    x = x.astype(float)
    found = []
    for near in range(round(lag) - within, round(lag) + within + 1):
        a, b = x[:-near], x[near:]
        found.append(np.sum(a * b) / np.sqrt(np.sum(a**2) * np.sum(b**2) + 1e-9))
    return max(found)


@pytest.mark.parametrize("name", ["loops", "unlooped"])
def test_mixture_is_the_plain_sum_of_the_stems(sets, name):
    root, record = sets[name]
    assert record["collection"] == name
    for entry in record["songs"]:
        mixture = read(root, entry, "mixture")
        stems = {source: read(root, entry, source) for source in SOURCES}
        np.testing.assert_array_equal(mixture, sum(stems.values()))
        assert len(mixture) == round(SECONDS[name] * 44100)
        # the drawn peak, but for the rounding of four stems
        loudest = max(np.abs(x).max() for x in (mixture, *stems.values()))
        assert abs(loudest - entry["peak"] * 32767) <= 2
        assert min(np.abs(x).max() for x in stems.values()) > 300, entry["name"]


@pytest.mark.parametrize("name", ["loops", "unlooped"])
def test_the_sets_are_read_and_verified_like_others(sets, name):
    root, record = sets[name]
    songs = read_songs(root)
    assert {each.name for each in songs} == {entry["name"] for entry in record["songs"]}
    assert verify(root).ok


def test_each_kind_is_there_and_told(sets):
    _, record = sets["unlooped"]
    kinds = [entry["kind"] for entry in record["songs"] if entry["split"] == "Dev"]
    assert sorted(kinds) == sorted(style.load("unlooped"))
    assert "kind" not in sets["loops"][1]["songs"][0]


def test_songs_that_nobody_plays_alike_are_not_alike(sets):
    root, record = sets["unlooped"]
    for entry in record["songs"]:
        if entry["kind"] not in ("played", "drifting", "composed"):
            continue
        x = read(root, entry, "mixture").mean(axis=1)
        bar = 44100 * 240 / entry["tempo"]
        # 0.06 at most in 36 such songs; beats of loops of the same length have 0.3 and more
        assert max(likeness(x, bars * bar) for bars in (1,)) < 0.15, entry["name"]


def test_splits_share_no_sound_and_no_language():
    dev, test = (style.load(name) for name in ("studio_dev", "studio_test"))
    for topic in ("kits", "patterns", "basses", "bass_lines", "textures", "progressions"):
        assert not set(dev[topic]) & set(test[topic]), topic
    assert dev["language"] != test["language"]
    for facts in (dev, test):
        for topic, deck in choosing.decks(facts).items():
            assert [table["name"] for table in deck] == facts[topic]


def test_the_same_seed_gives_the_same_song(sets):
    root, record = sets["loops"]
    collection = load_collection("loops")
    first_test = next(s for s in collection.songs(9, 1) if s.split == "Test")
    stems, facts = song.render_song(collection, first_test, seconds=SECONDS["loops"], seed=SEED)
    entry = next(entry for entry in record["songs"] if entry["split"] == "Test")
    assert collection.song_name(first_test, facts["title"]) == entry["name"]
    for source in SOURCES:
        written = np.round(np.atleast_2d(stems[source]).T * 32767).astype(int)
        np.testing.assert_array_equal(written, read(root, entry, source))


def test_lengths_are_spread_over_the_range_unless_one_is_asked_for():
    collection = load_collection("loops")
    songs = [each for each in collection.songs(10, 12) if each.split == "Test"]
    lengths = [collection.length(each, None) for each in songs]
    assert min(lengths) >= 60
    assert max(lengths) <= 180
    assert max(np.diff(sorted(lengths))) < 25
    assert {collection.length(each, 20.0) for each in songs} == {20.0}
    hhds = load_collection("hhds")
    assert hhds.length(hhds.songs(1, 0)[0], None) == 30.0
