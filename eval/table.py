"""The tidy table of scores: one CSV row for each song, source and window.

Conventions
-----------
UTF-8, comma-separated, a header line; the columns are :data:`COLUMNS`. Scores are in dB and are
written so that they can be read back exactly; a cell is empty if the score is undefined, and
``note`` says why. ``<name>.json`` beside ``<name>.csv`` records how the table was made. Rows are
identified by their content, never by their position.
"""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import astuple, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import numpy as np

from hiphopss.errors import HiphopssError
from hiphopss.eval.bss.scores import METRICS as BSS_METRICS
from hiphopss.eval.bss.scores import Scores
from hiphopss.util.files import write_text, written_whole
from hiphopss.util.records import Finite, fit_record, read_table


@dataclass(frozen=True)
class Row:
    """One line of the table.

    Attributes
    ----------
    song, subset, source : str
        What was scored. ``subset`` is ``"Dev"``, ``"Test"``, another label or empty.
    window_start_s : float
        Start of the window in seconds.
    SDR, SIR, SAR, ISR : float or None
        Scores in dB; None if undefined.
    SI_SDR : float or None
        Scale-invariant SDR in dB (:func:`hiphopss.eval.bss.ratios.si_sdr`); None if undefined, or
        if the table is older than this column.
    model : str
        Model that made the estimates.
    note : str
        Explanation of a missing or unusual score, and :data:`LEAK_NOTE` and :data:`LOOPS_NOTE` if
        they apply; otherwise empty. Several notes are joined by ``"; "``.
    """

    song: str
    subset: str
    source: str
    window_start_s: Finite
    SDR: float | None
    SIR: float | None
    SAR: float | None
    ISR: float | None
    SI_SDR: float | None = field(default=None, kw_only=True)
    model: str
    note: str = ""

    @property
    def key(self) -> tuple:
        """Values that identify the row: no two rows of a table may share them."""
        return self.model, self.subset, self.song, self.source, self.window_start_s


COLUMNS = tuple(field.name for field in fields(Row))
"""The columns of the CSV file, in order."""

METRICS = (*BSS_METRICS, "SI_SDR")
"""The columns that are scores."""

_OLDER_COLUMNS = tuple(name for name in COLUMNS if name != "SI_SDR")

LEAK_NOTE = "trained on test songs (Q3)"
"""Note on every row of a model whose training features include the test songs.

This is true of the released features of HH_CS (docs/released-code.md, section 6)."""

LOOPS_NOTE = "separated with loops"
"""Note on every row of a song whose stems were made with what repeats in it.

Such scores are not those of the network alone."""

_OF_STEMS = ("", LEAK_NOTE, LOOPS_NOTE)

_JOINT = "; "
_MOST_DB = 1e5  # ratios of numbers in double precision are within 7,000 dB


def with_notes(rows: Iterable[Row], notes: Iterable[str]) -> list[Row]:
    """Copies of rows that have more notes, such as :data:`LEAK_NOTE` and :data:`LOOPS_NOTE`."""
    notes = list(notes)
    return [
        replace(row, note=_JOINT.join(note for note in (row.note, *notes) if note)) for row in rows
    ]


def is_uncertain(row: Row) -> bool:
    """Whether a row's note says that a score is undefined or uncertain.

    Parameters
    ----------
    row : Row
        Row of a table.

    Returns
    -------
    bool
        False for :data:`LEAK_NOTE` and :data:`LOOPS_NOTE`, which describe the stems and not the
        measurement.
    """
    return any(note not in _OF_STEMS for note in row.note.split(_JOINT))


def leaky_models(rows: Iterable[Row]) -> list[str]:
    """Names of the models whose rows have :data:`LEAK_NOTE`, in order of first appearance."""
    return list(dict.fromkeys(row.model for row in rows if LEAK_NOTE in row.note.split(_JOINT)))


def rows_from_scores(
    scores: Scores,
    sources: Sequence[str],
    sample_rate: int,
    *,
    si_sdr: np.ndarray | None = None,
    song: str,
    subset: str,
    model: str,
) -> list[Row]:
    """Make the rows of one song, source after source.

    Parameters
    ----------
    scores : Scores
        Scores from :func:`hiphopss.eval.bss_eval`.
    sources : sequence of str
        Names of the sources, in the order of the scores.
    sample_rate : int
        Sampling rate in Hz, which converts window starts to seconds.
    si_sdr : np.ndarray [shape=(n_sources, n_windows)], optional
        Scale-invariant SDR in dB, NaN if undefined.
    song, subset, model : str
        Values of these columns.

    Returns
    -------
    list of Row
        ``n_sources * n_windows`` rows.
    """
    return [
        Row(
            song,
            subset,
            source,
            window_start_s=int(start) / sample_rate,
            SDR=_defined(scores.sdr[i, k]),
            SIR=_defined(scores.sir[i, k]),
            SAR=_defined(scores.sar[i, k]),
            ISR=_defined(scores.isr[i, k]),
            SI_SDR=None if si_sdr is None else _defined(si_sdr[i, k]),
            model=model,
            note=str(scores.notes[i, k]),
        )
        for i, source in enumerate(sources)
        for k, start in enumerate(scores.window_starts)
    ]


