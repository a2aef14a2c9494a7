"""The second producer: a style that is like another one, and what is its own."""

import numpy as np
import pytest

from hiphopss import SOURCES, generate, read_songs
from hiphopss.datasets.generated import style
from hiphopss.datasets.generated.collection import load_collection
from hiphopss.datasets.generated.song import render_song


def test_what_a_style_lacks_is_as_in_the_one_that_it_is_like():
    own, other = style.load("nocturne"), style.load("hiphop")
    for name in ("forms", "progressions", "patterns", "bass_lines", "language"):
        assert own[name] == other[name]
    for name in ("kits", "basses", "textures"):
        kinds = [{sound["name"] for sound in facts[name]} for facts in (own, other)]
        assert kinds[0].isdisjoint(kinds[1])
    assert own["keys"]["organ"] == other["keys"]["organ"]
    assert "glass" not in other["keys"]
    assert own["effects"]["vocals"].keys() == other["effects"]["vocals"].keys()


def test_all_its_songs_have_one_voice_and_few_sounds():
    collection = load_collection("nocturne")
    songs = collection.songs(2, 1)
    stems, facts = render_song(collection, songs[0], seconds=5.0, seed=1)
    assert all(np.abs(stems[source]).max() > 0.01 for source in SOURCES)
    assert facts["kit"]["name"] in ("cardboard", "tin")
    assert facts["texture"] in ("harmonium", "glass")
    language = style.load("spanish")
    voices = {collection.voice(song, language)["name"] for song in songs}
    assert voices == {facts["voice"]["name"]}


@pytest.mark.parametrize("seconds", [None, 4.0])
def test_the_set_is_made_as_the_others_are(tmp_path, seconds):
    songs = load_collection("nocturne").songs(1, 1)
    lengths = {load_collection("nocturne").length(song, seconds) for song in songs}
    assert lengths == {30.0 if seconds is None else seconds}
    if seconds is not None:
        options = {"seconds": seconds, "n_dev": 1, "n_test": 1, "progress": False}
        root = generate(tmp_path / "songs", collection="nocturne", **options)
        assert [song.subset for song in read_songs(root)] == ["Dev", "Test"]
