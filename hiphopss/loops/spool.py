"""Arrays on disk that grow at their end and are read anywhere: what is too long for memory."""

from __future__ import annotations

import os
import tempfile
import threading
from collections.abc import Sequence
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import DTypeLike


class Spool:
    """Records of equal shape in a temporary file without a name.

    Parameters
    ----------
    shape : tuple of int
        Shape of a record.
    dtype : DTypeLike
        Its type.
    """

    def __init__(self, shape: tuple[int, ...], dtype: DTypeLike):
        self.shape, self.dtype = shape, np.dtype(dtype)
        self._size = int(np.prod(shape, dtype=int)) * self.dtype.itemsize
        self._file = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115 (closed by `close`)
        self._lock = threading.Lock()
        self.n_records = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def append(self, records: np.ndarray) -> None:
        """Write records `[shape=(n, *shape)]` after the last one."""
        data = np.ascontiguousarray(records, self.dtype).reshape(-1).view(np.uint8).data
        with self._lock:
            self._file.seek(self.n_records * self._size)
            while data:  # a file may take less than it was given
                data = data[self._file.write(data) :]
        self.n_records += len(records)

    def read(self, start: int, stop: int) -> np.ndarray:
        """Read records; those outside of the file are zeros. [shape=(stop - start, *shape)]"""
        return self.read_all([start], stop - start)[0]

    def read_all(self, starts: Sequence[int], n_records: int) -> np.ndarray:
        """Read as many records from each start on. [shape=(len(starts), n_records, *shape)]"""
        result = np.empty((len(starts), n_records, *self.shape), self.dtype)
        for start, part in zip(starts, result, strict=True):
            self._read(start, start + n_records, part)
        return result

    def _read(self, start: int, stop: int, result: np.ndarray) -> None:
        first = min(max(start, 0), stop)
        last = max(min(stop, self.n_records), first)
        result[: first - start] = 0
        result[last - start :] = 0
        if first == last:
            return
        wanted = result[first - start : last - start]
        part = wanted.reshape(-1).view(np.uint8).data
        at = first * self._size
        while part:
            n_read = self._read_into(part, at)
            part, at = part[n_read or len(part) :], at + n_read

    def _read_into(self, part: memoryview, at: int) -> int:
        if hasattr(os, "preadv"):  # not on Windows; threads needn't wait for each other
            return os.preadv(self._file.fileno(), [part], at)
        with self._lock:
            self._file.seek(at)
            return self._file.readinto(part) or 0

    def close(self) -> None:
        """Delete the file."""
        self._file.close()
