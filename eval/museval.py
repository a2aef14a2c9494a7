"""Scores as museval's JSON files, for tools that read those.

One file a song, ``{"targets": [{"name", "frames": [{"time", "duration", "metrics"}]}]}``, as
museval's ``musdb.schema.json`` has it: times in seconds, metrics SDR, SIR, SAR and ISR in dB. All
of them are numbers there: museval writes undefined and infinite ones as ``NaN``, and so does this.
Unlike museval, which rounds to five decimals, numbers are written in full.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from hiphopss.errors import HiphopssError
from hiphopss.eval.bss.scores import METRICS
from hiphopss.eval.table import Row
from hiphopss.util.files import write_text

if TYPE_CHECKING:
    from hiphopss.eval.matching import Estimates
    from hiphopss.eval.scoring import SongScores


def require_writable_as_museval(folder: str | Path, models: Sequence[Estimates]) -> None:
    """See, before the work begins, that the files can be named.

    Raises
    ------
    HiphopssError
        If ``folder`` is a file, or a name that becomes a folder can't be one.
    """
    if Path(folder).exists() and not Path(folder).is_dir():
        raise HiphopssError(f"{folder}: is a file: name a folder for museval's JSON files")
    names = [estimates.model for estimates in models]
    names += [song.subset for estimates in models for song, _ in estimates.songs]
    for name in filter(None, names):
        if Path(name).name != name:
            raise HiphopssError(f"{name!r}: can't be the name of a folder: choose another name")


def write_museval(folder: str | Path, scored: Sequence[SongScores]) -> list[Path]:
    """Write museval's JSON files.

    Parameters
    ----------
    folder : path-like
        Gets ``<subset>/<song>.json`` of one model, ``<model>/<subset>/<song>.json`` of several. The
        subset is in lower case, and ``test`` where there is none, because museval's aggregation
        reads what is in ``test``. Files of the same names are replaced.
    scored : sequence of SongScores
        A model's scores of a song each.

    Returns
    -------
    list of Path
        The files, in the order of ``scored``.

    Raises
    ------
    HiphopssError
        If the folder can't be written to.
    """
    several = len({song.rows[0].model for song in scored}) > 1
    paths = []
    for song in scored:
        first = song.rows[0]
        parent = Path(folder) / first.model if several else Path(folder)
        path = parent / (first.subset.lower() or "test") / f"{first.song}.json"
        text = json.dumps(track_scores(song.rows, song.duration_s), indent=2, ensure_ascii=False)
        write_text(path, text + "\n")
        paths.append(path)
    return paths


def track_scores(rows: Sequence[Row], duration_s: float) -> dict:
    """The scores of one song as museval's JSON has them.

    Parameters
    ----------
    rows : sequence of Row
        Of one song and model.
    duration_s : float
        Length of each window, in seconds.

    Returns
    -------
    dict
        For JSON; NaN where a score is undefined or infinite.
    """
    targets: dict[str, list] = {}
    for row in rows:
        frame = {
            "time": row.window_start_s,
            "duration": duration_s,
            "metrics": {name: _number(getattr(row, name)) for name in METRICS},
        }
        targets.setdefault(row.source, []).append(frame)
    return {"targets": [{"name": name, "frames": frames} for name, frames in targets.items()]}


def _number(value: float | None) -> float:
    """A score as museval writes it."""
    return math.nan if value is None or math.isinf(value) else value
