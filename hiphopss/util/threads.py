"""Work in several threads, with results in order."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def processor_count() -> int:
    """Number of processors that this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on macOS or Windows
        return os.cpu_count() or 1


def ordered_map(
    function: Callable[[Item], Result], items: Iterable[Item], *, n_threads: int
) -> Iterator[Result]:
    """Like ``map``, in threads, reading at most ``n_threads`` items ahead.

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
                if len(pending) > n_threads:
                    yield pending.popleft().result()
            while pending:
                yield pending.popleft().result()
        finally:
            for future in pending:
                future.cancel()
