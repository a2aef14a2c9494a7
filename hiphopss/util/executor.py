"""Runs work over many songs in this process, in other processes, or on a Dask cluster.

A piece of work is a call of a function with one item. Workers import the function by its name; the
item is pickled. Everything that processes many songs takes an :class:`Executor`.

joblib supports both kinds of workers too, but waits forever if a song repeatedly kills a Dask
worker. So the ``concurrent.futures`` executors beneath it are used directly.
"""

from __future__ import annotations

import logging
import pickle
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, CancelledError, as_completed, wait
from concurrent.futures import Executor as Pool
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from hiphopss.errors import HiphopssError
from hiphopss.util.extras import require
from hiphopss.util.threads import PROCESSORS, processor_count

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
"""With these, a process reuses the memory of one song for the next and starts no BLAS threads.

Whole songs are large arrays, whose memory the GNU C library would return to the system each time
(other C libraries ignore these names). Getting it back means page by page through the kernel, which
clears each page and for which processes compete.
"""

_CONNECT_S = 10
"""Seconds within which a Dask scheduler has to answer."""

_MOST_DEATHS = 2
"""How often a process may die while an item is at work, before the item is tried alone."""

_LOOK_S = 10
"""Seconds without a result after which the cluster is checked for workers."""


@dataclass(frozen=True)
class Executor:
    """Where the pieces of a large piece of work are run. The results don't depend on it.

    Attributes
    ----------
    n_jobs : int, optional
        Number of processes on this machine. By default as many as are useful, but no more than
        there are processors.
    dask : str, optional
        Use the workers of the Dask cluster whose scheduler has this address, such as
        ``"tcp://10.0.0.1:8786"``, instead. They need this version of hiphopss, and all files under
        the same paths as here.

    If a worker of either kind dies, another one repeats its work.
    """

    n_jobs: int | None = None
    dask: str | None = None

    def check(self) -> None:
        """Check before any work that it can be run.

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

    def is_here(self, n_items: int, n_useful: int) -> bool:
        """Whether :meth:`map` does its work in this process."""
        return self.dask is None and self._n_processes(n_items, n_useful) <= 1

    def _n_processes(self, n_items: int, n_useful: int) -> int:
        return min(self.n_jobs or min(n_useful, processor_count()), n_items)

    def map(
        self,
        function: Callable[[Item], Result],
        items: Sequence[Item],
        *,
        cost: Callable[[Item], float],
        n_useful: int,
        done: Callable[[Result], object],
        lost: Callable[[Item, HiphopssError], Result] | None = None,
    ) -> list[Result]:
        """Compute ``list(map(function, items))`` in the chosen place.

        Parameters
        ----------
        function : callable
            Function that workers can import by its name.
        items : sequence
            Arguments of the calls; they are pickled.
        cost : callable
            Gives the time that an item takes, in any unit. The longest items are started first:
            a long one at the end would keep all other processors waiting.
        n_useful : int
            Number of processes that are worth starting if the user has not chosen a number. With
            one, the work is done in this process.
        done : callable
            Called with each result as soon as it is available.
        lost : callable, optional
            Gives the result of an item of which several workers died, from the item and the error;
            by default the error is raised.

        Returns
        -------
        list
            Results, in the order of the items.

        Raises
        ------
        HiphopssError
            If a process or the cluster is lost, or a worker lacks a package. Errors raised by
            ``function`` are raised here, and stop the remaining work.
        """
        n_processes = self._n_processes(len(items), n_useful)
        place = f"Dask at {self.dask}" if self.dask else f"{max(n_processes, 1)} processes"
        logger.debug("%d pieces of work in %s", len(items), place)
        if self.is_here(len(items), n_useful):
            results = []
            for item in items:
                results.append(function(item))
                done(results[-1])
            return results
        order = sorted(range(len(items)), key=lambda number: cost(items[number]), reverse=True)
        sorted_items = [items[number] for number in order]
        told = _Told(done, lost)
        if self.dask is None:
            found = _in_processes(function, sorted_items, n_processes=n_processes, told=told)
        else:
            found = _on_dask(function, sorted_items, address=self.dask, told=told)
        by_number = dict(zip(order, found, strict=True))
        return [by_number[number] for number in range(len(items))]


@dataclass(frozen=True)
class _Told:
    """What is called with results, and with items of which workers died; see :meth:`map`."""

    done: Callable
    lost: Callable | None


def _in_processes(
    function: Callable[[Item], Result],
    items: Sequence[Item],
    *,
    n_processes: int,
    told: _Told,
) -> list[Result]:
    """Run :meth:`Executor.map` in new processes.

    They don't run the calling script again, so it needs no ``if __name__ == "__main__":``.

    If one dies, all of a pool end, so the rest is done in a new one. Items are begun in their
    order; so the first unfinished ones were at work, and one of them may be what killed it. An item
    that was at work twice is tried once more at the end, alone.
    """
    results: dict[int, Result] = {}
    deaths = Counter[int]()  # how often each item was at work when a process died
    while len(results) < len(items):
        left = [k for k in range(len(items)) if k not in results]
        batch = [k for k in left if deaths[k] < _MOST_DEATHS] or left[:1]
        is_alone = deaths[batch[0]] >= _MOST_DEATHS
        size = min(n_processes, len(batch))
        if _in_pool(function, items, batch, size, lambda k, got: _keep(results, k, got, told)):
            continue
        at_work = [k for k in batch if k not in results][:size]
        if not is_alone:
            logger.warning("a process died: what it was working on is done again by another one")
            deaths.update(at_work)
            continue
        if told.lost is None:
            raise HiphopssError(
                "a process died, perhaps because memory ran out: use fewer (--jobs 1, n_jobs=1)"
            )
        error = HiphopssError(
            "processes died of it, perhaps because memory ran out: use fewer (--jobs 1, n_jobs=1), "
            "or leave it out"
        )
        for k in at_work:  # one, as it was tried alone
            _keep(results, k, told.lost(items[k], error), told)
    return [results[k] for k in range(len(items))]


def _keep(results: dict[int, Result], position: int, result: Result, told: _Told) -> None:
    results[position] = result
    told.done(result)


def _in_pool(
    function: Callable[[Item], Result],
    items: Sequence[Item],
    batch: Sequence[int],
    n_processes: int,
    keep: Callable[[int, Result], object],
) -> bool:
    """Do some items in new processes, and return whether none of them died."""
    from loky import BrokenProcessPool, ProcessPoolExecutor

    # Forked children could deadlock in threads of BLAS or TensorFlow; loky starts new processes.
    share = max(1, processor_count() // n_processes)
    pool = ProcessPoolExecutor(n_processes, env=_WORKER_ENVIRONMENT | {PROCESSORS: str(share)})
    broken = False
    try:
        futures = {pool.submit(function, items[position]): position for position in batch}
        for future in as_completed(futures):
            try:
                result = future.result()
            except BrokenProcessPool:
                broken = True
                continue
            keep(futures[future], result)
    except BrokenProcessPool:  # while items are handed over
        broken = True
    except BaseException:
        pool.shutdown(kill_workers=True)
        raise
    pool.shutdown(kill_workers=broken)
    return not broken


def _on_dask(
    function: Callable[[Item], Result],
    items: Sequence[Item],
    *,
    address: str,
    told: _Told,
) -> list[Result]:
    """Run :meth:`Executor.map` on the workers of a Dask cluster."""
    client = _client(address)
    calls = [pickle.dumps(_Call(function, item)) for item in items]
    # Dask's client logs many lines about an error that is raised here as one line.
    with _quiet("distributed.client"), client:
        pool = client.get_executor(pure=False)  # files may have changed since the same call
        try:
            return _dask_results(pool, calls, items, client=client, address=address, told=told)
        finally:
            pool.shutdown(wait=False)


def _client(address: str) -> Client:
    """Connect to a scheduler."""
    require(address or "Dask", "distributed")
    from distributed import Client
    from distributed.comm import resolve_address

    try:
        resolve_address(address)  # a client with a bad address prints noise when it is deleted
        return Client(address, timeout=_CONNECT_S, set_as_default=False)
    except (OSError, ValueError) as error:
        raise HiphopssError(
            f"{address}: no Dask scheduler answers: give the address that `dask scheduler` tells, "
            "such as tcp://10.0.0.1:8786"
        ) from error


class _Call:
    """A call that, when it is unpickled, runs and becomes its result.

    So only the call itself needs the function's package. Otherwise a scheduler without the package
    would fail, and a worker without it would die instead of reporting the error.
    """

    def __init__(self, function: Callable, item: object) -> None:
        self._parts = function, (item,)

    def __reduce__(self) -> tuple:
        return self._parts


@contextmanager
def _quiet(name: str) -> Iterator[None]:
    """Silence a logger within the ``with`` block."""
    logger = logging.getLogger(name)
    level = logger.level
    logger.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        logger.setLevel(level)


def _dask_results(
    pool: Pool,
    calls: list[bytes],
    items: Sequence[Item],
    *,
    client: Client,
    address: str,
    told: _Told,
) -> list:
    """Collect the results of calls in their order; tell if there are no workers meanwhile."""
    from distributed import KilledWorker

    positions = {pool.submit(pickle.loads, call): k for k, call in enumerate(calls)}
    results: dict[int, Any] = {}
    pending = set(positions)
    while pending:
        finished, pending = wait(pending, _LOOK_S, return_when=FIRST_COMPLETED)
        for future in finished:
            position = positions[future]
            try:
                result = future.result()
            except Exception as error:
                mended = _mend_dask(address, error, items[position])
                if mended is None:
                    raise
                if told.lost is None or not isinstance(error, KilledWorker):
                    raise mended from error
                result = told.lost(items[position], mended)
            _keep(results, position, result, told)
        if not finished and not client.nthreads():
            logger.warning(
                "%s: has no workers, waiting: start some with `dask worker %s`", *(address,) * 2
            )
    return [results[position] for position in range(len(items))]


def _mend_dask(address: str, error: Exception, item: object) -> HiphopssError | None:
    """An error with advice for an error of the cluster; None for other errors."""
    from distributed import KilledWorker

    if isinstance(error, KilledWorker):
        return HiphopssError(
            f"{item}: {error.allowed_failures + 1} Dask workers died of it: give them more memory, "
            "or leave it out"
        )
    if isinstance(error, ImportError):
        return HiphopssError(
            f"{address}: {error}: install the same packages where the workers run as here"
        )
    if isinstance(error, CancelledError):
        return HiphopssError(
            f"{address}: the Dask scheduler is gone: start it and its workers, and run it again"
        )
    return None
