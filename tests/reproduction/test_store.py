"""The store's memory of hashes, which several runs write."""

import json
import os

from helpers.mutations import mutated

from hiphopss.datasets.songs import Song
from hiphopss.reproduction.store import Store


def song(folder, name):
    folder.mkdir(exist_ok=True)
    path = folder / f"{name}.wav"
    path.write_text(name)
    return Song(name, "Dev", None, {"bass": path})


def test_runs_at_once_lose_nothing_of_one_another(tmp_path):
    one, two = Store(tmp_path / "store"), Store(tmp_path / "store")  # both read an empty memory
    songs = [song(tmp_path / "songs", name) for name in ("a", "b")]
    hashes = [store.songs_hash([own]) for store, own in zip((one, two), songs, strict=True)]
    known = json.loads((tmp_path / "store" / "hashes.json").read_text("utf-8"))
    assert sorted(path[-5:] for path in known) == ["a.wav", "b.wav"]
    assert [Store(tmp_path / "store").songs_hash([own]) for own in songs] == hashes


def test_a_store_that_is_only_looked_at_stays_as_it_is(tmp_path):
    looked_at, real = Store(tmp_path / "a", writes=False), Store(tmp_path / "b")
    own = song(tmp_path / "songs", "a")
    assert looked_at.songs_hash([own]) == real.songs_hash([own])
    inputs = {"seed": 0}
    path, same = (store.path("features", "HH", inputs, ".h5") for store in (looked_at, real))
    assert path.name == same.name
    assert not (tmp_path / "a").exists()
    assert same.with_name(f"{same.stem}.inputs.json").exists()


def test_a_stamp_that_lies_is_seen_through(tmp_path):
    path = tmp_path / "a.wav"
    path.write_bytes(b"one")
    store = Store(tmp_path / "store")
    first = store.sha256(path)
    stat = path.stat()
    path.write_bytes(b"two")
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert store.sha256(path) != first
    (tmp_path / "store").mkdir()
    (tmp_path / "store" / "hashes.json").write_text('{"a')
    assert Store(tmp_path / "store").sha256(path) == store.sha256(path)


def test_a_memory_of_any_content_changes_no_hash(tmp_path):
    path = tmp_path / "a.wav"
    path.write_bytes(b"one")
    store = Store(tmp_path / "store")
    first = store.sha256(path)
    store.files_hash(tmp_path)
    memory = tmp_path / "store" / "hashes.json"
    known = json.loads(memory.read_text("utf-8"))
    assert known[str(path)][-1] == first
    for text in mutated(known):
        memory.write_bytes(text)
        assert len(Store(tmp_path / "store").sha256(path)) == 64
    for record in ("[1]", "{", '{"seed": 1}'):
        (tmp_path / "store" / "features").mkdir(exist_ok=True)
        (tmp_path / "store" / "features" / "x-1.inputs.json").write_text(record)
        assert not store.siblings("features", "x", {"seed": 0}, free="epochs")
