"""Songs as folders of stems: which are there, and what they hold.

Conventions
-----------
A song is a folder named for it, a stem a file in it named for its source, such as ``vocals.wav``.
References lie either in the layout of DSD100, ``<root>/Sources/{Dev,Test}/<song>/`` with mixtures
in ``<root>/Mixtures/{Dev,Test}/<song>/`` (reference page, section 6), or directly in
``<root>/<song>/``. Names that begin with a dot are skipped.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hiphopss import audio
from hiphopss.config import SOURCES
from hiphopss.datasets.layout import SUBSETS
from hiphopss.errors import HiphopssError


@dataclass(frozen=True)
class Song:
    """One song's folder of reference stems.

    Attributes
    ----------
    name : str
        The folder's name.
    subset : str
        ``"Dev"`` or ``"Test"``; empty if the layout has no subsets.
    folder : Path
        Where the stems are.
    """

    name: str
    subset: str
    folder: Path


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


def reference_songs(root: str | Path) -> list[Song]:
    """Songs of a data set, subset after subset, by name.

    Parameters
    ----------
    root : path-like
        A data set in the layout of DSD100, its ``Sources`` folder, or a folder of songs.

    Returns
    -------
    list of Song
        Empty if the folder is.

    Raises
    ------
    HiphopssError
        If there is no such folder.
    """
    root = Path(root)
    base = root / "Sources" if (root / "Sources").is_dir() else root
    subsets = [subset for subset in SUBSETS if (base / subset).is_dir()]
    if not subsets:
        return [Song(folder.name, "", folder) for folder in song_folders(base)]
    return [
        Song(folder.name, subset, folder)
        for subset in subsets
        for folder in song_folders(base / subset)
    ]


def reference_stems(song: Song) -> dict[str, Path | None]:
    """The references of a song.

    Parameters
    ----------
    song : Song
        The song.

    Returns
    -------
    dict of str to Path or None
        File by source; None for vocals that a song doesn't have. Songs without vocals exist in HHDS
        and DSD100; their vocals count as silence.

    Raises
    ------
    HiphopssError
        If another stem is missing.
    """
    stems = {source: audio.find(song.folder, source) for source in SOURCES}
    for source, path in stems.items():
        if path is None and source != "vocals":
            raise HiphopssError(
                f"{song.folder / source}.wav: no such file: only vocals may be missing; "
                "put the stem there (silence will do)"
            )
    return stems


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


def require_alike(paths: Iterable[Path]) -> None:
    """Look at the headers of a song's files, which is fast, before the work begins.

    Parameters
    ----------
    paths : iterable of Path
        All files of one song.

    Raises
    ------
    HiphopssError
        If a file can't be read or is empty, or two differ in sampling rate or length.
    """
    first = None
    for path in paths:
        with audio.opened(path) as file:
            rate, n_samples = file.samplerate, file.frames
        first = first or (path, rate, n_samples)
        if rate != first[1]:
            raise HiphopssError(
                f"{path}: {rate} Hz, but {first[0]} has {first[1]} Hz: "
                "resample one of them, or separate the mixture again"
            )
        if n_samples != first[2]:
            raise HiphopssError(
                f"{path}: {n_samples} samples, but {first[0]} has {first[2]}: "
                "separate the mixture again, or cut both to the same length"
            )


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
