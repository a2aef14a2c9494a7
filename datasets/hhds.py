"""HHDS, the hip hop data set of the paper (section 3.1; docs/released-code.md, section 7).

18 songs, 13 Dev and 5 Test, mono, 44.1 kHz, in the layout of DSD100. The archive also holds three
songs of DSD100, which do not belong to HHDS.
"""

from __future__ import annotations

import logging
from pathlib import Path

from hiphopss.datasets.fetch.download import ZENODO, download, zenodo_files
from hiphopss.datasets.fetch.unzip import unzip
from hiphopss.datasets.roots import all_songs, facts, find_root, warn_unless_complete
from hiphopss.datasets.songs import Song
from hiphopss.datasets.testsets import is_hhds_guest
from hiphopss.errors import HiphopssError

logger = logging.getLogger(__name__)


def download_hhds(
    folder: str | Path,
    *,
    archive: str | Path | None = None,
    base_url: str | None = None,
    progress: bool = True,
) -> Path:
    """Download HHDS from Zenodo by its DOI, and unpack it.

    The archive is checked against Zenodo's checksum, kept beside ``folder`` under a name that
    starts with a dot until it is unpacked, then removed. An interrupted download is resumed, in the
    same call or the next. ``folder`` appears when it is complete.

    Parameters
    ----------
    folder : path-like
        The new root. If it already is or contains a root, nothing is downloaded.
    archive : path-like, optional
        Archive that was downloaded by other means; it is unpacked and kept.
    base_url : str, optional
        Address of a server with Zenodo's API; by default Zenodo itself.
    progress : bool
        Show progress bars on standard error.

    Returns
    -------
    Path
        The data set's root, in the layout of DSD100.

    Raises
    ------
    HiphopssError
        If ``folder`` holds other files, the server can't be reached or sends wrong data, the disk
        is full, or the archive is not safe to unpack.

    Logs
    ----
    WARNING
        If the record has several zip files, of which the largest is used.
    """
    folder = Path(folder)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        try:
            return find_root(folder)
        except HiphopssError as error:
            raise HiphopssError(
                f"{folder}: is there, but no data set is in it: choose a new folder"
            ) from error
    if archive is not None:
        return unzip(archive, folder, holding="Sources", progress=progress)
    fetched = _fetch(folder.absolute(), base_url, progress)
    unzip(fetched, folder, holding="Sources", progress=progress)
    fetched.unlink()
    return folder


def _fetch(folder: Path, base_url: str | None, progress: bool) -> Path:
    doi = facts()["hhds"]["doi"]
    files = zenodo_files(doi, base_url=base_url or ZENODO)
    zips = sorted((f for f in files if f.name.lower().endswith(".zip")), key=lambda f: f.size)
    if not zips:
        names = ", ".join(f.name for f in files) or "nothing"
        raise HiphopssError(
            f"doi {doi}: no .zip in the record, which lists {names}: "
            f"download HHDS from https://doi.org/{doi} and unpack it"
        )
    if len(zips) > 1:
        others = ", ".join(f.name for f in zips[:-1])
        logger.warning(
            "doi %s: several archives: taking %s, the largest, and not %s",
            *(doi, zips[-1].name, others),
        )
    # The checksum in the name prevents resuming the download of another version.
    path = folder.with_name(f".{folder.name}-{zips[-1].checksum[-8:]}.zip")
    return download(zips[-1], path, page=f"https://doi.org/{doi}", progress=progress)


def hhds_songs(root: str | Path) -> list[Song]:
    """List the songs of HHDS, 13 Dev and 5 Test: those in the archive except the three of DSD100.

    Otherwise as in :func:`hiphopss.datasets.dsd100.dsd100_songs`.
    """
    root = find_root(root)
    songs = [song for song in all_songs(root) if not is_hhds_guest(song)]
    warn_unless_complete("hhds", songs, root)
    return songs
