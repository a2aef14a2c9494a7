"""Models beside a campaign, as text, as Markdown and as CSV."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from textwrap import fill

from hiphopss.eval.campaign.pairs import BOTH, Beside, Standing, other_windows
from hiphopss.eval.table import write_csv
from hiphopss.util.files import written_whole

_WIDTH = 100  # of the notes in the terminal


def text(beside: Beside) -> str:
    """Format the SDR as text tables for the terminal, one for each model and subset.

    Parameters
    ----------
    beside : Beside
        The comparison, from :func:`hiphopss.eval.campaign.pairs.put_beside`.

    Returns
    -------
    str
        Lines without a final newline, the notes last; empty if there is nothing to compare.
    """
    known = beside.campaign
    blocks = []
    for group in _groups(beside):
        lines = [f"{group[0].model} {_heading(beside, group[0])}: SDR in dB, mean over songs"]
        lines.append(
            f"{'target':13} songs   model {known.original:>7}   difference      "
            f"{known.bound:>7}   place"
        )
        for one in group:
            lines.append(
                f"{one.target:13} {one.n_songs:>5} {one.score:>7.2f} {one.original:>7.2f}   "
                f"{_difference(one):16}{one.bound:>6.2f}   {_place(one)}".rstrip()
            )
        blocks.append("\n".join(lines))
    told = "\n".join(fill(note, _WIDTH) for note in notes(beside))
    return "\n\n".join([*blocks, told]) if blocks else ""


def lines(beside: Beside) -> list[str]:
    """Format the SDR as Markdown tables, one for each subset.

    Parameters
    ----------
    beside : Beside
        The comparison.

    Returns
    -------
    list of str
        Lines of the tables and of the notes below; empty if there is nothing to compare.
    """
    known = beside.campaign
    found: list[str] = []
    groups = _groups(beside)
    for subset in dict.fromkeys(group[0].subset for group in groups):
        own = [one for group in groups for one in group if one.subset == subset]
        found += [
            f"Models {_heading(beside, own[0])}: SDR in dB, mean over songs",
            "",
            f"| model | target | songs | SDR | {known.original} | difference | {known.bound} "
            "| place |",
            "|---|---|---|---|---|---|---|---|",
            *(
                f"| {one.model} | {one.target} | {one.n_songs} | {one.score:.2f} "
                f"| {one.original:.2f} | {_difference(one)} | {one.bound:.2f} | {_place(one)} |"
                for one in own
            ),
            "",
        ]
    return [*found, " ".join(notes(beside))] if found else []


def notes(beside: Beside) -> list[str]:
    """Say what is compared, in sentences.

    Parameters
    ----------
    beside : Beside
        The comparison.

    Returns
    -------
    list of str
        Sentences about the systems, the average, the places and the subsets that are there.
    """
    known, standings = beside.campaign, beside.standings
    found = [
        f"{known.original} is {known.original_is}, {known.bound} {known.bound_is}: their scores of "
        f"the same songs are those of {known.title} ({known.source}).",
        f"A song's score is the {beside.average} over its windows of 30 s (BSS Eval v3, images); "
        "differences are paired, song by song, ± half of their 95 % confidence interval.",
    ]
    if told := other_windows(known, beside.pairs):
        found.append(f"Not comparable: {told}.")
    if any(one.place is not None for one in standings):
        found.append(
            f"place: among all systems of the campaign with this target but {known.bound}, this "
            "model counted in, by the mean SDR over all songs of the subset."
        )
    if any(one.place is not None and not one.is_whole for one in standings):
        found.append(
            "~: the campaign's other systems have no scores of these songs alone; it is the place "
            f"if the difference to {known.original} here held for all songs of the subset."
        )
    if any(one.subset in (known.trained_on, BOTH) for one in standings):
        found.append(
            f"{known.original} was trained on the {known.trained_on} songs, so its scores there "
            "are of songs that it knew."
        )
    return found


def pairs_path(path: str | Path, name: str) -> Path:
    """Path ``<table>_<campaign>.csv`` for the table ``<table>.csv``."""
    path = Path(path)
    return path.with_name(f"{path.stem}_{name}.csv")


def write_pairs(path: str | Path, beside: Beside) -> None:
    """Write all scores, song by song, as CSV.

    Parameters
    ----------
    path : path-like
        File to write, usually from :func:`pairs_path`.
    beside : Beside
        The comparison.
    """
    known = beside.campaign
    header = ["song", "number", "subset", "target", "metric", "model", "score", known.original]
    header += ["difference", known.bound, "windows", "campaign_windows"]
    cells = (
        [
            *(p.song, f"{p.number:03d}", p.subset, p.target, p.metric, p.model, p.score),
            *(p.original, p.difference, p.bound, p.n_windows, p.n_campaign_windows),
        ]
        for p in beside.pairs
    )
    with written_whole(path) as temporary:
        write_csv(temporary, header, cells)


def write_standings(path: str | Path, beside: Beside) -> None:
    """Write the means over songs, the differences and the places as CSV.

    Parameters
    ----------
    path : path-like
        File to write.
    beside : Beside
        The comparison.
    """
    known = beside.campaign
    header = ["model", "subset", "target", "metric", "n_songs", "campaign_songs", "mean"]
    header += [known.original, "difference", "ci95", known.bound, "place", "places"]
    cells = (
        [
            *(s.model, s.subset, s.target, s.metric, s.n_songs, s.n_campaign_songs, s.score),
            *(s.original, s.difference, s.ci95, s.bound, s.place, s.n_places),
        ]
        for s in beside.standings
    )
    with written_whole(path) as temporary:
        write_csv(temporary, header, cells)


def _groups(beside: Beside) -> list[Sequence[Standing]]:
    """The standings in SDR of each model and subset."""
    groups: dict[tuple[str, str], list[Standing]] = {}
    for one in beside.standings:
        if one.metric == "SDR":
            groups.setdefault((one.model, one.subset), []).append(one)
    return list(groups.values())


def _heading(beside: Beside, one: Standing) -> str:
    """Which songs a table is about."""
    of = "all" if one.is_whole else f"{one.n_songs} of the"
    songs = f"{of} {one.n_campaign_songs} songs of DSD100's {one.subset}"
    return f"beside {beside.campaign.title}, on {songs}"


def _difference(one: Standing) -> str:
    half = "" if one.ci95 is None else f" ± {one.ci95:.2f}"
    return f"{one.difference:+.2f}{half}"


def _place(one: Standing) -> str:
    if one.place is None:
        return "-"
    return f"{'' if one.is_whole else '~'}{one.place} of {one.n_places}"
