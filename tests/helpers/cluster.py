"""A Dask cluster for tests, and what its workers and other processes import by its name."""

import os
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from hiphopss.eval import scoring


def started(*arguments):
    """A process of Dask's command line, quiet."""
    code = "import sys; from dask.__main__ import main; sys.exit(main())"
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])}  # for this module
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.Popen(command, env=environment, **quiet)


def awaited(condition, seconds=60):
    """What a condition gives as soon as that is true; long, for a busy machine."""
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < end
        time.sleep(0.05)
    return found


@contextmanager
def cluster_of(n_workers, folder):
    """A scheduler and workers that nothing starts again: address, worker processes, client."""
    distributed = pytest.importorskip("distributed")
    file = folder / "scheduler.json"
    local = ("--no-dashboard", "--scheduler-file", file)
    scheduler = started("scheduler", *local, "--host", "127.0.0.1", "--port", 0)
    options = (*local, "--no-nanny", "--nthreads", 1, "--local-directory", folder)
    processes = [scheduler, *(started("worker", *options) for _ in range(n_workers))]
    try:
        awaited(file.exists)
        with distributed.Client(scheduler_file=str(file), set_as_default=False) as client:
            client.wait_for_workers(n_workers, timeout=60)
            yield client.scheduler_info()["address"], processes[1:], client
    finally:
        for process in processes:
            process.kill()
            process.wait()


def gated(folder, first, version, job):
    """On a worker: all songs but the first say who has begun them, and wait for the gate."""
    if job.song.name != first:
        (folder / f"begun-{os.getpid()}").touch()
        awaited((folder / "gate").exists)
    return scoring._score_on_worker(version, job)


def pages_of_the_second(n_numbers):
    """Pages that come from the system for an array after one of its size has gone."""
    resource = pytest.importorskip("resource")
    np.ones(n_numbers)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    np.ones(n_numbers)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
