"""Writing HDF5 files through Python, which survives a full disk."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hiphopss.util.interrupts import held

if TYPE_CHECKING:
    import h5py


@contextmanager
def opened_for_writing(path: str | Path, mode: str, **options: int) -> Iterator[h5py.File]:
    """Open an HDF5 file; what HDF5 changes in it is written at the end, if the body succeeds.

    If libhdf5 itself wrote to a disk that is full, it would crash the process.

    Parameters
    ----------
    path : path-like
        The file.
    mode : str
        ``"w"`` for a new file, ``"r+"`` to change one. What is changed is held in memory, so large
        arrays are to be written in another way.
    **options
        Options of ``h5py.File``.

    Raises
    ------
    OSError
        If the disk can't take the changes.
    """
    import h5py

    # libhdf5 calls methods of this file, through which no interrupt can be raised.
    with held(), open(path, "w+b" if mode == "w" else "r+b", buffering=0) as disk:
        changed = _Changed(disk)
        with h5py.File(changed, mode, **options) as file:
            yield file
        changed.write_out()


class _Changed(io.RawIOBase):
    """A file as it will be: pages that are changed stay in memory until they are written out.

    Parameters
    ----------
    disk : io.FileIO
        The file as it is.
    """

    _PAGE = 4096

    def __init__(self, disk: io.FileIO):
        super().__init__()
        self._disk, self._position = disk, 0
        self._size = self._disk.seek(0, io.SEEK_END)
        self._pages: dict[int, bytearray] = {}

    def seekable(self) -> bool:
        return True

    def readable(self) -> bool:
        return True

    def writable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence]
        self._position = start + offset
        return self._position

    def truncate(self, size: int | None = None) -> int:
        self._size = self._position if size is None else size
        return self._size

    def readinto(self, buffer: Any) -> int:
        out = memoryview(buffer).cast("B")
        out = out[: max(self._size - self._position, 0)]
        for place, page, inside in self._pieces(len(out)):
            out[place : place + len(inside)] = self._read(page)[inside.start : inside.stop]
        self._position += len(out)
        return len(out)

    def write(self, data: Any) -> int:
        new = memoryview(data).cast("B")
        for place, page, inside in self._pieces(len(new)):
            kept = self._pages.setdefault(page, self._read(page))
            kept[inside.start : inside.stop] = new[place : place + len(inside)]
        self._position += len(new)
        self._size = max(self._size, self._position)
        return len(new)

    def write_out(self) -> None:
        """Write the changed pages to the disk."""
        self._disk.truncate(self._size)
        for page, content in sorted(self._pages.items()):
            self._disk.seek(page * self._PAGE)
            rest = memoryview(content)[: max(self._size - page * self._PAGE, 0)]
            while rest:
                rest = rest[self._disk.write(rest) :]

    def _pieces(self, n_bytes: int) -> Iterator[tuple[int, int, range]]:
        """Divide the bytes from the position: place among them, page, and range in the page."""
        place = 0
        while place < n_bytes:
            page, first = divmod(self._position + place, self._PAGE)
            inside = range(first, min(self._PAGE, first + n_bytes - place))
            yield place, page, inside
            place += len(inside)

    def _read(self, page: int) -> bytearray:
        """A page as it will be; beyond the end of the file it is 0."""
        if page in self._pages:
            return self._pages[page]
        self._disk.seek(page * self._PAGE)
        return bytearray(self._disk.read(self._PAGE).ljust(self._PAGE, b"\0"))
