"""One changed byte, or one file that is gone, anywhere between songs and scores."""

import json

import h5py
import pytest

from hiphopss import HiphopssError, convert_weights, verify

SOURCES_OF_TEST = "songs/Sources/Test/002 - song"
MIXTURE = "songs/Mixtures/Test/002 - song/mixture.wav"


def checked(*paths, **options):
    return verify(paths, progress=False, **options)


def wrong(found):
    """Findings that are not well, as kind and state, with what is told."""
    good = ("ok", "not recorded")
    return {
        (f.kind, f.state): f.name + ": " + f.told for f in found.findings if f.state not in good
    }


def test_what_was_made_is_well_back_to_the_songs(chain):
    found = checked(*chain.all)
    assert wrong(found) == {}
    assert found.ok
    kinds = [f.kind for f in checked(chain.scores).findings]
    for kind in ("scores", "estimates", "stems", "weights", "features", "track", "song"):
        assert kind in kinds
    (stems,) = (f for f in checked(chain.stems).findings if f.kind == "stems")
    assert stems.told == "1 song, by model w, loops looked for"
    of_weights = checked(chain.weights).findings
    assert [(f.depth, f.kind) for f in of_weights] == [
        (0, "weights"),
        (1, "features"),
        (2, "song"),
        (2, "song"),
    ]
    assert [f.name for f in of_weights[2:]] == ["Dev/000 - song", "Dev/001 - song"]


def test_nothing_is_written(chain):
    before = {path: path.stat().st_mtime_ns for path in chain.root.rglob("*")}
    checked(*chain.all)
    assert {path: path.stat().st_mtime_ns for path in chain.root.rglob("*")} == before


def flip(path, place=-100):
    content = bytearray(path.read_bytes())
    content[place] ^= 1
    path.write_bytes(content)


def change_frames(path):
    with h5py.File(path) as file:
        place = file["sources"].id.get_offset() + file["sources"].nbytes // 2
    flip(path, place)


def change_weights(path):
    places = []
    with h5py.File(path) as file:
        file.visititems(
            lambda _, item: places.append(item.id.get_offset()) if is_array(item) else None
        )
    flip(path, places[0])


def is_array(item):
    return isinstance(item, h5py.Dataset)


CHANGES = [
    ("songs/Sources/Dev/000 - song/bass.wav", flip, "song", "Dev/000 - song: bass.wav is not"),
    ("f.h5", change_frames, "features", "the frames of sources have changed"),
    ("w.weights.h5", change_weights, "weights", "SHA-256 of its arrays is not the one it records"),
    (
        "stems/mine/002 - song/drums.wav",
        flip,
        "track",
        "drums.wav is not the file that was written",
    ),
    ("stems/mine/002 - song/drums.wav", flip, "estimates", "drums.wav is not the file that was sc"),
    (MIXTURE, flip, "song", "mixture.wav is not the file that was separated"),
    (f"{SOURCES_OF_TEST}/vocals.wav", flip, "song", "vocals.wav is not the file that was scored"),
    ("scores.csv", lambda path: flip(path, -4), "scores", "scores.csv is not the file"),
    ("scores_summary.csv", lambda path: flip(path, -4), "scores", "scores_summary.csv is not"),
]


@pytest.mark.parametrize(("name", "change", "kind", "told"), CHANGES)
def test_a_changed_byte_is_found_and_named(chain, kept, name, change, kind, told):
    change(kept(chain.root / name))
    found = checked(chain.scores)
    assert told in wrong(found)[kind, "differs"]
    assert found.status == 1


def test_a_changed_byte_of_the_state_of_a_training(chain, kept):
    with h5py.File(kept(chain.checkpoint)) as file:
        state = file["training"]
        data = next(state[name] for name in state if getattr(state[name], "size", 0) > 100)
        place = data.id.get_offset()
    flip(chain.checkpoint, place)
    found = checked(chain.checkpoint)
    assert "the state of the training has changed" in wrong(found)["checkpoint", "differs"]
    with h5py.File(chain.checkpoint, "r+") as file:
        del file["training"]
    assert "not a checkpoint" in wrong(checked(chain.checkpoint))["checkpoint", "can't be read"]


@pytest.mark.parametrize(
    ("name", "kind", "told"),
    [
        (
            "songs/Sources/Dev/001 - song/other.wav",
            "song",
            "Dev/001 - song: other",
        ),
        ("f.h5", "features", "not found: name where it is with --look-in"),
        ("w.weights.h5", "weights", "w.weights.h5: not found, SHA-256 "),
        ("stems/mine/002 - song/bass.wav", "track", "bass.wav is not there"),
        (MIXTURE, "song", "not found"),
        (f"{SOURCES_OF_TEST}/drums.wav", "song", "drums is not there"),
        ("scores_summary.csv", "scores", "scores_summary.csv is not there"),
        ("scores.json", "scores", "scores.json, which says what was scored"),
    ],
)
def test_what_is_gone_is_named(chain, kept, name, kind, told):
    kept(chain.root / name).unlink()
    found = checked(chain.scores)
    assert told in wrong(found)[kind, "missing"]
    assert found.status == 1


