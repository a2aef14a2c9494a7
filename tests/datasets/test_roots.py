"""The record of a generated set, whatever it says."""

from helpers.mutations import TEXTS, all_refused, mutated, one_line_or_fine

from hiphopss.datasets.dsd100 import is_hip_hop
from hiphopss.datasets.roots import generated_songs

SONGS = [{"name": "a", "split": "Dev", "style": "HipHop"}, {"name": "b", "split": "Test"}]
RECORD = {"songs": SONGS, "seed": 0}


def test_the_songs_of_a_generated_set_are_what_they_should_be_or_refused(tmp_path):
    assert generated_songs(tmp_path) is None

    def read(text):
        (tmp_path / "generated.json").write_bytes(text)
        return generated_songs(tmp_path)

    for text in mutated(RECORD):
        for song in one_line_or_fine(read, text) or ():
            assert is_hip_hop(song.get("style") or "") in (True, False)
            assert song["split"] + song["name"]
    all_refused(read, TEXTS)
    assert read(b'{"songs": []}') == []