def _defined(value: float) -> float | None:
    """Convert a score to a Python float, or to None for NaN."""
    return None if math.isnan(value) else float(value)


def csv_path(path: str | Path) -> Path:
    """Return ``path`` if it can be the name of a table.

    Raises
    ------
    HiphopssError
        If it does not end in ``.csv`` or is a folder.
    """
    path = Path(path)
    if path.suffix.lower() != ".csv":
        raise HiphopssError(f"{path}: the table is a CSV file: give a name that ends in .csv")
    if path.is_dir():
        raise HiphopssError(f"{path}: is a folder: give the name of a file")
    return path


def record_path(path: str | Path) -> Path:
    """Path of the JSON file that records how the table ``path`` was made."""
    return Path(path).with_suffix(".json")


def write_rows(path: str | Path, rows: Iterable[Row]) -> None:
    """Write a table.

    Parameters
    ----------
    path : path-like
        Path of the table, which must end in ``.csv``.
    rows : iterable of Row
        Rows in the order of the lines.

    Raises
    ------
    HiphopssError
        If the name is wrong, two rows have the same song, source, window and model, or the folder
        can't be written to.
    """
    path = csv_path(path)
    rows = list(rows)
    _require_unique(path, rows)
    with written_whole(path) as temporary:
        write_csv(temporary, COLUMNS, map(astuple, rows))


def write_record(path: str | Path, record: dict) -> None:
    """Write the record of how the table ``path`` was made, beside it.

    Parameters
    ----------
    path : path-like
        Path of the table.
    record : dict
        Record, in values that JSON can hold.
    """
    text = json.dumps(record, indent=2, sort_keys=True, ensure_ascii=False)
    write_text(record_path(path), text + "\n")


def write_csv(path: Path, header: Sequence[str], lines: Iterable[Sequence]) -> None:
    """Write a CSV file in this package's dialect.

    Parameters
    ----------
    path : Path
        File to write.
    header : sequence of str
        Names of the columns.
    lines : iterable of sequence
        Cells; None is written as an empty cell, and a float in full.
    """
    # Bytes of names that are not text become escapes.
    with open(path, "w", encoding="utf-8", errors="backslashreplace", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(lines)  # csv writes repr() of a float, and "" for None


def _require_unique(path: Path, rows: Iterable[Row]) -> None:
    """Raise if two rows stand for the same measurement."""
    seen = set()
    for row in rows:
        if row.key in seen:
            raise HiphopssError(
                f"{path}: {row.song!r}, {row.source}, window at {row.window_start_s} s of model "
                f"{row.model!r} is there twice: keep one, or give the models different names"
            )
        seen.add(row.key)


def read_rows(path: str | Path) -> list[Row]:
    """Read a table that :func:`write_rows` wrote.

    Parameters
    ----------
    path : path-like
        CSV file to read.

    Returns
    -------
    list of Row
        Rows in the order of the file.

    Raises
    ------
    HiphopssError
        If the file can't be read or is not such a table.
    """
    lines = read_table(path, mend="give a CSV file of scores")
    _, header = next(lines, (1, []))
    columns = tuple(header)
    if columns not in (COLUMNS, _OLDER_COLUMNS):
        raise HiphopssError(
            f"{path}: not a table of scores: its first line must be {','.join(COLUMNS)}"
        )
    rows = [_parsed(path, columns, number, cells) for number, cells in lines]
    _require_unique(Path(path), rows)
    return rows


def _parsed(path: str | Path, columns: Sequence[str], number: int, cells: list[str]) -> Row:
    """Convert one line to a row."""
    mend = "evaluate again, or mend the row"
    if len(cells) != len(columns):
        raise HiphopssError(
            f"{path}: row {number} has {len(cells)} cells instead of {len(columns)}: {mend}"
        )
    values = dict(zip(columns, cells, strict=True))
    for name in METRICS:  # the cell is empty where a score is undefined
        values[name] = values.get(name, "").strip() or "nan"
    values["window_start_s"] = values["window_start_s"].strip()
    row = fit_record(values, Row, origin=f"{path}: row {number}", mend=mend, strict=False)
    scores: dict[str, Any] = {name: _defined(getattr(row, name)) for name in METRICS}
    for name, score in scores.items():
        if score is not None and _MOST_DB < abs(score) < math.inf:
            raise HiphopssError(f"{path}: row {number}: {name} {score:g} is no score in dB: {mend}")
    return replace(row, **scores)
