"""Writing files whole or not at all."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hiphopss.errors import HiphopssError


@contextmanager
def written_whole(path: str | Path) -> Iterator[Path]:
    """Yield a temporary name beside ``path``; rename it to ``path`` if the body succeeds.

    The temporary name keeps the suffixes of ``path``, so that libraries which look at them work.
    If the body raises, what it wrote (a file or a folder) is removed and ``path`` is untouched.

    Parameters
    ----------
    path : path-like
        The file, or the folder, to appear whole. Missing parent folders are made.

    Raises
    ------
    HiphopssError
        If the parent folder can't be made or written to, or if ``path`` is a folder with something
        in it: nobody's files are removed.
    """
    path = Path(path)
    if path.is_dir() and any(path.iterdir()):
        raise HiphopssError(f"{path}: a folder with something in it: choose another output")
    temporary = _temporary_beside(path)
    try:
        yield temporary
        os.replace(temporary, path)
    finally:
        _remove(temporary)


@contextmanager
def filled_whole(folder: str | Path) -> Iterator[Path]:
    """Yield a temporary folder; move its files into ``folder`` if the body succeeds.

    Files of the same names in ``folder`` are replaced, others stay.

    Parameters
    ----------
    folder : path-like
        Made if it does not exist.

    Raises
    ------
    HiphopssError
        If the parent folder can't be made or written to.
    """
    folder = Path(folder)
    temporary = _temporary_beside(folder)
    try:
        temporary.mkdir()
        yield temporary
        folder.mkdir(exist_ok=True)
        for file in temporary.iterdir():
            os.replace(file, folder / file.name)
    finally:
        _remove(temporary)


def _temporary_beside(path: Path) -> Path:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise HiphopssError(
            f"{path.parent}: can't make this folder ({error.strerror}): choose another output"
        ) from error
    if not os.access(path.parent, os.W_OK):
        raise HiphopssError(f"{path.parent}: no permission to write here: choose another output")
    return path.with_name(f".partial-{os.getpid()}-{path.name}")


def _remove(temporary: Path) -> None:
    if temporary.is_dir():
        shutil.rmtree(temporary, ignore_errors=True)
    else:
        temporary.unlink(missing_ok=True)


def sha256_of(path: str | Path) -> str:
    """SHA-256 of a file's bytes, in hexadecimal."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
