"""Where work over many songs is done: here, in other processes, or on a Dask cluster.

A piece of work is a call of a function, which workers import by its name, with one item, which is
pickled. :class:`Executor` says where, and everything that goes through many songs takes one.

joblib, which has both kinds of workers too, waits forever for a song that killed a Dask worker
again and again. So the same ``concurrent.futures`` executors are used here without it.
"""

from __future__ import annotations

import logging
import pickle
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, CancelledError, wait
from concurrent.futures import Executor as Pool
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from hiphopss.errors import HiphopssError
from hiphopss.util.threads import processor_count

if TYPE_CHECKING:
    from distributed import Client

logger = logging.getLogger(__name__)

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


@dataclass(frozen=True)
class Executor:
    """Where the pieces of a large piece of work are done. The results don't depend on it.

    Attributes
    ----------
    n_jobs : int, optional
        Processes on this machine; by default as many as are worth their start, at most one a
        processor.
    dask : str, optional
        Instead, the workers of the Dask cluster whose scheduler has this address, such as
        ``"tcp://10.0.0.1:8786"``. They need this version of hiphopss, and all files under the same
        paths as here. What a worker had when it died is done again by another.
    """

    n_jobs: int | None = None
    dask: str | None = None

    def check(self) -> None:
        """See, before any work, that it can be done there.

        Raises
        ------
        HiphopssError
            If the settings make no sense, Dask is not installed, or no scheduler answers.
        """
        if self.n_jobs is not None and self.n_jobs < 1:
            raise HiphopssError(f"n_jobs is {self.n_jobs}: give 1 or more")
        if self.n_jobs is not None and self.dask is not None:
            raise HiphopssError(
                f"{self.dask}: a cluster works with all its workers: leave the number of processes "
                "out"
            )
        if self.dask is not None:
            _client(self.dask).close()

    def map(
        self,
        function: Callable[[Item], Result],
        items: Sequence[Item],
        *,
        cost: Callable[[Item], float],
        n_useful: int,
        done: Callable[[Result], object],
    ) -> list[Result]:
        """As ``list(map(function, items))``, there.

        Parameters
        ----------
        function : callable
            What workers import by its name.
        items : sequence
            What it is called with, pickled.
        cost : callable
            How long an item takes, in any unit. The longest come first: one that is left for the
            end would keep all other processors waiting.
        n_useful : int
            Processes that are worth their start, where the user has not said how many. One means
            that the work is done in this process.
        done : callable
            Called with each result, as soon as it is there.

        Returns
        -------
        list
            Results, in the order of the items.

        Raises
        ------
        HiphopssError
            If a process or the cluster is lost, or a worker has not the packages. What ``function``
            raises is raised here, and ends the others' work.
        """
        n_processes = min(self.n_jobs or min(n_useful, processor_count()), len(items))
        if self.dask is None and n_processes <= 1:
            results = []
            for item in items:
                results.append(function(item))
                done(results[-1])
            return results
        order = sorted(range(len(items)), key=lambda number: cost(items[number]), reverse=True)
        sorted_items = [items[number] for number in order]
        if self.dask is None:
            found = _in_processes(function, sorted_items, n_processes=n_processes, done=done)
        else:
            found = _on_dask(function, sorted_items, address=self.dask, done=done)
        by_number = dict(zip(order, found, strict=True))
        return [by_number[number] for number in range(len(items))]


def _in_processes(
    function: Callable[[Item], Result],
    items: Sequence[Item],
    *,
    n_processes: int,
    done: Callable[[Result], object],
) -> list[Result]:
    """As :meth:`Executor.map`, in new processes.

    They don't run the calling script again, so it needs no ``if __name__ == "__main__":``.
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


def _on_dask(
    function: Callable[[Item], Result],
    items: Sequence[Item],
    *,
    address: str,
    done: Callable[[Result], object],
) -> list[Result]:
    """As :meth:`Executor.map`, on the workers of a Dask cluster."""
    client = _client(address)

    def look() -> None:
        if not client.nthreads():
            logger.warning(
                "%s: has no workers, waiting: start some with `dask worker %s`", *(address,) * 2
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


def _client(address: str) -> Client:
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
    pool: Pool,
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
