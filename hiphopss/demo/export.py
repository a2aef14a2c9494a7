"""Exporting the demo as a static site, with every song separated by every model."""

from __future__ import annotations

import json
import logging
import os
import shutil
import tempfile
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from hiphopss.demo.device.models import address_of, usable, write_weights
from hiphopss.demo.device.offline import ICONS, make_app
from hiphopss.demo.limits import Limits
from hiphopss.demo.results import add_model
from hiphopss.demo.service import Catalogue, begin_result, site_description, static_files
from hiphopss.errors import HiphopssError
from hiphopss.util.extras import require
from hiphopss.util.files import filled_whole
from hiphopss.util.progress import progress_bar
from hiphopss.util.records import read_record

logger = logging.getLogger(__name__)

EXPORT_RECORD = "export.json"
"""File that lists the files of an export, so that the next export replaces only these."""


@dataclass(frozen=True)
class _Export:
    """The content of ``export.json``."""

    files: list[str]


def export_site(
    folder: str | Path,
    *,
    weights: Iterable[str | Path] | None = None,
    songs: str | Path | None = None,
    seconds: float = 16.0,
    progress: bool = True,
) -> Path:
    """Write a static site like the paper's demo, which any web server can serve.

    Parameters
    ----------
    folder : path-like
        A new or empty folder, or one with an earlier export, whose files are replaced when the new
        ones are ready; other files stay.
    weights, songs, seconds
        As in :class:`hiphopss.demo.service.Catalogue`.
    progress : bool
        Show a progress bar on standard error.

    Returns
    -------
    Path
        The given folder.

    Raises
    ------
    HiphopssError
        If the folder holds anything else, if a user's file is in the place of a new one, or if
        weights or songs can't be used.

    Logs
    ----
    WARNING
        For each song that is left out, for example because it can't be read to its end.
    """
    folder = Path(folder)
    earlier = _earlier_files(folder)
    require("demo", "matplotlib", *(["espeakng_loader"] if songs is None else []))
    with tempfile.TemporaryDirectory(prefix="hiphopss-demo-") as scratch:
        catalogue = Catalogue(Path(scratch), weights=weights, songs=songs, seconds=seconds)
        results = [f"results/{song}/result.json" for song in catalogue.songs]
        models = [model for model in catalogue.models.values() if usable(model)]
        weights_files = [address_of(model) for model in models]
        known = [*static_files(), *ICONS, "site.json", *weights_files, *results]
        _require_free(folder, known, earlier)  # raises now rather than after the separations
        with filled_whole(folder) as site:
            for name, path in static_files().items():
                (site / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, site / name)
            for model in models:
                write_weights(model, site / address_of(model))
            addresses = _write_results(site, catalogue, progress=progress)
            description = site_description(catalogue, Limits(), addresses, folder=site)
            _write_json(site / "site.json", description)
            make_app(site)
            files = [path.relative_to(site) for path in site.rglob("*") if path.is_file()]
            written = {path.as_posix() for path in [*files, Path(EXPORT_RECORD)]}
            _write_json(site / EXPORT_RECORD, {"files": sorted(written)})
            _require_free(folder, written, earlier)
            if folder.exists():
                _move_nested(site, folder)
                _remove(folder, [file for file in earlier if file.as_posix() not in written])
    return folder


def _require_free(folder: Path, names: Iterable[str], earlier: list[PurePosixPath]) -> None:
    """Raise if a new file would replace anything that is not part of the earlier export."""
    replaced = set(earlier)
    for name in map(PurePosixPath, sorted(names)):
        path = folder / name
        above = [folder / parent for parent in name.parents]
        taken = [parent for parent in above if os.path.lexists(parent) and not parent.is_dir()]
        if os.path.lexists(path) and (path.is_dir() or name not in replaced):
            taken.append(path)
        if taken:
            raise HiphopssError(
                f"{taken[0]}: not of the earlier export, and in the way of the new one: "
                "move it, or choose another folder"
            )


def _earlier_files(folder: Path) -> list[PurePosixPath]:
    """List the files of an earlier export; raise if the folder holds anything else."""
    if not folder.is_dir() or not any(folder.iterdir()):
        return []
    try:
        record = read_record(folder / EXPORT_RECORD, _Export, mend="choose another folder")
    except HiphopssError as error:
        raise HiphopssError(
            f"{folder}: holds something that is not an export of the demo: choose another folder"
        ) from error
    files = [PurePosixPath(name) for name in record.files]
    if any(file.is_absolute() or ".." in file.parts or "\0" in str(file) for file in files):
        raise HiphopssError(
            f"{folder / EXPORT_RECORD}: names files elsewhere: choose another folder"
        )
    return files


def _remove(folder: Path, files: list[PurePosixPath]) -> None:
    """Remove files, and the folders that become empty."""
    for path in (folder / file for file in files):
        if path.is_file() or path.is_symlink():
            path.unlink()
    parents = {parent for file in files for parent in file.parents if parent.parts}
    for parent in sorted(parents, key=lambda path: -len(path.parts)):
        with suppress(OSError):
            (folder / parent).rmdir()


def _move_nested(site: Path, folder: Path) -> None:
    """Move the files of subfolders, which may still contain a user's files."""
    for path in [path for path in site.rglob("*") if path.is_file() and path.parent != site]:
        target = folder / path.relative_to(site)
        target.parent.mkdir(parents=True, exist_ok=True)
        os.replace(path, target)
    for subfolder in [path for path in site.iterdir() if path.is_dir()]:
        shutil.rmtree(subfolder)


def _write_results(site: Path, catalogue: Catalogue, *, progress: bool) -> dict[str, str]:
    """Separate every song with every model; return the addresses of the results."""
    songs, models = catalogue.songs.values(), catalogue.models.values()
    addresses, problems = {}, []
    n_versions = 1 + len(models)
    total = len(songs) * n_versions
    with progress_bar(total=total, desc="export", unit="version", show=progress) as bar:
        for number, song in enumerate(songs, 1):
            folder = site / "results" / song.id
            folder.mkdir(parents=True)
            try:
                result = begin_result(song, folder, id=song.id, report=_nothing)
                bar.update()
                for model in models:
                    add_model(result, model, report=_nothing)
                    bar.update()
            except HiphopssError as error:
                problems.append(error)
                shutil.rmtree(folder)
                bar.update(number * n_versions - bar.n)
                continue
            _write_json(folder / "result.json", result.description())
            addresses[song.id] = f"results/{song.id}/result.json"
    if not addresses:
        raise problems[0]
    for problem in problems:
        logger.warning("%s (the song is left out)", problem)
    return addresses


def _nothing(stage: str, fraction: float) -> None:
    """Ignore the progress within a version, because only the bar shows progress here."""


def _write_json(path: Path, content: dict) -> None:
    path.write_text(json.dumps(content, ensure_ascii=False) + "\n", "utf-8")
