"""Arrays and tables of a feature file, checked when the file is opened.

Patches are later read, or used by the backends in place, by the indices in these tables, without
any check: XLA would even take other frames for those that are not there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import Field
from typing import Any

import numpy as np

from hiphopss.config import SignalConfig
from hiphopss.datasets.features.segments import MIXTURE, PARTS, PATCH_SEGMENT, SEGMENTS, STARTS
from hiphopss.util.hdf5.reading import HDF5File, Table

_TYPES = {"int": "<i8", "float": "<f8"}
_LOUDEST = 1e30  # the greatest gain: in single precision, with the scale factor, it is finite
_AT_ONCE = 4096  # frames that are checked together


def frames_of(file: HDF5File, name: str, config: SignalConfig) -> np.ndarray | None:
    """Map frames to memory; None if the data set has none.

    Parameters
    ----------
    file : HDF5File
        Feature file.
    name : str
        Name of the data set.
    config : SignalConfig
        Gives the number of bins.

    Raises
    ------
    HiphopssError
        If it is missing, or has other values than frames.
    """
    shape = _shape(file, name)
    if len(shape) != 2 or shape[1] != config.bins:
        raise file.error(f"{name} has the shape {shape}, not (n_frames, {config.bins})")
    if not shape[0]:
        return None
    # A plain array of the same memory is quicker to slice.
    return np.asarray(file.mapped(name))


def indices_of(file: HDF5File, name: str) -> np.ndarray:
    """Read a list of whole numbers; errors as in :func:`frames_of`."""
    shape = _shape(file, name)
    if len(shape) != 1:
        raise file.error(f"{name} has the shape {shape}, not (n_patches,)")
    return file.array(name, "<i8")


def table_of(file: HDF5File, name: str, columns: Sequence[Field], *, width: int = 0) -> Table:
    """Get a table with the given columns, which are fields of a dataclass.

    Parameters
    ----------
    file : HDF5File
        Feature file.
    name : str
        Name of the table.
    columns : sequence of dataclasses.Field
        Its columns.
    width : int
        Length of its second axis; 0 if it has none.

    Raises
    ------
    HiphopssError
        If it is missing, or has another form.
    """
    table = file.tables.get(name)
    if table is None:
        raise file.error(f"has no table {name}")
    kinds = {column.name: _TYPES.get(str(column.type)) for column in columns}
    found: dict[str, str | None] = dict.fromkeys(table.texts)
    found |= {name: values.dtype.str for name, values in table.numbers.items()}
    if found != kinds or table.shape[1:] != ((width,) if width else ()):
        raise file.error(f"its table {name} has another form than feature files have")
    return table


def places_of(
    file: HDF5File, config: SignalConfig, table: Table, parts: Table, n_source_frames: int
) -> tuple[np.ndarray, np.ndarray]:
    """Read the patches' places, and check that they and those of the segments are in the file.

    Parameters
    ----------
    file : HDF5File
        Feature file.
    config : SignalConfig
        Gives the number of frames of a patch, and of samples of a block.
    table, parts : Table
        Segments and their parts.
    n_source_frames : int
        Number of frames of sources, including those that stand for silence.

    Returns
    -------
    starts, owners : np.ndarray [shape=(n_patches,)]
        First frame of each patch, and its segment.

    Raises
    ------
    HiphopssError
        If there are no patches, if anything is outside of what it belongs to, or if a level is not
        finite.
    """
    starts, owners = indices_of(file, STARTS), indices_of(file, PATCH_SEGMENT)
    first, n_frames = table.numbers["first_frame"], table.numbers["n_frames"]
    n_samples, start = table.numbers["n_samples"], table.numbers["start"]
    part, shift = parts.numbers["first_frame"], parts.numbers["shift"]
    if len(parts.shape) != 2 or parts.shape[0] != table.shape[0] or len(starts) != len(owners):
        raise file.error("its tables are not of one length")
    if not len(starts):
        raise file.error("has no patches")
    block = round(config.block_seconds * config.sample_rate)
    n_mixture_frames = file.arrays[MIXTURE].shape[0]
    sound = {
        SEGMENTS: _within(n_frames, config.context, n_mixture_frames)
        and _within(first, 0, n_mixture_frames - n_frames)
        and _within(n_samples, 1, block)
        and _within(start, 0, 2**53),
        PARTS: n_source_frames >= config.context
        and _within(part, -1, n_source_frames - n_frames[:, None], where=part >= 0)
        and _within(shift, 0, 2**53)
        and all(_within(abs(parts.numbers[name]), 0, _LOUDEST) for name in ("gain", "target_gain")),
        PATCH_SEGMENT: _within(owners, 0, len(first) - 1),
    }
    for name, is_sound in sound.items():
        if not is_sound:
            raise file.error(f"its table {name} has values that are out of range")
    within = starts - first[owners]
    if not _within(within, 0, (n_frames - config.context)[owners]):
        raise file.error(f"its table {STARTS} has values that are out of range")
    return starts, owners


def are_finite(frames: np.ndarray) -> bool:
    """Whether all frames are finite."""
    parts = range(0, len(frames), _AT_ONCE)
    return all(np.isfinite(frames[first : first + _AT_ONCE]).all() for first in parts)


def as_dicts(table: Table) -> list[dict[str, Any]]:
    """The rows of a table of any shape as a flat list of dicts."""
    flat = {name: values.reshape(-1).tolist() for name, values in table.numbers.items()}
    columns = flat | table.texts
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def _shape(file: HDF5File, name: str) -> tuple[int, ...]:
    if name not in file.arrays:
        raise file.error(f"has no data set {name} of numbers")
    return file.arrays[name].shape


def _within(values: Any, least: int, most: Any, *, where: Any = True) -> bool:
    """Whether all values are in a range."""
    return bool(np.all((values >= least) & ((values <= most) | ~np.asarray(where))))
