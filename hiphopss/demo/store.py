"""The results on the server: a limited number, for a limited time, under random ids."""

from __future__ import annotations

import secrets
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from hiphopss.demo.results import Result

_RESULTS = 30
_BYTES = 4 * 2**30
_SECONDS = 3600.0  # since the last use


class ResultStore:
    """Results by id; the least recently used ones are deleted first.

    Parameters
    ----------
    folder : Path
        Folder for their files.
    most : int
        Maximum number of results.
    most_bytes : int
        Maximum number of bytes.
    seconds : float
        Time after its last use for which a result is kept.
    clock : callable
        Returns the time in seconds.
    """

    def __init__(
        self,
        folder: Path,
        *,
        most: int = _RESULTS,
        most_bytes: int = _BYTES,
        seconds: float = _SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ):
        self._folder = folder
        self._most, self._most_bytes, self._seconds = most, most_bytes, seconds
        self._clock = clock
        self._results: dict[str, Result] = {}  # least recently used first
        self._used: dict[str, float] = {}
        self._lock = threading.Lock()

    @contextmanager
    def new(self) -> Iterator[tuple[str, Path]]:
        """Yield an id and an empty folder for a new result; remove them if the body raises."""
        id = secrets.token_urlsafe(16)
        folder = self._folder / id
        folder.mkdir(parents=True)
        try:
            yield id, folder
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise

    def put(self, result: Result) -> None:
        """Store a result."""
        with self._lock:
            self._results[result.id] = result
            self._used[result.id] = self._clock()

    def get(self, id: str) -> Result | None:
        """Get a result by its id, or None; this counts as a use."""
        with self._lock:
            result = self._results.pop(id, None)
            if result is not None:
                self._results[id] = result
                self._used[id] = self._clock()
            return result

    def remove(self, id: str) -> bool:
        """Delete a result and its files; return False if no result has this id."""
        with self._lock:
            result = self._results.pop(id, None)
            self._used.pop(id, None)
        if result is None:
            return False
        shutil.rmtree(result.folder, ignore_errors=True)
        return True

    def tidy(self) -> None:
        """Delete results beyond the limits; the most recently used result stays if it is recent."""
        with self._lock:
            sizes = {id: _size(result.folder) for id, result in self._results.items()}
            oldest = self._clock() - self._seconds
            surplus, total = [], sum(sizes.values())
            left = len(sizes)
            for id in sizes:
                too_much = left > 1 and (left > self._most or total > self._most_bytes)
                if too_much or self._used[id] < oldest:
                    surplus.append(id)
                    left, total = left - 1, total - sizes[id]
        for id in surplus:
            self.remove(id)


def _size(folder: Path) -> int:
    try:
        return sum(file.stat().st_size for file in folder.iterdir())
    except OSError:  # the folder was removed in the meantime
        return 0
