"""What a feature file holds: the names of its parts, and the rows of its tables."""

from __future__ import annotations

from dataclasses import dataclass, fields

from hiphopss.config import SignalConfig
from hiphopss.util.text import printable

FORMAT = 2
MIXTURE, TARGETS, PHASE = "mixture", "sources", "phase"
STARTS, PATCH_SEGMENT, SEGMENTS, PARTS = "patch_start", "patch_segment", "segments", "parts"
PROVENANCE, PATHS = "provenance", "paths"
FRAMES = "frames"  # in the provenance: the checksum of each dataset of frames
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
        version, songs = printable(self.version), printable(" | ".join(self.songs))
        return f"{times} {printable(self.augmentation):14} {version:34} {songs}"


SEGMENT_COLUMNS = tuple(column for column in fields(Segment) if column.name != "parts")
