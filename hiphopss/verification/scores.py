"""Checking a table of scores: the table, the references, and the estimates with their makers."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hiphopss.config import SEPARATION_RECORD
from hiphopss.datasets.names import same_song
from hiphopss.datasets.songs import song_at, song_folders
from hiphopss.errors import HiphopssError
from hiphopss.eval.aggregate import summary_path
from hiphopss.eval.table import read_rows, record_path
from hiphopss.verification.check import Check
from hiphopss.verification.findings import (
    DIFFERS,
    MISSING,
    NOT_RECORDED,
    OK,
    STATES,
    counted,
    worst,
)
from hiphopss.verification.songs import MOVED, check_songs
from hiphopss.verification.stems import check_stems
from hiphopss.verification.values import as_hashes, as_object, as_text, object_in


def check_scores(check: Check, path: Path, depth: int) -> None:
    """Check a table of scores with its record and its summary.

    Parameters
    ----------
    check : Check
        Gets the findings.
    path : Path
        The table, a CSV file.
    depth : int
        Depth of the finding.
    """
    if check.again(depth, "scores", path):
        return
    record: dict[str, Any] = {}
    own = record_path(path)
    try:
        rows = read_rows(path)
        if own.exists():
            record = object_in(own)
    except (HiphopssError, OSError) as error:
        check.unreadable(depth, "scores", path, error)
        return
    if not own.exists():
        told = f"{own.name}, which says what was scored: put it beside the table"
        check.found(depth, "scores", path, MISSING, told)
        return
    models = as_object(record.get("models"))
    _check_table(check, path, record, {row.model for row in rows} - models.keys(), depth)
    references = {
        label: as_hashes(files) for label, files in as_object(record.get("references")).items()
    }
    check_songs(check, depth + 1, references, made="scored against")
    for model, told in models.items():
        _check_model(check, model, as_object(told), depth + 1)


def _check_table(
    check: Check, path: Path, record: dict[str, Any], strange: set[str], depth: int
) -> None:
    digests = as_hashes(record.get("sha256"))
    if not digests:
        check.found(depth, "scores", path, NOT_RECORDED, "the SHA-256 of the table")
        return
    files = {"table": path, "summary": summary_path(path)}
    found = [check.problems(files, digests, "written")]
    if strange:
        found.append((DIFFERS, f"its record does not have {', '.join(sorted(strange))}"))
    state, told = worst(found)
    check.found(depth, "scores", path, state, told or "table and summary match their SHA-256")


def _check_model(check: Check, model: str, told: dict[str, Any], depth: int) -> None:
    """Check the estimates of a model; those of baselines were computed from the references."""
    songs = {label: as_hashes(files) for label, files in as_object(told.get("estimates")).items()}
    made = as_object(told.get("provenance"))
    if not songs:
        computed = "estimates" in told  # older versions recorded nothing of them
        what = "computed from the references" if computed else "the hashes of what was scored"
        check.found(depth, "estimates", model, OK if computed else NOT_RECORDED, what)
        return
    best: tuple[Path, str, str] | None = None
    for folder in check.places.estimates(model, as_text(made.get("sha256"))):
        state, problem = _compared(check, folder, songs)
        if best is None or STATES.index(state) < STATES.index(best[1]):
            best = folder, state, problem
    if best is None:
        check.found(depth, "estimates", model, MISSING, f"not found: {MOVED}")
        return
    folder, state, problem = best
    told_of = problem or f"{counted(len(songs), 'song')} of model {model}, as scored"
    check.found(depth, "estimates", folder, state, told_of)
    if (folder / SEPARATION_RECORD).exists():
        check_stems(check, folder, depth + 1)


def _compared(
    check: Check, folder: Path, songs: Mapping[str, Mapping[str, str]]
) -> tuple[str, str]:
    """The state of a folder of estimates."""
    found = []
    try:
        there = {path.name: path for path in song_folders(folder)}
        for label, digests in sorted(songs.items()):
            name = label.rpartition("/")[2]
            alike = (path for other, path in there.items() if same_song(name, other))
            own = there.get(name) or next(alike, None)
            stems = song_at(own).stems if own else {}
            if not stems and len(songs) == 1:  # a page of one song has no folder for it
                stems = song_at(folder).stems
            state, told = check.problems(stems, digests, "scored")
            if state != OK:
                found.append((state, f"{name}: {told}"))
    except (HiphopssError, OSError) as error:
        found.append((DIFFERS, str(error)))
    return worst(found)
