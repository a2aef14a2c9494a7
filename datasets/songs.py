"""Finding songs and the files of each. This module opens no audio file.

HHDS, DSD100 and the generated sets share one layout (docs/released-code.md, section 6):
``<root>/Mixtures/{Dev,Test}/<song>/mixture.wav`` and
``<root>/Sources/{Dev,Test}/<song>/{vocals,bass,drums,other}.wav``. To score, mix or listen to
songs, a plain folder of songs is also accepted: ``<root>/<song>/{vocals,bass,drums,other}.wav``,
with ``mixture.wav`` beside them if it exists. Any audio format may replace WAV. Names that begin
with a dot are skipped. :mod:`hiphopss.datasets.stems` reads the files that are found here.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from hiphopss.config import SOURCES
from hiphopss.errors import HiphopssError
from hiphopss.signal.containers import container_of, is_inside, song_name
from hiphopss.signal.reading import AUDIO_SUFFIXES

SUBSETS = ("Dev", "Test")
OPTIONAL_SOURCES = ("vocals",)


@dataclass(frozen=True)
class Song:
    """A song and the paths of its files.

    Attributes
    ----------
    name : str
        Name of the song's folder.
    subset : str
        ``"Dev"`` or ``"Test"``; empty in a folder without subsets. For scores it may be any label,
        such as ``"HHDS test"``.
    mixture : Path or None
        Path of ``mixture.wav``, if it exists.
    stems : dict of str to Path
        Paths of the stems that exist, by source.
    """

    name: str
    subset: str
    mixture: Path | None
    stems: dict[str, Path]

    @property
    def key(self) -> tuple[str, str]:
        """Subset and name, which identify a song within a data set."""
        return self.subset, self.name

    @property
    def folder(self) -> Path:
        """The folder of its stems, or of its mixture if it has no stems."""
        return next(iter(self.stems.values()), self.mixture or Path(self.name, "stem")).parent


def read_songs(root: str | Path, subsets: Sequence[str] = SUBSETS) -> list[Song]:
    """List the songs of a data set.

    Parameters
    ----------
    root : path-like
        The folder with ``Sources`` and ``Mixtures``.
    subsets : sequence of str
        Names from ``SUBSETS``.

    Returns
    -------
    list of Song
        Songs by subset, then name.

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
    """The error for a path that is not the root of a data set.

    Parameters
    ----------
    folder : Path
        Path that does not exist or does not contain a folder ``Sources``.

    Returns
    -------
    HiphopssError
        The error, for the caller to raise.
    """
    found = "no such folder"
    if folder.exists():
        found = "no folder 'Sources' in it" if folder.is_dir() else "is a file, not a folder"
    return HiphopssError(
        f"{folder}: {found}: name the root of a data set, which holds Sources/Dev/SONG/vocals.wav "
        "and so on as DSD100 does; `hiphopss generate` makes one, `hiphopss download` fetches HHDS"
    )


