"""Writing HDF5 feature files (``file.py`` documents the format)."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Sequence
from dataclasses import Field, astuple, fields
from pathlib import Path
from typing import TYPE_CHECKING, Self

import numpy as np

from hiphopss import __version__
from hiphopss.config import SOURCES, SignalConfig
from hiphopss.datasets.features.checksums import checksum
from hiphopss.datasets.features.layout import FileLayout
from hiphopss.datasets.features.segments import (
    CUT,
    DATA,
    FORMAT,
    FRAMES,
    PARTS,
    PATCH_SEGMENT,
    PATHS,
    PROVENANCE,
    SEGMENT_COLUMNS,
    SEGMENTS,
    STARTS,
    Part,
    Segment,
)
from hiphopss.errors import HiphopssError
from hiphopss.signal.containers import container_of
from hiphopss.util.disk import cannot_write
from hiphopss.util.files import sha256_of
from hiphopss.util.hdf5.writing import opened_for_writing
from hiphopss.util.keras_backend import ALIGNMENT

if TYPE_CHECKING:
    import h5py


class FrameWriter:
    """Creates a feature file and writes its frames; a context manager.

    It writes frames directly to the places that HDF5 has reserved, because HDF5's own writes of a
    few frames would take longer than computing them. Frames that are never written are 0.

    Parameters
    ----------
    path : path-like
        File to create.
    sizes : dict of str to int
        Number of frames of each dataset.
    config : SignalConfig
        Gives the number of bins of a frame.
    label : str, optional
        Name of the file in errors, if it is not ``path``.

    Attributes
    ----------
    names : tuple of str
        Names of the datasets.
    checksums : dict of str to int
        Of the frames of each dataset that were written, as
        :func:`~hiphopss.datasets.features.checksums.checksum` gives it.
    """

    def __init__(
        self, path: str | Path, sizes: dict[str, int], config: SignalConfig, *, label: str = ""
    ):
        self._label, self._frame_bytes = label or str(path), 4 * config.bins
        import h5py

        reserved = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        reserved.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
        reserved.set_fill_time(h5py.h5d.FILL_TIME_NEVER)  # parts that are not written are 0
        # Align the frames so that training can use them in place.
        aligned = {"alignment_threshold": self._frame_bytes, "alignment_interval": ALIGNMENT}
        with opened_for_writing(path, "w", **aligned) as file:
            datasets = {
                name: file.create_dataset(name, (n_frames, config.bins), "<f4", dcpl=reserved)
                for name, n_frames in sizes.items()
            }
            self._offsets = {name: data.id.get_offset() for name, data in datasets.items()}
        self.names = tuple(sizes)
        self.checksums = dict.fromkeys(sizes, 0)
        self._file = io.FileIO(path, "r+")

    def put(self, name: str, first: int, frames: np.ndarray) -> None:
        """Write frames of a dataset.

        Parameters
        ----------
        name : str
            One of ``names``.
        first : int
            Index of the first of these frames in the dataset.
        frames : np.ndarray [shape=(n_frames, n_bins)]
            Frames in single precision.

        Raises
        ------
        HiphopssError
            If the frames can't be written.
        """
        frames = np.ascontiguousarray(frames, "<f4")
        self.checksums[name] = checksum(frames, first, self.checksums[name])
        rest = frames.data.cast("B")
        try:
            self._file.seek(self._offsets[name] + first * self._frame_bytes)
            while rest:
                rest = rest[self._file.write(rest) :]
        except OSError as error:
            raise HiphopssError(f"{self._label}: {cannot_write(error)}") from error

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def table_dtype(columns: Sequence[Field]) -> np.dtype:
    """HDF5 type of a table whose columns are fields of a dataclass."""
    import h5py

    kinds = {"str": h5py.string_dtype(), "int": "<i8", "float": "<f8"}
    return np.dtype([(column.name, kinds[str(column.type)]) for column in columns])


def write_tables(file: h5py.File, segments: list[Segment], config: SignalConfig) -> None:
    """Write the tables of an open feature file.

    Parameters
    ----------
    file : h5py.File
        Open for writing.
    segments : list of Segment
        All segments.
    config : SignalConfig
        Gives the distance between patches.
    """
    counts = [segment.n_patches for segment in segments]
    starts = [s.first_frame + config.patch_hop * np.arange(s.n_patches) for s in segments]
    file.create_dataset(STARTS, data=np.concatenate(starts).astype("<i8"))
    owners = np.repeat(np.arange(len(segments)), counts)
    file.create_dataset(PATCH_SEGMENT, data=owners.astype("<i8"))
    rows = [tuple(getattr(s, column.name) for column in SEGMENT_COLUMNS) for s in segments]
    file.create_dataset(SEGMENTS, data=np.array(rows, table_dtype(SEGMENT_COLUMNS)))
    parts = [[astuple(part) for part in segment.parts] for segment in segments]
    file.create_dataset(PARTS, data=np.array(parts, table_dtype(fields(Part))))


def describe(
    path: Path,
    segments: list[Segment],
    layout: FileLayout,
    digest: Callable[[Path], str] = sha256_of,
    checksums: dict[str, int] | None = None,
) -> None:
    """Write the tables and attributes of a file whose frames are there.

    Parameters
    ----------
    path : Path
        File from :class:`~hiphopss.datasets.features.writer.FrameWriter`.
    segments : list of Segment
        The layout's segments with their gains.
    layout : FileLayout
        Content and settings of the file.
    digest : callable
        Gives the SHA-256 of an audio file.
    checksums : dict of str to int, optional
        Those of the frames.
    """
    hashes = _hashes(layout, digest)  # before, because this may take long
    with opened_for_writing(path, "r+") as file:
        write_tables(file, segments, layout.config)
        file.attrs["augmentation"], file.attrs["seed"] = layout.augmentation, layout.seed
        file.attrs["released_test_leak"] = layout.released_test_leak
        _write_attributes(file, layout, hashes, checksums)


def _stems(layout: FileLayout) -> dict[str, Path]:
    """Paths of the stems that were read, by ``<subset>/<song>/<source>``."""
    songs = layout.songs
    return {f"{s.subset}/{s.name}/{name}": path for s in songs for name, path in s.stems.items()}


def _hashes(layout: FileLayout, digest: Callable[[Path], str]) -> dict[str, str]:
    """SHA-256 of the stems that were read; that of a stem file stands for each of its streams."""
    stems = _stems(layout)
    hashes = {file: digest(file) for file in {container_of(path) for path in stems.values()}}
    return {name: hashes[container_of(path)] for name, path in stems.items()}


def _write_attributes(
    file: h5py.File,
    layout: FileLayout,
    read: dict[str, str],
    checksums: dict[str, int] | None,
) -> None:
    file.attrs["format"] = FORMAT
    file.attrs["config"] = layout.config.to_json()
    file.attrs["fidelity"] = layout.fidelity.to_json()
    file.attrs["source_order"] = list(SOURCES)
    made = {"version": __version__, "sha256": read, **({DATA: layout.data} if layout.data else {})}
    if checksums is not None:
        made[FRAMES] = checksums
    cut = {name: layout.cut[path] for name, path in _stems(layout).items() if path in layout.cut}
    made |= {CUT: cut} if cut else {}
    file[PROVENANCE] = json.dumps(made, sort_keys=True)
    paths = {name: str(path.absolute()) for name, path in _stems(layout).items()}
    file[PATHS] = json.dumps(paths, sort_keys=True)
