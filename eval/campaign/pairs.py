"""A model's scores and those of the original network, for the same songs.

Conventions
-----------
Songs are matched with DSD100's list by name, and belong to the subset that it says. A song's score
is the mean (or the median) over its windows, and all that is said of several songs is the mean over
them, with the half-width of the 95 % confidence interval of Student's t for differences.

The campaign has no scores of windows in which a true source is silent: of the four sources together
if any of them is, and of the accompaniment if it or the vocals are. (The numbers of windows in its
tables show it: they are the same for the four sources and for all systems.) So such windows of the
model are left out as well.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from hiphopss.config import SOURCES
from hiphopss.datasets.dsd100 import ListedSong, listed_song
from hiphopss.errors import HiphopssError
from hiphopss.eval.aggregate import average as average_of
from hiphopss.eval.aggregate import confidence_interval, finite, mean
from hiphopss.eval.bss.scores import METRICS
from hiphopss.eval.campaign.tables import (
    AVERAGES,
    Campaign,
    campaign,
)
from hiphopss.eval.protocols import ACCOMPANIMENT
from hiphopss.eval.table import Row

logger = logging.getLogger(__name__)

TARGETS = (*SOURCES, ACCOMPANIMENT)
"""What a campaign has scores of, in the order of the tables."""

BOTH = "Dev and Test"
"""The subset that is all of DSD100."""

SILENT_REFERENCE = "silent reference"
"""How the notes of rows say that a true source is silent."""

_N_WINDOWS_OFF = 1  # the end of a song makes a window more or less
_N_NAMED = 5


@dataclass(frozen=True)
class Pair:
    """Scores of a model and of the campaign for one song, target and metric.

    Attributes
    ----------
    model : str
        The model.
    song : str
        The song's name among the references.
    number : int
        Its number in DSD100.
    subset : str
        Its subset in DSD100.
    target, metric : str
        One of :data:`TARGETS` and one of ``METRICS``.
    score, original, bound : float
        In dB: of the model, of the original network, and of the campaign's upper bound.
    n_windows, n_campaign_windows : int
        Windows over which the model's score is, and the others.
    """

    model: str
    song: str
    number: int
    subset: str
    target: str
    metric: str
    score: float
    original: float
    bound: float
    n_windows: int
    n_campaign_windows: int

    @property
    def difference(self) -> float:
        """The model's score minus that of the original network."""
        return self.score - self.original


@dataclass(frozen=True)
class Standing:
    """What the pairs of one model say of a target and a metric.

    Attributes
    ----------
    model, subset, target, metric : str
        As in :class:`Pair`; the subset may be :data:`BOTH`.
    n_songs, n_campaign_songs : int
        Songs over which the means are, and songs that the campaign has in the subset.
    score, original, bound : float
        Means over the songs, in dB.
    difference : float
        Mean of the model's score minus that of the original network.
    ci95 : float or None
        Half the width of its 95 % confidence interval; None for one song.
    place, n_places : int or None
        Place of the model among the campaign's systems without the bound, and their number with
        the model; None but for the mean SDR. The systems' scores are means over all songs of the
        subset. With fewer songs, the model's score there is taken to be that of the original
        network plus the difference.
    """

    model: str
    subset: str
    target: str
    metric: str
    n_songs: int
    n_campaign_songs: int
    score: float
    original: float
    bound: float
    difference: float
    ci95: float | None
    place: int | None = None
    n_places: int | None = None

    @property
    def is_whole(self) -> bool:
        """Whether the model was scored on all songs of the subset."""
        return self.n_songs == self.n_campaign_songs


@dataclass(frozen=True)
class Beside:
    """Models beside a campaign.

    Attributes
    ----------
    campaign : Campaign
        The campaign.
    average : str
        What a song's scores are over its windows: ``"mean"`` or ``"median"``.
    pairs : list of Pair
        By model, number of the song, target and metric.
    standings : list of Standing
        By model, subset, target and metric.
    """

    campaign: Campaign
    average: str
    pairs: list[Pair]
    standings: list[Standing]


def put_beside(rows: Iterable[Row], *, name: str = "sisec2016", average: str = "mean") -> Beside:
    """Put scores beside those of a campaign, song by song.

    Parameters
    ----------
    rows : iterable of Row
        Scores of one or more models, evaluated as the campaign's: BSS Eval v3 images in windows of
        30 s every 15 s. Rows of songs that are not in DSD100 are ignored.
    name : str
        One of :data:`hiphopss.eval.campaign.tables.CAMPAIGNS`.
    average : {"mean", "median"}
        What a song's score is over its windows.

    Returns
    -------
    Beside
        Empty lists if no song is one of the campaign's.

    Raises
    ------
    HiphopssError
        If there is no such campaign or average.

    Logs
    ----
    WARNING
        If songs have other numbers of windows than in the campaign.
    """
    if average not in AVERAGES:
        raise HiphopssError(f"no average named {average!r}: choose one of {', '.join(AVERAGES)}")
    known = campaign(name)
    pairs = [
        pair
        for (model, song), own in _by_song(rows).items()
        for pair in _song_pairs(known, model, song, own, average)
    ]
    models = list(dict.fromkeys(pair.model for pair in pairs))
    pairs.sort(key=lambda pair: (models.index(pair.model), pair.number))
    if told := other_windows(known, pairs):
        logger.warning("%s", told)
    return Beside(known, average, pairs, _standings(known, pairs, average))