def find_songs(root: str | Path) -> list[Song]:
    """List the songs of a data set or of a plain folder of songs, including incomplete ones.

    Parameters
    ----------
    root : path-like
        A data set in the layout of DSD100, its ``Sources`` folder, or a folder of songs, whose
        subset is empty.

    Returns
    -------
    list of Song
        Songs by subset, then name. Folders without any stem are left out.

    Raises
    ------
    HiphopssError
        If the folder does not exist.
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


def find_mixtures(
    inputs: str | Path | Iterable[str | Path], *, skip: str | Path | None = None
) -> dict[str, Path]:
    """List the mixtures in files and folders, by track name.

    Parameters
    ----------
    inputs : path-like or iterable of path-like
        Audio files, or folders to search (dot-files are skipped). In a folder in the DSD100 layout,
        only the mixtures are used. A folder with a ``mixture`` file is one song and gives only that
        file: what lies beside or below it are its stems.
    skip : path-like, optional
        Folder to leave out if it is inside another one: the output.

    Returns
    -------
    dict of str to Path
        Mixtures by name: a file ``<song>/mixture.wav`` is the track ``<song>``, and so is
        ``<song>.stem.mp4/mixture`` (:mod:`hiphopss.signal.containers`); other tracks are named
        after their files, without the suffix.

    Raises
    ------
    HiphopssError
        If an input does not exist, a folder has no audio, or two tracks would get the same name.
    """
    tracks: dict[str, Path] = {}
    skipped = Path(skip).resolve() if skip is not None else None
    for given in map(Path, [inputs] if isinstance(inputs, str | Path) else inputs):
        if not container_of(given).exists():
            raise HiphopssError(f"{given}: no such file or folder: check the path")
        root = given / "Mixtures" if (given / "Mixtures").is_dir() else given
        found = [given]
        if given.is_dir():
            found = sorted(
                path
                for path in root.rglob("*")
                if is_audio(path)
                and not any(part.startswith(".") for part in path.relative_to(root).parts)
                and (skipped == root.resolve() or skipped not in path.resolve().parents)
            )
            songs = {path.parent for path in found if path.stem == "mixture"}
            found = [p for p in found if p.stem == "mixture" or songs.isdisjoint(p.parents)]
        if not found:
            raise HiphopssError(f"{given}: no audio files in this folder: name another")
        for path in found:
            folder = Path(os.path.abspath(path)).parent  # uses the given name, not a link's target
            song = song_name(folder) if is_inside(path) else folder.name
            name = song if path.stem == "mixture" else path.stem
            if name in ("", ".", ".."):
                raise HiphopssError(f"{path}: no folder can be named after this file: rename it")
            if name in tracks and path.resolve() == tracks[name].resolve():
                continue
            if name in tracks:
                raise HiphopssError(
                    f"{path}: would be written to the same folder as {tracks[name]}: rename one"
                )
            tracks[name] = path
    return tracks


def song_at(folder: str | Path, *, subset: str = "", name: str | None = None) -> Song:
    """The song whose stems, and mixture if it exists, are in a folder.

    Parameters
    ----------
    folder : path-like
        Folder with ``vocals.wav`` and so on.
    subset : str
        Label of the song.
    name : str, optional
        Name of the song; by default the folder's name.

    Returns
    -------
    Song
        Song with the stems that exist.
    """
    folder = Path(folder)
    return _song(folder, subset, folder, name)


def require_stems(song: Song, folder: Path | None = None) -> None:
    """Check that a song is complete; vocals may be missing.

    Songs without vocals exist in HHDS and DSD100.

    Parameters
    ----------
    song : Song
        Song to check.
    folder : Path, optional
        Folder in which a missing stem belongs; by default the folder of the others.

    Raises
    ------
    HiphopssError
        If a stem other than vocals is missing.
    """
    for source in SOURCES:
        if source not in song.stems and source not in OPTIONAL_SOURCES:
            raise HiphopssError(
                f"{(folder or song.folder) / source}.wav: missing, so the song {song.name!r} has "
                f"no {source}: add the stem (silence if it does not play), or take the song's "
                "folder out"
            )


def require_mixture(song: Song) -> Path:
    """Return a song's mixture file, or raise if it has none.

    Parameters
    ----------
    song : Song
        Song to check.

    Returns
    -------
    Path
        The mixture file.

    Raises
    ------
    HiphopssError
        If the song has no mixture; the message names its place.
    """
    if song.mixture is None:
        folder = song.folder
        if len(folder.parents) > 2 and folder.parents[1].name == "Sources":
            folder = folder.parents[2] / "Mixtures" / folder.parent.name / folder.name
        raise HiphopssError(f"{folder / 'mixture'}.wav: no such file: put the mixture there")
    return song.mixture


def song_folders(folder: str | Path) -> list[Path]:
    """List the folders in a folder by name, without those that begin with a dot.

    Raises
    ------
    HiphopssError
        If the folder does not exist.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise HiphopssError(f"{folder}: no such folder: give the folder that holds the songs")
    return _folders(folder)


def is_audio(path: Path) -> bool:
    """Whether a path is a file that is named like audio."""
    return path.suffix.lower() in AUDIO_SUFFIXES and not path.is_dir()


def find_audio(folder: Path, name: str) -> Path | None:
    """Find the audio file ``<name>.<suffix>`` in a folder.

    Parameters
    ----------
    folder : Path
        The song's folder.
    name : str
        Name of the source, or ``"mixture"``.

    Returns
    -------
    Path or None
        The file, or None if it does not exist.

    Raises
    ------
    HiphopssError
        If there are two such files, for example ``vocals.wav`` and ``vocals.flac``.
    """
    if not folder.is_dir():
        return None
    found = sorted(path for path in folder.iterdir() if path.stem == name and is_audio(path))
    if len(found) > 1:
        raise HiphopssError(f"{found[0]}: there is also {found[1].name}: keep one of them")
    return found[0] if found else None


def _folders(parent: Path) -> list[Path]:
    """The folders in a folder, by name, without those that begin with a dot."""
    return sorted(p for p in parent.glob("*") if p.is_dir() and not p.name.startswith("."))


def _song(folder: Path, subset: str, mixture_folder: Path, name: str | None = None) -> Song:
    """The song in a folder, with the stems that exist."""
    found = {source: find_audio(folder, source) for source in SOURCES}
    stems = {source: path for source, path in found.items() if path is not None}
    return Song(name or folder.name, subset, find_audio(mixture_folder, "mixture"), stems)
