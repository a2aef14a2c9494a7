"""The songs of an adaptation: which they are, their samples, and what is held out to measure on."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hiphopss.datasets.layouts import is_song
from hiphopss.datasets.measuring import measure_songs
from hiphopss.datasets.names import few
from hiphopss.datasets.songs import Song, find_songs, require_stems, song_at
from hiphopss.datasets.stems import load_stems, mixture_gain
from hiphopss.errors import HiphopssError
from hiphopss.util.progress import progress_bar

logger = logging.getLogger(__name__)

MOST_SONGS = 20
MOST_S = 3600.0  # of all songs together, which takes 1.3 GB
LEAST_S = 6.0  # of what is measured, and of a song
MOST_FOLDS = 4
_PARTS = 3  # of a single song

_FULL = 2**15 - 1


@dataclass(frozen=True)
class Piece:
    """A song, or a part of it, with its samples.

    Attributes
    ----------
    name : str
        Name of the song, or what part it is.
    stems : np.ndarray of int16 [shape=(n_sources, n_samples)]
        Its stems, mono, at the level that they have in the mixture, divided by ``scale``. Whole
        numbers take half the memory, and their rounding is 90 dB below the loudest stem.
    scale : float
        Factor from these numbers to samples.
    """

    name: str
    stems: np.ndarray
    scale: float

    @property
    def n_samples(self) -> int:
        """Length in samples."""
        return self.stems.shape[1]

    def samples(self, most: int | None = None) -> np.ndarray:
        """Stems in single precision, of at most so many samples, from the middle."""
        n_samples = self.n_samples if most is None else min(most, self.n_samples)
        first = (self.n_samples - n_samples) // 2
        return self.stems[:, first : first + n_samples] * np.float32(self.scale)


def choose_songs(songs: str | Path | Sequence[Song]) -> list[Song]:
    """The songs of a folder that train: not those of its subset ``Test``, if it has another one.

    Parameters
    ----------
    songs : path-like or sequence of Song
        As in :func:`hiphopss.adapt`.

    Returns
    -------
    list of Song
        One to twenty songs.

    Raises
    ------
    HiphopssError
        If there are none or too many, two have one name, or a song lacks a stem other than vocals.
    """
    origin = str(songs) if isinstance(songs, str | Path) else "these songs"
    found = _found(Path(songs)) if isinstance(songs, str | Path) else list(songs)
    tests = [song for song in found if song.subset == "Test"]
    chosen = [song for song in found if song.subset != "Test"]
    if not chosen:
        what = "only songs of the subset Test" if tests else "no songs with stems"
        raise HiphopssError(
            f"{origin}: {what}: put each song into a folder there, with vocals.wav, bass.wav, "
            "drums.wav and other.wav"
        )
    if tests:
        logger.info("%s: the %d songs of Test don't train", origin, len(tests))
    if len(chosen) > MOST_SONGS:
        raise HiphopssError(
            f"{origin}: {len(chosen)} songs, more than {MOST_SONGS}: train on so many with "
            "`hiphopss features` and `hiphopss train --init`, or take some out"
        )
    for song in chosen:
        require_stems(song)
    names = [song.key for song in chosen]
    for subset, name in names:
        if names.count((subset, name)) > 1:
            raise HiphopssError(f"{origin}: two songs are called {name!r}: rename one")
    without = [song.name for song in chosen if "vocals" not in song.stems]
    if without:
        logger.warning("%s: no vocals in %s: they are silence there", origin, few(without))
    return chosen


def _found(root: Path) -> list[Song]:
    if root.exists() and is_song(root):  # the path of one song
        song = song_at(root)
        return [song] if song.stems else []
    return find_songs(root)


def load_pieces(songs: Sequence[Song], sample_rate: int, *, progress: bool) -> list[Piece]:
    """Read the stems of songs; of long ones, the middle.

    Parameters
    ----------
    songs : sequence of Song
        From :func:`choose_songs`.
    sample_rate : int
        Sampling rate of the network, in Hz.
    progress : bool
        Show a progress bar.

    Returns
    -------
    list of Piece
        A piece for each song, in their order.

    Raises
    ------
    HiphopssError
        If a file can't be read, the files of a song don't match, or a song is too short or silent.
    """
    measure_songs(songs, progress=progress)
    most = int(MOST_S / len(songs) * sample_rate)
    pieces, cut = [], []
    with progress_bar(songs, desc="reading", unit="song", show=progress) as bar:
        for song in bar:
            stems = load_stems(song, sample_rate)
            if stems.shape[1] < LEAST_S * sample_rate:
                raise HiphopssError(
                    f"{song.folder}: {stems.shape[1] / sample_rate:.1f} s long, too short to learn "
                    f"from: give songs of {LEAST_S:g} s or more"
                )
            gain = mixture_gain(song, stems, sample_rate, mastered=True)
            cut += [song.name] if stems.shape[1] > most else []
            first = max(0, stems.shape[1] - most) // 2
            stems = stems[:, first : first + most]
            peak = float(np.abs(stems).max())
            if not peak:
                raise HiphopssError(f"{song.folder}: silent: take this song out")
            whole = np.round(stems * np.float32(_FULL / peak)).astype(np.int16)
            pieces.append(Piece(song.name, whole, gain * peak / _FULL))
    if cut:
        logger.info(
            "%d songs are longer than %.0f s: only so much of their middle is used: %s",
            *(len(cut), most / sample_rate, few(cut)),
        )
    return pieces


@dataclass(frozen=True)
class Fold:
    """A division of the pieces: the first ones train, and the others are held out."""

    training: list[Piece]
    held_out: list[Piece]


def divide(pieces: Sequence[Piece], sample_rate: int) -> list[Fold]:
    """Divide songs so that each is held out once; of a single song, three parts.

    Parameters
    ----------
    pieces : sequence of Piece
        From :func:`load_pieces`.
    sample_rate : int
        Sampling rate in Hz.

    Returns
    -------
    list of Fold
        As many as there are songs, but at most four.

    Raises
    ------
    HiphopssError
        If a single song is too short.
    """
    if len(pieces) == 1:
        pieces = _parts(pieces[0], sample_rate)
    n_folds = min(len(pieces), MOST_FOLDS)
    return [
        Fold(
            [piece for number, piece in enumerate(pieces) if number % n_folds != fold],
            [piece for number, piece in enumerate(pieces) if number % n_folds == fold],
        )
        for fold in range(n_folds)
    ]


def _parts(piece: Piece, sample_rate: int) -> list[Piece]:
    least = _PARTS * LEAST_S
    if piece.n_samples < least * sample_rate:
        raise HiphopssError(
            f"{piece.name}: the only song, {piece.n_samples / sample_rate:.1f} s long, too short "
            f"to hold out a part of it: give {least:g} s or more, or a second song"
        )
    names = [f"part {number} of {_PARTS} of {piece.name}" for number in range(1, _PARTS + 1)]
    edges = np.linspace(0, piece.n_samples, _PARTS + 1).astype(int)
    return [
        Piece(name, piece.stems[:, first:last], piece.scale)
        for name, first, last in zip(names, edges, edges[1:], strict=False)
    ]
