"""Reading HDF5 files of any origin, without trusting them.

Nothing here runs libhdf5 on a file's bytes in this process, unless the file is known by its hash.
Another process looks through the file's structure (:mod:`hiphopss.util.hdf5.process`) and tells
where its arrays lie. This one checks what it is told against the file's size, and reads the arrays
as plain bytes from the file that it holds open. See docs/files.md.
"""

from __future__ import annotations

import hashlib
import io
import math
import os
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np

from hiphopss.errors import HiphopssError
from hiphopss.util.hdf5.child import LookError, look
from hiphopss.util.opening import open_file, unreadable

SIGNATURE = b"\x89HDF\r\n\x1a\n"
_HASHED = 64 << 20  # larger files are not those that are known


class Place(NamedTuple):
    """An array in a file: its type, its shape, and the byte at which it begins."""

    dtype: str
    shape: tuple[int, ...]
    offset: int


@dataclass(frozen=True)
class Table:
    """A table: its shape, and its columns by name.

    A column of numbers is an array of the table's shape. A column of texts is a flat list.
    """

    shape: tuple[int, ...]
    numbers: dict[str, np.ndarray]
    texts: dict[str, list[str]]


class HDF5File:
    """An HDF5 file that was looked through, open for reading; a context manager.

    Parameters
    ----------
    path : path-like
        File.
    mend : str
        What to do about a file that can't be used, for messages.
    known : collection of str
        SHA-256 of files that are trusted, so that they need no other process.

    Attributes
    ----------
    groups : dict of str to dict
        The attributes of each group, by the group's path; the root's path is ``""``.
    arrays : dict of str to Place
        The data sets of numbers.
    texts : dict of str to str
        The data sets that are one text.
    tables : dict of str to Table
        The tables.
    problems : dict of str to str
        What is not as the project writes it, by path; see :meth:`require_sound`.

    Raises
    ------
    HiphopssError
        If the file is missing, may not be read, is locked, is no HDF5 file, or is damaged.
    """

    def __init__(self, path: str | Path, *, mend: str, known: Collection[str] = ()):
        self.path, self.mend = Path(path), mend
        self._file = open_file(path)
        try:
            self._lock()
            facts, blobs = self._looked_through(known)
            self._take(facts, blobs)
        except OSError as error:
            self.close()
            raise unreadable(path, error) from error
        except LookError as error:
            self.close()
            raise self.error(str(error)) from error
        except BaseException:
            self.close()
            raise

    def __contains__(self, name: str) -> bool:
        """Whether there is anything of this path, sound or not."""
        kinds = self.groups, self.arrays, self.texts, self.tables, self.problems
        return any(name in kind for kind in kinds)

    def error(self, what: str) -> HiphopssError:
        """The error for something that is wrong with the file."""
        return HiphopssError(f"{self.path}: {what}: {self.mend}")

    def require_sound(self) -> None:
        """Raise :class:`HiphopssError` if anything in it is not as the project writes it."""
        for name, problem in self.problems.items():
            raise self.error(f"{_shown(name)} {problem}, which hiphopss never writes")

    def array(self, name: str, dtype: str = "<f4") -> np.ndarray:
        """Read an array into memory.

        Parameters
        ----------
        name : str
            Path of the data set, one of ``arrays``.
        dtype : str
            The type that it must have.
        """
        place = self._place(name, dtype)
        array = np.empty(place.shape, place.dtype)
        rest = array.reshape(-1).view(np.uint8).data
        try:
            self._file.seek(place.offset)
            while len(rest):
                n_read = self._file.readinto(rest)
                if not n_read:
                    raise self._changed()
                rest = rest[n_read:]
        except OSError as error:
            raise unreadable(self.path, error) from error
        return array

    def mapped(self, name: str, dtype: str = "<f4") -> np.ndarray:
        """Map an array that is not empty to memory; it must not be changed.

        Parameters are those of :meth:`array`.
        """
        place = self._place(name, dtype)
        try:
            return np.memmap(self._file, place.dtype, "r", place.offset, place.shape)
        except (OSError, ValueError) as error:
            raise self.error(f"can't be mapped to memory ({error})") from error

    def close(self) -> None:
        """Close the file; mapped arrays stay."""
        if not self._file.closed:
            with suppress(ImportError, OSError):
                import fcntl

                fcntl.flock(self._file, fcntl.LOCK_UN)  # mapped arrays would keep the lock
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _place(self, name: str, dtype: str) -> Place:
        place = self.arrays[name]
        if place.dtype != dtype:
            wanted, found = np.dtype(dtype), np.dtype(place.dtype)
            raise self.error(f"{_shown(name)} has values of type {found}, not {wanted}")
        return place

    def _lock(self) -> None:
        """Share the file with other readers, but with no program that writes it.

        libhdf5 does the same. Where the file system has no locks, there is nothing to respect.
        """
        if os.environ.get("HDF5_USE_FILE_LOCKING", "").upper() in ("FALSE", "0"):
            return
        with suppress(ImportError):
            import fcntl

            try:
                fcntl.flock(self._file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise HiphopssError(
                    f"{self.path}: locked by another program, which may be writing it: wait until "
                    "it has ended"
                ) from error
            except OSError:
                pass

    def _looked_through(self, known: Collection[str]) -> tuple[dict[str, Any], memoryview]:
        before = os.fstat(self._file.fileno())
        if self._file.read(len(SIGNATURE)) != SIGNATURE:
            raise LookError("not an HDF5 file")
        if known and before.st_size <= _HASHED:
            self._file.seek(0)
            data = self._file.read()
            if hashlib.sha256(data).hexdigest() in known:
                facts, parts = look(io.BytesIO(data))
                return facts, memoryview(b"".join(parts))
        from hiphopss.util.hdf5.process import look_through

        try:
            found = look_through(self._file, before.st_size)
        finally:
            after = os.fstat(self._file.fileno())
            if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
                raise self._changed()
        return found

    def _changed(self) -> HiphopssError:
        return HiphopssError(
            f"{self.path}: changed while it was read: wait until it is written, and try again"
        )

    def _take(self, facts: dict[str, Any], blobs: memoryview) -> None:
        """Check what was told of the file, and keep it."""
        self.groups: dict[str, dict[str, Any]] = facts["groups"]
        self.texts: dict[str, str] = facts["texts"]
        self.problems: dict[str, str] = facts["problems"]
        self.arrays: dict[str, Place] = {}
        size, end = os.fstat(self._file.fileno()).st_size, 0
        for name, (dtype, shape, offset) in facts["arrays"].items():
            self.arrays[name] = Place(dtype, tuple(shape), 0 if offset is None else offset)
        by_place = sorted(self.arrays.items(), key=lambda item: item[1].offset)
        for name, place in by_place:
            n_bytes = math.prod(place.shape) * np.dtype(place.dtype).itemsize
            if n_bytes and not end <= place.offset <= size - n_bytes:
                raise LookError(
                    f"a damaged HDF5 file ({_shown(name)} is not in a place of its own)"
                )
            end = max(end, place.offset + n_bytes)
        self.tables: dict[str, Table] = {}
        for name, told in facts["tables"].items():
            self.tables[name], blobs = _table(tuple(told["shape"]), told["columns"], blobs)


def is_hdf5(path: str | Path) -> bool:
    """Whether a file begins as HDF5 files do; errors as in :func:`open_file`."""
    with open_file(path) as file:
        try:
            return file.read(len(SIGNATURE)) == SIGNATURE
        except OSError as error:
            raise unreadable(path, error) from error


def _table(
    shape: tuple[int, ...], told: dict[str, list], blobs: memoryview
) -> tuple[Table, memoryview]:
    """A table from what was told of its columns, and the bytes behind those of its columns."""
    table, n_rows = Table(shape, {}, {}), math.prod(shape)
    for name, (kind, texts) in told.items():
        dtype = np.dtype("<i4" if kind == "text" else kind)
        values = np.frombuffer(blobs, dtype, n_rows)
        blobs = blobs[n_rows * dtype.itemsize :]
        if kind == "text":
            table.texts[name] = [texts[code] for code in values.tolist()]
        else:
            table.numbers[name] = values.reshape(shape)
    return table, blobs


def _shown(name: str) -> str:
    """The name of an object of a file, for messages: names can hold anything."""
    return repr(name if len(name) <= 80 else f"{name[:77]}...") if name else "its root"
