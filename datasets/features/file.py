"""Reading HDF5 feature files: patches, and the songs and shifts from which they were made.

A file holds each magnitude frame once, and a patch is the index of its first frame. So patches that
overlap six-fold, and versions of a song that share sources, take no extra space. The datasets and
attributes of a file are:

- ``mixture`` `[shape=(n_mixture_frames, n_bins)]`: ``|STFT| / sqrt(frame)`` of every version's
  mixture, in float32, without the scale factor; ``phase``, of the same shape, is stored on
  request.
- ``sources`` `[shape=(n_source_frames, n_bins)]`: the same for every distinct source signal, once,
  at the level of its stem. Both are stored contiguously, so that a patch takes a few plain reads.
- ``patch_segment``, ``patch_start`` `[shape=(n_patches,)]`: each patch's segment, and its first
  frame in ``mixture``.
- ``segments`` `[shape=(n_segments,)]`: a table with a row for each block of a version
  (:class:`Segment`).
- ``parts`` `[shape=(n_segments, n_sources)]`: a table of the sources of segments (:class:`Part`).
- ``provenance``, ``paths``: JSON with the SHA-256 and the path of every audio file that was read;
  in ``provenance`` also the known data sets of the songs with their licences, as ``data``, by how
  many samples stems were cut to the shortest of their song, as ``cut``, and checksums of the
  frames, as ``frames``, which ``hiphopss verify`` compares.
- attributes: ``format``, ``augmentation``, ``seed``, ``released_test_leak``, ``config`` and
  ``fidelity`` (JSON), ``source_order``.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import fields
from pathlib import Path
from typing import NamedTuple, Self

import numpy as np

from hiphopss.config import SOURCES, Fidelity
from hiphopss.datasets.features.augmentation import feature_switches
from hiphopss.datasets.features.content import (
    are_finite,
    as_dicts,
    frames_of,
    places_of,
    table_of,
)
from hiphopss.datasets.features.record import parse_paths, parse_provenance, read_attributes
from hiphopss.datasets.features.segments import (
    DATA,
    FORMAT,
    FRAMES,
    MIXTURE,
    PARTS,
    PATHS,
    PHASE,
    PROVENANCE,
    SEGMENT_COLUMNS,
    SEGMENTS,
    SILENT,
    TARGETS,
    Part,
    Segment,
)
from hiphopss.errors import HiphopssError
from hiphopss.util.hdf5.reading import HDF5File, LookError
from hiphopss.util.keras_backend import aligned
from hiphopss.util.opening import nothing_at


class Rows(NamedTuple):
    """The places of patches in a feature file.

    Attributes
    ----------
    mixture : np.ndarray [shape=(...)]
        Index of each patch's first frame among the frames of mixtures, which are to be multiplied
        by the scale factor.
    sources : np.ndarray [shape=(..., n_sources)]
        Index of the first frame of each of its sources among the frames of sources.
    gains : np.ndarray [shape=(..., n_sources)]
        Factors of the sources' frames; 0 for a silent source.
    """

    mixture: np.ndarray
    sources: np.ndarray
    gains: np.ndarray


class FeatureFile:
    """Reads patches from a feature file; a context manager.

    Parameters
    ----------
    path : path-like
        Feature file from :func:`hiphopss.datasets.features.make.make_features`.
    fidelity : Fidelity, optional
        Switches for those that use the features; by default those with which the file was made.
        They must agree in what the features depend on.

    Attributes
    ----------
    config : SignalConfig
        Settings of the magnitudes.
    fidelity : Fidelity
        The given switches, or those with which the file was made.
    augmentation : str
        Augmentation that made its versions.
    released_test_leak : bool
        Whether it contains test songs (Q3).
    provenance : dict
        Version of the package, and the SHA-256 of every audio file that was read.
    data : list of dict
        ``"set"`` and ``"licence"`` of the known data sets to which its songs belong.
    starts, owners : np.ndarray [shape=(n_patches,)]
        First frame of each patch in the mixture, and its segment.
    mixture, sources : np.ndarray [shape=(n_frames, n_bins)]
        All frames, mapped from the file, so they must not be changed.

    Raises
    ------
    HiphopssError
        If the file can't be read, is damaged, is not a feature file of this format, or was made
        with other switches.
    """

    def __init__(self, path: str | Path, fidelity: Fidelity | None = None):
        self.path = Path(path)
        try:
            self._file = HDF5File(path, mend="make it again with `hiphopss features`")
        except HiphopssError as error:
            if not isinstance(error.__cause__, FileNotFoundError):
                raise
            raise HiphopssError(
                nothing_at(
                    path, f"no such file: make it with `hiphopss features DATASET -o {path}`"
                )
            ) from error
        try:
            self._read(fidelity)
        except BaseException:
            self._file.close()
            raise

    def _read(self, fidelity: Fidelity | None) -> None:
        """Read everything but the frames."""
        path, attributes = self.path, self._file.groups[""]
        if attributes.get("format") != FORMAT or MIXTURE not in self._file:
            raise HiphopssError(
                f"{path}: not a feature file of format {FORMAT}: make it with `hiphopss features`"
            )
        self._file.require_sound()
        described = read_attributes(attributes, origin=path)
        self.config, made = described.config, described.fidelity
        self.augmentation = described.augmentation
        self.released_test_leak = described.released_test_leak
        self.fidelity = fidelity or made
        needed = feature_switches(self.fidelity, self.augmentation)
        for name, value in feature_switches(made, self.augmentation).items():
            if value != needed[name]:
                raise HiphopssError(
                    f"{path}: made with {name} {value}, but {needed[name]} is asked for: make the "
                    "features again with that setting"
                )
        self.provenance = parse_provenance(self._text(PROVENANCE), origin=path)
        self.data: list[dict[str, str]] = self.provenance.get(DATA, [])
        self.mixture, self.sources = self._frames(MIXTURE), self._frames(TARGETS)
        if self.has_phase:  # it is read when it is needed
            phase = frames_of(self._file, PHASE, self.config)
            if (0 if phase is None else len(phase)) != self._file.arrays[MIXTURE].shape[0]:
                raise self._file.error(f"has another number of frames in {PHASE} than in {MIXTURE}")
        self._table = table_of(self._file, SEGMENTS, SEGMENT_COLUMNS)
        self._parts = table_of(self._file, PARTS, fields(Part), width=len(SOURCES))
        self.starts, self.owners = places_of(
            self._file, self.config, self._table, self._parts, len(self.sources)
        )
        parts = self._parts.numbers
        self._offsets = parts["first_frame"] - self._table.numbers["first_frame"][:, None]
        self._silent = parts["first_frame"] == SILENT
        gains = np.where(self._silent, 0, parts["target_gain"])
        self._gains = np.float32(self.config.scale) * gains.astype(np.float32)

    def _frames(self, name: str) -> np.ndarray:
        """Map frames of the file to an array: HDF5's reads would take most of a batch's time."""
        frames = frames_of(self._file, name, self.config)
        if frames is None:  # everything is silent, and patches are made of these frames
            frames = aligned((self.config.context, self.config.bins))
            frames[:] = 0
        return frames

    def _text(self, name: str) -> str:
        if name not in self._file.texts:
            raise self._file.error(f"has no text {name}")
        return self._file.texts[name]

    @property
    def identity(self) -> str:
        """SHA-256 of everything that determines the content: settings, audio files, segments."""
        attributes = self._file.groups[""]
        beside = {DATA, FRAMES}  # of the same content, and missing in older files
        content = {name: value for name, value in self.provenance.items() if name not in beside}
        told = [str(attributes["config"]), self.fidelity.to_json()]
        told.append(str(self.released_test_leak))
        told.append(json.dumps(content, sort_keys=True))
        told += map(str, self.segments())
        return hashlib.sha256("\n".join(told).encode(errors="surrogateescape")).hexdigest()

    @property
    def n_patches(self) -> int:
        """Number of patches in the file."""
        return len(self.starts)

    @property
    def paths(self) -> dict[str, str]:
        """Paths of the audio files when they were read, by ``<subset>/<song>/<source>``."""
        return parse_paths(self._text(PATHS), origin=self.path)

    @property
    def has_phase(self) -> bool:
        """Whether the mixtures' phase is stored."""
        return PHASE in self._file

    def segments(self) -> list[Segment]:
        """The table of segments, with their parts."""
        parts = [Part(**row) for row in as_dicts(self._parts)]
        rows = as_dicts(self._table)
        of_segments = zip(*[iter(parts)] * len(SOURCES), strict=True)
        return [Segment(**row, parts=own) for row, own in zip(rows, of_segments, strict=True)]

    def frames(self, segment: Segment) -> tuple[np.ndarray, np.ndarray]:
        """Read all frames of a segment, without the network's scale factor.

        Returns
        -------
        mixture : np.ndarray [shape=(n_frames, n_bins)]
            Magnitudes of the mixture.
        targets : np.ndarray [shape=(n_sources, n_frames, n_bins)]
            Magnitudes of the targets.
        """
        rows = slice(segment.first_frame, segment.first_frame + segment.n_frames)
        targets = np.zeros((len(SOURCES), segment.n_frames, self.config.bins), np.float32)
        for target, part in zip(targets, segment.parts, strict=True):
            if part.first_frame != SILENT:
                own = self.sources[part.first_frame : part.first_frame + segment.n_frames]
                np.multiply(own, np.float32(part.target_gain), out=target)
        return self._finite(np.array(self.mixture[rows])), self._finite(targets)

    def _finite(self, frames: np.ndarray) -> np.ndarray:
        if not are_finite(frames):
            raise self._file.error("has frames that are not finite")
        return frames

    def is_finite(self) -> bool:
        """Whether all frames are finite; this reads the whole file."""
        return are_finite(self.mixture) and are_finite(self.sources)

    def phase(self, segment: Segment) -> np.ndarray:
        """Phase of a segment's mixture in radians `[shape=(n_frames, n_bins)]`, if it is stored."""
        phase = frames_of(self._file, PHASE, self.config)
        rows = slice(segment.first_frame, segment.first_frame + segment.n_frames)
        return self._finite(np.array(self.mixture[:0] if phase is None else phase[rows]))

    def room(self, n_patches: int) -> tuple[np.ndarray, np.ndarray]:
        """Allocate arrays that :meth:`read` can fill with ``n_patches`` patches."""
        shape = (self.config.context, self.config.bins)
        return aligned((n_patches, *shape)), aligned((n_patches, len(SOURCES), *shape))

    def rows(self, patches: np.ndarray) -> Rows:
        """Find the places of patches.

        Parameters
        ----------
        patches : np.ndarray [shape=(...)]
            Indices of the patches, in any order.

        Returns
        -------
        Rows
            32-bit integers, and gains in single precision, which include the scale factor.
        """
        starts, owners = self.starts[patches], self.owners[patches]
        sources = np.where(self._silent[owners], 0, starts[..., None] + self._offsets[owners])
        return Rows(starts.astype(np.int32), sources.astype(np.int32), self._gains[owners])

    def read(
        self, patches: np.ndarray, *, out: tuple[np.ndarray, np.ndarray] | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Read patches, multiplied by the network's scale factor.

        Parameters
        ----------
        patches : np.ndarray [shape=(n,)]
            Indices of the patches, in any order.
        out : pair of np.ndarray, optional
            Arrays from :meth:`room` to overwrite; memory that was used before is faster to fill.

        Returns
        -------
        mixture : np.ndarray [shape=(n, context, n_bins)]
            Input of the network.
        targets : np.ndarray [shape=(n, n_sources, context, n_bins)]
            Targets that the network has to estimate.
        """
        context, scale = self.config.context, np.float32(self.config.scale)
        mixture, targets = out or self.room(len(patches))
        for patch, (start, *rows) in enumerate(zip(*self.rows(patches), strict=True)):
            np.multiply(self.mixture[start : start + context], scale, out=mixture[patch])
            for source, (first, gain) in enumerate(zip(*rows, strict=True)):
                frames = self.sources[first : first + context]
                np.multiply(frames, gain, out=targets[patch, source])
        return mixture, targets

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def is_feature_file(path: str | Path) -> bool:
    """Whether a file is a feature file, of this format or an older one.

    Parameters
    ----------
    path : path-like
        File, which must exist.

    Raises
    ------
    HiphopssError
        If it can't be read.
    """
    try:
        with HDF5File(path, mend="make it again") as file:
            return "format" in file.groups[""] and MIXTURE in file
    except HiphopssError as error:
        if isinstance(error.__cause__, LookError):  # not HDF5, or damaged
            return False
        raise
