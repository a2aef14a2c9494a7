"""Verifying artefacts: telling their kinds apart, and checking each with what it was made from."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from hiphopss.config import SEPARATION_RECORD
from hiphopss.datasets.features.file import is_feature_file
from hiphopss.datasets.fetch.unzip import RECORD as DOWNLOADED
from hiphopss.datasets.layouts import layout_of
from hiphopss.datasets.roots import RECORD as GENERATED
from hiphopss.errors import HiphopssError
from hiphopss.reproduction.reproduce import RECORDS
from hiphopss.util.progress import BYTES, progress_bar
from hiphopss.verification.check import Check
from hiphopss.verification.features import check_features
from hiphopss.verification.findings import Verification
from hiphopss.verification.places import Places, is_own
from hiphopss.verification.runs import OUTCOMES, check_run
from hiphopss.verification.scores import check_scores
from hiphopss.verification.sets import check_set
from hiphopss.verification.stems import check_stems
from hiphopss.verification.weights import CHECKPOINT, check_weights
from hiphopss.weights.exporting.formats import FORMATS
from hiphopss.weights.registry import resolve_weights

_Checker = Callable[[Check, Path, int], None]


def verify(
    paths: str | Path | Iterable[str | Path],
    *,
    look_in: str | Path | Iterable[str | Path] = (),
    progress: bool = True,
) -> Verification:
    """Check artefacts against their records, and what they were made from, back to the songs.

    Nothing is written. What an artefact was made from is found by its hash: near the artefact, in
    the working directory, and in ``look_in``; songs of features also where they were.

    Parameters
    ----------
    paths : path-like or iterable of path-like
        Weight files (own or published, or names in the registry), checkpoints, feature files,
        folders of stems, tables of scores, folders of runs of ``reproduce``, and data sets.
    look_in : path-like or iterable of path-like
        Files and folders in which songs, features, weights and stems may be, too.
    progress : bool
        Show a progress bar of the bytes that are read.

    Returns
    -------
    Verification
        Findings: what is as it was, differs, is missing, was never recorded, or can't be read.

    Raises
    ------
    HiphopssError
        If a path does not exist, or is nothing that can be verified.
    """
    given = [Path(place) for place in _listed(look_in)]
    for place in given:
        if not place.exists():
            raise HiphopssError(f"{place}: no such file or folder to look in: check the path")
    artefacts = [_kind(path) for path in _listed(paths)]
    findings = []
    with progress_bar(desc="verify", show=progress, **BYTES) as bar:
        for path, check_it in artefacts:
            check = Check(Places(path, given), bar)
            check_it(check, path, 0)
            findings += check.findings
    return Verification(tuple(findings))


def _listed(paths: str | Path | Iterable[str | Path]) -> list[str | Path]:
    return [paths] if isinstance(paths, str | Path) else list(paths)


def _kind(given: str | Path) -> tuple[Path, _Checker]:
    """The artefact that a path stands for, and the function that checks it."""
    path = Path(given)
    if not path.exists():
        try:
            return resolve_weights(given), check_weights
        except HiphopssError as error:
            if "neither" not in str(error):
                raise
            raise HiphopssError(f"{given}: no such file or folder: check the path") from error
    if path.is_dir():
        return _folder(path)
    if path.is_file():
        records = {
            **dict.fromkeys((SEPARATION_RECORD, GENERATED, DOWNLOADED)),
            **dict.fromkeys((*RECORDS, *OUTCOMES)),
        }
        if path.name in records:
            return _folder(path.parent)
        if path.suffix.lower() == ".json" and path.with_suffix(".csv").is_file():
            return path.with_suffix(".csv"), check_scores
        if path.suffix.lower() == ".csv":
            return path, check_scores
        if is_own(path) and is_feature_file(path):
            return path, check_features
        if is_own(path) or path.suffix.lower() in (".pkl", ".h5", ".hdf5"):
            return path, _weights_or_checkpoint
    if exported := next((f for f in FORMATS.values() if path.name.endswith(f.suffix)), None):
        raise HiphopssError(
            f"{given}: an exported network ({exported.suffix}), which was compared with its "
            "weights when it was written, and has no record to verify: export it again, or verify "
            "the weights"
        )
    raise HiphopssError(
        f"{given}: nothing that can be verified: name weights, a checkpoint, features, a table of "
        "scores, a folder of stems, a run or a data set"
    )


def _folder(path: Path) -> tuple[Path, _Checker]:
    names: dict[str, _Checker] = {SEPARATION_RECORD: check_stems}
    names |= dict.fromkeys((*RECORDS, *OUTCOMES), check_run)
    names |= dict.fromkeys((GENERATED, DOWNLOADED), check_set)
    for name, check_it in names.items():
        if (path / name).exists():
            return path, check_it
    if (path.absolute().parent / SEPARATION_RECORD).exists():  # one song's stems
        return path.absolute().parent, check_stems
    if layout_of(path) is not None:
        return path, check_set
    raise HiphopssError(
        f"{path}: no {SEPARATION_RECORD} of stems in it, nor the record of a run, nor a data set: "
        "name what is to be verified"
    )


def _weights_or_checkpoint(check: Check, path: Path, depth: int) -> None:
    kind = CHECKPOINT if ".checkpoint." in path.name else "weights"
    check_weights(check, path, depth, kind)
