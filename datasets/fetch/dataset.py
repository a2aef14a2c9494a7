"""The known data sets: downloading the archive, checking it, and unpacking it.

What is known of an archive (its DOI, name, size and MD5) is in ``sets.toml``.
"""

from __future__ import annotations

import logging
import re
import zipfile
from pathlib import Path
from typing import Any

from hiphopss.datasets.fetch.download import (
    ZENODO,
    RemoteFile,
    download,
    md5_of,
    zenodo_files,
)
from hiphopss.datasets.fetch.unzip import unzip
from hiphopss.datasets.roots import facts
from hiphopss.errors import HiphopssError
from hiphopss.util.extras import require
from hiphopss.util.files import amount, require_space
from hiphopss.util.locks import helper_beside, locked

logger = logging.getLogger(__name__)

DATASETS = ("hhds", "musdb18hq", "musdb18", "dsd100")
"""Data sets that can be unpacked; all but DSD100 can be downloaded by their DOI."""


def download_dataset(
    dataset: str,
    folder: str | Path,
    *,
    archive: str | Path | None = None,
    base_url: str | None = None,
    progress: bool = True,
) -> Path:
    """Download a data set from Zenodo by its DOI, check it, and unpack it.

    The archive is kept beside ``folder`` under a name that starts with a dot until it is unpacked,
    then removed. An interrupted download is resumed, in the same call or the next. ``folder``
    appears when it is complete. Its ``downloaded.json`` has the size and CRC-32 of each file.

    Parameters
    ----------
    dataset : str
        One of :data:`DATASETS`. DSD100 has no DOI, so it needs ``archive``.
    folder : path-like
        The new root. If it already is or contains a root, nothing is downloaded.
    archive : path-like, optional
        Archive that was downloaded by other means. Its size and MD5 are checked if they are known;
        it is unpacked and kept.
    base_url : str, optional
        Address of a server with Zenodo's API; by default Zenodo itself.
    progress : bool
        Show progress bars on standard error.

    Returns
    -------
    Path
        The data set's root.

    Raises
    ------
    HiphopssError
        If ``folder`` holds other files, the server can't be reached or sends wrong data, the record
        or the archive is not the known one, the disk is too small, the archive is not safe to
        unpack, there is nowhere to download the data set from, or another run downloads it there.

    Logs
    ----
    INFO
        The licence; and, before the download, the archive's size, address and checksum.
    WARNING
        If the record has several zip files and none is known, of which the largest is used.
    """
    if dataset not in DATASETS:
        raise HiphopssError(f"data set {dataset!r}: choose one of {', '.join(DATASETS)}")
    known, folder = facts()[dataset], Path(folder)
    there = _existing_root(folder, known["holding"])
    if there is not None:
        logger.info("%s: a data set is there already, so nothing is downloaded", there)
        return there
    if archive is None and "doi" not in known:
        raise HiphopssError(
            f"{known['title']}: has no DOI to download it by: get {known['archive']} (MD5 "
            f"{known['md5']}) from {known['get']}, and add --archive {known['archive']}"
        )
    if archive is None:
        require("download", "requests", otherwise=", or add --archive with the archive")
    else:
        _require_known(Path(archive), known, progress)
    logger.info("%s: licence: %s", known["title"], known["licence"])
    with locked(folder, wait=False):
        there = _existing_root(folder, known["holding"])
        if there is not None:  # another run has just made it
            return there
        path = Path(archive) if archive is not None else _fetch(folder, known, base_url, progress)
        told = {
            "set": dataset,
            **{name: known[name] for name in ("doi", "archive", "md5") if name in known},
        }
        unzip(path, folder, holding=known["holding"], told=told, progress=progress)
        if archive is None:
            path.unlink()
    return folder


def _existing_root(folder: Path, holding: list[str]) -> Path | None:
    """The root that a folder is or contains; None if the folder is new or empty."""
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return None
    inner = sorted(path for path in folder.glob("*") if not path.name.startswith("."))
    roots = [path for path in (folder, *inner) if all((path / name).is_dir() for name in holding)]
    if not roots:
        raise HiphopssError(f"{folder}: is there, but no data set is in it: choose a new folder")
    if len(roots) > 1 and roots[0] != folder:
        names = ", ".join(path.name for path in roots)
        raise HiphopssError(f"{folder}: has several data sets in it ({names}): choose a new folder")
    return roots[0]


