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
  in ``provenance`` also the known data sets of the songs with their licences, as ``data``, and by
  how many samples stems were cut to the shortest of their song, as ``cut``.
- attributes: ``format``, ``augmentation``, ``seed``, ``released_test_leak``, ``config`` and
  ``fidelity`` (JSON), ``source_order``.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import Field, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Self

import numpy as np

from hiphopss.config import SOURCES, Fidelity, SignalConfig, read_settings
from hiphopss.datasets.features.augmentation import feature_switches
from hiphopss.errors import HiphopssError
from hiphopss.util.keras_backend import ALIGNMENT

if TYPE_CHECKING:
    import h5py

FORMAT = 2
MIXTURE, TARGETS, PHASE = "mixture", "sources", "phase"
STARTS, PATCH_SEGMENT, SEGMENTS, PARTS = "patch_start", "patch_segment", "segments", "parts"
PROVENANCE, PATHS = "provenance", "paths"
CUT = "cut"  # in the provenance: stems that were cut to their song's shortest, by how many samples
DATA = "data"  # in the provenance: the known data sets of the songs, with their licences
SILENT = -1
"""``first_frame`` of a part that is silence."""


@dataclass(frozen=True)
class Part:
    """One source of a segment.

    Attributes
    ----------
    song, subset : str
        Song whose stem is used; empty for silence.
    shift : int
        Delay in samples.
    gain, target_gain : float
        Factors of the stem in the mixture, and in the target that the network has to estimate.
        They differ in the augmentations of the released code (Q4).
    first_frame : int
        Index of its first frame in ``sources``, -1 for silence.
    """

    song: str = ""
    subset: str = ""
    shift: int = 0
    gain: float = 0.0
    target_gain: float = 0.0
    first_frame: int = SILENT


@dataclass(frozen=True)
class Segment:
    """A block of a version of a song, and its place in the file.

    Attributes
    ----------
    augmentation, version : str
        The augmentation that made it, and a description for people.
    start, n_samples : int
        Its place in the version, in samples at the configured rate.
    first_frame, n_frames : int
        Its frames in ``mixture``: those that its patches cover.
    n_patches : int
        Number of its patches; the first one starts at ``first_frame``.
    parts : tuple of Part [length=n_sources]
        Its sources, in the order of ``SOURCES``.
    """

    augmentation: str
    version: str
    start: int
    n_samples: int
    first_frame: int
    n_frames: int
    n_patches: int
    parts: tuple[Part, ...]

    @property
    def songs(self) -> list[str]:
        """Names of the songs whose stems are used, each once."""
        return list(dict.fromkeys(part.song for part in self.parts if part.song))

    def reached(self, config: SignalConfig) -> int:
        """Number of samples that its patches cover: frame k is centred on sample k * hop."""
        return min(self.n_samples, self.n_frames * config.hop)

    def describe(self, sample_rate: int) -> str:
        """Description in one line: time, augmentation, version and songs."""
        stop = (self.start + self.n_samples) / sample_rate
        times = f"{self.start / sample_rate:7.1f}..{stop:<7.1f} s"
        return f"{times} {self.augmentation:14} {self.version:34} {' | '.join(self.songs)}"


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


