"""Who does the work: other processes on this machine, or the workers of a Dask cluster.

Conventions
-----------
A piece of work is a call of a function, which workers import by its name, with one item, which is
pickled. What is longest should stand first. Results come back in the order of the items.

joblib, which has both kinds of workers too, waits forever for a song that killed a Dask worker
again and again. So the same ``concurrent.futures`` executors are used here without it.
"""

from __future__ import annotations

import logging
import pickle
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, CancelledError, Executor, wait
from contextlib import contextmanager
from typing import TypeVar

from hiphopss.errors import HiphopssError

Item = TypeVar("Item")
Result = TypeVar("Result")

_WORKER_ENVIRONMENT = {
    "MALLOC_MMAP_MAX_": "0",
    "MALLOC_TRIM_THRESHOLD_": str(2**40),
    "OPENBLAS_NUM_THREADS": "1",
}
"""A new process keeps the memory of one song for the next, and starts no threads of BLAS.

Whole songs are large arrays, which the GNU C library (others don't know the names) would return to
the system one by one. New ones come page by page, cleared, through the kernel, for which processes
compete.
"""

_CONNECT_S = 10
"""Seconds that a Dask scheduler has to answer."""

_LOOK_S = 10
"""Seconds without a result after which somebody looks whether there are any workers."""


def in_processes(
    function: Callable[[Item], Result],
    items: Sequence[Item],
    *,
    n_processes: int,
    done: Callable[[Result], object],
) -> list[Result]:
    """As ``list(map(function, items))``, in new processes.

    They don't run the calling script again, so it needs no ``if __name__ == "__main__":``.

    Parameters
    ----------
    function, items
        The work.
    n_processes : int
        How many.
    done : callable
        Called with each result, as soon as it is there.

    Returns
    -------
    list
        Results, in the order of the items.

    Raises
    ------
    HiphopssError
        If a process dies. What ``function`` raises is raised here, and ends the others' work.
    """
    from loky import BrokenProcessPool, ProcessPoolExecutor

    def mend(error: Exception, position: int) -> str | None:
        if isinstance(error, BrokenProcessPool):
            return (
                "a process died while scoring, perhaps for want of memory: ask for fewer "
                "(--jobs 1, n_jobs=1)"
            )
        return None

    # Forked children could deadlock in the threads of BLAS or TensorFlow; loky's are new.
    pool = ProcessPoolExecutor(n_processes, env=_WORKER_ENVIRONMENT)
    try:
        results = _results(pool, function, items, done=done, mend=mend)
    except BaseException:
        pool.shutdown(kill_workers=True)
        raise
    pool.shutdown()
    return results


def on_dask(
    function: Callable[[Item], Result],
    items: Sequence[Item],
    *,
    address: str,
    done: Callable[[Result], object],
) -> list[Result]:
    """As ``list(map(function, items))``, on the workers of a Dask cluster.

    What a worker had when it died is done again by another.

    Parameters
    ----------
    function, items
        The work. The workers need the function's package.
    address : str
        Of the scheduler, such as ``"tcp://10.0.0.1:8786"``.
    done : callable
        Called with each result, as soon as it is there.

    Returns
    -------
    list
        Results, in the order of the items.

    Raises
    ------
    HiphopssError
        If Dask is not installed, no scheduler answers or it is lost, a worker has not the
        packages, or workers die again and again of the same item. What ``function`` raises is
        raised here, and ends the others' work.

    Warns
    -----
    UserWarning
        If there are no workers to wait for.
    """
    client = _client(address)

    def look() -> None:
        if not client.nthreads():
            warnings.warn(
                f"{address}: has no workers, waiting: start some with `dask worker {address}`",
                stacklevel=2,
            )

    def mend(error: Exception, position: int) -> str | None:
        return _mend_dask(address, error, items[position])

    calls = [pickle.dumps(_Call(function, item)) for item in items]
    # Dask's client tells in many lines what is raised in one.
    with _quiet("distributed.client"), client:
        pool = client.get_executor(pure=False)  # files may have changed since the same call
        try:
            return _results(pool, pickle.loads, calls, done=done, mend=mend, look=look)
        finally:
            pool.shutdown(wait=False)


def require_scheduler(address: str) -> None:
    """See that a Dask scheduler answers.

    Parameters
    ----------
    address : str
        As in :func:`on_dask`.

    Raises
    ------
    HiphopssError
        If not, or if Dask is not installed.
    """
    _client(address).close()


def _client(address: str):
    """Connect to a scheduler."""
    try:
        from distributed import Client
        from distributed.comm import resolve_address
    except ImportError as error:
        raise HiphopssError(
            f"{address}: Dask is not installed here: pip install 'hiphopss[dask]'"
        ) from error
    try:
        resolve_address(address)  # a client that can't is noisy when it goes
        return Client(address, timeout=_CONNECT_S, set_as_default=False)
    except (OSError, ValueError) as error:
        raise HiphopssError(
            f"{address}: no Dask scheduler answers: give the address that `dask scheduler` tells, "
            "such as tcp://10.0.0.1:8786"
        ) from error


class _Call:
    """What unpickles as the result of a call.

    So only the call needs the function's package. A Dask scheduler without it would fail, and a
    worker would die of the message instead of telling.
    """

    def __init__(self, function: Callable, item: object) -> None:
        self._parts = function, (item,)

    def __reduce__(self) -> tuple:
        return self._parts


@contextmanager
def _quiet(name: str) -> Iterator[None]:
    """A logger that says nothing meanwhile."""
    logger = logging.getLogger(name)
    level = logger.level
    logger.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        logger.setLevel(level)


def _mend_dask(address: str, error: Exception, item: object) -> str | None:
    """What to do about an error of the cluster; None for others."""
    from distributed import KilledWorker

    if isinstance(error, KilledWorker):
        return (
            f"{item}: {error.allowed_failures + 1} Dask workers died of it: give them more memory, "
            "or leave it out"
        )
    if isinstance(error, ImportError):
        return f"{address}: {error}: install the same packages where the workers run as here"
    if isinstance(error, CancelledError):
        return f"{address}: the Dask scheduler is gone: start it and its workers, and run it again"
    return None


def _results(
    pool: Executor,
    function: Callable[[Item], Result],
    items: Sequence[Item],
    *,
    done: Callable[[Result], object],
    mend: Callable[[Exception, int], str | None],
    look: Callable[[], object] = lambda: None,
) -> list[Result]:
    """Results in the order of the items.

    ``mend`` words the error of an item, or gives None; ``look`` is called when nothing comes.
    """
    positions = {pool.submit(function, item): k for k, item in enumerate(items)}
    results: list = [None] * len(items)
    pending = set(positions)
    while pending:
        finished, pending = wait(pending, _LOOK_S, return_when=FIRST_COMPLETED)
        for future in finished:
            position = positions[future]
            try:
                results[position] = future.result()
            except Exception as error:
                message = mend(error, position)
                if message is None:
                    raise
                raise HiphopssError(message) from error
            done(results[position])
        if not finished:
            look()
    return results
