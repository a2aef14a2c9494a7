"""Checking a feature file, and the songs of which it was made."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

from hiphopss.datasets.features.checksums import compute_checksums, recorded_checksums
from hiphopss.datasets.features.file import FeatureFile
from hiphopss.errors import HiphopssError
from hiphopss.verification.check import Check
from hiphopss.verification.findings import DIFFERS, NOT_RECORDED, OK
from hiphopss.verification.songs import check_songs
from hiphopss.verification.values import as_hashes

Value = TypeVar("Value")


def check_features(check: Check, path: Path, depth: int) -> None:
    """Check a feature file: its frames against their checksums, and its songs.

    Parameters
    ----------
    check : Check
        Gets the findings.
    path : Path
        The file.
    depth : int
        Depth of the finding.
    """
    if check.again(depth, "features", path):
        return
    try:
        with FeatureFile(path) as file:
            stems, paths = as_hashes(file.provenance.get("sha256")), as_hashes(file.paths)
            recorded = recorded_checksums(file)
            computed = compute_checksums(file, check.advance) if recorded is not None else {}
            told = f"augmentation {file.augmentation}, preset {file.fidelity.name}"
    except (HiphopssError, OSError) as error:
        check.unreadable(depth, "features", path, error)
        return
    wrong = [name for name in computed if recorded and computed[name] != recorded.get(name)]
    if recorded is None:
        told = f"checksums of its frames, which older versions don't write; {told}"
        check.found(depth, "features", path, NOT_RECORDED, told)
    elif wrong:
        told = f"the frames of {' and of '.join(wrong)} have changed: make it again"
        check.found(depth, "features", path, DIFFERS, told)
    else:
        check.found(depth, "features", path, OK, f"frames match their checksums, {told}")
    places = {label: Path(place) for label, place in paths.items()}
    check_songs(check, depth + 1, by_song(stems), by_song(places))


def by_song(stems: dict[str, Value]) -> dict[str, dict[str, Value]]:
    """Group what is known of stems ``SUBSET/NAME/SOURCE`` by song."""
    found: dict[str, dict[str, Value]] = {}
    for stem, value in stems.items():
        label, _, source = stem.rpartition("/")
        found.setdefault(label, {})[source] = value
    return found
