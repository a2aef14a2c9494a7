"""Songs and their augmented versions to HDF5 feature files (the format: ``feature_file.py``).

The short-time Fourier transform is linear, so a version's mixture is the sum of its sources'
spectra: each distinct source signal (a stem, shifted or not) is transformed once, however many
versions it plays in.
"""

from __future__ import annotations

import json
import warnings
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from hiphopss import __version__
from hiphopss.config import SOURCES, Fidelity, SignalConfig, resolve_preset
from hiphopss.datasets.augmentation import Recipe, recipes, resolve_augmentation, song_key
from hiphopss.datasets.feature_file import (
    FORMAT,
    MIXTURE,
    PATHS,
    PHASE,
    PROVENANCE,
    TARGETS,
    FeatureFile,
    Part,
    Segment,
    write_tables,
)
from hiphopss.datasets.layout import Song, load_stems, mixture_gain, read_songs, song_length
from hiphopss.datasets.roots import all_songs
from hiphopss.datasets.testsets import is_paper_test_song, training_songs
from hiphopss.errors import HiphopssError
from hiphopss.files import sha256_of, written_whole
from hiphopss.patches import training_patch_count
from hiphopss.progress import progress_bar
from hiphopss.transform import frame_count, magnitude, stft

__all__ = ["FeatureFile", "Part", "Segment", "SourceSignals", "make_features", "plan_segments"]

# Kept in memory at most: the mix augmentation goes through all songs for each block. 13 songs of
# 4 minutes and all their shifted spectra of a block fit.
_STEMS_BYTES = 3 << 30
_SPECTRA_BYTES = 2 << 30


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
    progress: bool = True,
) -> Path:
    """Compute the training features of a data set, with one of the paper's augmentations.

    Songs of the subset ``Test`` don't get in; the hip-hop songs of DSD100 that the paper tests on
    don't either, though one of them is in DSD100's ``Dev``.

    Parameters
    ----------
    dataset : path-like or sequence of Song
        A root in the DSD100 layout, or songs.
    output : path-like
        The HDF5 file; it appears whole or not at all.
    augmentation : str
        One of :data:`~hiphopss.datasets.augmentation.AUGMENTATIONS`, or its abbreviation.
    preset : str or Fidelity
        ``"released"`` has the quirks of the released code (Q2, Q4, Q7; section 6 of the reference
        page), ``"corrected"`` has not: all patches, mixtures and targets at the level of the data
        set's mixtures, shifts that wrap round.
    config : SignalConfig
        Transform and patches.
    seed : int
        Of the random choices of the augmentations.
    released_test_leak : bool
        Q3: the circular shift uses the test songs too. The file says so, and all made from it.
    store_phase : bool
        Store the mixtures' phase too, which training does not need.
    progress : bool
        Show a bar.

    Returns
    -------
    Path
        ``output``.

    Raises
    ------
    HiphopssError
        As :func:`~hiphopss.datasets.layout.read_songs` and
        :func:`~hiphopss.datasets.layout.load_stems`, if no song is left, or if the test leak is
        asked for where the released code has none.
    """
    import h5py

    fidelity, augmentation = resolve_preset(preset), resolve_augmentation(augmentation)
    config = config or SignalConfig()
    output = Path(output)
    if output.is_dir():
        raise HiphopssError(f"{output}: is a folder: give the name of a file")
    if seed < 0:
        raise HiphopssError(f"seed {seed}: give 0 or more")
    if released_test_leak:
        _require_leaky(fidelity, augmentation)
    songs = _songs(dataset, fidelity, ("Dev", "Test") if released_test_leak else ("Dev",))
    versions = recipes(
        [song for song in songs if song.subset != "Test"],
        augmentation,
        fidelity,
        seed=seed,
        leaked=[song for song in songs if song.subset == "Test"] if released_test_leak else (),
    )
    segments, n_source_frames = plan_segments(versions, config, fidelity)
    if not segments:
        raise HiphopssError(
            f"{_origin(dataset)}: the preset 'released' leaves nothing of these songs (it skips "
            f"those without vocals, and its mix augmentation blocks under {config.block_seconds:g} "
            "s): use the preset 'corrected', or longer songs"
        )
    used = {song_key(song): song for version in versions for song in version.songs}
    with written_whole(output) as temporary, h5py.File(temporary, "w") as file:
        n_frames = sum(segment.n_frames for segment, _ in segments)
        for name in (MIXTURE, PHASE) if store_phase else (MIXTURE,):
            file.create_dataset(name, (n_frames, config.bins), "<f4")
        file.create_dataset(TARGETS, (n_source_frames, config.bins), "<f4")
        _fill(file, segments, SourceSignals(config, fidelity), progress)
        file.attrs["augmentation"], file.attrs["seed"] = augmentation, seed
        file.attrs["released_test_leak"] = released_test_leak
        _write_attributes(file, config, fidelity, list(used.values()))
    return output


