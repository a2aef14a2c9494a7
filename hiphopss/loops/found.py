"""What was found of a song's loops, for people."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hiphopss.loops.agreement import Agreement
from hiphopss.loops.period import Period

_SLOWEST = 70.0  # beats a minute; twice as many are too fast
_HEARD = 0.5  # agreement, in the mean over bands, of a copy that people would call one
_GAP_S = 1.0  # shorter gaps between places with copies aren't told


@dataclass(frozen=True)
class Found:
    """A loop and where its copies are.

    Attributes
    ----------
    loop_s : float
        Length of the loop in seconds.
    beats_a_minute : float
        Tempo, if a step between copies is a power of two of bars of four beats; tempos of half and
        twice the speed can't be told apart, so it is given between 70 and 140.
    likeness : float
        How much the song is like itself one loop later; 1 would be the same again.
    copies : float
        How often a place with copies is heard in the song, in the mean, itself included.
    covered : float
        Share of the song that has copies.
    spans : tuple of tuple of float
        Beginnings and ends of the parts that have copies, in seconds. Between them are breaks, and
        what is played once.
    """

    loop_s: float
    beats_a_minute: float
    likeness: float
    copies: float
    covered: float
    spans: tuple[tuple[float, float], ...]

    @property
    def n_bars(self) -> float:
        """Length of the loop in bars of four beats."""
        return self.loop_s * self.beats_a_minute / 240

    def describe(self) -> str:
        """The loop in one line."""
        bars = round(self.n_bars, 1)
        return (
            f"{self.beats_a_minute:.1f} beats a minute, loop of {bars:g} "
            f"bar{'' if bars == 1 else 's'}, {self.copies:.1f} copies, "
            f"{self.covered:.0%} of the song".replace("%", " %")
        )


def found(
    period: Period, agreement: Agreement, *, sample_rate: int, hop_s: float, start_s: float
) -> Found:
    """Sum up a song's copies.

    Parameters
    ----------
    period : Period
        Its period.
    agreement : Agreement
        How alike its copies are.
    sample_rate : int
        In Hz.
    hop_s : float
        Time between frames, in seconds.
    start_s : float
        Time of the first frame, in seconds.

    Returns
    -------
    Found
        The loop, how many copies there are, and where.
    """
    n_frames = agreement.n_frames
    counts = np.zeros(n_frames)
    for step in agreement.signed_steps():
        counts += agreement.of(step, 0, n_frames).mean(axis=1) > _HEARD
    has = counts > 0
    step_s = period.samples / sample_rate
    tempo = 240 / step_s
    tempo *= 2.0 ** np.ceil(np.log2(_SLOWEST / tempo))
    return Found(
        loop_s=step_s * period.n_steps,
        beats_a_minute=float(tempo),
        likeness=period.likeness,
        copies=1 + float(counts[has].mean()) if has.any() else 1.0,
        covered=float(has.mean()),
        spans=_spans(has, hop_s, start_s),
    )


def _spans(has: np.ndarray, hop_s: float, start_s: float) -> tuple[tuple[float, float], ...]:
    edges = np.flatnonzero(np.diff(np.concatenate([[0], has.astype(int), [0]])))
    joined: list[tuple[float, float]] = []
    for first, last in edges.reshape(-1, 2):
        begin, end = start_s + first * hop_s, start_s + last * hop_s
        if joined and begin - joined[-1][1] < _GAP_S:
            begin = joined.pop()[0]
        joined.append((round(float(begin), 2), round(float(end), 2)))
    return tuple(joined)
