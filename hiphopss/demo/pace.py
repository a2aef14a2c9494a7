"""How long to wait for a client that sends or reads slowly."""

from __future__ import annotations


class Pace:
    """A deadline that moves on with the bytes that are transferred.

    Each byte gives ``1 / rate`` seconds more, but there are never more than ``patience`` seconds
    left. So the deadline passes when nothing is transferred for so long, and also when bytes come
    at less than the rate, however long they go on coming.

    Parameters
    ----------
    now : float
        Time in seconds.
    patience : float
        Seconds until the deadline at the beginning, and at most.
    rate : float
        Least rate, in bytes per second.

    Attributes
    ----------
    deadline : float
        Time at which the client has been too slow.
    """

    def __init__(self, now: float, *, patience: float, rate: float):
        self._patience, self._rate = patience, rate
        self.deadline = now + patience

    def moved(self, n_bytes: int, now: float) -> float:
        """Move the deadline for bytes that were transferred until now, and return it."""
        self.deadline = min(now + self._patience, self.deadline + n_bytes / self._rate)
        return self.deadline

    def behind(self, now: float) -> float:
        """Seconds that the client has lost: 0 if it keeps the rate, up to the patience."""
        return now + self._patience - self.deadline
