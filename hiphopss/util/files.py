"""Writing files completely or not at all."""

from __future__ import annotations

import hashlib
import os
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from hiphopss.errors import HiphopssError
from hiphopss.util.disk import advice_for, cannot_write, is_about_writing
from hiphopss.util.locks import PREFIX, helper_beside, lock_files, locked, longest_name

_PARTIAL = ".partial-"
REMAINS = (_PARTIAL, PREFIX)
"""How the names of what a killed run may leave beside its output begin."""


@contextmanager
def written_whole(path: str | Path) -> Iterator[Path]:
    """Yield a temporary name beside ``path``; rename it to ``path`` if the body succeeds.

    The temporary name keeps the suffixes of ``path``, so that libraries which look at them work.
    If the body raises, what it wrote (a file or a folder) is removed and ``path`` is unchanged.
    While another run writes ``path``, this one waits (:mod:`hiphopss.util.locks`).

    Parameters
    ----------
    path : path-like
        The file or folder to write. Missing parent folders are made.

    Raises
    ------
    HiphopssError
        If the parent folder can't be made or written to, the disk is full or the like, or if
        ``path`` is a folder with something in it, because a user's files are never removed.
    """
    path = Path(path)
    _require_empty(path)
    with _temporary_beside(path) as temporary:
        _require_empty(path)  # another run may have made it meanwhile
        yield temporary
        os.replace(temporary, path)


def _require_empty(path: Path) -> None:
    if path.is_dir() and any(path.iterdir()):
        raise HiphopssError(f"{path}: a folder with something in it: choose another output")


def write_text(path: str | Path, text: str) -> None:
    """Write a text file in UTF-8, completely or not at all; errors as in :func:`written_whole`.

    What is not Unicode, as the name of a file may be, is written with the escapes of JSON.
    """
    # Bytes of names that are not text become escapes, which JSON reads back as they were.
    content = text.encode("utf-8", "backslashreplace")
    with written_whole(path) as temporary, open(temporary, "wb") as file:
        file.write(content)


def require_writable(path: str | Path) -> None:
    """Check, before long work, that its output file can be written. Nothing is created.

    Parameters
    ----------
    path : path-like
        The output file; missing parent folders are allowed.

    Raises
    ------
    HiphopssError
        If its folder can't be made or written to, or its name is too long.
    """
    parent = Path(path).absolute().parent
    there = next(folder for folder in (parent, *parent.parents) if folder.exists())
    if not there.is_dir():
        raise HiphopssError(
            f"{parent}: can't make this folder ({there} is a file): choose another output"
        )
    if not os.access(there, os.W_OK):
        raise HiphopssError(f"{there}: no permission to write here: choose another output")
    if len(os.fsencode(Path(path).name)) > longest_name(there):
        raise HiphopssError(f"{path}: too long a name for this disk: choose a shorter one")


def amount(n_bytes: int) -> str:
    """A number of bytes for people, in powers of 1000."""
    for unit, size in (("GB", 1e9), ("MB", 1e6)):
        if n_bytes >= size:
            return f"{n_bytes / size:.1f} {unit}"
    return f"{n_bytes / 1e3:.1f} kB"


def require_space(folder: Path, n_bytes: int, what: str) -> None:
    """Raise :class:`HiphopssError` if a folder's disk has no space for ``n_bytes`` more."""
    free = free_space(folder)
    if free < n_bytes:
        raise HiphopssError(
            f"{folder}: {amount(free)} free, but {what} takes {amount(n_bytes)}: "
            "make room, or choose a folder on another disk"
        )


def free_space(folder: Path) -> int:
    """Free bytes on the disk of a folder, which need not exist yet."""
    folder = folder.absolute()
    return shutil.disk_usage(next(p for p in (folder, *folder.parents) if p.exists())).free


@contextmanager
def filled_whole(folder: str | Path) -> Iterator[Path]:
    """Yield a temporary folder; move its files into ``folder`` if the body succeeds.

    A new ``folder`` appears complete. In an existing one, files of the same names are replaced one
    by one, and other files stay.

    Parameters
    ----------
    folder : path-like
        The folder, which is made if it does not exist.

    Raises
    ------
    HiphopssError
        If the parent folder can't be made or written to.
    """
    folder = Path(folder)
    if folder.exists() and not folder.is_dir():
        raise HiphopssError(f"{folder}: is a file, not a folder: choose another output")
    folder = folder.resolve()  # "." has no name
    with _temporary_beside(folder) as temporary:
        temporary.mkdir()
        yield temporary
        if not folder.exists():
            os.replace(temporary, folder)
            return
        for file in temporary.iterdir():
            os.replace(file, folder / file.name)


@contextmanager
def spread_whole(folder: str | Path, name: str) -> Iterator[Path]:
    """Yield a temporary folder; move each of its files to its place in ``folder`` at the end.

    Files of hidden folders are moved first, so that records are there before what they are of. Each
    file is whole; if the body raises, none is moved.

    Parameters
    ----------
    folder : path-like
        The folder, which is made if it does not exist.
    name : str
        What is made there. While another run makes the same, this one waits.

    Raises
    ------
    HiphopssError
        If the folder can't be made or written to.
    """
    folder = Path(folder)
    with _temporary_beside(folder / name) as temporary:
        temporary.mkdir()
        yield temporary
        inside = (path.relative_to(temporary) for path in temporary.rglob("*") if path.is_file())
        for path in sorted(inside, key=lambda path: not path.parts[0].startswith(".")):
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            os.replace(temporary / path, folder / path)


def remove_remains(path: str | Path) -> None:
    """Remove what a process that was killed left of an output, unless another one makes it."""
    with suppress(HiphopssError, OSError), locked(path, wait=False), _temporary_beside(Path(path)):
        pass


_in_use: set[Path] = set()  # temporary names on which this process works


@contextmanager
def _temporary_beside(path: Path) -> Iterator[Path]:
    """Yield an unused name beside ``path``; whatever is left there at the end is removed.

    The name is always the same, so that a run removes the remains of one that was killed; the lock
    keeps two runs from using it at once. Where there are no locks, every run has its own.
    """
    with locked(path) as alone:
        prefix = _PARTIAL if alone else f"{_PARTIAL}{os.getpid()}-{threading.get_ident()}-"
        temporary = helper_beside(path, prefix)
        _in_use.add(temporary)
        try:
            _remove(temporary)
            yield temporary
        except OSError as error:
            if not _is_of(error, temporary):
                raise
            raise HiphopssError(f"{path}: {cannot_write(error)}") from error
        finally:
            _remove(temporary)
            _in_use.discard(temporary)


def _is_of(error: OSError, temporary: Path) -> bool:
    """Whether an error says that a temporary file or folder can't be written."""
    if error.filename is None:
        return is_about_writing(error)
    inside = Path(os.fsdecode(error.filename)).is_relative_to(temporary)
    return inside and advice_for(error) is not None


def remove_unfinished() -> None:
    """Remove what this process has begun to write, because it is about to end at once."""
    for left in (*_in_use, *lock_files):
        with suppress(OSError):
            _remove(left)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def sha256_of(path: str | Path) -> str:
    """SHA-256 of a file's content, in hexadecimal."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
