"""Separations one after the other: a bounded queue with one worker thread.

A job is queued, then running, then done, failed or cancelled. One thread is enough, because a
separation uses all processors.
"""

from __future__ import annotations

import secrets
import sys
import threading
import traceback
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

from hiphopss.demo.limits import DISK_FULL
from hiphopss.demo.results import STAGES
from hiphopss.demo.uploads import sentence
from hiphopss.errors import HiphopssError

_SHARES = (0.1, 0.6, 0.15, 0.15)  # share of each stage in the progress bar
_KEPT = 200  # maximum number of jobs whose state can be requested
_IDLE_SECONDS = 10.0  # time between two calls of `tidy`
_STOP_SECONDS = 20.0


class Full(Exception):
    """Raised when no more jobs fit in the queue."""


class Cancelled(Exception):
    """Raised in the running job when it is cancelled."""


@dataclass(eq=False)
class Job:
    """A piece of work, and its progress.

    Attributes
    ----------
    work : callable
        Function of the job, which reports to it and returns the id of a result.
    clear : callable
        Called once when the job ends for any reason.
    id : str
        Random id that can't be guessed.
    state : str
        ``"queued"``, ``"running"``, ``"done"``, ``"failed"`` or ``"cancelled"``.
    stage : str
        Current stage, one of ``STAGES``.
    progress : float
        Progress over all stages, from 0 to 1.
    error : str or None
        Reason of a failure, in one line.
    result : str or None
        Id of the job's result.
    uses : str or None
        Id of the existing result that the job extends, if any.
    unwanted : bool
        Whether the job was cancelled; it then stops at its next report.
    """

    work: Callable[[Job], str]
    clear: Callable[[], None] = lambda: None
    id: str = field(default_factory=lambda: secrets.token_urlsafe(16))
    state: str = "queued"
    stage: str = STAGES[0]
    progress: float = 0.0
    error: str | None = None
    result: str | None = None
    uses: str | None = None
    unwanted: bool = False

    def report(self, stage: str, fraction: float) -> None:
        """Record the progress; raise :class:`Cancelled` if the job was cancelled."""
        if self.unwanted:
            raise Cancelled
        number = STAGES.index(stage)
        share = sum(_SHARES[:number]) + _SHARES[number] * fraction
        self.stage, self.progress = stage, max(self.progress, share)


class JobQueue:
    """Runs jobs one by one, in the order of their submission.

    Parameters
    ----------
    limit : int
        Maximum number of unfinished jobs: being checked, queued or running.
    tidy : callable
        Called between jobs, and every ten seconds when no job is waiting.
    """

    def __init__(self, *, limit: int, tidy: Callable[[], None] = lambda: None):
        self._limit = limit
        self._tidy = tidy
        self._jobs: dict[str, Job] = {}  # oldest first
        self._queued: list[Job] = []
        self._places = 0  # places that are taken by jobs or reserved for future jobs
        self._changed = threading.Condition()
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="separations", daemon=True)
        self._thread.start()

    def reserve(self) -> None:
        """Reserve a place for a job; raise :class:`Full` if all places are taken."""
        with self._changed:
            if self._places >= self._limit:
                raise Full
            self._places += 1

    def release(self) -> None:
        """Release a reserved place for which no job was submitted."""
        with self._changed:
            self._places -= 1

    def submit(self, job: Job) -> None:
        """Queue a job for which a place was reserved."""
        with self._changed:
            self._jobs[job.id] = job
            self._queued.append(job)
            for old in [j for j in self._jobs.values() if j.state not in ("queued", "running")]:
                if len(self._jobs) > _KEPT:
                    del self._jobs[old.id]
            self._changed.notify_all()

    def cancel(self, id: str) -> bool:
        """Stop a job or prevent its start; return False if no job has this id."""
        with self._changed:
            job = self._jobs.get(id)
            if job is None:
                return False
            job.unwanted = True
            waiting = job in self._queued
            if waiting:
                self._queued.remove(job)
        if waiting:
            self._end(job, "cancelled")
        return True

    def cancel_using(self, result: str) -> None:
        """Cancel all jobs that extend a result."""
        with self._changed:
            ids = [job.id for job in self._jobs.values() if job.uses == result]
        for id in ids:
            self.cancel(id)

    def describe(self, id: str) -> dict | None:
        """Describe a job for the page; None if no job has this id."""
        with self._changed:
            job = self._jobs.get(id)
            if job is None:
                return None
            position = self._queued.index(job) + 1 if job in self._queued else 0
            return {
                "state": job.state,
                "position": position,
                "stage": job.stage,
                "progress": round(job.progress, 3),
                "error": job.error,
                "result": job.result and f"results/{job.result}/result.json",
            }

    def close(self) -> None:
        """Cancel all jobs, and wait for the thread to end."""
        with self._changed:
            self._stopping = True
            ids = list(self._jobs)
            self._changed.notify_all()
        for id in ids:
            self.cancel(id)
        self._thread.join(_STOP_SECONDS)

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._queued or self._stopping, _IDLE_SECONDS)
                if self._stopping:
                    return
                job = self._queued.pop(0) if self._queued else None
                if job:
                    job.state = "running"
            if job:
                self._work(job)
            self._tidy()

    def _work(self, job: Job) -> None:
        try:
            job.report(STAGES[0], 0)
            job.result = job.work(job)
        except Exception as error:
            cause = error.__cause__ if isinstance(error, HiphopssError) else error
            if job.unwanted:  # it was cancelled, or its result was removed
                self._end(job, "cancelled")
            elif isinstance(cause, OSError) and cause.errno in DISK_FULL:
                self._end(job, "failed", "The server's disk is full: try again later.")
            elif isinstance(error, HiphopssError):
                self._end(job, "failed", sentence(str(error)))
            else:
                traceback.print_exc(file=sys.stderr)
                self._end(job, "failed", f"The server failed ({type(error).__name__}): try again.")
        else:
            job.stage, job.progress = STAGES[-1], 1.0
            self._end(job, "done")

    def _end(self, job: Job, state: str, error: str | None = None) -> None:
        with suppress(OSError):
            job.clear()
        with self._changed:
            job.work, job.clear = lambda _: "", lambda: None  # release the objects they refer to
            job.state, job.error = state, error
            self._places -= 1