def test_stems_of_a_track_that_are_all_gone(chain, kept):
    for stem in (chain.stems / "002 - song").glob("*.wav"):
        kept(stem).unlink()
    assert "bass.wav is not there" in wrong(checked(chain.stems))["track", "missing"]


def test_weights_know_their_songs_without_the_features(chain, kept):
    kept(chain.features).unlink()
    found = checked(chain.weights)
    assert list(wrong(found)) == [("features", "missing")]
    assert [f.name for f in found.findings if f.kind == "song"] == [
        "Dev/000 - song",
        "Dev/001 - song",
    ]
    flip(kept(chain.songs / "Sources" / "Dev" / "000 - song" / "bass.wav"))
    assert "bass.wav is not the file" in wrong(checked(chain.weights))["song", "differs"]


def test_other_weights_of_the_same_name(chain, kept, published, tmp_path):
    kept(chain.weights)
    convert_weights(published, tmp_path / chain.weights.name)
    chain.weights.write_bytes((tmp_path / chain.weights.name).read_bytes())
    assert "w.weights.h5: not found, SHA-256" in wrong(checked(chain.stems))["weights", "missing"]
    found = wrong(checked(chain.stems, look_in=chain.weights))  # which is meant, then
    assert "not the weights that made the stems" in found["weights", "differs"]


def test_what_was_moved_is_looked_for(chain, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    alone = tmp_path / "elsewhere" / "deep" / "down" / "stems"
    alone.parent.mkdir(parents=True)
    chain.stems.rename(alone)
    try:
        missing = wrong(checked(alone))
        assert set(missing) == {("weights", "missing"), ("song", "missing")}
        assert wrong(checked(alone, look_in=chain.root)) == {}
        assert wrong(checked(alone, look_in=[chain.songs, chain.weights, chain.features])) == {}
        assert ("features", "missing") in wrong(
            checked(alone, look_in=[chain.songs, chain.weights])
        )
    finally:
        alone.rename(chain.stems)


def test_older_artefacts_record_less(chain, kept):
    kept(chain.stems / "002 - song" / "track.json").unlink()
    found = checked(chain.stems)
    assert found.ok
    assert [f.kind for f in found.findings if f.state == "not recorded"] == ["track", "song"]
    with h5py.File(kept(chain.features), "r+") as file:
        made = json.loads(file["provenance"][()])
        del made["frames"], file["provenance"]
        file["provenance"] = json.dumps(made)
    found = checked(chain.weights)  # whose identity is that of the features, still
    assert [(f.kind, f.state) for f in found.findings][:2] == [
        ("weights", "ok"),
        ("features", "not recorded"),
    ]
    assert found.ok


def test_published_and_shipped_weights(published, tmp_path):
    found = checked(published, "default")
    assert found.ok
    assert [f.state for f in found.findings if f.kind == "features"] == ["not recorded"] * 2


def test_what_is_none_of_these_is_refused(tmp_path):
    (tmp_path / "song.txt").write_text("text")
    (tmp_path / "net.onnx").write_bytes(b"net")
    for path, told in (
        (tmp_path / "song.txt", "nothing that can be verified"),
        (tmp_path / "none", "no such file or folder"),
        (tmp_path / "net.onnx", "an exported network .*: export it again, or verify the weights"),
        (tmp_path, "no separation.json of stems in it"),
    ):
        with pytest.raises(HiphopssError, match=told):
            checked(path)
    with pytest.raises(HiphopssError, match="to look in"):
        checked("default", look_in=tmp_path / "none")


def test_the_verb(chain, run, kept):
    status, out, err = run("verify", chain.weights, chain.features, "-q")
    assert (status, err) == (0, "")
    first, *_, last = out.splitlines()
    assert first.split()[0] == "weights"
    assert first.endswith("ok: arrays match their SHA-256, finite, preset corrected")
    assert last == "7 checked: 7 ok"
    flip(kept(chain.songs / "Sources" / "Dev" / "000 - song" / "bass.wav"))
    status, out, err = run("verify", chain.features)
    assert status == 1
    assert "differs: bass.wav is not the file that was read" in out
    assert "verify: " in err  # a bar
    kept(chain.features).write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(100))
    status, out, _ = run("verify", chain.features, "-q")
    assert status == 2
    assert "can't be read" in out
    status, _, err = run("verify", "none")
    assert (status, err) == (2, "hiphopss: error: none: no such file or folder: check the path\n")
