"""Work in several threads, with results in order, and linear algebra in one thread."""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


PROCESSORS = "HIPHOPSS_PROCESSORS"
"""Environment variable that tells a worker process its share of the processors."""


def processor_count() -> int:
    """Number of processors that this process may use."""
    share = os.environ.get(PROCESSORS, "")
    if share.isdecimal() and int(share):
        return int(share)
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on macOS or Windows
        return os.cpu_count() or 1


def ordered_map(
    function: Callable[[Item], Result], items: Iterable[Item], *, n_threads: int
) -> Iterator[Result]:
    """Like ``map``, in threads, reading at most ``n_threads + 1`` items ahead.

    Meanwhile NumPy's linear algebra is limited to one thread per call: its own threads and these
    would otherwise wait for each other.

    Parameters
    ----------
    function : callable
        Function that spends its time outside Python's global lock.
    items : iterable
        Items, which are read in the thread that asks for the results.
    n_threads : int
        Number of threads.

    Yields
    ------
    object
        Results, in the order of the items.
    """
    from threadpoolctl import threadpool_limits

    pending: deque = deque()
    with threadpool_limits(1, user_api="blas"), ThreadPoolExecutor(n_threads) as pool:
        try:
            for item in items:
                pending.append(pool.submit(function, item))
                if len(pending) > n_threads + 1:
                    yield pending.popleft().result()
            while pending:
                yield pending.popleft().result()
        finally:
            for future in pending:
                future.cancel()


class _BlasHeld:
    """Limits BLAS to one thread while any thread is inside.

    If a Dask worker scores several songs at once, the first one to finish would otherwise lift the
    limit while others compute. And threadpoolctl lets only the thread that set the limit lift it,
    so a separate thread holds it until the last thread is outside.
    """

    _lock = threading.Lock()
    _inside = 0

    def __enter__(self) -> None:
        with self._lock:
            if not self._inside:
                held, self._leave = threading.Event(), threading.Event()
                self._holder = threading.Thread(
                    target=_hold_blas, args=(held, self._leave), daemon=True
                )
                self._holder.start()
                held.wait()
            self._inside += 1

    def __exit__(self, *error: object) -> None:
        with self._lock:
            self._inside -= 1
            if not self._inside:
                self._leave.set()
                self._holder.join()


blas_held = _BlasHeld()
"""Context in which BLAS is limited to one thread, for threads that come and go side by side."""


def _hold_blas(held: threading.Event, leave: threading.Event) -> None:
    """Limit BLAS from now until the event ``leave``."""
    with blas_in_one_thread():
        held.set()
        leave.wait()


def blas_in_one_thread() -> AbstractContextManager[object]:
    """A context in which NumPy's and SciPy's linear algebra uses only the calling thread.

    More threads gain little here, compete if the processors are busy, and would make the last
    digits depend on their number.
    """
    import scipy.linalg  # noqa: F401 (a library must be loaded before it can be limited)
    from threadpoolctl import threadpool_limits

    return threadpool_limits(1)