def _by_song(rows: Iterable[Row]) -> dict[tuple[str, ListedSong], list[Row]]:
    """The rows of each model and song of DSD100; of a song that is there twice, the first."""
    groups: dict[tuple[str, str, str], list[Row]] = defaultdict(list)
    for row in rows:
        groups[row.model, row.subset, row.song].append(row)
    songs = {name: listed_song(name) for name in dict.fromkeys(name for _, _, name in groups)}
    found: dict[tuple[str, ListedSong], list[Row]] = {}
    for (model, _, name), own in groups.items():
        song = songs[name]
        if song is not None:
            found.setdefault((model, song), own)
    return found


def _song_pairs(
    known: Campaign, model: str, song: ListedSong, rows: Sequence[Row], average: str
) -> Iterable[Pair]:
    """The pairs of one model and song."""
    silent = {(row.source, row.window_start_s) for row in rows if SILENT_REFERENCE in row.note}
    for target in TARGETS:
        together = ("vocals", ACCOMPANIMENT) if target == ACCOMPANIMENT else SOURCES
        own = [
            row
            for row in rows
            if row.source == target
            and not any((source, row.window_start_s) in silent for source in together)
        ]
        entries = [known.songs[s, song.number, target] for s in (known.original, known.bound)]
        for metric in METRICS:
            values = finite(getattr(row, metric) for row in own)
            if values:
                yield Pair(
                    model=model,
                    song=own[0].song,
                    number=song.number,
                    subset=song.subset,
                    target=target,
                    metric=metric,
                    score=average_of(values, average),
                    original=entries[0].scores[metric, average],
                    bound=entries[1].scores[metric, average],
                    n_windows=len(values),
                    n_campaign_windows=entries[0].n,
                )


def other_windows(known: Campaign, pairs: Sequence[Pair]) -> str:
    """A sentence on songs that have windows that the campaign doesn't have, or lack some.

    Parameters
    ----------
    known : Campaign
        The campaign.
    pairs : sequence of Pair
        Scores beside it.

    Returns
    -------
    str
        Empty if there are none.
    """
    off = {
        pair.song: f"{pair.song} ({pair.n_windows}, not {pair.n_campaign_windows})"
        for pair in pairs
        if pair.metric == "SDR" and abs(pair.n_windows - pair.n_campaign_windows) > _N_WINDOWS_OFF
    }
    if not off:
        return ""
    named = ", ".join(list(off.values())[:_N_NAMED])
    more = f" and {len(off) - _N_NAMED} more" if len(off) > _N_NAMED else ""
    return (
        f"other numbers of windows with scores than in {known.title}: {named}{more}: only whole "
        "songs in windows of 30 s every 15 s, and estimates that are nowhere silent, can be "
        "compared with it"
    )


def _standings(known: Campaign, pairs: Sequence[Pair], average: str) -> list[Standing]:
    """The means of pairs; of both subsets together, if there are songs of both."""
    groups: dict[tuple[str, str, str, str], list[Pair]] = defaultdict(list)
    for pair in pairs:
        for subset in (pair.subset, BOTH):
            groups[pair.model, subset, pair.target, pair.metric].append(pair)
    subsets: dict[str, set[str]] = defaultdict(set)
    for pair in pairs:
        subsets[pair.model].add(pair.subset)
    order = ("Test", "Dev", BOTH)
    models = list(subsets)
    keys = sorted(
        groups,
        key=lambda key: (
            models.index(key[0]),
            order.index(key[1]),
            TARGETS.index(key[2]),
            METRICS.index(key[3]),
        ),
    )
    return [
        _standing(known, key, groups[key], average)
        for key in keys
        if key[1] != BOTH or len(subsets[key[0]]) > 1
    ]


def _standing(
    known: Campaign, key: tuple[str, str, str, str], pairs: Sequence[Pair], average: str
) -> Standing:
    """The means of the pairs of a model, subset, target and metric."""
    _, subset, target, metric = key
    differences = [pair.difference for pair in pairs]
    difference = mean(differences)
    place = n_places = None
    if metric == "SDR" and average == "mean":
        systems = known.means(subset, target, metric)
        reached = systems[known.original] + difference
        others = [score for system, score in systems.items() if system != known.bound]
        # The tables have three decimals.
        place = 1 + sum(round(score, 3) > round(reached, 3) for score in others)
        n_places = len(others) + 1
    halves = subset.split(" and ")
    return Standing(
        *key,
        n_songs=len(pairs),
        n_campaign_songs=sum(known.systems[known.original, half, target].n for half in halves),
        score=mean([pair.score for pair in pairs]),
        original=mean([pair.original for pair in pairs]),
        bound=mean([pair.bound for pair in pairs]),
        difference=difference,
        ci95=confidence_interval(differences),
        place=place,
        n_places=n_places,
    )
