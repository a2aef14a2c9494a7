"""Songs in the layout of DSD100, which HHDS and the generated set share.

``<root>/Mixtures/{Dev,Test}/<song>/mixture.wav`` and
``<root>/Sources/{Dev,Test}/<song>/{vocals,bass,drums,other}.wav`` (reference page, section 6).
Other formats than WAV will do. Names beginning with a dot are skipped. Multi-channel files are
averaged to mono. As the truth to score against, a plain folder of songs will do as well:
``<root>/<song>/{vocals,bass,drums,other}.wav``, with ``mixture.wav`` beside them if there is one.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hiphopss import audio
from hiphopss.config import SOURCES
from hiphopss.errors import HiphopssError

SUBSETS = ("Dev", "Test")
OPTIONAL_SOURCES = ("vocals",)


@dataclass(frozen=True)
class Song:
    """Where the files of a song are.

    Attributes
    ----------
    name : str
        Name of its folder.
    subset : str
        ``"Dev"`` or ``"Test"``; empty where a folder has no subsets. Scores take any other label
        too, such as ``"HHDS test"``.
    mixture : Path or None
        ``mixture.wav``, if there is one.
    stems : dict of str to Path
        The stems that exist, by source.
    """

    name: str
    subset: str
    mixture: Path | None
    stems: dict[str, Path]


def read_songs(root: str | Path, subsets: Sequence[str] = SUBSETS) -> list[Song]:
    """List the songs of a data set.

    Parameters
    ----------
    root : path-like
        The folder with ``Sources`` and ``Mixtures``.
    subsets : sequence of str
        Which of ``SUBSETS``.

    Returns
    -------
    list of Song
        By subset, then name.

    Raises
    ------
    HiphopssError
        If the folder is missing or not in this layout, a subset has no songs, or a song lacks a
        stem other than vocals.
    """
    root = Path(root)
    if not (root / "Sources").is_dir():
        raise no_root(root)
    songs = []
    for subset in subsets:
        folders = _folders(root / "Sources" / subset)
        if not folders:
            raise HiphopssError(
                f"{root / 'Sources' / subset}: no songs: put them there, or leave out {subset}"
            )
        for folder in folders:
            song = _song(folder, subset, root / "Mixtures" / subset / folder.name)
            require_stems(song, folder)
            songs.append(song)
    return songs


def no_root(folder: Path) -> HiphopssError:
    """What is told of a path that is not the root of a data set.

    Parameters
    ----------
    folder : Path
        Without a folder ``Sources`` in it, or not there.

    Returns
    -------
    HiphopssError
        To be raised.
    """
    found = "no such folder"
    if folder.exists():
        found = "no folder 'Sources' in it" if folder.is_dir() else "is a file, not a folder"
    return HiphopssError(
        f"{folder}: {found}: name the root of a data set, which holds Sources/Dev/SONG/vocals.wav "
        "and so on as DSD100 does; `hiphopss generate` makes one, `hiphopss download` fetches HHDS"
    )


def find_songs(root: str | Path) -> list[Song]:
    """List the songs of a data set or of a plain folder of songs, complete or not.

    Parameters
    ----------
    root : path-like
        A data set in the layout of DSD100, its ``Sources`` folder, or a folder of songs, whose
        subset is empty.

    Returns
    -------
    list of Song
        By subset, then name. Folders without any stem are no songs.

    Raises
    ------
    HiphopssError
        If there is no such folder.
    """
    root = Path(root)
    if not root.is_dir():
        raise HiphopssError(f"{root}: no such folder: give the folder that holds the songs")
    base = root / "Sources" if (root / "Sources").is_dir() else root
    subsets = [subset for subset in SUBSETS if (base / subset).is_dir()]
    mixtures = base.absolute().parent / "Mixtures"
    songs = [
        _song(folder, subset, mixtures / subset / folder.name)
        for subset in subsets
        for folder in _folders(base / subset)
    ]
    if not subsets:
        songs = [_song(folder, "", folder) for folder in _folders(base)]
    return [song for song in songs if song.stems]


def song_at(folder: str | Path, *, subset: str = "", name: str | None = None) -> Song:
    """The song whose stems, and mixture if there is one, lie in a folder.

    Parameters
    ----------
    folder : path-like
        With ``vocals.wav`` and so on in it.
    subset : str
        Its label.
    name : str, optional
        The song's name; by default the folder's.

    Returns
    -------
    Song
        With those stems that exist.
    """
    folder = Path(folder)
    return _song(folder, subset, folder, name)


def require_stems(song: Song, folder: Path | None = None) -> None:
    """See that a song is complete; vocals may be missing.

    Songs without vocals exist in HHDS and DSD100.

    Parameters
    ----------
    song : Song
        The song.
    folder : Path, optional
        Where a missing stem belongs; by default beside the others.

    Raises
    ------
    HiphopssError
        If another stem is missing.
    """
    beside = next(iter(song.stems.values()), Path(song.name) / "")
    folder = folder or Path(beside).parent
    for source in SOURCES:
        if source not in song.stems and source not in OPTIONAL_SOURCES:
            raise HiphopssError(
                f"{folder / source}.wav: missing, so the song {song.name!r} has no {source}: "
                "add the stem (silence if it does not play), or take the song's folder out"
            )


def _folders(parent: Path) -> list[Path]:
    """The folders in a folder, by name, without those that begin with a dot."""
    return sorted(p for p in parent.glob("*") if p.is_dir() and not p.name.startswith("."))


def _song(folder: Path, subset: str, mixture_folder: Path, name: str | None = None) -> Song:
    """The song whose stems are in a folder, as far as they exist."""
    found = {source: audio.find(folder, source) for source in SOURCES}
    stems = {source: path for source, path in found.items() if path is not None}
    return Song(name or folder.name, subset, audio.find(mixture_folder, "mixture"), stems)


def song_length(song: Song, sample_rate: int) -> int:
    """Length of a song's stems at a sampling rate, in samples, from the files' headers.

    Parameters
    ----------
    song : Song
        From :func:`read_songs`.
    sample_rate : int
        In Hz.

    Returns
    -------
    int
        The length of what :func:`load_stems` gives.

    Raises
    ------
    HiphopssError
        If stems differ in length or rate; the message names the song, the files and both lengths.
    """
    first = None
    for path in song.stems.values():
        shape = audio.read_shape(path, end=True)
        first = first or (path, shape)
        if shape != first[1]:
            raise HiphopssError(
                f"{path}: {shape[0]} samples at {shape[1]} Hz, but {first[0].name} of the song "
                f"{song.name!r} has {first[1][0]} at {first[1][1]} Hz: export them alike"
            )
    return audio.resampled_length(*first[1], sample_rate)


def load_stems(song: Song, sample_rate: int) -> np.ndarray:
    """Read the stems of a song, mono, at a sampling rate.

    Parameters
    ----------
    song : Song
        From :func:`read_songs`.
    sample_rate : int
        In Hz; other rates are resampled.

    Returns
    -------
    np.ndarray [shape=(n_sources, n_samples)]
        In the order of ``SOURCES``, in single precision; vocals that don't exist are silence.

    Raises
    ------
    HiphopssError
        As :func:`song_length`, or if a file can't be read.
    """
    stems = np.zeros((len(SOURCES), song_length(song, sample_rate)), np.float32)
    for row, source in zip(stems, SOURCES, strict=True):
        if source in song.stems:
            stem = _load_mono(song.stems[source], sample_rate)
            if len(stem) != len(row):
                raise HiphopssError(
                    f"{song.stems[source]}: cut off, it is shorter than its header says: "
                    "export or copy it again"
                )
            row[:] = stem
    return stems


def _load_mono(path: Path, sample_rate: int) -> np.ndarray:
    read = audio.read(path)
    mono = audio.to_mono(read.waveform)[:, None]
    return audio.resample(mono, read.sample_rate, sample_rate)[:, 0]


def mixture_gain(song: Song, stems: np.ndarray, sample_rate: int) -> float:
    """Gain of a data set's ``mixture.wav`` against the sum of its stems.

    HHDS normalises its mixtures (reference page, section 7: 0.704 on the one public song).

    Parameters
    ----------
    song : Song
        From :func:`read_songs`.
    stems : np.ndarray [shape=(n_sources, n_samples)]
        From :func:`load_stems`.
    sample_rate : int
        Of the stems, in Hz.

    Returns
    -------
    float
        The least-squares gain; 1 where there is no mixture file or the stems are silent.

    Raises
    ------
    HiphopssError
        If the mixture is of another length, or is mostly something else than the stems.

    Warns
    -----
    UserWarning
        If more than -40 dB of the mixture is not the scaled sum, as in a mastered mixture.
    """
    if song.mixture is None:
        return 1.0
    mixture = _load_mono(song.mixture, sample_rate).astype(np.float64)
    total = stems.sum(axis=0).astype(np.float64)  # 16 bits add up exactly in single precision
    if len(mixture) != len(total):
        raise HiphopssError(
            f"{song.mixture}: {len(mixture)} samples, but the stems of {song.name!r} have "
            f"{len(total)}: export them alike"
        )
    energy = total @ total
    if energy == 0:
        return 1.0
    common = mixture @ total
    gain = float(common / energy)
    if not mixture.any():
        raise HiphopssError(
            f"{song.mixture}: silent, but the stems of {song.name!r} are not: export it again"
        )
    rest = 1 - gain * common / (mixture @ mixture)  # of the mixture's energy
    if rest > 0.5:
        raise HiphopssError(
            f"{song.mixture}: not the mixture of the stems of {song.name!r} (half of it is "
            "something else): check that they belong together"
        )
    if rest > 1e-4:
        warnings.warn(
            f"{song.mixture}: {10 * np.log10(rest):.0f} dB of it are not the scaled sum of the "
            "stems (mastering, lossy coding?): the scaled sum is used instead",
            stacklevel=2,
        )
    return gain
