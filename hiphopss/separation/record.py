"""Records of separation: what made the stems in a folder, and of which songs they are.

All stems in a folder come from one model, which ``separation.json`` in it names, and those of a
track from one file, which ``track.json`` in the track's folder names (or, where tracks have no
folders of their own, ``.tracks/<track>.json`` in the folder of all). So they are not replaced by,
or mixed with, those of another model or song. Of a file the record has the name and the SHA-256,
and no path, so that equal files give equal records.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from hiphopss.config import SEPARATION_RECORD, SOURCES, SeparationRecord, TrackRecord
from hiphopss.errors import AudioError, HiphopssError
from hiphopss.separation.naming import FileNames
from hiphopss.signal.containers import SUFFIX, container_of
from hiphopss.util.files import sha256_of, write_text
from hiphopss.util.locks import locked
from hiphopss.util.records import read_object, read_record


def song_record(path: Path) -> dict[str, str | None]:
    """What a track's record says of its file: name and SHA-256.

    Parameters
    ----------
    path : Path
        The file. The hash is None if it is no plain file.
    """
    file = container_of(path)
    return {"file": file.name, "sha256": sha256_of(file) if file.is_file() else None}


def write_track(
    path: Path,
    song: dict[str, str | None],
    loop: str | None,
    stems: dict[str, Path],
    *,
    files: dict[str, Path],
    encoding: str,
    before: TrackRecord | None,
) -> None:
    """Write the record of a track, with the SHA-256 of its stems.

    Parameters
    ----------
    path : Path
        Where to write it.
    song : dict
        From :func:`song_record`.
    loop : str or None
        What of the song repeats, in words.
    stems : dict of str to Path
        The stems that were just written.
    files : dict of str to Path
        Where they will be in the output folder.
    encoding : str
        How they are written.
    before : TrackRecord or None
        The record that is replaced, whose other stems stay.
    """
    # The stems were just written, so that reading them takes less time than hashing.
    with ThreadPoolExecutor(len(stems)) as threads:
        hashes = dict(zip(stems, threads.map(sha256_of, stems.values()), strict=True))
    places = {stem: file.as_posix() for stem, file in files.items()}
    if before is not None and before.encoding == encoding:
        hashes, places = before.stems | hashes, before.files | places
    record = {**song, "loop": loop, "stems": hashes, "encoding": encoding, "files": places}
    write_text(path, json.dumps(record, indent=2) + "\n")


def require_own(output: Path, record: dict, names: FileNames, tracks: Iterable[str]) -> None:
    """Raise if new stems would replace or join stems that were made in another way.

    Parameters
    ----------
    output : Path
        Folder of stems, which need not exist.
    record : dict
        What made them.
    names : FileNames
        Names of the files.
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
        files = [*names.of(name).values(), Path(f"{name}{SUFFIX}")]
        found = [path for path in files if _exists(output / path)]
        if found:
            raise HiphopssError(
                f"{output / found[0]}: is there already, and nothing says that it "
                "was separated with these weights: choose another output"
            )


def require_same_song(
    output: Path, names: FileNames, name: str, path: Path, song: dict[str, str | None]
) -> TrackRecord | None:
    """Raise if a track's files are the stems of another file than the one to be separated.

    Parameters
    ----------
    output : Path
        Folder of stems.
    names : FileNames
        Names of the files.
    name : str
        Name of the track.
    path : Path
        File to be separated.
    song : dict
        From :func:`song_record`.

    Returns
    -------
    TrackRecord or None
        What is known of the stems that are there.

    Raises
    ------
    AudioError
        If they are those of another file (without a hash, its name decides), or if the record in
        the folder can't be read.
    """
    files, place = names.of(name).values(), output / names.record(name)
    there = next((file for file in files if _exists(output / file)), None)
    if names.own_folder and there is None:
        there = next((place.parent for s in SOURCES if _exists(place.parent / f"{s}.wav")), None)
    if not _exists(place):
        if there is not None and not names.own_folder:  # an older version wrote no record there
            raise AudioError(
                f"{output / there}: is there already, and nothing says that it was separated from "
                f"{path}: choose another name or output"
            )
        return None
    try:
        known = read_record(place, TrackRecord, mend="remove its folder")
    except HiphopssError as error:  # it is this song's alone
        raise AudioError(str(error)) from error
    same = is_same_song(song, known)
    if not same and there is not None:
        held = place.parent if names.own_folder else output / there
        raise AudioError(
            f"{path}: {held} holds the stems of another file ({known.file}): rename this one, "
            "choose another output, or remove that folder"
        )
    return known if same else None


def is_same_song(song: dict[str, str | None], known: TrackRecord) -> bool:
    """Whether a record is of this song: by its hash, or without one, by its file's name."""
    if song["sha256"] is None or known.sha256 is None:
        return song["file"] == known.file
    return song["sha256"] == known.sha256


def is_complete(
    output: Path, files: dict[str, Path], known: TrackRecord | None, *, encoding: str
) -> bool:
    """Whether all files of a track are there, unchanged, as they would be written now.

    Parameters
    ----------
    output : Path
        Folder of stems, whose record was compared before.
    files : dict of str to Path
        The files in it, by stem.
    known : TrackRecord or None
        What is known of them, from :func:`require_same_song`.
    encoding : str
        How they would be written.
    """
    if known is None or known.encoding != encoding:
        return False
    try:
        return all(known.stems.get(s) == sha256_of(output / path) for s, path in files.items())
    except OSError:
        return False


def claim(output: Path, record: dict) -> None:
    """Write the record of a folder; other runs may write the same.

    Parameters
    ----------
    output : Path
        Folder of stems.
    record : dict
        What made them.

    Raises
    ------
    HiphopssError
        If another run has begun to write other stems there, or the record can't be written.
    """
    path = output / SEPARATION_RECORD
    with locked(path):
        before = _read(output)
        if before is not None:
            _require_same_settings(output, before, record)
        if before != record:
            write_text(path, json.dumps(record, indent=2) + "\n")


def _read(output: Path) -> dict[str, Any] | None:
    """The record in a folder; None if there is none."""
    path = output / SEPARATION_RECORD
    if not _exists(path):
        return None
    return read_object(path, SeparationRecord, mend="remove it, or choose another output")


def _require_same_settings(output: Path, before: dict, record: dict) -> None:
    if before.get("loops", SeparationRecord.loops) != record["loops"]:  # older ones lack it
        told = "without loops" if record["loops"] == "auto" else "with loops"
        raise HiphopssError(
            f"{output / SEPARATION_RECORD}: the stems here were made {told}, unlike the new ones: "
            "choose another output, or the other --loops"
        )
    for name in ("format", "name", "start", "duration"):  # recorded if they are unusual
        usual = getattr(SeparationRecord, name)
        if before.get(name, usual) != record.get(name, usual):
            raise HiphopssError(
                f"{output / SEPARATION_RECORD}: the stems here were written with another {name} "
                f"({before.get(name, usual)}): choose another output"
            )
    for name, value in record.items():
        if name in ("weights", "loops"):  # a file may have been renamed; and see above
            continue
        if before.get(name) != value:
            raise HiphopssError(
                f"{output / SEPARATION_RECORD}: the stems here were made with another {name}: "
                "choose another output"
            )


def _exists(path: Path) -> bool:
    """Whether a path exists; one that can't be looked at is told when it is written."""
    try:
        return path.exists()
    except OSError:
        return False
