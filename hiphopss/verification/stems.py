"""Checking a folder of stems: the stems, the weights that made them, and the songs they are of."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from hiphopss.config import LOOPS, SEPARATION_RECORD, SOURCES, TRACK_RECORD, TRACK_RECORDS
from hiphopss.datasets.layouts import is_stem_file, song_name
from hiphopss.datasets.songs import song_folders
from hiphopss.errors import HiphopssError
from hiphopss.signal.containers import SUFFIX
from hiphopss.signal.stem_files import content_sha256, read_record_text
from hiphopss.util.records import parse_record
from hiphopss.verification.check import Check
from hiphopss.verification.findings import DIFFERS, MISSING, NOT_RECORDED, OK, counted
from hiphopss.verification.songs import MOVED, check_song_file
from hiphopss.verification.values import as_hashes, as_text, object_in
from hiphopss.verification.weights import check_weights
from hiphopss.weights.files import read_info


def check_stems(check: Check, folder: Path, depth: int) -> None:
    """Check a folder of stems with its ``separation.json``, and the tracks in it.

    Parameters
    ----------
    check : Check
        Gets the findings.
    folder : Path
        The folder.
    depth : int
        Depth of the finding.
    """
    if check.again(depth, "stems", folder):
        return
    try:
        record = object_in(folder / SEPARATION_RECORD)
        there = {path.name: path for path in song_folders(folder) if _is_track(path)}
        stem_files = (path for path in folder.rglob(f"*{SUFFIX}") if is_stem_file(path))
        there |= {path.relative_to(folder).as_posix(): path for path in stem_files}
    except (HiphopssError, OSError) as error:
        check.unreadable(depth, "stems", folder / SEPARATION_RECORD, error)
        return
    scattered = sorted((folder / TRACK_RECORDS).rglob("*.json"))
    n_songs = len(there) + len(scattered)
    told = f"{counted(n_songs, 'song')}, by model {as_text(record.get('model')) or '?'}"
    told += ", loops looked for" * (record.get("loops") == LOOPS[0])
    check.found(depth, "stems", folder, OK, told)
    _check_maker(check, record, depth + 1)
    for _, path in sorted(there.items()):
        (_check_stem_file if is_stem_file(path) else _check_track)(check, path, depth + 1)
    for path in scattered:
        _check_scattered(check, folder, path, depth + 1)


def _check_maker(check: Check, record: dict[str, Any], depth: int) -> None:
    digest, name = as_text(record.get("sha256")), as_text(record.get("weights"))
    if not digest:
        check.found(depth, "weights", name, NOT_RECORDED, "which weights made the stems")
        return
    path = check.places.weights(digest, name)
    if path is None:
        told = f"not found, SHA-256 {digest}: {MOVED}"
        check.found(depth, "weights", name, MISSING, told)
        return
    try:
        same = read_info(path).sha256 == digest
    except (HiphopssError, OSError) as error:
        check.unreadable(depth, "weights", path, error)
        return
    if same:
        check_weights(check, path, depth)
    else:
        told = f"not the weights that made the stems, which have the SHA-256 {digest}: {MOVED}"
        check.found(depth, "weights", path, DIFFERS, told)


def _check_track(check: Check, folder: Path, depth: int) -> None:
    record = folder / TRACK_RECORD
    try:
        song = object_in(record) if os.path.isfile(record) else {}
    except (HiphopssError, OSError) as error:
        check.unreadable(depth, "track", record, error)
        return
    digests, places = as_hashes(song.get("stems")), _places(song)
    digests = {stem: digest for stem, digest in digests.items() if stem in {*SOURCES, *places}}
    if digests:
        names = {stem: Path(places.get(stem, f"{stem}.wav")).name for stem in digests}
        files = {stem: folder / name for stem, name in names.items()}
        state, told = check.problems(files, digests, "written")
        check.found(depth, "track", folder, state, told or counted(len(digests), "stem"))
    else:
        gone = [s for s in SOURCES if not os.path.isfile(folder / f"{s}.wav")]
        told = f"no {' and '.join(gone)}" if gone else "hashes of its stems"
        check.found(depth, "track", folder, MISSING if gone else NOT_RECORDED, told)
    file, digest = as_text(song.get("file")), as_text(song.get("sha256"))
    check_song_file(check, depth + 1, folder.name, file, digest)


def _check_scattered(check: Check, folder: Path, record: Path, depth: int) -> None:
    """Check a track whose stems lie anywhere in the folder of all."""
    try:
        song = object_in(record)
    except (HiphopssError, OSError) as error:
        check.unreadable(depth, "track", record, error)
        return
    places = _places(song)
    digests = {s: digest for s, digest in as_hashes(song.get("stems")).items() if s in places}
    state, told = check.problems({s: folder / places[s] for s in digests}, digests, "written")
    check.found(depth, "track", record, state, told or counted(len(digests), "stem"))
    file, digest = as_text(song.get("file")), as_text(song.get("sha256"))
    check_song_file(check, depth + 1, record.stem, file, digest)


def _places(song: dict[str, Any]) -> dict[str, str]:
    """Where the stems of a track are in the folder of all; none outside of it."""
    files = song.get("files")
    given = files.items() if isinstance(files, dict) else ()
    paths = {stem: path for stem, path in given if isinstance(path, str)}
    return {
        s: p for s, p in paths.items() if not Path(p).is_absolute() and ".." not in Path(p).parts
    }


def _check_stem_file(check: Check, path: Path, depth: int) -> None:
    """Check a stem file by the record in it, which has the hash of what stands before it."""
    try:
        text = read_record_text(path)
        mend = "separate its song again"
        song = {} if text is None else parse_record(text, dict[str, Any], origin=path, mend=mend)
        digest = as_hashes(song.get("stems")).get("stem.mp4")
        same = digest is not None and content_sha256(path) == digest
    except (HiphopssError, OSError) as error:
        check.unreadable(depth, "track", path, error)
        return
    if digest is None:
        check.found(depth, "track", path, NOT_RECORDED, "hashes of its stems")
    elif same:
        check.found(depth, "track", path, OK, "4 stems")
    else:
        check.found(depth, "track", path, DIFFERS, f"{path.name} is not the file that was written")
    check.advance(path.stat().st_size)
    file, digest = as_text(song.get("file")), as_text(song.get("sha256"))
    check_song_file(check, depth + 1, song_name(path), file, digest)


def _is_track(folder: Path) -> bool:
    names = (TRACK_RECORD, *(f"{source}.wav" for source in SOURCES))
    return any(os.path.exists(folder / name) for name in names)
