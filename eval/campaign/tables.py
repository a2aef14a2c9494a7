"""The scores of a campaign, read from the tables that the package holds."""

from __future__ import annotations

import csv
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from math import fsum

from hiphopss.errors import HiphopssError
from hiphopss.eval.bss.scores import METRICS

CAMPAIGNS = ("sisec2016",)
"""Names of the campaigns whose scores are known."""

AVERAGES = ("mean", "median")
"""What a song's score can be over its windows."""


@dataclass(frozen=True)
class Entry:
    """Scores of one system for one target, of a song or over the songs of a subset.

    Attributes
    ----------
    n : int
        Number of windows, or of songs.
    scores : dict of (str, str) to float
        In dB, by metric and by one of :data:`AVERAGES`.
    """

    n: int
    scores: dict[tuple[str, str], float]


@dataclass(frozen=True)
class Campaign:
    """The scores of a campaign, and what has to be said of them.

    Attributes
    ----------
    title, source, credit : str
        Its name, the address of its results, and its publication.
    original, original_is : str
        The system that is the original network, and its description.
    trained_on : str
        Subset on which the original was trained.
    bound, bound_is : str
        The system that is an upper bound, and its description.
    songs : dict of (str, int, str) to Entry
        By system (the original and the bound), number of the song, and target.
    systems : dict of (str, str, str) to Entry
        By system (all), subset, and target.
    """

    title: str
    source: str
    credit: str
    original: str
    original_is: str
    trained_on: str
    bound: str
    bound_is: str
    songs: Mapping[tuple[str, int, str], Entry]
    systems: Mapping[tuple[str, str, str], Entry]

    def means(self, subset: str, target: str, metric: str) -> dict[str, float]:
        """Mean over the songs of subsets, of all systems with this target.

        Parameters
        ----------
        subset : str
            ``"Dev"``, ``"Test"`` or ``"Dev and Test"``.
        target, metric : str
            A target of the campaign, and one of ``METRICS``.

        Returns
        -------
        dict of str to float
            In dB, by system.
        """
        found: dict[str, list[Entry]] = {}
        for (system, half, of), entry in self.systems.items():
            if half in subset.split(" and ") and of == target:
                found.setdefault(system, []).append(entry)
        return {
            system: fsum(entry.n * entry.scores[metric, "mean"] for entry in entries)
            / sum(entry.n for entry in entries)
            for system, entries in found.items()
        }


@lru_cache
def campaign(name: str) -> Campaign:
    """Read the tables of a campaign.

    Parameters
    ----------
    name : str
        One of :data:`CAMPAIGNS`.

    Returns
    -------
    Campaign
        All its scores.

    Raises
    ------
    HiphopssError
        If there is none of this name.
    """
    if name not in CAMPAIGNS:
        raise HiphopssError(f"no campaign named {name!r}: choose one of {', '.join(CAMPAIGNS)}")
    facts = tomllib.loads(files(__package__).joinpath(f"{name}.toml").read_text("utf-8"))
    return Campaign(
        **facts,
        songs={
            (line["system"], int(line["number"]), line["target"]): _entry(line, "windows")
            for line in _lines(__package__, f"{name}-songs.csv")
        },
        systems={
            (line["system"], line["subset"], line["target"]): _entry(line, "songs")
            for line in _lines(__package__, f"{name}-systems.csv")
        },
    )


def _entry(line: dict[str, str], n: str) -> Entry:
    scores = {
        (metric, average): float(line[f"{metric}_{average}"])
        for metric in METRICS
        for average in AVERAGES
    }
    return Entry(int(line[n]), scores)


def _lines(package: str, name: str) -> Iterator[dict[str, str]]:
    """The lines of a CSV file in a package, by column."""
    yield from csv.DictReader(files(package).joinpath(name).read_text("utf-8").splitlines())
