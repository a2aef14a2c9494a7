"""Scoring models as a campaign did, and putting them beside its scores."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from hiphopss.datasets.dsd100 import listed_song
from hiphopss.datasets.songs import Song, find_songs
from hiphopss.errors import HiphopssError
from hiphopss.eval.aggregate import summary_path
from hiphopss.eval.campaign.pairs import Beside, put_beside
from hiphopss.eval.campaign.picture import plot_pairs
from hiphopss.eval.campaign.tables import campaign
from hiphopss.eval.campaign.words import pairs_path, text, write_pairs, write_standings
from hiphopss.eval.comparison import Comparison, compare
from hiphopss.eval.evaluation import Baselines
from hiphopss.eval.protocols import Scoring
from hiphopss.eval.table import csv_path
from hiphopss.util.executor import Executor
from hiphopss.util.extras import require
from hiphopss.util.files import require_writable


@dataclass(frozen=True)
class CampaignSettings:
    """The campaign with which models are compared.

    Attributes
    ----------
    name : str
        ``"sisec2016"``, SiSEC 2016.
    average : {"mean", "median"}
        What a song's score is over its windows.
    """

    name: str = "sisec2016"
    average: str = "mean"


@dataclass(frozen=True)
class CampaignComparison:
    """Result of :func:`compare_with_campaign`.

    Attributes
    ----------
    comparison : Comparison
        Scores of all models, and their differences among themselves.
    beside : Beside
        The models beside the campaign: ``pairs``, song by song, and ``standings``, over songs.
    files : list of Path
        What was written: the table of scores, then the campaign's tables and the picture.
    """

    comparison: Comparison
    beside: Beside
    files: list[Path]

    def text(self) -> str:
        """All as text tables for the terminal, without a final newline."""
        return f"{self.comparison.text()}\n\n{text(self.beside)}"


def compare_with_campaign(
    estimates: str | Path | Sequence[str | Path],
    references: str | Path | Sequence[Song],
    output: str | Path,
    *,
    beside: CampaignSettings | None = None,
    against: str | None = None,
    how: Scoring | None = None,
    where: Executor | None = None,
    baselines: Baselines | None = None,
    subset: str | None = None,
    progress: bool = True,
) -> CampaignComparison:
    """Score models on songs of DSD100, and put them beside the original network's own scores.

    The baseline from which the paper starts took part in SiSEC 2016, whose scores are part of this
    package (:mod:`hiphopss.eval.campaign`). The models are evaluated as the campaign's systems
    were: BSS Eval v3 images, stereo, in windows of 30 s every 15 s.

    Parameters
    ----------
    estimates : path-like or sequence of path-like
        Folders ``<song>/<stem>.wav``, one for each model, of any songs of DSD100.
    references : path-like or sequence of Song
        The true stems, as in :func:`hiphopss.evaluate`. Songs are matched with DSD100's list by
        name, with or without a number, so MUSDB18 will do. Others are scored, but not compared.
    output : path-like
        Table to write, as in :func:`hiphopss.compare`. Beside ``<name>.csv``, there are then
        ``<name>_sisec2016.csv`` (the scores and differences, song by song),
        ``<name>_sisec2016_summary.csv`` (over songs, with the intervals and places) and
        ``<name>_sisec2016.png``.
    beside : CampaignSettings, optional
        The campaign, and what a song's score is; by default SiSEC 2016 and means over windows.
    against : str, optional
        Name of the model with which the others are compared; by default the first.
    how : Scoring, optional
        Only its engine and its tolerance are used.
    where, baselines, subset, progress
        As in :func:`hiphopss.evaluate`.

    Returns
    -------
    CampaignComparison
        Scores, pairs and standings.

    Raises
    ------
    HiphopssError
        If no song is one of DSD100's, or as in :func:`hiphopss.compare`.

    Logs
    ----
    WARNING
        If songs have no estimates, or other numbers of windows than in the campaign.
    """
    beside = beside or CampaignSettings()
    known = campaign(beside.name)
    require(f"a picture beside {known.title}", "matplotlib")
    table = pairs_path(csv_path(output), beside.name)
    files = [Path(output), table, summary_path(table), table.with_suffix(".png")]
    for file in files:
        require_writable(file)
    _require_listed(references, subset, known.title)
    comparison = compare(
        estimates,
        output,
        references=references,
        against=against,
        how=as_released(how),
        where=where,
        baselines=baselines,
        subset=subset,
        progress=progress,
    )
    found = put_beside(comparison.rows, name=beside.name, average=beside.average)
    if not found.pairs:
        raise HiphopssError(
            f"{output}: none of the songs with estimates is of DSD100: nothing of {known.title} "
            "can stand beside it; separate songs of DSD100 or of its part of MUSDB18"
        )
    write_pairs(table, found)
    write_standings(summary_path(table), found)
    plot_pairs(found, table.with_suffix(".png"))
    return CampaignComparison(comparison, found, files)


def as_released(how: Scoring | None) -> Scoring:
    """The evaluation of the released code and the campaign, with the engine and tolerance given."""
    own = how or Scoring()
    return replace(own, protocol="released", mode=None, window_s=None, hop_s=None)


def _require_listed(
    references: str | Path | Sequence[Song], subset: str | None, title: str
) -> None:
    """Raise if no song can be one of the campaign's, before any work."""
    if isinstance(references, str | Path):
        where, songs = str(references), find_songs(references)
    else:
        where, songs = "references", list(references)
    wanted = [song for song in songs if subset in (None, "", song.subset) or not song.subset]
    if not any(listed_song(song.name) for song in wanted):
        raise HiphopssError(
            f"{where}: no song of DSD100 by its name{f' in {subset}' if subset else ''}: "
            f"{title} has scores of DSD100's songs only, such as '001 - ANiMAL - Clinic A': "
            "give the folder of DSD100 or of MUSDB18"
        )