SEGMENT_COLUMNS = tuple(column for column in fields(Segment) if column.name != "parts")


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
        If the file is missing, is not a feature file of this format, or was made with other
        switches.
    """

    def __init__(self, path: str | Path, fidelity: Fidelity | None = None):
        import h5py

        self.path = Path(path)
        if not self.path.is_file():
            raise HiphopssError(
                f"{path}: no such file: make it with `hiphopss features DATASET -o {path}`"
            )
        try:
            self._file = h5py.File(self.path, "r")
        except OSError as error:
            raise HiphopssError(
                f"{path}: not an HDF5 file, or damaged: make it again with `hiphopss features`"
            ) from error
        attributes = self._file.attrs
        if attributes.get("format") != FORMAT or MIXTURE not in self._file:
            self._file.close()
            raise HiphopssError(
                f"{path}: not a feature file of format {FORMAT}: make it with `hiphopss features`"
            )
        origin = str(path)
        self.config = read_settings(SignalConfig, json.loads(attributes["config"]), origin=origin)
        made = read_settings(Fidelity, json.loads(attributes["fidelity"]), origin=origin)
        self.augmentation = attributes["augmentation"]
        self.fidelity = fidelity or made
        needed = feature_switches(self.fidelity, self.augmentation)
        for name, value in feature_switches(made, self.augmentation).items():
            if value != needed[name]:
                self._file.close()
                raise HiphopssError(
                    f"{path}: made with {name} {value}, but {needed[name]} is asked for: make the "
                    "features again with that setting"
                )
        self.released_test_leak = bool(attributes["released_test_leak"])
        self.provenance = self._json(PROVENANCE)
        self.data: list[dict[str, str]] = self.provenance.get(DATA, [])
        self.starts = self._file[STARTS][:]
        self.owners = self._file[PATCH_SEGMENT][:]
        self.mixture, self.sources = self._frames(MIXTURE), self._frames(TARGETS)
        table, parts = self._file[SEGMENTS][:], self._file[PARTS][:]
        self._offsets = parts["first_frame"] - table["first_frame"][:, None]
        self._silent = parts["first_frame"] == SILENT
        gains = np.where(self._silent, 0, parts["target_gain"])
        self._gains = np.float32(self.config.scale) * gains.astype(np.float32)

    def _frames(self, name: str) -> np.ndarray:
        """Map frames of the file to an array: HDF5's reads would take most of a batch's time."""
        dataset = self._file[name]
        if not dataset.size:  # everything is silent, and patches are made of these frames
            silence = _aligned((self.config.context, self.config.bins))
            silence[:] = 0
            return silence
        frames = np.memmap(self.path, "<f4", "r", dataset.id.get_offset(), dataset.shape)
        return np.asarray(frames)  # a plain array of the same memory is quicker to slice

    def _json(self, name: str) -> dict:
        return json.loads(self._file[name][()])

    @property
    def identity(self) -> str:
        """SHA-256 of everything that determines the content: settings, audio files, segments."""
        attributes = self._file.attrs
        content = {name: value for name, value in self.provenance.items() if name != DATA}
        told = [str(attributes["config"]), self.fidelity.to_json()]
        told.append(str(attributes["released_test_leak"]))
        told.append(json.dumps(content, sort_keys=True))
        told += map(str, self.segments())
        return hashlib.sha256("\n".join(told).encode()).hexdigest()

    @property
    def n_patches(self) -> int:
        """Number of patches in the file."""
        return len(self.starts)

    @property
    def paths(self) -> dict[str, str]:
        """Paths of the audio files when they were read, by ``<subset>/<song>/<source>``."""
        return self._json(PATHS)

    @property
    def has_phase(self) -> bool:
        """Whether the mixtures' phase is stored."""
        return PHASE in self._file

    def segments(self) -> list[Segment]:
        """The table of segments, with their parts."""
        parts = [
            tuple(Part(**row) for row in rows)
            for rows in _as_dicts(self._file[PARTS], fields(Part))
        ]
        rows = _as_dicts(self._file[SEGMENTS], SEGMENT_COLUMNS)
        return [Segment(**row, parts=own) for row, own in zip(rows, parts, strict=True)]

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
        return np.array(self.mixture[rows]), targets

    def phase(self, segment: Segment) -> np.ndarray:
        """Phase of a segment's mixture in radians `[shape=(n_frames, n_bins)]`, if it is stored."""
        return self._file[PHASE][segment.first_frame : segment.first_frame + segment.n_frames]

    def room(self, n_patches: int) -> tuple[np.ndarray, np.ndarray]:
        """Allocate arrays that :meth:`read` can fill with ``n_patches`` patches."""
        shape = (self.config.context, self.config.bins)
        return _aligned((n_patches, *shape)), _aligned((n_patches, len(SOURCES), *shape))

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
    """
    import h5py

    try:
        with h5py.File(path, "r") as file:
            return "format" in file.attrs and MIXTURE in file
    except OSError:  # not HDF5, or damaged
        return False


def _aligned(shape: tuple[int, ...]) -> np.ndarray:
    """A new array whose memory is aligned so that backends can use it as a tensor directly."""
    n_bytes = 4 * int(np.prod(shape))
    memory = np.empty(n_bytes + ALIGNMENT, np.uint8)
    start = -memory.ctypes.data % ALIGNMENT
    return memory[start : start + n_bytes].view(np.float32).reshape(shape)


def _as_dicts(table: h5py.Dataset, columns: Sequence[Field]) -> list:
    """Rows of a table of any shape as (nested lists of) dicts, with text decoded."""
    text = {column.name for column in columns if column.type == "str"}

    def convert(rows: Any) -> Any:
        if isinstance(rows, list):
            return [convert(row) for row in rows]
        row = dict(zip(table.dtype.names, rows, strict=True))
        return {name: value.decode() if name in text else value for name, value in row.items()}

    return convert(table[:].tolist())
