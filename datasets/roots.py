"""Finding the data sets, and the facts that are known about them.

The facts about HHDS and DSD100 are in ``sets.toml`` beside this module (docs/released-code.md,
section 7).
"""

from __future__ import annotations

import logging
import os
import tomllib
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from hiphopss.datasets.layouts import SUBSETS, layout_of
from hiphopss.datasets.songs import Song, no_root, read_songs
from hiphopss.errors import HiphopssError
from hiphopss.util.records import read_object

logger = logging.getLogger(__name__)

RECORD = "generated.json"
"""File in the root of a generated set that lists its songs' names, splits and styles."""


@dataclass(frozen=True)
class _Made:
    """A generated song."""

    name: str
    split: str
    style: str | None = None


@dataclass(frozen=True)
class _Generated:
    """The content of ``generated.json``; what else it tells is for people."""

    songs: list[_Made]


@lru_cache
def facts() -> dict[str, Any]:
    """The content of ``sets.toml``."""
    return tomllib.loads(files(__package__).joinpath("sets.toml").read_text("utf-8"))


def dataset_root(dataset: str, given: str | Path | None = None) -> Path:
    """Find the root of a data set, as given or from its variable (``HHDS_PATH``, ...).

    Parameters
    ----------
    dataset : str
        Name of a table in ``sets.toml`` that has a variable, such as ``"hhds"``.
    given : path-like, optional
        Root, or the folder that contains it; it takes precedence over the environment variable.

    Returns
    -------
    Path
        The root of the data set.

    Raises
    ------
    HiphopssError
        If neither is given, or as in :func:`find_root`.
    """
    known = facts()[dataset]
    variable, title = known["variable"], known["title"]
    if given is not None:
        return find_root(given)
    if not os.environ.get(variable):
        raise HiphopssError(
            f"{variable}: not set, so it isn't known where {title} is: name its folder, "
            f"or set the variable: export {variable}=/path/to/{title}"
        )
    try:
        return find_root(os.environ[variable])
    except HiphopssError as error:
        raise HiphopssError(f"{variable}={error}") from error


def find_root(folder: str | Path) -> Path:
    """Find the root of a data set: the folder itself, or the only root in it.

    Parameters
    ----------
    folder : path-like
        A folder in one of the layouts of :mod:`hiphopss.datasets.layouts`, or its parent.

    Returns
    -------
    Path
        The root of the data set.

    Raises
    ------
    HiphopssError
        If there is no root, or more than one.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise no_root(folder)
    if layout_of(folder):
        return folder
    inner = sorted(
        path
        for path in folder.iterdir()
        if path.is_dir() and not path.name.startswith(".") and layout_of(path)
    )
    if not inner:
        raise no_root(folder)
    if len(inner) > 1:
        names = ", ".join(path.name for path in inner)
        raise HiphopssError(f"{folder}: several data sets in it ({names}): name one of them")
    return inner[0]


def all_songs(root: str | Path) -> list[Song]:
    """List the songs of those of the subsets Dev and Test that exist.

    Parameters
    ----------
    root : path-like
        As in :func:`find_root`.

    Returns
    -------
    list of Song
        Songs by subset, then name.

    Raises
    ------
    HiphopssError
        As in :func:`find_root` and :func:`hiphopss.datasets.songs.read_songs`.
    """
    root = find_root(root)
    layout = layout_of(root)
    return read_songs(root, (layout.subsets if layout else []) or SUBSETS)


def song_root(song: Song) -> Path:
    """The root of the data set to which a song belongs, or the plain folder of songs."""
    parents = song.folder.parents
    sources = next((parent.parent for parent in parents if parent.name == "Sources"), None)
    layout = layout_of(parents[1]) if sources is None and len(parents) > 1 else None
    if layout and song.folder.parent in layout.stems.values():
        return parents[1]
    return sources or song.folder.parent


def is_generated(root: Path) -> bool:
    """Whether a root is that of a generated set."""
    return (root / RECORD).exists()


def generated_songs(root: Path) -> list[dict[str, Any]] | None:
    """Read the songs of a generated set from ``generated.json``.

    Parameters
    ----------
    root : Path
        The folder with ``Sources`` in it.

    Returns
    -------
    list of dict or None
        A dict for each song, with ``"name"``, ``"split"`` and perhaps ``"style"``; None if the set
        is not generated.

    Raises
    ------
    HiphopssError
        If the file can't be read.
    """
    path = root / RECORD
    if not path.exists():
        return None
    return read_object(path, _Generated, mend="generate the set again")["songs"]


def warn_unless_complete(dataset: str, songs: list[Song], root: Path) -> None:
    """Warn if a data set has not its known size; generated sets may have any size."""
    known = facts()[dataset]
    found = {s: sum(song.subset == s for song in songs) for s in SUBSETS}
    if found == known["sizes"] or generated_songs(root) is not None:
        return
    has, should = (" + ".join(f"{n} {s}" for s, n in x.items()) for x in (found, known["sizes"]))
    logger.warning(
        "%s: %s songs, but %s has %s: check that it is complete",
        *(root, has, known["title"], should),
    )
