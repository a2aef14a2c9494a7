"""A part of a song, by its beginning and its duration."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from pathlib import Path

from hiphopss.errors import AudioError, HiphopssError
from hiphopss.signal.decoding import Header


@dataclass(frozen=True)
class Part:
    """A part of a song; by default all of it.

    Attributes
    ----------
    start : float
        Where it begins, in seconds.
    duration : float, optional
        How long it is, in seconds; by default up to the end of the song. A song that ends before is
        shorter.

    Raises
    ------
    HiphopssError
        If the start is negative or the duration not positive.
    """

    start: float = 0.0
    duration: float | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.start < math.inf:
            raise HiphopssError(f"start {self.start:g}: give 0 or more seconds")
        if self.duration is not None and not 0 < self.duration < math.inf:
            raise HiphopssError(f"duration {self.duration:g}: give more than 0 seconds")

    @property
    def end(self) -> float | None:
        """Where it ends, in seconds; None at the end of the song."""
        return None if self.duration is None else self.start + self.duration

    def of(self, header: Header, path: str | Path) -> Header:
        """The header of this part of a song.

        Parameters
        ----------
        header : Header
            That of the song.
        path : path-like
            The song, for the message.

        Raises
        ------
        AudioError
            If the song ends before the part begins.
        """
        if self == Part():
            return header
        n_samples = self.count(header.n_samples, header.sample_rate, path)
        return replace(header, n_samples=n_samples, n_stated=n_samples)

    def count(self, n_samples: int, sample_rate: int, path: str | Path) -> int:
        """How many of the samples of a song are in this part; the rest is as of :meth:`of`."""
        first, stop = self.samples(sample_rate)
        stop = n_samples if stop is None else min(stop, n_samples)
        if stop <= first:
            raise AudioError(
                f"{path}: has only {n_samples / sample_rate:.1f} s, so nothing of it is after "
                f"{self.start:g} s: choose an earlier start"
            )
        return stop - first

    def samples(self, sample_rate: int) -> tuple[int, int | None]:
        """The numbers of its first sample, and of the one behind its last."""
        stop = None if self.end is None else max(1, round(self.end * sample_rate))
        return round(self.start * sample_rate), stop


def seconds(text: str) -> float:
    """Read a time in seconds, such as ``83.5``, or with minutes and hours, such as ``1:23.5``.

    Raises
    ------
    HiphopssError
        If it is neither.
    """
    parts = text.strip().split(":")
    try:
        numbers = [float(part) for part in parts]
        whole = all(part.isdecimal() for part in parts[:-1])
        if len(parts) <= 3 and whole and all(0 <= n < 60 for n in numbers[1:]) and numbers[0] >= 0:
            return sum(n * 60**k for k, n in enumerate(reversed(numbers)))
    except ValueError:
        pass
    raise HiphopssError(f"{text!r}: give seconds, or minutes and seconds as 1:23")
