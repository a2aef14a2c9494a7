"""Where what an artefact was made from may be now.

Records have names and hashes, but no paths (those of feature files aside), because files are moved
and given to others. So it is looked for in the places that are named, and near the artefact: in its
folder, in two folders above, in the working directory, and two levels below each. Hashes decide.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from pathlib import Path

from hiphopss.config import SEPARATION_RECORD
from hiphopss.datasets.dsd100 import named_as_dsd100
from hiphopss.datasets.features.file import FeatureFile, is_feature_file
from hiphopss.datasets.layouts import MIXTURE, layout_of
from hiphopss.datasets.names import same_song
from hiphopss.datasets.songs import Song, find_songs, song_at
from hiphopss.errors import HiphopssError
from hiphopss.verification.values import object_in
from hiphopss.weights.files import SUFFIX, is_hdf5, read_info
from hiphopss.weights.registry import registry, resolve_weights

_LEVELS_NEAR, _MOST_NEAR = 2, 3_000  # levels below a folder, and entries that are looked at
_LEVELS_GIVEN, _MOST_GIVEN = 8, 300_000


class Places:
    """Files and folders in which to look.

    Parameters
    ----------
    artefact : Path
        What is verified.
    given : sequence of Path
        Files and folders that the user names, which come first.
    """

    def __init__(self, artefact: Path, given: Sequence[Path]):
        self._artefact, self._given = artefact, given
        self._identities: dict[Path, str | None] = {}
        self._in_given: frozenset[Path] = frozenset()  # files there, once they were looked for

    @cached_property
    def _entries(self) -> tuple[list[Path], list[Path]]:
        """Folders and files, each once, the nearest first."""
        own = self._artefact.absolute()
        near = [own if own.is_dir() else own.parent, *own.parents[:2], Path.cwd()]
        folders: dict[Path, None] = {}
        files: dict[Path, None] = {}
        for place in self._given:
            if place.is_dir():
                _walk(place, _LEVELS_GIVEN, _MOST_GIVEN, folders, files)
            else:
                files[place] = None
        self._in_given = frozenset(files)
        for place in near:
            if place != Path(place.anchor):
                _walk(place, _LEVELS_NEAR, _MOST_NEAR, folders, files)
        return list(folders), list(files)

    @property
    def folders(self) -> list[Path]:
        """Folders, the nearest first."""
        return self._entries[0]

    @property
    def files(self) -> list[Path]:
        """Files, the nearest first."""
        return self._entries[1]

    def weights(self, digest: str, name: str = "") -> Path | None:
        """The weight file with this hash (of arrays or of a published file).

        If there is none, a file of this name is returned that is in the places that the user named;
        it is then another one.
        """
        named = sorted(
            (path for path in self.files if _is_weights(path)), key=lambda path: path.name != name
        )
        given = [path for path in named if path in self._in_given]
        near = [path for path in named if path not in self._in_given]
        shipped = [resolve_weights(entry.name) for entry in registry() if entry.shipped]
        for path in [*given, *shipped, *near]:
            likely = path.name == name or is_own(path)
            if likely and self._identity(path, lambda path: read_info(path).sha256) == digest:
                return path
        return next((path for path in given if path.name == name), None)

    def features(self, identity: str) -> Path | None:
        """The feature file with this identity."""
        for path in self.files:
            likely = path.suffix.lower() in (".h5", ".hdf5") and not path.name.endswith(SUFFIX)
            if likely and self._identity(path, _features_identity) == identity:
                return path
        return None

    def _identity(self, path: Path, read: Callable[[Path], str | None]) -> str | None:
        """What a file says that it is; None if it can't be read."""
        if path not in self._identities:
            try:
                self._identities[path] = read(path) if path.is_file() else None
            except (HiphopssError, OSError):
                self._identities[path] = None
        return self._identities[path]

    @cached_property
    def _sets(self) -> list[Song]:
        """The songs of all data sets, under their own names and under those of DSD100."""
        found: list[Song] = []
        for folder in self.folders:
            try:
                if layout_of(folder):
                    there = find_songs(folder)
                    found += [*there, *named_as_dsd100(there, folder)]
            except (HiphopssError, OSError):  # no use as a place to look
                continue
        return found

    def songs(self, label: str) -> Iterator[dict[str, Path]]:
        """The files of songs that may be one which is called ``SUBSET/NAME``, or ``NAME``.

        Yields
        ------
        dict of str to Path
            Its stems and its mixture, by name.
        """
        subset, _, name = label.rpartition("/")
        for song in self._sets:
            if song.name == name and subset in ("", song.subset):
                yield _files(song)
        for folder in self.folders:  # plain folders of songs, and any label as subset
            if folder.name == name:
                yield from self._song_at(folder)
        for song in self._sets:
            if song.name == name:
                yield _files(song)

    def _song_at(self, folder: Path) -> Iterator[dict[str, Path]]:
        try:
            song = song_at(folder)
        except (HiphopssError, OSError):
            return
        if song.stems or song.mixture:
            yield _files(song)

    def mixtures(self, track: str, file: str) -> Iterator[Path]:
        """Files that may be the one that is called ``file``, of which a track was separated."""
        for song in self._sets:
            if song.mixture is not None and (song.name == track or same_song(song.name, track)):
                yield song.mixture
        for path in self.files:
            if path.name == file:
                yield path
        for folder in self.folders:
            if folder.name == track and os.path.isfile(folder / file):
                yield folder / file

    def estimates(self, model: str, digest: str) -> Iterator[Path]:
        """Folders that may hold the estimates of a model, by its weights or by its name."""
        for folder in self.folders:
            if (folder / SEPARATION_RECORD).is_file():
                try:
                    record = object_in(folder / SEPARATION_RECORD)
                except HiphopssError:
                    continue
                if record.get("sha256") == digest and record.get("model") == model:
                    yield folder
            elif folder.name == model:
                yield folder


def is_own(path: Path) -> bool:
    """Whether a file is one of the project's own weight files, or another HDF5 file."""
    try:
        return path.is_file() and is_hdf5(path)
    except HiphopssError:
        return False


def _is_weights(path: Path) -> bool:
    return path.name.endswith((SUFFIX, ".pkl")) and ".checkpoint." not in path.name


def _features_identity(path: Path) -> str | None:
    if not is_feature_file(path):
        return None
    with FeatureFile(path) as file:
        return file.identity


def _files(song: Song) -> dict[str, Path]:
    return {**song.stems, **({MIXTURE: song.mixture} if song.mixture else {})}


def _walk(
    place: Path, levels: int, most: int, folders: dict[Path, None], files: dict[Path, None]
) -> None:
    """Add the folders and files below a folder, without those that begin with a dot."""
    level = [place]
    for _ in range(levels + 1):
        below = []
        for folder in level:
            folders[folder] = None
            try:
                entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
            except OSError:
                continue
            for entry in entries:
                most -= 1
                if most < 0:
                    return
                if entry.name.startswith("."):
                    continue
                if _is_folder(entry):
                    below.append(folder / entry.name)
                else:
                    files[folder / entry.name] = None
        level = below


def _is_folder(entry: os.DirEntry) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link that leads round in circles
        return False
