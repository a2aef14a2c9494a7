"""Checking the folder of a run of ``reproduce``, and what it was made from in its store."""

from __future__ import annotations

import os
from pathlib import Path

from hiphopss.errors import HiphopssError
from hiphopss.reproduction.reproduce import RECORDS
from hiphopss.reproduction.store import (
    ABLATION_OUTCOME_RECORD,
    OUTCOME_RECORD,
    RECORD_ENDING,
    Store,
    digest_of_inputs,
)
from hiphopss.verification.check import Check
from hiphopss.verification.findings import (
    DIFFERS,
    MISSING,
    NOT_RECORDED,
    OK,
    UNREADABLE,
    counted,
    worst,
)
from hiphopss.verification.songs import MOVED
from hiphopss.verification.stems import check_stems
from hiphopss.verification.values import as_hashes, object_in, within
from hiphopss.verification.weights import check_weights
from hiphopss.weights.files import SUFFIX, read_info

OUTCOMES = (OUTCOME_RECORD, ABLATION_OUTCOME_RECORD)


def check_run(check: Check, folder: Path, depth: int) -> None:
    """Check the files of a run, and the weights and estimates from which they were made.

    Parameters
    ----------
    check : Check
        Gets the findings.
    folder : Path
        Folder of the run.
    depth : int
        Depth of the finding.
    """
    files: dict[str, str] = {}
    store: dict[str, str] = {}
    try:
        for name in (*RECORDS, *OUTCOMES):
            if (folder / name).exists():
                record = object_in(folder / name)
                files |= as_hashes(record.get("files")) if name in OUTCOMES else {}
                store |= as_hashes(record.get("store")) if name in OUTCOMES else {}
    except (HiphopssError, OSError) as error:
        check.unreadable(depth, "run", folder, error)
        return
    if not files:
        told = "what it made: it has not ended, or an older version made it"
        check.found(depth, "run", folder, NOT_RECORDED, told)
        return
    check.found(depth, "run", folder, OK, counted(len(files), "file"))
    for name, digest in files.items():
        path = within(folder, name)
        if path is None:
            told = "the record has a file outside of the folder"
            check.found(depth + 1, "file", name, UNREADABLE, told)
            continue
        state, told = check.problem(path, digest, "written")
        check.found(depth + 1, "file", name, state, told)
        if state == OK and name.endswith((SUFFIX, ".pkl")):
            check_weights(check, path, depth + 2)
    _check_store(check, folder, store, depth + 1)


def _check_store(check: Check, folder: Path, store: dict[str, str], depth: int) -> None:
    for name, digest in store.items():
        place = _place(check, folder, name)
        if place is None:
            told = f"not in a store that is found: {MOVED}"
            check.found(depth, name.partition("/")[0], name, MISSING, told)
            continue
        try:
            if place.is_dir():
                # Not what earlier runs remember of the files, but the files themselves.
                same = Store(place / "none", writes=False).files_hash(place) == digest
            else:
                same = read_info(place).sha256 == digest
        except (HiphopssError, OSError) as error:
            check.unreadable(depth, "store", place, error)
            continue
        changed = "not what the run used: it has changed, or was made again"
        state, told = worst([(OK, "") if same else (DIFFERS, changed), _inputs(place)])
        check.found(depth, name.partition("/")[0], place, state, told)
        if place.is_dir():
            check_stems(check, place, depth + 1)
        else:
            check_weights(check, place, depth + 1)


def _place(check: Check, folder: Path, name: str) -> Path | None:
    """Where an output of the store is."""
    for root in (folder / "store", *check.places.folders):
        path = within(root, name)
        if path is not None and os.path.exists(path):
            return path
    return None


def _inputs(place: Path) -> tuple[str, str]:
    """Whether the inputs beside an output are those after which it is named."""
    stem = place.name.removesuffix(SUFFIX)
    path = place.with_name(f"{stem}{RECORD_ENDING}")
    if not path.exists():
        return MISSING, f"{path.name} is not there"
    try:
        same = digest_of_inputs(object_in(path)) == stem.rpartition("-")[2]
    except HiphopssError:
        same = False
    return (OK, "") if same else (DIFFERS, f"{path.name} has other inputs than its name says")
