"""Making HDF5 feature files of songs and their augmented versions (format: ``file.py``).

The short-time Fourier transform is linear, so a version's mixture is the sum of its sources'
spectra: each distinct source signal (a stem, shifted or not) is transformed only once, whatever
the number of versions that use it.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence, Set
from dataclasses import replace
from itertools import groupby
from pathlib import Path

import numpy as np

from hiphopss.config import SOURCES, Fidelity, SignalConfig, resolve_preset
from hiphopss.datasets.features.augmentation import (
    Recipe,
    recipes,
    require_leaky,
    resolve_augmentation,
)
from hiphopss.datasets.features.file import is_feature_file
from hiphopss.datasets.features.layout import FileLayout, plan_segments
from hiphopss.datasets.features.segments import (
    MIXTURE,
    PHASE,
    SILENT,
    TARGETS,
    Segment,
)
from hiphopss.datasets.features.selection import SongChoice, origin_of, select_songs
from hiphopss.datasets.features.source_signals import SourceSignals
from hiphopss.datasets.features.writer import FrameWriter, describe
from hiphopss.datasets.licences import data_of, tell_licences
from hiphopss.datasets.measuring import measure_songs
from hiphopss.datasets.songs import Song
from hiphopss.datasets.stems import song_common
from hiphopss.errors import HiphopssError
from hiphopss.signal.transform import frame_count, magnitude, stft
from hiphopss.util.files import require_space, written_whole
from hiphopss.util.locks import locked
from hiphopss.util.progress import progress_bar

logger = logging.getLogger(__name__)

# Limit of the memory for a block's source signals, as samples and spectra: what does not fit is
# transformed again. 13 songs and all their shifts fit.
_SIGNALS_BYTES = 1 << 30
_FRAMES = 256  # frames per step: fewer would make writing slow, more would not fit in the cache


def make_features(
    dataset: str | Path | Sequence[Song],
    output: str | Path,
    *,
    augmentation: str = "none",
    preset: str | Fidelity = "released",
    config: SignalConfig | None = None,
    seed: int = 0,
    released_test_leak: bool = False,
    store_phase: bool = False,
    songs: SongChoice | None = None,
    progress: bool = True,
) -> Path:
    """Compute the training features of a data set, with one of the paper's augmentations.

    Songs of the subset ``Test`` are left out. From a root, so are the hip-hop songs of DSD100 on
    which the paper tests, which may be in the ``train`` half of MUSDB18
    (:func:`hiphopss.datasets.testsets.held_out`).

    Parameters
    ----------
    dataset : path-like or sequence of Song
        A root in one of the known layouts, or a list of songs.
    output : path-like
        HDF5 file, written completely or not at all. It may replace a feature file, but no other.
    augmentation : str
        One of :data:`~hiphopss.datasets.features.augmentation.AUGMENTATIONS`, or its abbreviation.
    preset : str or Fidelity
        ``"released"`` has the quirks of the released code (Q2, Q4, Q7; section 6 of
        docs/released-code.md); ``"corrected"`` uses all patches, mixtures and targets at the level
        of the data set's mixtures, and shifts that wrap round.
    config : SignalConfig
        Settings of the transform and the patches.
    seed : int
        Seed of the augmentations' random choices.
    released_test_leak : bool
        Q3: the circular shift also uses the test songs. The file and its results are marked.
    store_phase : bool
        Also store the mixtures' phase, which training does not need.
    songs : SongChoice, optional
        A part of MUSDB18's training songs, and by how much the files of a song may differ in
        length; by default all songs, and 0.1 s.
    progress : bool
        Show a progress bar.

    Returns
    -------
    Path
        The given ``output``.

    Raises
    ------
    HiphopssError
        As in :func:`~hiphopss.datasets.songs.read_songs` and
        :func:`~hiphopss.datasets.stems.load_stems`; if no song is left; if the test leak is
        requested but the released code has none; if ``output`` exists and is no feature file, if
        another run is making it, or if its disk has no space for it.
    """
    output, config = Path(output), config or SignalConfig()
    replaced = require_replaceable(output)
    layout = lay_out(
        dataset,
        augmentation=augmentation,
        preset=preset,
        config=config,
        seed=seed,
        released_test_leak=released_test_leak,
        store_phase=store_phase,
        songs=songs,
        progress=progress,
    )
    tell_licences(layout.data)
    require_space(output.absolute().parent, layout.frame_bytes, output.name)
    with locked(output, wait=False), written_whole(output) as temporary:
        with FrameWriter(temporary, layout.sizes, config, label=str(output)) as writer:
            tolerance_s = layout.choice.length_tolerance_s
            signals = SourceSignals(config, layout.fidelity, tolerance_s)
            filled = _fill(writer, layout.segments, signals, progress)
        describe(temporary, filled, layout, checksums=writer.checksums)
    if replaced:
        logger.info("%s: replaced the feature file that was there", output)
    return output


def require_replaceable(output: Path) -> bool:
    """Raise if an output can't be a feature file; return whether it is one that would be replaced.

    Raises
    ------
    HiphopssError
        If it is a folder, or a file of another kind.
    """
    if output.is_dir():
        raise HiphopssError(f"{output}: is a folder: give the name of a file")
    if output.exists() and not (output.is_file() and is_feature_file(output)):
        raise HiphopssError(
            f"{output}: is there already, and is no feature file: choose another output, or "
            "remove it first"
        )
    return output.exists()


def lay_out(
    dataset: str | Path | Sequence[Song],
    *,
    augmentation: str,
    preset: str | Fidelity,
    config: SignalConfig,
    seed: int,
    released_test_leak: bool,
    store_phase: bool = False,
    songs: SongChoice | None = None,
    progress: bool = True,
) -> FileLayout:
    """Choose the versions of a data set's songs, and lay out their frames.

    Parameters and errors are those of :func:`make_features`.
    """
    fidelity, augmentation = resolve_preset(preset), resolve_augmentation(augmentation)
    choice = songs or SongChoice()
    if seed < 0:
        raise HiphopssError(f"seed {seed}: give 0 or more")
    if released_test_leak:
        require_leaky(fidelity, augmentation)
    subsets = ("Dev", "Test") if released_test_leak else ("Dev",)
    chosen = select_songs(dataset, fidelity, subsets, part=choice.part)
    measure_songs(chosen, progress=progress)
    versions = recipes(
        [song for song in chosen if song.subset != "Test"],
        augmentation,
        fidelity,
        seed=seed,
        leaked=[song for song in chosen if song.subset == "Test"] if released_test_leak else (),
    )
    used = list({song.key: song for version in versions for song in version.songs}.values())
    alike = {s.key: song_common(s, tolerance_s=choice.length_tolerance_s) for s in used}
    segments, n_source_frames = plan_segments(versions, alike, config, fidelity)
    if not segments:
        raise HiphopssError(
            f"{origin_of(dataset)}: the preset 'released' leaves nothing of these songs (it skips "
            f"those without vocals, and its mix augmentation blocks under {config.block_seconds:g} "
            "s): use the preset 'corrected', or longer songs"
        )
    if augmentation in ("mix", "combined"):
        _tell_missing_mixes(origin_of(dataset), [version for _, version in segments], config)
    return FileLayout(
        songs=used,
        choice=choice,
        cut={path: n for common in alike.values() for path, n in common.cut.items()},
        segments=segments,
        n_source_frames=n_source_frames,
        augmentation=augmentation,
        seed=seed,
        config=config,
        fidelity=fidelity,
        released_test_leak=released_test_leak,
        store_phase=store_phase,
        data=data_of(used),
    )


def _tell_missing_mixes(origin: str, versions: Sequence[Recipe], config: SignalConfig) -> None:
    """Warn if the mix augmentation mixes nothing."""
    if not any(len(version.songs) > 1 for version in versions):
        logger.warning(
            "%s: no songs are mixed: of few songs, a tenth of the combinations is none, and the "
            "preset 'released' drops blocks under %g s: add songs, or longer ones",
            *(origin, config.block_seconds),
        )


def _fill(
    writer: FrameWriter,
    segments: Sequence[tuple[Segment, Recipe]],
    signals: SourceSignals,
    progress: bool,
) -> list[Segment]:
    """Write the frames of all segments; return the segments with their gains filled in."""
    filled: dict[int, Segment] = {}
    written: set[int] = set()
    with progress_bar(total=len(segments), desc="features", unit="segment", show=progress) as bar:
        for group in _groups(segments, signals.config):
            waveforms = {}  # by the first frame of the source signal
            for index in group:
                segment, version = segments[index]
                n_samples = segment.reached(signals.config)
                parts = []
                for source, take, part in zip(SOURCES, version.takes, segment.parts, strict=True):
                    if take is None:
                        parts.append(part)
                        continue
                    level = signals.gain(take.song)
                    gain = level * version.attenuation
                    parts.append(replace(part, gain=gain, target_gain=level))
                    if part.first_frame not in waveforms:
                        waveforms[part.first_frame] = signals.waveform(
                            take.song, source, segment, n_samples=n_samples
                        )
                filled[index] = replace(segment, parts=tuple(parts))
            these = [filled[index] for index in group]
            _write_group(writer, these, waveforms, waveforms.keys() - written, signals.config)
            written |= waveforms.keys()
            bar.update(len(group))
    return [filled[index] for index in range(len(segments))]


def _groups(
    segments: Sequence[tuple[Segment, Recipe]], config: SignalConfig
) -> Iterator[list[int]]:
    """Group the indices of segments that share source signals, within the memory limit.

    The order is block after block if songs are mixed, otherwise song after song.
    """
    mixed = any(len(version.songs) > 1 for _, version in segments)

    def place(index: int) -> tuple:
        segment, version = segments[index]
        block = (segment.start, segment.n_samples)
        return block if mixed else (*version.songs[0].key, *block)

    group: list[int]
    rows: set[int]
    for _, indices in groupby(sorted(range(len(segments)), key=place), key=place):
        group, rows = [], set()
        for index in indices:
            segment = segments[index][0]
            own = {part.first_frame for part in segment.parts if part.first_frame != SILENT}
            n_bytes = 4 * segment.reached(config) + 8 * _FRAMES * config.bins
            if group and n_bytes * len(rows | own) > _SIGNALS_BYTES:
                yield group
                group, rows = [], set()
            group.append(index)
            rows |= own
        yield group


def _write_group(
    writer: FrameWriter,
    segments: Sequence[Segment],
    waveforms: dict[int, np.ndarray],
    new: Set[int],
    config: SignalConfig,
) -> None:
    """Write the frames of segments of the same length, and of the source signals in ``new``.

    This is done in steps of some frames, so that the spectra stay in the processor's cache.
    """
    # The end of a block that is shorter than a patch stays 0.
    n_frames = min(segments[0].n_frames, frame_count(segments[0].n_samples, config))
    for start in range(0, n_frames, _FRAMES):
        stop = min(start + _FRAMES, n_frames)
        spectra = {}
        for row, waveform in waveforms.items():
            spectra[row] = stft(waveform, config, start=start, stop=stop)
            if row in new:
                writer.put(TARGETS, row + start, magnitude(spectra[row], config))
        for segment in segments:
            total, gain = _mixture(segment, spectra)
            magnitudes = magnitude(total, config)
            magnitudes *= gain
            writer.put(MIXTURE, segment.first_frame + start, magnitudes)
            if PHASE in writer.names:
                writer.put(PHASE, segment.first_frame + start, np.angle(total))


def _mixture(segment: Segment, spectra: dict[int, np.ndarray]) -> tuple[np.ndarray, np.float32]:
    """Spectrum of a segment's mixture without a common gain, and that gain.

    Usually all sources have the same gain, which then costs only a multiplication of magnitudes.
    """
    first, *others = (part for part in segment.parts if part.first_frame != SILENT)
    total = spectra[first.first_frame].copy()
    for part in others:
        spectrum = spectra[part.first_frame]
        if part.gain != first.gain:
            spectrum = np.float32(part.gain / first.gain) * spectrum
        total += spectrum
    return total, np.float32(first.gain)
