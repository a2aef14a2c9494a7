"""What a feature file will hold: segments and the places of frames, before any is computed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from hiphopss.config import SOURCES, Fidelity, SignalConfig
from hiphopss.datasets.alike import Common
from hiphopss.datasets.features.augmentation import Recipe
from hiphopss.datasets.features.segments import (
    MIXTURE,
    PHASE,
    TARGETS,
    Part,
    Segment,
)
from hiphopss.datasets.features.selection import SongChoice
from hiphopss.datasets.songs import Song
from hiphopss.signal.patches import training_patch_count
from hiphopss.signal.reading import resampled_length
from hiphopss.signal.transform import frame_count


@dataclass(frozen=True)
class FileLayout:
    """The content of a feature file, without its frames.

    Attributes
    ----------
    songs : list of Song
        The songs whose stems are used, each once.
    choice : SongChoice
        How they were chosen, and how unlike their files may be.
    cut : dict of Path to int
        The stems that are cut to the shortest of their song, and by how many samples of the file.
    segments : list of (Segment, Recipe)
        Segments in the order of the file; their parts have no gains yet.
    n_source_frames : int
        Number of frames of all distinct source signals.
    augmentation : str
        One of :data:`~hiphopss.datasets.features.augmentation.AUGMENTATIONS`.
    seed : int
        Seed of the augmentation's random choices.
    config : SignalConfig
        Settings of the transform and the patches.
    fidelity : Fidelity
        Preset.
    released_test_leak : bool
        Whether test songs are in it (Q3).
    store_phase : bool
        Whether the mixtures' phase is stored.
    data : list of dict
        The known data sets of the songs, from :func:`hiphopss.datasets.licences.data_of`.
    """

    songs: list[Song]
    choice: SongChoice
    cut: dict[Path, int]
    segments: list[tuple[Segment, Recipe]]
    n_source_frames: int
    augmentation: str
    seed: int
    config: SignalConfig
    fidelity: Fidelity
    released_test_leak: bool
    store_phase: bool
    data: list[dict[str, str]]

    @property
    def n_versions(self) -> int:
        """Number of versions of songs."""
        return len({id(version) for _, version in self.segments})

    @property
    def n_patches(self) -> int:
        """Number of patches."""
        return sum(segment.n_patches for segment, _ in self.segments)

    @property
    def n_mixture_frames(self) -> int:
        """Number of frames of all mixtures."""
        return sum(segment.n_frames for segment, _ in self.segments)

    @property
    def n_read(self) -> int:
        """Number of samples of all stems that are read, up to the end of the last block."""
        ends: dict[tuple, int] = {}
        for segment, version in self.segments:
            for song in version.songs:
                end = segment.start + segment.n_samples
                ends[song.key] = max(end, ends.get(song.key, 0))
        return len(SOURCES) * sum(ends.values())

    @property
    def sizes(self) -> dict[str, int]:
        """Number of frames of each dataset of the file."""
        phase = {PHASE: self.n_mixture_frames} if self.store_phase else {}
        return {MIXTURE: self.n_mixture_frames, TARGETS: self.n_source_frames, **phase}

    @property
    def frame_bytes(self) -> int:
        """Bytes of all frames: nearly those of the file."""
        return 4 * self.config.bins * sum(self.sizes.values())


def plan_segments(
    versions: Sequence[Recipe],
    alike: Mapping[tuple[str, str], Common],
    config: SignalConfig,
    fidelity: Fidelity,
) -> tuple[list[tuple[Segment, Recipe]], int]:
    """Cut versions into blocks and lay out their frames (docs/released-code.md, section 2).

    Parameters
    ----------
    versions : sequence of Recipe
        Recipes from :func:`~hiphopss.datasets.features.augmentation.recipes`.
    alike : mapping of (str, str) to Common
        What the stems of each song have in common, by the song's key.
    config : SignalConfig
        Block length, transform and patches.
    fidelity : Fidelity
        Decides which patches of a block are used (Q2).

    Returns
    -------
    segments : list of (Segment, Recipe)
        Segments in the order of the file; their parts have no gains yet. A version is as long as
        the shortest of its stems, and frames at the end of a block outside patches are left out.
    n_source_frames : int
        Number of frames of all distinct source signals.
    """
    block = round(config.block_seconds * config.sample_rate)
    lengths = {
        key: resampled_length(common.n_samples, common.sample_rate, config.sample_rate)
        for key, common in alike.items()
    }
    rows: dict[tuple, int] = {}  # first frame of each distinct source signal
    segments, n_mixture_frames, n_source_frames = [], 0, 0
    for version in versions:
        length = min(lengths[song.key] for song in version.songs)
        stop = length // block * block if version.full_blocks_only else length
        for start in range(0, stop, block):
            n_samples = min(block, length - start)
            n_patches = training_patch_count(
                frame_count(n_samples, config), config, first_only=fidelity.first_patches_only
            )
            n_frames = (n_patches - 1) * config.patch_hop + config.context
            parts = []
            for source, take in zip(SOURCES, version.takes, strict=True):
                if take is None:
                    parts.append(Part())
                    continue
                shift = round(take.shift * config.sample_rate)
                subset, name = take.song.key
                signal = (subset, name, source, shift, start, n_samples)
                if signal not in rows:
                    rows[signal] = n_source_frames
                    n_source_frames += n_frames
                parts.append(Part(name, subset, shift, first_frame=rows[signal]))
            segment = Segment(
                augmentation=version.augmentation,
                version=version.version,
                start=start,
                n_samples=n_samples,
                first_frame=n_mixture_frames,
                n_frames=n_frames,
                n_patches=n_patches,
                parts=tuple(parts),
            )
            segments.append((segment, version))
            n_mixture_frames += n_frames
    return segments, n_source_frames
