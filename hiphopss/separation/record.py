"""Records of separation: what made the stems in a folder, and of which songs they are.

All stems in a folder come from one model, which ``separation.json`` in it names, and those of a
track from one file, which ``track.json`` in the track's folder names, or the record in its stem
file. So they are not replaced by, or mixed with, those of another model or song. Of a file the
record has the name and the SHA-256, and no path, so that equal files give equal records.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

from hiphopss.config import SEPARATION_RECORD, SOURCES, TRACK_RECORD, SeparationRecord, TrackRecord
from hiphopss.errors import AudioError, HiphopssError
from hiphopss.signal.containers import SUFFIX, container_of, is_container
from hiphopss.signal.stem_files import read_record_text
from hiphopss.util.files import sha256_of, write_text
from hiphopss.util.locks import locked
from hiphopss.util.records import parse_record, read_object, read_record


def song_record(path: Path) -> dict[str, str | None]:
    """What a track's record says of its file: name and SHA-256.

    Parameters
    ----------
    path : Path
        The file. The hash is None if it is no plain file.
    """
    file = container_of(path)
    return {"file": file.name, "sha256": sha256_of(file) if file.is_file() else None}


def write_track(folder: Path, song: dict[str, str | None]) -> None:
    """Write the record of a track beside its stems, whose SHA-256 it gets, too.

    Parameters
    ----------
    folder : Path
        Folder with the stems.
    song : dict
        From :func:`song_record`, and under ``loop``, what of the song repeats, in words.
    """
    # The stems were just written, so that reading them takes less time than hashing.
    with ThreadPoolExecutor(len(SOURCES)) as threads:
        found = threads.map(sha256_of, (folder / f"{source}.wav" for source in SOURCES))
        stems = dict(zip(SOURCES, found, strict=True))
    record = {**song, "stems": stems}
    write_text(folder / TRACK_RECORD, json.dumps(record, indent=2) + "\n")


def require_own(output: Path, record: dict, tracks: Iterable[str]) -> None:
    """Raise if new stems would replace or join stems that were made in another way.

    Parameters
    ----------
    output : Path
        Folder of stems, which need not exist.
    record : dict
        What made them.
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
        stems = (output / name / f"{source}.wav" for source in SOURCES)
        for path in (*stems, output / f"{name}{SUFFIX}"):
            if _exists(path):
                raise HiphopssError(
                    f"{path}: is there already, and nothing says that it was separated with these "
                    "weights: choose another output"
                )


def require_same_song(output: Path, name: str, path: Path, song: dict[str, str | None]) -> None:
    """Raise if a track's folder holds the stems of another file than the one to be separated.

    Parameters
    ----------
    output : Path
        Folder of stems.
    name : str
        Name of the track, or of its stem file.
    path : Path
        File to be separated.
    song : dict
        From :func:`song_record`.

    Raises
    ------
    AudioError
        If they are those of another file (without a hash, its name decides), if the record in the
        folder can't be read, or if a stem file has none.
    """
    folder = output / name
    if is_container(folder):
        if _exists(folder):
            _require_same(path, folder, song, _record_in(folder))
        return
    if not any(_exists(folder / f"{source}.wav") for source in SOURCES):
        return
    if not _exists(folder / TRACK_RECORD):  # an older version wrote none
        return
    try:
        known = read_record(folder / TRACK_RECORD, TrackRecord, mend="remove its folder")
    except HiphopssError as error:  # it is this song's alone
        raise AudioError(str(error)) from error
    _require_same(path, folder, song, known)


def _record_in(stem_file: Path) -> TrackRecord:
    """The record in a stem file."""
    text = read_record_text(stem_file)
    if text is None:
        raise AudioError(
            f"{stem_file}: is there already, and was not written here: move it away, or choose "
            "another output"
        )
    try:
        return parse_record(text, TrackRecord, origin=stem_file, mend="remove it")
    except HiphopssError as error:  # it is this song's alone
        raise AudioError(str(error)) from error


def _require_same(path: Path, there: Path, song: dict[str, str | None], known: TrackRecord) -> None:
    """Raise unless what is there is of the song."""
    hashes = song["sha256"], known.sha256
    same = song["file"] == known.file if None in hashes else hashes[0] == hashes[1]
    if not same:
        raise AudioError(
            f"{path}: {there} holds the stems of another file ({known.file}): rename this one, "
            f"choose another output, or remove that {'file' if is_container(there) else 'folder'}"
        )


def has_stems_of(output: Path, name: str, path: Path, stem_file: str | None) -> bool:
    """Whether the stems of a file are there, by its hash.

    Parameters
    ----------
    output : Path
        Folder of stems.
    name : str
        Name of the track.
    path : Path
        The file.
    stem_file : str or None
        Codec of stem files; None for a folder with four files.
    """
    folder, one = output / name, output / f"{name}{SUFFIX}"
    with suppress(HiphopssError, OSError):
        if stem_file is not None:
            known = _record_in(one) if one.is_file() else None
        else:
            whole = all((folder / f"{source}.wav").is_file() for source in SOURCES)
            record = folder / TRACK_RECORD
            known = read_record(record, TrackRecord, mend="") if whole else None
        digest = song_record(path)["sha256"] if known is not None else None
        return known is not None and digest is not None and digest == known.sha256
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