def _fetch(folder: Path, known: dict[str, Any], base_url: str | None, progress: bool) -> Path:
    """Download the archive, saying before what will come."""
    folder = folder.absolute()
    page = f"https://doi.org/{known['doi']}"
    file = _archive_of(zenodo_files(known["doi"], base_url=base_url or ZENODO), known, page)
    # The checksum in the name prevents resuming the download of another version.
    name = f"{folder.name}-{file.checksum[-8:]}.zip.part"
    part = helper_beside(folder.with_name(name), ".")
    path = part.with_suffix("")
    here = next((p.stat().st_size for p in (path, part) if p.exists()), 0)
    logger.info(
        "%s: %s from %s, MD5 %s%s",
        *(file.name, amount(file.size), page, file.checksum.removeprefix("md5:")),
        f"; {amount(here)} of it came before" if here else "",
    )
    # How large the content is, is only known when the archive is here; it is not smaller.
    require_space(folder.parent, 2 * file.size - here, f"{file.name} with its content (at least)")
    return download(file, path, page=page, progress=progress)


def _archive_of(files: list[RemoteFile], known: dict[str, Any], page: str) -> RemoteFile:
    """The data set's archive among the files of its record."""
    doi, name = known["doi"], known.get("archive")
    zips = sorted((f for f in files if f.name.lower().endswith(".zip")), key=lambda f: f.size)
    if name is not None:
        zips = [file for file in zips if file.name == name]
    if not zips:
        names = ", ".join(file.name for file in files) or "nothing"
        raise HiphopssError(
            f"doi {doi}: no {name or '.zip'} in the record, which lists {names}: "
            f"download {known['title']} from {page} and unpack it"
        )
    file = zips[-1]
    if len(zips) > 1:
        others = ", ".join(file.name for file in zips[:-1])
        logger.warning(
            "doi %s: several archives: taking %s, the largest, and not %s",
            *(doi, file.name, others),
        )
    said = {"size": file.size, "md5": file.checksum.removeprefix("md5:")}
    if any(known.get(what, value) != value for what, value in said.items()):
        raise HiphopssError(
            f"doi {doi}: the record says {file.name} has {file.size} bytes and MD5 {said['md5']}, "
            f"but {file.name} of {known['title']} is known to have {known['size']} and "
            f"{known['md5']}: try again later, or look at {page}"
        )
    return file


def _require_known(archive: Path, known: dict[str, Any], progress: bool) -> None:
    """Check an archive that was downloaded by other means, as far as it is known."""
    if not archive.is_file():
        raise HiphopssError(f"{archive}: no such file: check the path")
    title, size = known["title"], archive.stat().st_size
    if size != known.get("size", size):
        raise HiphopssError(
            f"{archive}: has {size} bytes, but {known['archive']} of {title} has {known['size']}: "
            "cut off, or another file: download it again"
        )
    if "md5" not in known or (md5 := md5_of(archive, progress=progress)) == known["md5"]:
        return
    found = f"{archive}: its MD5 is {md5}, but that of {known['archive']} is {known['md5']}"
    sample = known.get("sample")
    if sample and _song_numbers(archive) == set(sample["numbers"]):
        numbers = ", ".join(sample["numbers"])
        raise HiphopssError(
            f"{found}: this is probably {sample['archive']}, the four songs {numbers}: unpack it "
            f"by hand, and name the folder where that of {title} is wanted"
        )
    raise HiphopssError(f"{found}: cut off, or another file: download it again")


def _song_numbers(archive: Path) -> set[str]:
    """The numbers in front of the songs in an archive in the layout of DSD100, if it has any."""
    try:
        with zipfile.ZipFile(archive) as opened:
            names = opened.namelist()
    except (OSError, zipfile.BadZipFile):
        return set()
    return {found[1] for name in names if (found := re.search(r"/(?:Dev|Test)/(\d{3}) - ", name))}
