"""Checking data sets: generated ones, downloaded ones, and others, of which nothing is recorded."""

from __future__ import annotations

import os
import zlib
from pathlib import Path
from typing import Any

from hiphopss.datasets.fetch.unzip import RECORD as DOWNLOADED
from hiphopss.datasets.layouts import MIXTURE
from hiphopss.datasets.roots import RECORD as GENERATED
from hiphopss.datasets.songs import find_songs
from hiphopss.errors import HiphopssError
from hiphopss.verification.check import Check
from hiphopss.verification.findings import DIFFERS, MISSING, NOT_RECORDED, OK, UNREADABLE, counted
from hiphopss.verification.values import (
    as_hashes,
    as_object,
    as_text,
    is_plain,
    object_in,
    within,
)

_CHUNK = 1 << 20


def check_set(check: Check, root: Path, depth: int) -> None:
    """Check the files of a data set, as far as its root has a record of them.

    Parameters
    ----------
    check : Check
        Gets the findings.
    root : Path
        Root of the data set.
    depth : int
        Depth of the finding.
    """
    try:
        if (root / GENERATED).exists():
            _check_generated(check, root, depth)
        elif (root / DOWNLOADED).exists():
            _check_downloaded(check, root, depth)
        else:
            n_songs = len(find_songs(root))
            told = f"nothing of its {counted(n_songs, 'song')}; what is made of them knows them"
            check.found(depth, "songs", root, NOT_RECORDED, told)
    except (HiphopssError, OSError) as error:
        check.unreadable(depth, "songs", root, error)


def _check_generated(check: Check, root: Path, depth: int) -> None:
    record = object_in(root / GENERATED)
    songs = record.get("songs")
    songs = songs if isinstance(songs, list) else []
    told = f"{counted(len(songs), 'generated song')}, seed {record.get('seed')}"
    check.found(depth, "songs", root, OK if songs else UNREADABLE, told)
    for song in map(as_object, songs):
        name, split = as_text(song.get("name")), as_text(song.get("split"))
        digests = as_hashes(song.get("sha256"))
        if not is_plain(name) or not is_plain(split):
            told = f"{GENERATED} has a song whose name leads out of the folder"
            check.found(depth + 1, "song", name, UNREADABLE, told)
        elif not digests:
            told = "hashes of its files, which older versions don't write"
            check.found(depth + 1, "song", name, NOT_RECORDED, told)
        else:
            files = {
                source: root / ("Mixtures" if source == MIXTURE else "Sources") / split / name
                for source in filter(is_plain, digests)
            }
            files = {source: folder / f"{source}.wav" for source, folder in files.items()}
            state, told = check.problems(files, digests, "generated")
            check.found(depth + 1, "song", name, state, told or counted(len(digests), "file"))


def _check_downloaded(check: Check, root: Path, depth: int) -> None:
    record = object_in(root / DOWNLOADED)
    files = as_object(record.get("files"))
    n_wrong = 0
    for name, told in sorted(files.items()):
        state, problem = _compared(check, root, name, told)
        if state != OK:
            n_wrong += 1
            check.found(depth + 1, "file", name, state, problem)
    name = as_text(record.get("archive")) or as_text(record.get("set"))
    if not files:
        check.found(depth, "songs", root, UNREADABLE, f"{DOWNLOADED} lists no files")
    elif not n_wrong:
        told = f"what {name} holds, by the CRC-32 of {counted(len(files), 'file')}"
        check.found(depth, "songs", root, OK, told)


def _compared(check: Check, root: Path, name: str, told: Any) -> tuple[str, str]:
    """The state of a file that was unpacked."""
    path = within(root, name)
    if path is None or not (isinstance(told, list) and len(told) == 2):
        return UNREADABLE, f"{DOWNLOADED} has an entry that is none"
    if not os.path.exists(path):  # also if the name is too long
        return MISSING, "not there: download the set again"
    changed = "not the file that was unpacked: download the set again"
    if not path.is_file() or path.stat().st_size != told[0]:
        return DIFFERS, changed
    crc = 0
    with open(path, "rb") as file:
        while chunk := file.read(_CHUNK):
            crc = zlib.crc32(chunk, crc)
            check.advance(len(chunk))
    return (OK, "") if crc == told[1] else (DIFFERS, changed)
