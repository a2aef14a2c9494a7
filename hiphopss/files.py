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
        If the parent folder can't be made or written to.
    """
    path = Path(path)
    temporary = path.with_name(f".partial-{os.getpid()}-{path.name}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise HiphopssError(
            f"{path.parent}: can't make this folder ({error.strerror}): choose another output"
        ) from error
    if not os.access(path.parent, os.W_OK):
        raise HiphopssError(f"{path.parent}: no permission to write here: choose another output")
    try:
        yield temporary
        if temporary.is_dir() and path.is_dir():
            shutil.rmtree(path)
        os.replace(temporary, path)
    finally:
        if temporary.is_dir():
            shutil.rmtree(temporary, ignore_errors=True)
        else:
            temporary.unlink(missing_ok=True)


def sha256_of(path: str | Path) -> str:
    """SHA-256 of a file's bytes, in hexadecimal."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
