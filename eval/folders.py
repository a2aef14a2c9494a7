"""Songs as folders of stems: which are there, and what they hold.

Conventions
-----------
A song is a folder named for it, a stem a file in it named for its source, such as ``vocals.wav``.
References are songs in the layout of DSD100 or in a plain folder, as
:func:`hiphopss.datasets.layout.find_songs` reads them, or any sequence of
:class:`~hiphopss.datasets.layout.Song`. Names that begin with a dot are skipped.
"""

from __future__ import annotations

import warnings
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hiphopss import audio
from hiphopss.config import SOURCES
from hiphopss.datasets.layout import Song, find_songs, require_stems
from hiphopss.errors import HiphopssError

_PIECE = 2**16
"""Samples of each channel that are read at a time."""


@dataclass(frozen=True, eq=False)
class Audio:
    """What an audio file holds.

    Attributes
    ----------
    path : Path
        The file.
    samples : np.ndarray [shape=(n_samples, n_channels)]
        Double precision; full scale of integer types is 1.
    sample_rate : int
        In Hz.
    subtype : str
        Sample type in the file, such as ``"PCM_16"``.
    """

    path: Path
    samples: np.ndarray
    sample_rate: int
    subtype: str


def song_folders(folder: str | Path) -> list[Path]:
    """The folders in ``folder``, by name, without those that begin with a dot.

    Raises
    ------
    HiphopssError
        If there is no such folder.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise HiphopssError(f"{folder}: no such folder: give the folder that holds the songs")
    return sorted(
        (p for p in folder.iterdir() if p.is_dir() and not p.name.startswith(".")),
        key=lambda p: p.name,
    )


def reference_songs(references: str | Path | Sequence[Song]) -> list[Song]:
    """The songs to score against.

    Parameters
    ----------
    references : path-like or sequence of Song
        A data set in the layout of DSD100, a folder of songs, or songs from anywhere.

    Returns
    -------
    list of Song
        Of a folder: subset after subset, by name. Empty if the folder is.

    Raises
    ------
    HiphopssError
        If there is no such folder.
    """
    return find_songs(references) if isinstance(references, str | Path) else list(references)


def told(references: str | Path | Sequence[Song]) -> str:
    """What messages call the references."""
    return str(references) if isinstance(references, str | Path) else "the list of songs"


def select_songs(
    references: str | Path | Sequence[Song],
    subset: str | None = None,
    *,
    names: Collection[str] | None = None,
) -> list[Song]:
    """Some of the songs; at least one.

    Parameters
    ----------
    references
        As in :func:`reference_songs`.
    subset : str, optional
        Only songs of this subset, or of none; all by default.
    names : collection of str, optional
        Only songs of these names.

    Returns
    -------
    list of Song
        In their order.

    Raises
    ------
    HiphopssError
        If there are none.
    """
    songs = [
        song
        for song in reference_songs(references)
        if (subset in (None, song.subset) or not song.subset)
        and (names is None or song.name in names)
    ]
    if not songs:
        which = f"songs of subset {subset!r}" if subset else "songs"
        raise HiphopssError(f"{told(references)}: holds no {which}: give a data set's folder")
    return songs


def reference_stems(song: Song) -> dict[str, Path | None]:
    """The references of a song.

    Parameters
    ----------
    song : Song
        The song.

    Returns
    -------
    dict of str to Path or None
        File by source; None for vocals that a song doesn't have, which count as silence.

    Raises
    ------
    HiphopssError
        If another stem is missing.
    """
    require_stems(song)
    return {source: song.stems.get(source) for source in SOURCES}


def require_mixture(song: Song) -> Path:
    """See that a song has a mixture.

    Parameters
    ----------
    song : Song
        The song.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    HiphopssError
        If the song has none.
    """
    if song.mixture is None:
        folder = next(iter(song.stems.values())).parent
        if folder.parents[1].name == "Sources":
            folder = folder.parents[2] / "Mixtures" / folder.parent.name / folder.name
        raise HiphopssError(f"{folder / 'mixture'}.wav: no such file: put the mixture there")
    return song.mixture


def read_mixture(song: Song) -> Audio:
    """Read a song's mixture.

    Parameters
    ----------
    song : Song
        The song.

    Returns
    -------
    Audio
        All of it.

    Raises
    ------
    HiphopssError
        If the song has none, or it can't be read.
    """
    return read_audio(require_mixture(song))


def read_audio(path: Path) -> Audio:
    """Read an audio file.

    Parameters
    ----------
    path : Path
        The file.

    Returns
    -------
    Audio
        All of it.

    Raises
    ------
    HiphopssError
        If it can't be read, is empty, or has samples that are not finite.
    """
    with audio.opened(path) as file:
        samples = file.read(dtype="float64", always_2d=True)
        read = Audio(path, samples, file.samplerate, file.subtype)
    if not np.isfinite(samples).all():
        raise HiphopssError(f"{path}: has samples that are NaN or infinite: replace the file")
    return read


def read_into(samples: np.ndarray, path: Path) -> None:
    """Fill an array with a file's first samples.

    Pieces that stay in the cache are checked and copied, where passes over whole songs would wait
    for memory, for which processes compete.

    Parameters
    ----------
    samples : np.ndarray [shape=(n_samples, n_channels)]
        Filled; channels as :func:`fit_channels` makes them.
    path : Path
        The file.

    Raises
    ------
    HiphopssError
        If it can't be read, is shorter, has samples that are not finite, or channels don't fit.
    """
    n_read = 0
    with audio.opened(path) as file:
        # Each piece ends in a seek, after which the decoder of MP3 has lost its state.
        exact = file.subtype.startswith(("PCM", "FLOAT", "DOUBLE"))
        block = np.empty((_PIECE if exact else file.frames, file.channels))
        while len(piece := file.read(out=block)):
            if not np.isfinite(piece).all():
                raise HiphopssError(
                    f"{path}: has samples that are NaN or infinite: replace the file"
                )
            if file.channels != samples.shape[1]:
                read = Audio(path, piece, file.samplerate, file.subtype)
                piece = fit_channels(read, samples.shape[1])
            wanted = samples[n_read : n_read + len(piece)]
            wanted[:] = piece[: len(wanted)]
            n_read += len(piece)
    if n_read < len(samples):
        raise cut_off(path)


def cut_off(path: Path) -> HiphopssError:
    """What to raise where a file ends too soon."""
    return HiphopssError(
        f"{path}: cut off, it is shorter than its header says: export or copy it again"
    )


def require_alike(paths: Iterable[Path], tolerance_s: float = 0.0) -> int:
    """Look at the headers of a song's files, which is fast, before the work begins.

    Parameters
    ----------
    paths : iterable of Path
        All files of one song.
    tolerance_s : float
        By less than this, in seconds, lengths may differ: codecs such as MP3 pad what they encode.

    Returns
    -------
    int
        Length of the shortest, in samples.

    Raises
    ------
    HiphopssError
        If a file can't be read, is cut off or empty, or two differ in sampling rate or length.

    Warns
    -----
    UserWarning
        If lengths differ by what is tolerated.
    """
    lengths: dict[Path, int] = {}
    first = None
    for path in paths:
        n_samples, rate = audio.read_shape(path, end=True)
        first = first or (path, rate, n_samples)
        if rate != first[1]:
            raise HiphopssError(
                f"{path}: {rate} Hz, but {first[0]} has {first[1]} Hz: "
                "resample one of them, or separate the mixture again"
            )
        if n_samples != first[2] and abs(n_samples - first[2]) >= tolerance_s * rate:
            raise HiphopssError(
                f"{path}: {n_samples} samples, but {first[0]} has {first[2]}: "
                "separate the mixture again, or cut both to the same length"
            )
        lengths[path] = n_samples
    shortest, longest = min(lengths, key=lengths.get), max(lengths, key=lengths.get)
    if lengths[shortest] != lengths[longest]:
        warnings.warn(
            f"{shortest}: {lengths[shortest]} samples, but {longest} has {lengths[longest]}: "
            "only the first that all files of the song have are scored",
            stacklevel=2,
        )
    return lengths[shortest]


def fit_channels(track: Audio, n_channels: int) -> np.ndarray:
    """Samples with a given number of channels.

    Parameters
    ----------
    track : Audio
        A file.
    n_channels : int
        1 averages the channels; more duplicates a mono file.

    Returns
    -------
    np.ndarray [shape=(n_samples, n_channels)]
        The samples.

    Raises
    ------
    HiphopssError
        If the file has neither one channel nor ``n_channels``.
    """
    found = track.samples.shape[1]
    if n_channels == 1:
        return track.samples.mean(axis=1, keepdims=True)
    if found == 1:
        return track.samples.repeat(n_channels, axis=1)
    if found != n_channels:
        raise HiphopssError(
            f"{track.path}: {found} channels, but the references have {n_channels}: "
            "give it as many, or one"
        )
    return track.samples
