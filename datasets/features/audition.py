"""Listening to a feature file: writes any of its segments as WAV files."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from hiphopss.config import SOURCES
from hiphopss.datasets.dsd100 import named_as_dsd100
from hiphopss.datasets.features.file import FeatureFile
from hiphopss.datasets.features.segments import Segment
from hiphopss.datasets.features.source_signals import SourceSignals
from hiphopss.datasets.layouts import song_name
from hiphopss.datasets.names import same_song
from hiphopss.datasets.roots import all_songs, find_root
from hiphopss.datasets.songs import Song, song_at
from hiphopss.errors import HiphopssError
from hiphopss.signal import writing
from hiphopss.signal.containers import container_of, is_container
from hiphopss.signal.transform import istft
from hiphopss.util.files import filled_whole, sha256_of


def audition(
    features: str | Path, segment: int, output: str | Path, *, dataset: str | Path | None = None
) -> list[Path]:
    """Write the mixture and the targets of a segment as WAV files, up to the end of its patches.

    If the file holds the mixture's phase, the magnitudes are transformed back with it. Otherwise
    the recorded recipe is applied again to the stems, which must be those from which the file was
    made.

    Parameters
    ----------
    features : path-like
        Feature file from :func:`~hiphopss.datasets.features.make.make_features`.
    segment : int
        Number of the segment in the file, from 0.
    output : path-like
        Folder for ``mixture.wav`` and ``{vocals,bass,drums,other}.wav`` (floating point).
    dataset : path-like, optional
        New place of the data set, if it has been moved.

    Returns
    -------
    list of Path
        Files that were written.

    Raises
    ------
    HiphopssError
        If the segment does not exist, or if a stem is missing or has changed.
    """
    with FeatureFile(features) as file:
        segments = file.segments()
        if not 0 <= segment < len(segments):
            raise HiphopssError(
                f"{features}: no segment {segment}: choose one of 0..{len(segments) - 1}"
            )
        chosen = segments[segment]
        if file.has_phase:
            waveforms = _from_phase(file, chosen)
        else:
            waveforms = _from_stems(file, chosen, dataset)
        paths = []
        with filled_whole(output) as folder:
            for name, waveform in zip(("mixture", *SOURCES), waveforms, strict=True):
                writing.write(folder / f"{name}.wav", waveform, file.config.sample_rate, "FLOAT")
                paths.append(Path(output) / f"{name}.wav")
    return paths


def _from_phase(file: FeatureFile, segment: Segment) -> np.ndarray:
    mixture, targets = file.frames(segment)
    spectra = np.concatenate([mixture[None], targets]) * np.exp(1j * file.phase(segment))
    spectra *= np.sqrt(file.config.frame)
    return istft(spectra, segment.reached(file.config), file.config)


def _from_stems(file: FeatureFile, segment: Segment, dataset: str | Path | None) -> np.ndarray:
    songs = _recorded_songs(file, segment, dataset)
    # Their lengths were tolerated when the file was made, and their hashes are checked.
    signals = SourceSignals(file.config, file.fidelity, math.inf)
    waveforms = np.zeros((1 + len(SOURCES), segment.n_samples), np.float32)
    for target, source, part in zip(waveforms[1:], SOURCES, segment.parts, strict=True):
        if part.song:
            try:
                stem = signals.waveform(songs[part.subset, part.song], source, segment)
                waveforms[0] += np.float32(part.gain) * stem
                target[:] = np.float32(part.target_gain) * stem
            except ValueError as error:  # the song is shorter
                raise HiphopssError(
                    f"{file.path}: has a segment that is not within its song {part.song!r}: make "
                    "it again with `hiphopss features`"
                ) from error
    return waveforms[:, : segment.reached(file.config)]


def _recorded_songs(
    file: FeatureFile, segment: Segment, dataset: str | Path | None
) -> dict[tuple[str, str], Song]:
    """The songs of a segment, checked to have the stems from which the file was made."""
    wanted = {(part.subset, part.song) for part in segment.parts if part.song}
    if dataset is not None:
        root = find_root(dataset)
        there = all_songs(root)
        # The file may have been made of MUSDB18 in DSD100's stead.
        known = {song.key: song for song in [*named_as_dsd100(there, root), *there]}
        songs = {key: known[key] for key in wanted & known.keys()}
        for subset, name in wanted - set(songs):
            raise HiphopssError(f"{dataset}: no song {name!r} in {subset}: name another data set")
    else:
        songs = {key: _song(file, *key) for key in wanted}
    for (subset, name), song in songs.items():
        for source, path in song.stems.items():
            _require_unchanged(file, f"{subset}/{name}/{source}", path)
    return songs


def _song(file: FeatureFile, subset: str, name: str) -> Song:
    """The song at the recorded paths, as it would be found in a data set.

    The paths are only taken for those of a song's stems: so a feature file that others made can't
    name any other file to be opened.
    """
    recorded = {s: file.paths.get(f"{subset}/{name}/{s}") for s in SOURCES}
    stems = {source: Path(path) for source, path in recorded.items() if path}
    entries = {c if is_container(c := container_of(p)) else p.parent for p in stems.values()}
    for path in stems.values():
        if not os.path.exists(container_of(path)):
            raise HiphopssError(f"{path}: not there any more: add --dataset and where it is now")
    found = {entry: song_at(entry).stems for entry in entries if same_song(name, song_name(entry))}
    if list(found.values()) != [stems]:
        raise HiphopssError(
            f"{file.path}: its record of where {name!r} was does not name a song's stems: add "
            "--dataset and where it is"
        )
    return Song(name, subset, None, stems)


def _require_unchanged(file: FeatureFile, name: str, path: Path) -> None:
    container = container_of(path)
    if not container.is_file() or sha256_of(container) != file.provenance["sha256"].get(name):
        raise HiphopssError(
            f"{path}: not the stem that {file.path} was made from: name the right data set, or "
            "make the features again"
        )


def list_segments(features: str | Path) -> str:
    """Describe the segments of a feature file, one per line; errors as :class:`FeatureFile`."""
    return describe_segments(*read_segments(features))


def read_segments(features: str | Path) -> tuple[list[Segment], int]:
    """Segments of a feature file, and its sampling rate in Hz; errors as :class:`FeatureFile`."""
    with FeatureFile(features) as file:
        return list(file.segments()), file.config.sample_rate


def describe_segments(segments: Sequence[Segment], sample_rate: int) -> str:
    """Describe segments for people, one per line."""
    return "\n".join(
        f"{number:5} {segment.describe(sample_rate)}" for number, segment in enumerate(segments)
    )
