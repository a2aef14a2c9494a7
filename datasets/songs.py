"""Finding songs and the files of each. This module opens no audio file.

A data set has one of the layouts of :mod:`hiphopss.datasets.layouts`. To score, mix or listen to
songs, a plain folder of songs is also accepted: ``<root>/<song>/{vocals,bass,drums,other}.wav``,
with ``mixture.wav`` beside them if it exists, or ``<root>/<song>.stem.mp4``.
:mod:`hiphopss.datasets.stems` reads the files that are found here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from hiphopss.config import SOURCES
from hiphopss.datasets.layouts import (
    MIXTURE,
    SUBSETS,
    entry_named,
    find_audio,
    layout_of,
    layout_of_sources,
    require_no_misspelt,
    song_entries,
    song_name,
)
from hiphopss.errors import HiphopssError
from hiphopss.util.opening import nothing_at

OPTIONAL_SOURCES = ("vocals",)


@dataclass(frozen=True)
class Song:
    """A song and the paths of its files.

    Attributes
    ----------
    name : str
        Name of the song's folder, or of its stem file without the suffix.
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
        """The folder (or stem file) of its stems, or of its mixture if it has no stems."""
        return next(iter(self.stems.values()), self.mixture or Path(self.name, "stem")).parent


def read_songs(root: str | Path, subsets: Sequence[str] = SUBSETS) -> list[Song]:
    """List the songs of a data set.

    Parameters
    ----------
    root : path-like
        Root of a data set in one of the known layouts.
    subsets : sequence of str
        Names from ``SUBSETS``.

    Returns
    -------
    list of Song
        Songs by subset, then name.

    Raises
    ------
    HiphopssError
        If the folder is missing or not in this layout, a subset has no songs, a song lacks a stem
        other than vocals, or has two files for one, or one that looks like a misspelt one.

    Examples
    --------
    >>> import hiphopss
    >>> root = hiphopss.generate("songs", n_dev=1, n_test=1, seconds=4, progress=False)
    >>> for song in hiphopss.read_songs(root):
    ...     print(song.subset, song.name, sorted(song.stems))
    Dev 001 - Generated - Mar de Fondo ['bass', 'drums', 'other', 'vocals']
    Test 002 - Generated - Ritmo Interno ['bass', 'drums', 'other', 'vocals']
    """
    root = Path(root)
    layout = layout_of(root)
    if layout is None:
        raise no_root(root)
    songs = []
    for subset in subsets:
        folder = layout.stems[subset]
        entries = song_entries(folder)
        if not entries:
            raise HiphopssError(f"{folder}: no songs: put them there, or leave out {subset}")
        for entry in entries:
            song = _song(entry, subset, layout.mixtures[subset])
            require_stems(song, entry)
            songs.append(song)
    _require_each_once(songs)
    return songs


def _require_each_once(songs: Iterable[Song]) -> None:
    """Raise if a song is there as a folder and as a stem file."""
    seen: dict[tuple[str, str], Song] = {}
    for song in songs:
        if song.key in seen:
            raise HiphopssError(f"{song.folder}: there is also {seen[song.key].folder}: keep one")
        seen[song.key] = song


def no_root(folder: Path) -> HiphopssError:
    """The error for a path that is not the root of a data set.

    Parameters
    ----------
    folder : Path
        Path that does not exist or has none of the known layouts.

    Returns
    -------
    HiphopssError
        The error, for the caller to raise.
    """
    found = "no such folder"
    if folder.exists():
        found = "is a file, not a folder"
        if folder.is_dir():
            found = "no folder 'Sources' in it, nor songs in 'train' or 'test'"
    told = (
        f"{found}: name the root of a data set, which holds Sources/Dev/SONG/vocals.wav "
        "and so on as DSD100 does, or train/SONG/vocals.wav as MUSDB18-HQ; `hiphopss generate` "
        "makes one, `hiphopss download` fetches one"
    )
    return HiphopssError(f"{folder}: {told}" if folder.exists() else nothing_at(folder, told))


def find_songs(
    root: str | Path, *, left_out: Callable[[HiphopssError], None] | None = None
) -> list[Song]:
    """List the songs of a data set or of a plain folder of songs, including incomplete ones.

    Parameters
    ----------
    root : path-like
        A data set in a known layout, the ``Sources`` folder of DSD100's, or a folder of songs,
        whose subset is empty.
    left_out : callable, optional
        Called with the error of each song that has two files for one stem, or one that looks like a
        misspelt one, instead of raising it.

    Returns
    -------
    list of Song
        Songs by subset, then name. Folders without any stem are left out.

    Raises
    ------
    HiphopssError
        If the folder does not exist, or a song is there as a folder and as a stem file, or has two
        files for one stem, or one that looks like a misspelt one.
    """
    root = Path(root)
    if not root.is_dir():
        raise HiphopssError(
            nothing_at(root, "no such folder: give the folder that holds the songs")
        )
    layout = layout_of(root) or layout_of_sources(root)
    places = [("", root, root)]
    if layout is not None:
        places = [(s, layout.stems[s], layout.mixtures[s]) for s in layout.subsets]
    songs = []
    for subset, folder, mixtures in places:
        for entry in song_entries(folder):
            try:
                song = _song(entry, subset, mixtures)
            except HiphopssError as error:
                if left_out is None:
                    raise
                left_out(error)
                continue
            songs += [song] if song.stems else []
    _require_each_once(songs)
    return songs


def song_at(folder: str | Path, *, subset: str = "", name: str | None = None) -> Song:
    """The song whose stems, and mixture if it exists, are in a folder or in a stem file.

    Parameters
    ----------
    folder : path-like
        Folder with ``vocals.wav`` and so on, or ``<song>.stem.mp4``.
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
    return _song(folder, subset, folder.parent, name)


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
        raise HiphopssError(
            nothing_at(folder, "no such folder: give the folder that holds the songs")
        )
    return [entry for entry in song_entries(folder) if entry.is_dir()]


def _song(entry: Path, subset: str, mixtures: Path, name: str | None = None) -> Song:
    """The song in a folder or stem file, with the stems that exist.

    Its mixture is in the folder or stem file of the same name in ``mixtures``.
    """
    found = {source: find_audio(entry, source) for source in SOURCES}
    stems = {source: path for source, path in found.items() if path is not None}
    if stems:
        require_no_misspelt(entry, [source for source in SOURCES if source not in stems])
    mixture = find_audio(entry_named(mixtures, entry.name), MIXTURE)
    return Song(name or song_name(entry), subset, mixture, stems)
