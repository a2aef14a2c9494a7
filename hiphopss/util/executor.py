"""Runs work over many songs in this process, in other processes, or on a Dask cluster.

A piece of work is a call of a function with one item. Workers import the function by its name; the
item is pickled. Everything that processes many songs takes an :class:`Executor`.

joblib supports both kinds of workers too, but waits forever if a song repeatedly kills a Dask
worker. So the ``concurrent.futures`` executors beneath it are used directly.
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
"""With these, a process reuses the memory of one song for the next and starts no BLAS threads.

Whole songs are large arrays, whose memory the GNU C library would return to the system each time
(other C libraries ignore these names). Getting it back means page by page through the kernel, which
clears each page and for which processes compete.
"""

_CONNECT_S = 10
"""Seconds within which a Dask scheduler has to answer."""

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
        the same paths as here. If a worker dies, another one repeats its work.
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

    def map(
        self,
        function: Callable[[Item], Result],
        items: Sequence[Item],
        *,
        cost: Callable[[Item], float],
        n_useful: int,
        done: Callable[[Result], object],
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
        n_processes = min(self.n_jobs or min(n_useful, processor_count()), len(items))
        place = f"Dask at {self.dask}" if self.dask else f"{max(n_processes, 1)} processes"
        logger.debug("%d pieces of work in %s", len(items), place)
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
    """Run :meth:`Executor.map` in new processes.

    They don't run the calling script again, so it needs no ``if __name__ == "__main__":``.
    """
    from loky import BrokenProcessPool, ProcessPoolExecutor

    def mend(error: Exception, position: int) -> str | None:
        if isinstance(error, BrokenProcessPool):
            return "a process died, perhaps because memory ran out: use fewer (--jobs 1, n_jobs=1)"
        return None

    # Forked children could deadlock in threads of BLAS or TensorFlow; loky starts new processes.
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
    """Run :meth:`Executor.map` on the workers of a Dask cluster."""
    client = _client(address)

    def look() -> None:
        if not client.nthreads():
            logger.warning(
                "%s: has no workers, waiting: start some with `dask worker %s`", *(address,) * 2
            )

    def mend(error: Exception, position: int) -> str | None:
        return _mend_dask(address, error, items[position])

    calls = [pickle.dumps(_Call(function, item)) for item in items]
    # Dask's client logs many lines about an error that is raised here as one line.
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


def _mend_dask(address: str, error: Exception, item: object) -> str | None:
    """An error message with advice for an error of the cluster; None for other errors."""
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
    """Collect the results in the order of the items.

    ``mend`` returns the message for an item's error, or None; ``look`` is called while waiting.
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
