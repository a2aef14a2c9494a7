"""The record ``separation.json`` in a folder of stems: what made them, and of which songs they are.

All stems in a folder come from one model, and the stems of a track from one file. The record says
both, so that they are not replaced by, or mixed with, those of another model or song. Of a file it
has the name and the SHA-256, and no path, so that equal files give equal records.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from hiphopss.config import SEPARATION_RECORD, SOURCES, SeparationRecord
from hiphopss.datasets.layouts import plain_name
from hiphopss.errors import AudioError, HiphopssError
from hiphopss.signal.containers import container_of
from hiphopss.util.files import sha256_of, write_text
from hiphopss.util.locks import locked
from hiphopss.util.records import read_object

SONGS = "songs"
"""Key of the record under which each track has the name and the SHA-256 of its file."""


STEMS = "stems"
"""Key of a track's entry with the SHA-256 of each of its stems, by source."""


def song_record(path: Path) -> dict[str, Any]:
    """The part of the record about a track: name and SHA-256 of its file.

    Parameters
    ----------
    path : Path
        The file. The hash is None if it is no plain file.
    """
    file = container_of(path)
    return {"file": file.name, "sha256": sha256_of(file) if file.is_file() else None}


def stem_hashes(folder: Path) -> dict[str, str]:
    """SHA-256 of the stems in a folder, by source."""
    # They were just written, so that reading them takes less time than hashing.
    with ThreadPoolExecutor(len(SOURCES)) as threads:
        found = threads.map(sha256_of, (folder / f"{source}.wav" for source in SOURCES))
        return dict(zip(SOURCES, found, strict=True))


def require_own(output: Path, record: dict, tracks: Iterable[str]) -> None:
    """Raise if new stems would replace or join stems that were made in another way.

    Parameters
    ----------
    output : Path
        Folder of stems, which need not exist.
    record : dict
        The part about weights and settings.
    tracks : iterable of str
        Names of the tracks that will be written.

    Raises
    ------
    HiphopssError
        If stems there have another record, or none.
    """
    before = _read(output)
    if before is not None:
        _require_same_settings(output, before, record)
        return
    for name in tracks:
        found = [s for s in SOURCES if _exists(output / name / f"{s}.wav")]
        if found:
            raise HiphopssError(
                f"{output / name / found[0]}.wav: is there already, and nothing says that it "
                "was separated with these weights: choose another output"
            )


def require_same_song(output: Path, name: str, path: Path, song: dict[str, Any]) -> None:
    """Raise if a track's folder holds the stems of another file than the one to be separated.

    Parameters
    ----------
    output : Path
        Folder of stems.
    name : str
        Name of the track.
    path : Path
        File to be separated.
    song : dict
        From :func:`song_record`.

    Raises
    ------
    AudioError
        If they are those of another file. Without a hash, the name of the file decides.
    """
    folder = output / name
    for other, known in ((_read(output) or {}).get(SONGS) or {}).items():
        if other != name and not _same_folder(output / other, folder):
            continue
        if not any((folder / f"{source}.wav").exists() for source in SOURCES):
            continue
        hashes = song["sha256"], known.get("sha256")
        same = song["file"] == known.get("file") if None in hashes else hashes[0] == hashes[1]
        if not same:
            raise AudioError(
                f"{path}: {folder} holds the stems of another file ({known.get('file')}): rename "
                "this one, choose another output, or remove that folder"
            )


def add_song(output: Path, record: dict, name: str, song: dict[str, Any]) -> None:
    """Write the record, with one track more; other runs may be adding theirs.

    Parameters
    ----------
    output : Path
        Folder of stems.
    record : dict
        The part about weights and settings.
    name : str
        Name of the track.
    song : dict
        From :func:`song_record`.

    Raises
    ------
    HiphopssError
        If another run has begun to write other stems there, or the record can't be written.
    """
    path = output / SEPARATION_RECORD
    with locked(path):
        before = _read(output) or {}
        if before:
            _require_same_settings(output, before, record)
        songs = {**(before.get(SONGS) or {}), name: song}
        text = json.dumps({**record, SONGS: dict(sorted(songs.items()))}, indent=2)
        write_text(path, text + "\n")


def _read(output: Path) -> dict[str, Any] | None:
    """The record in a folder; None if there is none."""
    path = output / SEPARATION_RECORD
    if not _exists(path):
        return None
    return read_object(path, SeparationRecord, mend="remove it, or choose another output")


def _require_same_settings(output: Path, before: dict, record: dict) -> None:
    for name, value in record.items():
        if name != "weights" and before.get(name) != value:  # a file may have been renamed
            raise HiphopssError(
                f"{output / SEPARATION_RECORD}: the stems here were made with another {name}: "
                "choose another output"
            )


def _same_folder(folder: Path, other: Path) -> bool:
    """Whether the file system takes two spellings of a name for the same, as it may do with case.

    Windows also leaves out dots and spaces at the end of a name.
    """
    names = [plain_name(path.name).rstrip(". ") for path in (folder, other)]
    try:
        return names[0] == names[1] and os.path.samefile(folder, other)
    except OSError:  # one of them is not there
        return False


def _exists(path: Path) -> bool:
    """Whether a path exists; one that can't be looked at is told when it is written."""
    try:
        return path.exists()
    except OSError:
        return False
