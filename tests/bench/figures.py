"""What a benchmark yields: figures, each beside what it must reach, and how times are taken."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np


@dataclass
class Figure:
    """A figure of a benchmark.

    Attributes
    ----------
    name : str
        What is measured.
    what, against : str
        What is compared, and with what.
    wall, processor : float or None
        The figure by either clock; None where there is none, or times say nothing.
    by : str
        The clock that decides: ``"wall"`` where several processors share the work, ``"processor"``
        where one does it, which other work on the machine disturbs little. ``""`` is neither.
    unit : str
        Of the figure.
    to_reach : float or None
        What it must reach, or must not exceed if ``at_most``.
    measured : float or None
        The figure if it is not of time.
    seconds : dict
        Wall and processor seconds of what is compared.
    note : str
        What else must be known.
    """

    name: str
    what: str
    against: str = ""
    wall: float | None = None
    processor: float | None = None
    by: str = "wall"
    unit: str = "x"
    to_reach: float | None = None
    at_most: bool = False
    measured: float | None = None
    seconds: dict[str, list[float]] = field(default_factory=dict)
    note: str = ""

    @property
    def value(self) -> float:
        """The figure by the clock that decides."""
        return {"wall": self.wall, "processor": self.processor, "": self.measured}[self.by]

    @property
    def met(self) -> bool | None:
        """Whether it reaches what it must."""
        if self.to_reach is None:
            return None
        return bool(self.value <= self.to_reach if self.at_most else self.value >= self.to_reach)

    def line(self) -> str:
        """A line for people."""
        clocks = {"wall": self.wall, "processor": self.processor}
        others = [f"{value:.3g} by {by}" for by, value in clocks.items() if value is not None]
        target = "" if self.to_reach is None else f", {'met' if self.met else 'MISSED'}: "
        if target:
            target += f"{'at most' if self.at_most else 'at least'} {self.to_reach:g}"
        told = f"{self.value:.3g} {self.unit}{target}"
        tail = "; ".join(filter(None, [", ".join(others), self.note]))
        return f"{self.name}: {told} ({tail})" if tail else f"{self.name}: {told}"

    def as_dict(self) -> dict:
        """All of it, for JSON."""
        return asdict(self) | {"value": self.value, "met": self.met}


def faster(name: str, taken: dict[str, np.ndarray], *, scale: float = 1.0, **options) -> Figure:
    """How many times as fast as the second of two works the first is.

    Parameters
    ----------
    name : str
        Of the figure.
    taken : dict
        Two names, of what is measured and what it is compared with, and the wall and processor
        seconds of each.
    scale : float
        How many times the work of the second the first does.
    **options
        Of :class:`Figure`.
    """
    own, other = taken.values()
    return _compared(name, taken, scale * np.divide(other, own), options)


def slower(name: str, taken: dict[str, np.ndarray], *, percent: bool = False, **options) -> Figure:
    """How many times as long as the second the first takes, or by how many percent longer."""
    own, other = taken.values()
    ratios = np.divide(own, other)
    values = 100 * (ratios - 1) if percent else ratios
    options = {"at_most": True, "unit": "%" if percent else "x"} | options
    return _compared(name, taken, values, options)


def _compared(name, taken, values, options) -> Figure:
    what, against = taken
    seconds = {key: [float(value) for value in pair] for key, pair in taken.items()}
    wall, processor = map(float, values)
    return Figure(name, what, against, wall, processor, seconds=seconds, **options)


def timed(work: Callable[[], object]) -> np.ndarray:
    """Wall and processor seconds of a call."""
    wall, processor = time.perf_counter(), time.process_time()
    work()
    return np.array([time.perf_counter() - wall, time.process_time() - processor])


def in_turns(works: dict[str, Callable[[], object]], turns: int) -> dict[str, np.ndarray]:
    """The least wall and processor seconds of several works, done in turns."""
    taken = {name: [] for name in works}
    for _ in range(turns):
        for name, work in works.items():
            taken[name].append(timed(work))
    return {name: np.min(pairs, axis=0) for name, pairs in taken.items()}


def main(
    measure: Callable[..., Iterable[Figure]], description: str, **options: tuple[object, str]
) -> None:
    """The command line of a benchmark: print a line for each figure as it comes.

    Parameters
    ----------
    measure : callable
        Yields figures; called with the options as keyword arguments.
    description : str
        Its first line is the help's.
    **options
        For each option its default and its help. One whose default is False is a switch.
    """
    parser = argparse.ArgumentParser(description=description.splitlines()[0])
    parser.add_argument("--json", type=Path, help="write the figures to this file, too")
    for name, (default, text) in options.items():
        kind = {"action": "store_true"} if default is False else {"type": type(default)}
        parser.add_argument(f"--{name}", default=default, help=text, **kind)
    chosen = vars(parser.parse_args())
    path = chosen.pop("json")
    figures = []
    try:
        for figure in measure(**chosen):
            print(f"  {figure.line()}", flush=True)
            figures.append(figure.as_dict())
    finally:  # those that came before an error, too
        if path is not None:
            path.write_text(json.dumps(figures, indent=1), "utf-8")
