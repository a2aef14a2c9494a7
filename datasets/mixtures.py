"""Finding the mixtures to separate, in files and folders. This module opens no audio file."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from hiphopss.config import (
    SEPARATION_RECORD,
    SOURCES,
    TRACK_RECORD,
    TRACK_RECORDS,
    TrackRecord,
)
from hiphopss.datasets.layouts import (
    MIXTURE,
    OTHER_SUFFIXES,
    find_audio,
    is_audio,
    is_stem_file,
    plain_stem,
    song_name,
)
from hiphopss.errors import AudioError, HiphopssError
from hiphopss.signal.containers import container_of
from hiphopss.util.opening import nothing_at
from hiphopss.util.records import read_record

logger = logging.getLogger(__name__)

_Told = Callable[[AudioError], None]


def find_mixtures(
    inputs: str | Path | Iterable[str | Path] | Mapping[str, str | Path],
    *,
    skip: str | Path | None = None,
    left_out: _Told | None = None,
    by_folder: bool = False,
) -> dict[str, Path]:
    """List the mixtures in files and folders, by track name.

    Parameters
    ----------
    inputs : path-like, iterable of path-like, or mapping of str to path-like
        Audio files, or folders to search. In a folder in the DSD100 layout, only the mixtures are
        used. A folder with a ``mixture`` file is one song and gives only that file: what lies
        beside or below it are its stems. A stem file ``<song>.stem.mp4`` is one song, too. The
        folders and stem files beside a ``separation.json`` are stems that were separated, and no
        songs. Hidden files, and those that are not named like audio or video, are passed over. A
        mapping gives the names of tracks, each with its file.
    skip : path-like, optional
        Folder to leave out if it is inside another one: the output.
    left_out : callable, optional
        Called with the error of each file or folder that can't be used, instead of raising it.
    by_folder : bool
        Call tracks ``FOLDER/NAME``: the folder of a song is its path in the folder that was given;
        of songs that lie in this one itself, or were given by name, it is the name of their folder.

    Returns
    -------
    dict of str to Path
        Mixtures by name: a file ``<song>/mixture.wav`` is the track ``<song>``; other tracks are
        named after their files, without the suffix. Of several that would have the same name, the
        first keeps it (in a folder, by name, but files that libsndfile reads before others).

    Raises
    ------
    AudioError
        If an input does not exist, a folder has no audio or can't be searched, two tracks would get
        the same name, or a name can't be that of a folder.

    Logs
    ----
    INFO
        If folders are passed over because they hold separated stems.
    WARNING
        If a folder is passed over because it is a link.
    """
    if isinstance(inputs, Mapping):
        return {name: Path(path) for name, path in inputs.items()}
    told = left_out or _raise
    skipped = os.path.realpath(skip) if skip is not None else None
    named: dict[str, Path] = {}
    order: list[str] = []
    for given in map(Path, [inputs] if isinstance(inputs, str | Path) else inputs):
        root = given if by_folder else None
        order += _add_named(named, _found(given, skipped, told), told, root)
    return {name: named[name] for name in dict.fromkeys(order)}


def mixtures_in(
    folder: Path,
    *,
    skip: Path,
    left_out: _Told,
    passed_over: Callable[[Path], None],
    by_folder: bool = False,
) -> dict[str, Path]:
    """List the mixtures in a folder that may be empty, as :func:`find_mixtures` does.

    Parameters
    ----------
    folder : Path
        Folder to search.
    skip : Path
        As in :func:`find_mixtures`.
    left_out : callable
        Called with the error of each file or folder that can't be used.
    passed_over : callable
        Called with each file that is not named like audio or video.
    by_folder : bool
        As in :func:`find_mixtures`.

    Returns
    -------
    dict of str to Path
        Mixtures by name.
    """
    named: dict[str, Path] = {}
    found = _search(folder, os.path.realpath(skip), left_out, passed_over)
    order = _add_named(named, found, left_out, folder if by_folder else None)
    return {name: named[name] for name in dict.fromkeys(order)}


def _add_named(
    tracks: dict[str, Path], found: list[Path], told: _Told, root: Path | None
) -> list[str]:
    """Add the tracks of mixtures; return their names, which begin in ``root`` if it is given."""
    names = {path: name for path in found if (name := _track_name(path, told))}
    if root is not None:
        names = {path: f"{_folder_name(path, root)}/{name}" for path, name in names.items()}
    mend = "rename one of them"
    if root is None:
        mend += ", or choose names with {folder} (--name)"
    for path in sorted(names, key=_is_other):  # stable
        _add(tracks, names[path], path, told, mend)
    return list(names.values())


def _raise(error: AudioError) -> None:
    raise error


def _add(tracks: dict[str, Path], name: str, path: Path, told: _Told, mend: str) -> None:
    """Add a track, unless another one has its name."""
    if is_stem_file(path):
        path = find_audio(path, MIXTURE) or path
    first = tracks.setdefault(name, path)
    if os.path.realpath(first) != os.path.realpath(path):
        told(
            AudioError(
                f"{path}: would be written to the same folder as {first}: {mend}",
                path,
            )
        )


def _is_other(path: Path) -> bool:
    return path.suffix.lower() in OTHER_SUFFIXES and not is_stem_file(path)


def _found(given: Path, skipped: str | None, told: _Told) -> list[Path]:
    """The mixtures of one input."""
    try:
        there, is_folder = container_of(given).exists(), given.is_dir()
    except OSError as error:
        line = f"{given}: can't be looked at ({error.strerror}): check its permissions"
        told(AudioError(line, given))
        return []
    if not there:
        told(AudioError(nothing_at(given, "no such file or folder: check the path"), given))
        return []
    if not is_folder:
        return [given]
    if _is_result(given):
        told(
            AudioError(
                f"{given}: holds stems ({SEPARATION_RECORD} beside it says so): name a song, or "
                "the files in it to separate them again",
                given,
            )
        )
        return []
    problems: list[AudioError] = []
    found = _search(given, skipped, problems.append)
    if not found and not problems:
        problems.append(AudioError(f"{given}: no audio files in this folder: name another", given))
    for problem in problems:
        told(problem)
    return found


def _is_result(folder: Path) -> bool:
    """Whether a folder is one that separating filled: with stems and no mixture."""
    if not (Path(os.path.abspath(folder)).parent / SEPARATION_RECORD).is_file():
        return False
    try:
        named = {plain_stem(path) for path in folder.iterdir() if is_audio(path)}
    except OSError:  # told when it is searched
        return False
    some = (folder / TRACK_RECORD).is_file() or named.issuperset(SOURCES)
    return MIXTURE not in named and some


def _stems_in(folder: Path) -> set[Path]:
    """The stems in a folder in which tracks have no folders of their own, by their records."""
    found: set[Path] = set()
    for record in (folder / TRACK_RECORDS).rglob("*.json"):
        with suppress(HiphopssError):  # told when the track is separated again
            files = read_record(record, TrackRecord, mend="remove it").files
            found |= {folder / path for path in files.values()}
    return found


def _search(
    folder: Path,
    skipped: str | None,
    told: _Told,
    passed_over: Callable[[Path], None] = lambda path: None,
) -> list[Path]:
    """The mixtures in a folder and the folders below it, by name."""
    root = folder / "Mixtures" if (folder / "Mixtures").is_dir() else folder
    found = []
    for path in sorted(_files(root, skipped, told)):
        if not (is_audio(path) or is_stem_file(path)):
            passed_over(path)
        elif _is_plain(path, told):
            found.append(path)
    songs = {path.parent for path in found if plain_stem(path) == MIXTURE}
    return [p for p in found if plain_stem(p) == MIXTURE or songs.isdisjoint(p.parents)]


def _is_plain(path: Path, told: _Told) -> bool:
    """Whether a file in a folder is no pipe or device, for which one could wait for ever."""
    if path.exists() and not path.is_file():
        line = f"{path}: a pipe or device among the files: write its content to a file"
        told(AudioError(line, path))
        return False
    return True


def _files(root: Path, skipped: str | None, told: _Told) -> Iterator[Path]:
    """The files in a folder and those below it, but not in links, hidden ones and results."""

    def unreadable(error: OSError) -> None:
        told(
            AudioError(
                f"{error.filename}: can't be searched ({error.strerror}): check its permissions",
                Path(error.filename),
            )
        )

    whole = Path(os.path.realpath(root))
    for place, folders, files in os.walk(root, onerror=unreadable):
        here, searched = Path(place), []
        for inner in sorted(name for name in folders if not name.startswith(".")):
            real = os.path.realpath(here / inner)
            if (here / inner).is_symlink():
                if Path(real) not in (whole, *whole.parents) and whole not in Path(real).parents:
                    logger.warning(
                        "%s: a link to another folder, which is not searched: name that one, too",
                        here / inner,
                    )
            elif real != skipped:
                searched.append(inner)
        if SEPARATION_RECORD in files:
            others = [name for name in files if not is_stem_file(here / name)]
            if searched or len(others) < len(files):
                logger.info(
                    "%s: the %s in it hold stems (%s says so): not separated again",
                    *(here, "folders" if searched else "stem files", SEPARATION_RECORD),
                )
            searched, files = [], others
        folders[:] = searched
        stems = _stems_in(here) if SEPARATION_RECORD in files else set()
        inside = (here / name for name in files if not name.startswith("."))
        yield from (path for path in inside if path not in stems)


def _track_name(path: Path, told: _Told) -> str:
    """The name of a file's track; empty if no folder can have it."""
    folder = Path(os.path.abspath(path)).parent  # uses the given name, not a link's target
    if is_stem_file(container_of(path)):
        name = song_name(container_of(path))
    else:
        name = folder.name if plain_stem(path) == MIXTURE else path.stem
    if name not in ("", ".", ".."):
        return name
    told(AudioError(f"{path}: no folder can be named after this file: rename it", path))
    return ""


def _folder_name(path: Path, root: Path) -> str:
    """The folder of a track, as :func:`find_mixtures` calls it, with ``/``."""
    song, top = Path(os.path.abspath(container_of(path))), Path(os.path.abspath(root))
    folder = song.parent
    if plain_stem(song) == MIXTURE:
        folder = folder.parent
    inside = folder.relative_to(top) if folder.is_relative_to(top) else Path()
    return inside.as_posix() if inside.parts else folder.name or "songs"
