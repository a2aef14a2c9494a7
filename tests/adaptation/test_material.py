"""Which songs an adaptation uses, and what it holds out."""

import numpy as np
import pytest
from helpers.short_songs import RATE, stem, write_song
from helpers.songs import write_song as write_dsd100_song

from hiphopss import SOURCES, HiphopssError
from hiphopss.adaptation import material
from hiphopss.adaptation.material import Piece, choose_songs, divide, load_pieces


def piece(name, seconds=7.0):
    stems = np.zeros((len(SOURCES), round(seconds * RATE)), np.int16)
    return Piece(name, stems + np.arange(stems.shape[1], dtype=np.int16), 0.5)


def test_songs_of_test_stay_apart(tmp_path, lines):
    for subset in ("Dev", "Test"):
        stems = {source: stem(source, 1, seed=3) for source in SOURCES}
        write_dsd100_song(tmp_path, subset, f"song of {subset}", stems, rate=RATE)
    assert [song.name for song in choose_songs(tmp_path)] == ["song of Dev"]
    assert any("1 songs of Test don't train" in line for line in lines.told)


def test_a_folder_of_one_song(tmp_path):
    folder = write_song(tmp_path / "the song", seconds=0.1)
    assert [song.name for song in choose_songs(folder)] == ["the song"]
    assert [song.name for song in choose_songs(tmp_path)] == ["the song"]


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda root: root.mkdir(), "no songs with stems: put each song into a folder"),
        (lambda root: None, "no such folder"),
        (
            lambda root: write_song(root / "a", sources=("vocals", "bass", "drums"), seconds=0.1),
            "other.wav: missing",
        ),
        (
            lambda root: [write_song(root / f"{n}", seconds=0.01) for n in range(21)],
            "21 songs, more than 20: train on so many with `hiphopss features`",
        ),
        (
            lambda root: write_song(root / "Sources" / "Test" / "a", seconds=0.1),
            "only songs of the subset Test",
        ),
    ],
)
def test_songs_that_can_not_be_used_are_one_line(make, told, tmp_path):
    make(tmp_path / "songs")
    with pytest.raises(HiphopssError, match=told):
        choose_songs(tmp_path / "songs")


def test_a_song_without_vocals_is_told(tmp_path, lines):
    write_song(tmp_path / "a", sources=("bass", "drums", "other"))
    (found,) = load_pieces(choose_songs(tmp_path), RATE, progress=False)
    assert any("no vocals in a" in line for line in lines.wrong)
    assert not found.stems[SOURCES.index("vocals")].any()


def test_stems_have_the_level_that_they_have_in_the_mixture(tmp_path):
    stems = {source: stem(source, 7, seed=3) for source in SOURCES}
    write_dsd100_song(tmp_path, "Dev", "song", stems, gain=0.5, rate=RATE)
    (found,) = load_pieces(choose_songs(tmp_path), RATE, progress=False)
    expected = 0.5 * np.stack(list(stems.values()))
    # Half a step of 16 bit at the loudest stem's peak, and the gain is that of rounded samples.
    np.testing.assert_allclose(found.samples(), expected, atol=0.6 * np.abs(expected).max() / 2**15)


@pytest.mark.parametrize(("change", "told"), [("short", "5.0 s long"), ("silent", "silent: take")])
def test_a_song_of_no_use_is_named(tmp_path, change, told, monkeypatch):
    folder = write_song(tmp_path / "a song", seconds=5 if change == "short" else 7)
    if change == "silent":
        zeros = np.zeros((len(SOURCES), 7 * RATE), np.float32)
        monkeypatch.setattr(material, "load_stems", lambda *_: zeros)
    with pytest.raises(HiphopssError, match=told) as error:
        load_pieces(choose_songs(tmp_path), RATE, progress=False)
    assert str(folder) in str(error.value)


def test_of_long_songs_the_middle_is_used(tmp_path, monkeypatch, lines):
    monkeypatch.setattr(material, "MOST_S", 12.5)
    for name, seconds in (("a", 6), ("b", 7)):
        write_song(tmp_path / name, seconds=seconds)
    short, long = load_pieces(choose_songs(tmp_path), RATE, progress=False)
    assert (short.n_samples, long.n_samples) == (6 * RATE, 12.5 * RATE / 2)
    expected = np.stack([stem(source, 7, 0) for source in SOURCES])
    first = (7 * RATE - long.n_samples) // 2
    np.testing.assert_allclose(
        long.samples(), expected[:, first : first + long.n_samples], atol=1e-5
    )
    assert any("1 songs are longer than 6 s" in line for line in lines.told)


@pytest.mark.parametrize("n_songs", [2, 3, 4, 7, 20])
def test_each_song_is_held_out_once_and_does_not_train_then(n_songs):
    pieces = [piece(f"{n:02d}") for n in range(n_songs)]
    folds = divide(pieces, RATE)
    assert len(folds) == min(n_songs, 4)
    held = [found.name for fold in folds for found in fold.held_out]
    assert sorted(held) == [found.name for found in pieces]
    for fold in folds:
        names = {found.name for found in fold.training}
        assert names.isdisjoint(found.name for found in fold.held_out)
        assert len(fold.training) + len(fold.held_out) == n_songs


def test_of_one_song_parts_in_a_row_are_held_out():
    whole = piece("song", 20)
    folds = divide([whole], RATE)
    held = [fold.held_out[0] for fold in folds]
    assert [part.name for part in held] == [f"part {n} of 3 of song" for n in (1, 2, 3)]
    joined = np.concatenate([part.stems for part in held], axis=1)
    np.testing.assert_array_equal(joined, whole.stems)
    with pytest.raises(HiphopssError, match="the only song, 17"):
        divide([piece("song", 17)], RATE)


def test_samples_of_the_middle():
    whole = piece("song")
    np.testing.assert_array_equal(whole.samples(4)[0], 0.5 * np.arange(6998, 7002))
