"""The tidy table of scores: one CSV row a song, source and window.

Conventions
-----------
UTF-8, comma-separated, a header line; the columns are :data:`COLUMNS`. Scores are in dB and are
written so that they read back bit for bit; a cell is empty where the score is undefined, and
``note`` says why. ``<name>.json`` beside ``<name>.csv`` records how the table was made. Rows are
identified by what they say, never by where they stand.
"""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import astuple, dataclass, fields, replace
from pathlib import Path

from hiphopss.errors import HiphopssError
from hiphopss.eval.bss.scores import Scores
from hiphopss.util.files import write_text, written_whole


@dataclass(frozen=True)
class Row:
    """One line of the table.

    Attributes
    ----------
    song, subset, source : str
        What was scored. ``subset`` is ``"Dev"``, ``"Test"``, another label or empty.
    window_start_s : float
        Where the window starts, in seconds.
    SDR, SIR, SAR, ISR : float or None
        In dB; None where undefined.
    model : str
        What made the estimates.
    note : str
        Why a score is missing or peculiar, and :data:`LEAK_NOTE` where it applies; else empty.
        Several are joined by ``"; "``.
    """

    song: str
    subset: str
    source: str
    window_start_s: float
    SDR: float | None
    SIR: float | None
    SAR: float | None
    ISR: float | None
    model: str
    note: str = ""

    @property
    def key(self) -> tuple:
        """What no two rows of a table may share."""
        return self.model, self.subset, self.song, self.source, self.window_start_s


COLUMNS = tuple(field.name for field in fields(Row))
"""The columns of the CSV file, in order."""


LEAK_NOTE = "trained on test songs (Q3)"
"""Note on every row of a model whose training features include the test songs.

The released features of HH_CS do (docs/released-code.md, section 6)."""

_JOINT = "; "


def with_leak_note(rows: Iterable[Row]) -> list[Row]:
    """Rows that say, beside what they say already, that the model was trained on test songs."""
    return [
        replace(row, note=_JOINT.join(note for note in (row.note, LEAK_NOTE) if note))
        for row in rows
    ]


def is_uncertain(row: Row) -> bool:
    """Whether a row's note says that a score is undefined or uncertain.

    Parameters
    ----------
    row : Row
        Of a table.

    Returns
    -------
    bool
        False for :data:`LEAK_NOTE`, which is about the model and not about the measurement.
    """
    return any(note not in ("", LEAK_NOTE) for note in row.note.split(_JOINT))


def leaky_models(rows: Iterable[Row]) -> list[str]:
    """Names of the models whose rows say :data:`LEAK_NOTE`, in order of first appearance."""
    return list(dict.fromkeys(row.model for row in rows if LEAK_NOTE in row.note.split(_JOINT)))


def rows_from_scores(
    scores: Scores,
    sources: Sequence[str],
    sample_rate: int,
    *,
    song: str,
    subset: str,
    model: str,
) -> list[Row]:
    """Rows of one song, source after source.

    Parameters
    ----------
    scores : Scores
        Of :func:`hiphopss.eval.bss_eval`.
    sources : sequence of str
        Names of the sources, in the order of the scores.
    sample_rate : int
        In Hz; turns window starts into seconds.
    song, subset, model : str
        What the rows say of themselves.

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
            model=model,
            note=str(scores.notes[i, k]),
        )
        for i, source in enumerate(sources)
        for k, start in enumerate(scores.window_starts)
    ]


def _defined(value: float) -> float | None:
    """A score as a Python float, or None for NaN."""
    return None if math.isnan(value) else float(value)


def csv_path(path: str | Path) -> Path:
    """``path`` if a table can be named so.

    Raises
    ------
    HiphopssError
        If it doesn't end in ``.csv`` or is a folder.
    """
    path = Path(path)
    if path.suffix.lower() != ".csv":
        raise HiphopssError(f"{path}: the table is a CSV file: give a name that ends in .csv")
    if path.is_dir():
        raise HiphopssError(f"{path}: is a folder: give the name of a file")
    return path


def record_path(path: str | Path) -> Path:
    """The JSON file that records how the table ``path`` was made."""
    return Path(path).with_suffix(".json")


def write_rows(path: str | Path, rows: Iterable[Row]) -> None:
    """Write a table.

    Parameters
    ----------
    path : path-like
        Name ending in ``.csv``.
    rows : iterable of Row
        The lines, in order.

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
    """Write how the table ``path`` was made, beside it.

    Parameters
    ----------
    path : path-like
        The table.
    record : dict
        JSON values.
    """
    text = json.dumps(record, indent=2, sort_keys=True, ensure_ascii=False)
    write_text(record_path(path), text + "\n")


def write_csv(path: Path, header: Sequence[str], lines: Iterable[Sequence]) -> None:
    """Write a CSV file in this package's dialect.

    Parameters
    ----------
    path : Path
        The file.
    header : sequence of str
        Names of the columns.
    lines : iterable of sequence
        Cells: None is left empty, a float is written in full.
    """
    with open(path, "w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(lines)  # csv writes repr() of a float, "" of None


def _require_unique(path: Path, rows: Iterable[Row]) -> None:
    """Raise where two rows would count as one measurement."""
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
        The CSV file.

    Returns
    -------
    list of Row
        In the order of the file.

    Raises
    ------
    HiphopssError
        If the file can't be read or isn't such a table.
    """
    try:
        # A spreadsheet program may have put a byte order mark before the header.
        with open(path, encoding="utf-8-sig", newline="") as file:
            lines = list(csv.reader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        reason = getattr(error, "strerror", None) or "not a CSV file in UTF-8"
        raise HiphopssError(
            f"{path}: can't read this table ({reason}): give a CSV file of scores"
        ) from error
    if not lines or tuple(lines[0]) != COLUMNS:
        raise HiphopssError(
            f"{path}: not a table of scores: its first line must be {','.join(COLUMNS)}"
        )
    rows = [_parsed(path, number, cells) for number, cells in enumerate(lines[1:], 2) if cells]
    _require_unique(Path(path), rows)
    return rows


def _parsed(path: str | Path, number: int, cells: list[str]) -> Row:
    """One line as a row."""
    if len(cells) != len(COLUMNS):
        raise HiphopssError(
            f"{path}: row {number} has {len(cells)} cells instead of {len(COLUMNS)}: "
            "evaluate again, or mend the row"
        )
    song, subset, source, start, *ratios, model, note = cells
    try:
        window_start_s = float(start)
        sdr, sir, sar, isr = (_defined(float(ratio or "nan")) for ratio in ratios)
    except ValueError as error:
        raise HiphopssError(
            f"{path}: row {number}: {error}: evaluate again, or mend the row"
        ) from error
    return Row(song, subset, source, window_start_s, sdr, sir, sar, isr, model, note)


def read_json_object(path: str | Path) -> dict | None:
    """The object in a JSON file, or None if there is no such file.

    Raises
    ------
    HiphopssError
        If the file can't be read or holds something else.
    """
    path = Path(path)
    if not path.exists():
        return None
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise HiphopssError(f"{path}: can't read this as JSON: mend or remove it") from error
    if not isinstance(value, dict):
        raise HiphopssError(f"{path}: holds no JSON object: mend or remove it")
    return value
