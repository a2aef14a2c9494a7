"""Checking a weight file or a checkpoint, and what it was trained on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hiphopss.errors import HiphopssError
from hiphopss.training.checkpoints import has_its_state
from hiphopss.util.files import sha256_of
from hiphopss.verification.check import Check
from hiphopss.verification.features import by_song, check_features
from hiphopss.verification.findings import DIFFERS, MISSING, NOT_RECORDED, OK, UNREADABLE
from hiphopss.verification.places import is_own
from hiphopss.verification.songs import MOVED, check_songs
from hiphopss.verification.values import as_hashes, as_object, as_text
from hiphopss.weights.files import read_info, read_weights
from hiphopss.weights.registry import Entry, registry

CHECKPOINT = "checkpoint"
"""Kind of a weight file that also has the state of a training."""


def check_weights(check: Check, path: Path, depth: int, kind: str = "weights") -> None:
    """Check a weight file: its arrays, the features it was trained on, and what it started from.

    Parameters
    ----------
    check : Check
        Gets the findings.
    path : Path
        The project's own ``.weights.h5``, a checkpoint, or a published ``.pkl``.
    depth : int
        Depth of the finding.
    kind : str
        What it is called.
    """
    if check.again(depth, kind, path):
        return
    try:
        info = read_info(path)
    except (HiphopssError, OSError) as error:
        check.unreadable(depth, kind, path, error)
        return
    entry = _known(path)
    try:
        read_weights(path)
        check.advance(path.stat().st_size)
    except HiphopssError as error:  # the record can be read, but the arrays are others
        check.found(depth, kind, path, DIFFERS, str(error).removeprefix(f"{path}: "))
    else:
        told = f"arrays match their SHA-256, finite, preset {info.fidelity.name}"
        if not is_own(path):
            told = f"finite, preset {info.fidelity.name}; a published file, SHA-256 {info.sha256}"
        other = entry is not None and sha256_of(path) != entry.sha256
        if other:
            told = "not the file that the registry lists under this name: get it again"
        state = DIFFERS if other else OK
        if state == OK and kind == CHECKPOINT:
            state, told = _state(path, told)
        check.found(depth, kind, path, state, told)
    _check_origin(check, info.provenance, depth + 1, shipped=entry is not None and entry.shipped)


def _state(path: Path, told: str) -> tuple[str, str]:
    """Whether the optimiser's state in a checkpoint is well, besides its weights."""
    try:
        same = has_its_state(path)
    except (HiphopssError, OSError) as error:
        return UNREADABLE, str(error).removeprefix(f"{path}: ")
    if same is None:
        return NOT_RECORDED, f"the hash of the state of the training; {told}"
    if not same:
        return DIFFERS, "the state of the training has changed: train again with --restart"
    return OK, f"{told}; so is the state of the training"


def _known(path: Path) -> Entry | None:
    """The entry of the registry that a file must match; None if it is no such file."""
    for entry in registry():
        named = entry.sha256 and path.name == entry.file
        if named and (not entry.shipped or sha256_of(path) == entry.sha256):
            return entry
    return None


def _check_origin(check: Check, made: dict[str, Any], depth: int, *, shipped: bool) -> None:
    """Check what weights were trained on."""
    identity, init = as_text(made.get("features")), as_text(made.get("init"))
    stems = as_hashes(made.get("stems"))
    if init:
        path = check.places.weights(init)
        if path is None:
            told = f"the weights that the training started from, SHA-256 {init}: {MOVED}"
            check.found(depth, "weights", "", MISSING, told)
        else:
            check_weights(check, path, depth)
    if not identity and stems:  # of `adapt`, which makes no features
        check_songs(check, depth, by_song(stems))
        return
    if not identity:
        check.found(depth, "features", "", NOT_RECORDED, "what the weights were trained on")
        return
    if shipped and not stems:
        check.found(depth, "features", "", NOT_RECORDED, "not shipped, nor are the songs")
        return
    _check_training(check, depth, identity, stems)
    validation = as_text(as_object(made.get("validation")).get("features"))
    if validation:
        _check_training(check, depth, validation, {}, "validation")


def _check_training(
    check: Check, depth: int, identity: str, stems: dict[str, str], kind: str = "features"
) -> None:
    """Check a feature file, or else the songs by the hashes that the weights have of them."""
    path = check.places.features(identity)
    if path is not None:
        check_features(check, path, depth)
        return
    told = f"not found: {MOVED}"
    check.found(depth, kind, f"identity {identity[:16]}", MISSING, told)
    if kind == "features":
        check_songs(check, depth + 1, by_song(stems))
