"""Finding the mixtures to separate, in files and folders. This module opens no audio file."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from hiphopss.datasets.layouts import (
    MIXTURE,
    find_audio,
    is_audio,
    is_stem_file,
    plain_stem,
    song_name,
)
from hiphopss.errors import HiphopssError
from hiphopss.signal.containers import container_of


def find_mixtures(
    inputs: str | Path | Iterable[str | Path] | Mapping[str, str | Path],
    *,
    skip: str | Path | None = None,
) -> dict[str, Path]:
    """List the mixtures in files and folders, by track name.

    Parameters
    ----------
    inputs : path-like, iterable of path-like, or mapping of str to path-like
        Audio files, or folders to search (dot-files are skipped). In a folder in the DSD100 layout,
        only the mixtures are used. A folder with a ``mixture`` file is one song and gives only that
        file: what lies beside or below it are its stems. A stem file ``<song>.stem.mp4`` is one
        song, too. A mapping gives the names of tracks, each with its file.
    skip : path-like, optional
        Folder to leave out if it is inside another one: the output.

    Returns
    -------
    dict of str to Path
        Mixtures by name: a file ``<song>/mixture.wav`` is the track ``<song>``; other tracks are
        named after their files, without the suffix.

    Raises
    ------
    HiphopssError
        If an input does not exist, a folder has no audio, or two tracks would get the same name.
    """
    if isinstance(inputs, Mapping):
        return {name: Path(path) for name, path in inputs.items()}
    tracks: dict[str, Path] = {}
    skipped = Path(skip).resolve() if skip is not None else None
    for given in map(Path, [inputs] if isinstance(inputs, str | Path) else inputs):
        if not container_of(given).exists():
            raise HiphopssError(f"{given}: no such file or folder: check the path")
        found = _search(given, skipped) if given.is_dir() else [given]
        if not found:
            raise HiphopssError(f"{given}: no audio files in this folder: name another")
        for path in found:
            name = _track_name(path)
            if is_stem_file(path):
                path = find_audio(path, MIXTURE) or path
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


def _search(folder: Path, skipped: Path | None) -> list[Path]:
    """The mixtures in a folder and the folders below it, by name."""
    root = folder / "Mixtures" if (folder / "Mixtures").is_dir() else folder
    found = sorted(
        path
        for path in root.rglob("*")
        if (is_audio(path) or is_stem_file(path))
        and not any(part.startswith(".") for part in path.relative_to(root).parts)
        and (skipped == root.resolve() or skipped not in path.resolve().parents)
    )
    songs = {path.parent for path in found if plain_stem(path) == MIXTURE}
    return [p for p in found if plain_stem(p) == MIXTURE or songs.isdisjoint(p.parents)]


def _track_name(path: Path) -> str:
    folder = Path(os.path.abspath(path)).parent  # uses the given name, not a link's target
    if is_stem_file(container_of(path)):
        return song_name(container_of(path))
    return folder.name if plain_stem(path) == MIXTURE else path.stem
