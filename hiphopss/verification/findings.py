"""What a verification finds, and how it is shown."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from hiphopss.util.text import printable

OK, NOT_RECORDED, MISSING, DIFFERS, UNREADABLE = STATES = (
    "ok",
    "not recorded",
    "missing",
    "differs",
    "can't be read",
)
"""States of what is checked, from the best to the worst."""

_WIDEST = 48  # characters of kind and name, where the others are shorter


@dataclass(frozen=True)
class Finding:
    """One thing that was checked.

    Attributes
    ----------
    depth : int
        0 for the artefact itself, 1 for what it was made from, and so on.
    kind : str
        Such as ``"weights"`` or ``"song"``.
    name : str
        Path, or name where no path is known.
    state : str
        One of :data:`STATES`.
    told : str
        What is the case, and what to do about it.
    """

    depth: int
    kind: str
    name: str
    state: str
    told: str = ""


@dataclass(frozen=True)
class Verification:
    """Result of :func:`hiphopss.verify`.

    Attributes
    ----------
    findings : tuple of Finding
        In the order of the chain: each is followed by what it was made from.
    """

    findings: tuple[Finding, ...]

    @property
    def ok(self) -> bool:
        """Whether nothing is missing, differs or can't be read."""
        return self.status == 0

    @property
    def status(self) -> int:
        """Exit status: 2 if something can't be read, 1 if something is missing or differs."""
        states = {finding.state for finding in self.findings}
        if UNREADABLE in states:
            return 2
        return int(not states.isdisjoint((MISSING, DIFFERS)))

    def text(self) -> str:
        """A line for each finding, and a summary, without a final newline."""
        labels = [f"{'  ' * f.depth}{f.kind:10} {printable(_near(f.name))}" for f in self.findings]
        width = min(max(map(len, labels), default=0), _WIDEST)
        lines = [
            f"{label:{width}}  {finding.state}{': ' * bool(finding.told)}{printable(finding.told)}"
            for label, finding in zip(labels, self.findings, strict=True)
        ]
        return "\n".join([*lines, "", self.summary()])

    def summary(self) -> str:
        """How many findings there are of each state, in one line."""
        counts = Counter(finding.state for finding in self.findings)
        told = [f"{counts[state]} {state}" for state in STATES if counts[state]]
        return f"{len(self.findings)} checked: {', '.join(told) or 'nothing'}"


def counted(number: int, thing: str) -> str:
    """A number of things in words: ``1 song``, ``2 songs``."""
    return f"{number} {thing}{'s' * (number != 1)}"


def _near(name: str) -> str:
    """A path that is in the working directory, as seen from there; others as they are."""
    path = Path(name)
    if path.is_absolute() and path.is_relative_to(Path.cwd()):
        return str(path.relative_to(Path.cwd()))
    return name


def worst(found: list[tuple[str, str]]) -> tuple[str, str]:
    """The worst of some states, and all that is told of them."""
    state = max((state for state, _ in found), key=STATES.index, default=OK)
    return state, "; ".join(told for _, told in found if told)
