"""Writing scores as museval's JSON files, for tools that read those.

The numbers are those of museval with the protocol ``"sisec18"``; others are written with a warning.
One case differs: museval has no numbers for a song in which a source is silent throughout, where
this module has those of the other sources.

There is one file for each song, ``{"targets": [{"name", "frames": [{"time", "duration",
"metrics"}]}]}``, as in museval's ``musdb.schema.json``: times in seconds, metrics SDR, SIR, SAR and
ISR in dB. Undefined and infinite scores are written as ``NaN``, as museval does. Unlike museval,
which rounds to five decimals, this module writes numbers in full.
"""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from hiphopss.errors import HiphopssError
from hiphopss.eval.bss.scores import METRICS
from hiphopss.eval.protocols import protocol
from hiphopss.eval.table import Row
from hiphopss.util.files import write_text

if TYPE_CHECKING:
    from hiphopss.eval.matching import Estimates
    from hiphopss.eval.protocols import Protocol
    from hiphopss.eval.song import SongScores

logger = logging.getLogger(__name__)


def require_writable_as_museval(folder: str | Path, models: Sequence[Estimates]) -> None:
    """Check, before the work begins, that the files can have their names.

    Raises
    ------
    HiphopssError
        If ``folder`` is a file, or if a model or subset can't be the name of a folder.
    """
    if Path(folder).exists() and not Path(folder).is_dir():
        raise HiphopssError(f"{folder}: is a file: name a folder for museval's JSON files")
    names = [estimates.model for estimates in models]
    names += [song.subset for estimates in models for song, _ in estimates.songs]
    for name in filter(None, names):
        if Path(name).name != name:
            raise HiphopssError(f"{name!r}: can't be the name of a folder: choose another name")


def warn_unlike_museval(chosen: Protocol) -> None:
    """Warn if the protocol isn't museval's, because a reader of its files can't see that.

    Parameters
    ----------
    chosen : Protocol
        What is evaluated.
    """
    own = protocol("sisec18")
    if chosen != own:
        logger.warning(
            "museval's JSON: these are scores of the protocol %s (%s), but museval's are %s: don't "
            "put them beside scores of museval, or evaluate with the protocol %s",
            *(chosen.name, chosen.label, own.label, own.name),
        )


def write_museval(folder: str | Path, scored: Sequence[SongScores]) -> list[Path]:
    """Write museval's JSON files.

    Parameters
    ----------
    folder : path-like
        Folder for ``<subset>/<song>.json`` of one model, ``<model>/<subset>/<song>.json`` of
        several. The subset is in lower case, or ``test`` if it is empty, because museval's
        aggregation reads the folder ``test``. Files of the same names are replaced.
    scored : sequence of SongScores
        Scores, each of one model on one song.

    Returns
    -------
    list of Path
        Files in the order of ``scored``.

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
    """Arrange the scores of one song as in museval's JSON.

    Parameters
    ----------
    rows : sequence of Row
        Rows of one song and model.
    duration_s : float
        Length of each window, in seconds.

    Returns
    -------
    dict
        Values for JSON; NaN for a score that is undefined or infinite.
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
    """Convert a score to the number that museval would write."""
    return math.nan if value is None or math.isinf(value) else value