def _require_leaky(fidelity: Fidelity, augmentation: str) -> None:
    if fidelity != resolve_preset("released"):
        raise HiphopssError(
            "the released test leak (Q3) trains on test songs, which only reproducing the released "
            "code excuses: add the preset 'released', or leave the leak out"
        )
    if augmentation not in ("circular-shift", "combined"):
        raise HiphopssError(
            f"the released test leak (Q3) is one of the circular shift, not of {augmentation!r}: "
            "leave it out here"
        )


def _origin(dataset) -> str:
    return str(dataset) if isinstance(dataset, str | Path) else "these songs"


def _songs(
    dataset: str | Path | Sequence[Song], fidelity: Fidelity, subsets: Sequence[str]
) -> list[Song]:
    """Songs of a data set, without those that the paper tests on; tell what becomes of others."""
    songs = _read_without_tests(dataset, subsets) if isinstance(dataset, str | Path) else dataset
    songs = list(songs)
    names = [song_key(song) for song in songs]
    for subset, name in names:
        if names.count((subset, name)) > 1:
            raise HiphopssError(
                f"{_origin(dataset)}: two songs of {subset} are called {name!r}: rename one"
            )
    if all(song.subset == "Test" for song in songs):
        raise HiphopssError(f"{_origin(dataset)}: no songs to train on: put some in Sources/Dev")
    without = [s.name for s in songs if s.subset != "Test" and "vocals" not in s.stems]
    if without:
        fate = "left out" if fidelity.skip_songs_without_vocals else "their vocals are silence"
        warnings.warn(
            f"{_origin(dataset)}: no vocals in {', '.join(without)}: {fate}", stacklevel=3
        )
    return songs


def _read_without_tests(root: str | Path, subsets: Sequence[str]) -> list[Song]:
    """Songs of a data set, Dev without those that are in Test too or that the paper tests on."""
    songs = read_songs(root, subsets)
    tests = [song for song in all_songs(root) if song.subset == "Test"]
    tests += [song for song in songs if is_paper_test_song(song)]
    dev = [song for song in songs if song.subset != "Test"]
    kept = training_songs(dev, tests)
    dropped = ", ".join(song.name for song in dev if song not in kept)
    if dropped:
        warnings.warn(f"{root}: test songs, left out of the training: {dropped}", stacklevel=4)
    return kept + [s for s in songs if s.subset == "Test" and not is_paper_test_song(s)]


def plan_segments(
    versions: Sequence[Recipe], config: SignalConfig, fidelity: Fidelity
) -> tuple[list[tuple[Segment, Recipe]], int]:
    """Cut versions into blocks and lay out their frames (reference page, section 2).

    Parameters
    ----------
    versions : sequence of Recipe
        From :func:`~hiphopss.datasets.augmentation.recipes`.
    config : SignalConfig
        Block length, transform and patches.
    fidelity : Fidelity
        Which patches of a block are used (Q2).

    Returns
    -------
    segments : list of (Segment, Recipe)
        In the order of the file, their parts without gains yet. A version is as long as the
        shortest of its stems; a block's last frames that no patch reaches are left out.
    n_source_frames : int
        Frames of all distinct source signals.
    """
    block = round(config.block_seconds * config.sample_rate)
    lengths: dict[tuple, int] = {}
    rows: dict[tuple, int] = {}  # first frame of each distinct source signal
    segments, n_mixture_frames, n_source_frames = [], 0, 0
    for version in versions:
        for song in version.songs:
            if song_key(song) not in lengths:
                lengths[song_key(song)] = song_length(song, config.sample_rate)
        length = min(lengths[song_key(song)] for song in version.songs)
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
                signal = (*song_key(take.song), source, shift, start, n_samples)
                if signal not in rows:
                    rows[signal] = n_source_frames
                    n_source_frames += n_frames
                parts.append(
                    Part(
                        song=take.song.name,
                        subset=take.song.subset,
                        shift=shift,
                        first_frame=rows[signal],
                    )
                )
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


class SourceSignals:
    """Blocks of stems, shifted as a recipe says, and their spectra; the latest are kept.

    Parameters
    ----------
    config : SignalConfig
        Transform.
    fidelity : Fidelity
        How shifts are done (Q7), and at what level songs are.
    """

    def __init__(self, config: SignalConfig, fidelity: Fidelity):
        self.config, self.fidelity = config, fidelity
        self._stems, self._spectra = _Recent(_STEMS_BYTES), _Recent(_SPECTRA_BYTES)
        self._gains: dict[tuple, float] = {}

    def gain(self, song: Song) -> float:
        """The level of a song: its mixture's gain against the sum of its stems, or 1."""
        self._song_stems(song)
        return self._gains[song_key(song)]

    def waveform(self, song: Song, source: str, segment: Segment) -> np.ndarray:
        """Samples of a source in a segment at the stem's level, `[shape=(n_samples,)]`."""
        index = SOURCES.index(source)
        stem = self._song_stems(song)[index]
        begin = segment.start - segment.parts[index].shift
        places = np.arange(begin, begin + segment.n_samples)
        if not self.fidelity.shift_by_delay:
            return stem.take(places, mode="wrap")
        return np.where(places < 0, np.float32(0), stem.take(places, mode="clip"))

    def spectrum(self, song: Song, source: str, segment: Segment) -> np.ndarray:
        """Frames of :meth:`waveform` that the segment's patches reach, complex, in order."""
        part = segment.parts[SOURCES.index(source)]
        n_frames = min(segment.n_frames, frame_count(segment.n_samples, self.config))
        return self._spectra.get(
            (part.first_frame, n_frames),
            lambda: stft(self.waveform(song, source, segment), self.config, stop=n_frames),
        )

    def _song_stems(self, song: Song) -> np.ndarray:
        def load() -> np.ndarray:
            stems = load_stems(song, self.config.sample_rate)
            if song_key(song) not in self._gains:
                normalised = self.fidelity.normalised_mixture
                self._gains[song_key(song)] = (
                    mixture_gain(song, stems, self.config.sample_rate) if normalised else 1.0
                )
            return stems

        return self._stems.get(song_key(song), load)


class _Recent:
    """The arrays that were used last, up to a number of bytes (and always the newest)."""

    def __init__(self, n_bytes: int):
        self._limit, self._held, self._arrays = n_bytes, 0, OrderedDict()

    def get(self, key, make: Callable[[], np.ndarray]) -> np.ndarray:
        if key not in self._arrays:
            self._arrays[key] = make()
            self._held += self._arrays[key].nbytes
            while self._held > self._limit and len(self._arrays) > 1:
                _, oldest = self._arrays.popitem(last=False)
                self._held -= oldest.nbytes
        self._arrays.move_to_end(key)
        return self._arrays[key]


def _fill(file, segments: list, signals: SourceSignals, progress: bool) -> None:
    """Write the frames of all segments, then the tables with the gains that were found."""
    filled: list[Segment | None] = [None] * len(segments)
    written: set[int] = set()
    mixed = any(len(version.songs) > 1 for _, version in segments)

    def when(index: int) -> tuple:
        """Block after block where songs are mixed, else song after song."""
        segment, version = segments[index]
        if mixed:
            return (segment.start, index)
        return (*song_key(version.songs[0]), segment.start, index)

    order = sorted(range(len(segments)), key=when)
    for index in progress_bar(order, desc="features", unit="segment", show=progress):
        segment, version = segments[index]
        parts, total = [], 0
        for source, take, part in zip(SOURCES, version.takes, segment.parts, strict=True):
            if take is None:
                parts.append(part)
                continue
            level = signals.gain(take.song)
            part = replace(part, gain=level * version.attenuation, target_gain=level)
            spectrum = signals.spectrum(take.song, source, segment)
            total = total + np.float32(part.gain) * spectrum
            if part.first_frame not in written:
                rows = slice(part.first_frame, part.first_frame + len(spectrum))
                file[TARGETS][rows] = magnitude(spectrum, signals.config)
                written.add(part.first_frame)
            parts.append(part)
        # A block that is shorter than a patch stays 0 at its end.
        rows = slice(segment.first_frame, segment.first_frame + len(total))
        file[MIXTURE][rows] = magnitude(total, signals.config)
        if PHASE in file:
            file[PHASE][rows] = np.angle(total)
        filled[index] = replace(segment, parts=tuple(parts))
    write_tables(file, filled, signals.config)


def _write_attributes(file, config: SignalConfig, fidelity: Fidelity, songs: list[Song]) -> None:
    file.attrs["format"] = FORMAT
    file.attrs["config"] = config.to_json()
    file.attrs["fidelity"] = fidelity.to_json()
    file.attrs["source_order"] = list(SOURCES)
    stems = {f"{s.subset}/{s.name}/{name}": path for s in songs for name, path in s.stems.items()}
    read = {name: sha256_of(path) for name, path in stems.items()}
    file[PROVENANCE] = json.dumps({"version": __version__, "sha256": read}, sort_keys=True)
    paths = {name: str(path.absolute()) for name, path in stems.items()}
    file[PATHS] = json.dumps(paths, sort_keys=True)
