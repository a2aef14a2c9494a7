"""Songs to HDF5 feature files.

A file holds each magnitude frame once; a patch is the index of its first frame, so patches that
overlap six-fold cost nothing. Its datasets and attributes:

- ``mixture`` `[shape=(n_frames, n_bins)]` and ``sources`` `[shape=(n_sources, n_frames, n_bins)]`:
  ``|STFT| / sqrt(frame)`` in float32, not yet multiplied by the scale factor. They are stored
  contiguously, so that a patch is a few plain reads, in or out of order.
- ``patch_start`` `[shape=(n_patches,)]`: first frame of each patch.
- ``segments``: a table with a row a block of audio: which song, where in it, which frames.
- attributes: ``format``, ``config`` and ``fidelity`` (JSON), ``source_order`` and
  ``provenance`` (JSON: the SHA-256 of every audio file read).
"""

from __future__ import annotations

import hashlib
import json
import warnings
from dataclasses import astuple, dataclass, fields, replace
from pathlib import Path

import numpy as np

from hiphopss import __version__
from hiphopss.config import SOURCES, Fidelity, SignalConfig, read_settings, resolve_preset
from hiphopss.datasets.layout import Song, load_stems, mixture_gain, read_songs, song_length
from hiphopss.errors import HiphopssError
from hiphopss.files import sha256_of, written_whole
from hiphopss.patches import training_patch_count
from hiphopss.progress import progress_bar
from hiphopss.transform import frame_count, magnitude, stft

FORMAT = 1
MIXTURE, TARGETS, STARTS, SEGMENTS = "mixture", "sources", "patch_start", "segments"


@dataclass(frozen=True)
class Segment:
    """A block of audio and where it is in the file.

    Attributes
    ----------
    song, subset : str
        Where it is from.
    augmentation : str
        Which augmentation made it; ``"none"``.
    start, n_samples : int
        Where in the song, in samples at the configured rate.
    gain : float
        What mixture and targets were multiplied by.
    first_frame, n_frames : int
        Its frames in the file: those that its patches reach.
    n_patches : int
        Its patches in the file; the first starts at ``first_frame``.
    """

    song: str
    subset: str
    augmentation: str
    start: int
    n_samples: int
    gain: float
    first_frame: int
    n_frames: int
    n_patches: int


def make_features(
    dataset: str | Path,
    output: str | Path,
    *,
    subset: str = "Dev",
    preset: str | Fidelity = "released",
    config: SignalConfig | None = None,
    progress: bool = True,
) -> Path:
    """Compute the feature file of a data set.

    Parameters
    ----------
    dataset : path-like
        A root in the DSD100 layout.
    output : path-like
        The HDF5 file; it appears whole or not at all.
    subset : str
        ``"Dev"`` or ``"Test"``.
    preset : str or Fidelity
        ``"released"`` keeps the first patches of every block (Q2), sums the stems, and skips songs
        without vocals; ``"corrected"`` keeps all patches, and scales mixture and targets as the
        data set's mixture is scaled.
    config : SignalConfig
        Transform and patches.
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
        :func:`~hiphopss.datasets.layout.load_stems`, or if no song is left.
    """
    import h5py

    fidelity = resolve_preset(preset)
    config = config or SignalConfig()
    output = Path(output)
    if output.is_dir():
        raise HiphopssError(f"{output}: is a folder: give the name of a file")
    songs = read_songs(dataset, (subset,))
    without = [song.name for song in songs if "vocals" not in song.stems]
    if without:
        fate = "left out" if fidelity.skip_songs_without_vocals else "their vocals are silence"
        warnings.warn(f"{dataset}: no vocals in {', '.join(without)}: {fate}", stacklevel=2)
    if fidelity.skip_songs_without_vocals:
        songs = [song for song in songs if "vocals" in song.stems]
    if not songs:
        raise HiphopssError(
            f"{dataset}: no song of {subset} has vocals, and the preset 'released' skips those: "
            "use the preset 'corrected'"
        )
    segments = plan_segments(songs, config, fidelity)
    with written_whole(output) as temporary, h5py.File(temporary, "w") as file:
        n_frames = sum(segment.n_frames for segment in segments)
        file.create_dataset(MIXTURE, (n_frames, config.bins), "<f4")
        file.create_dataset(TARGETS, (len(SOURCES), n_frames, config.bins), "<f4")
        filled = []
        for song in progress_bar(songs, desc="features", unit="song", show=progress):
            own = [segment for segment in segments if segment.song == song.name]
            filled += _fill(file, song, own, config, fidelity)
        _write_tables(file, filled, config)
        _write_attributes(file, config, fidelity, songs)
    return output


def plan_segments(songs: list[Song], config: SignalConfig, fidelity: Fidelity) -> list[Segment]:
    """Cut songs into blocks and lay out their frames and patches (reference page, section 2).

    Parameters
    ----------
    songs : list of Song
        From :func:`~hiphopss.datasets.layout.read_songs`.
    config : SignalConfig
        Block length, transform and patches.
    fidelity : Fidelity
        Which patches of a block are used (Q2).

    Returns
    -------
    list of Segment
        In the order of the file. Every block's last frames that no patch reaches are left out.
    """
    block = round(config.block_seconds * config.sample_rate)
    segments, first_frame = [], 0
    for song in songs:
        length = song_length(song, config.sample_rate)
        for start in range(0, length, block):
            n_samples = min(block, length - start)
            n_patches = training_patch_count(
                frame_count(n_samples, config), config, first_only=fidelity.first_patches_only
            )
            n_frames = (n_patches - 1) * config.patch_hop + config.context
            segments.append(
                Segment(
                    song=song.name,
                    subset=song.subset,
                    augmentation="none",
                    start=start,
                    n_samples=n_samples,
                    gain=1.0,
                    first_frame=first_frame,
                    n_frames=n_frames,
                    n_patches=n_patches,
                )
            )
            first_frame += n_frames
    return segments


def _fill(
    file, song: Song, segments: list[Segment], config: SignalConfig, fidelity: Fidelity
) -> list[Segment]:
    """Write the frames of one song's segments; return the segments with their gain."""
    sources = load_stems(song, config.sample_rate)
    gain = mixture_gain(song, sources, config.sample_rate) if fidelity.normalised_mixture else 1.0
    sources *= np.float32(gain)
    signals = np.concatenate([sources.sum(axis=0, keepdims=True), sources])
    for segment in segments:
        block = signals[:, segment.start : segment.start + segment.n_samples]
        stop = min(segment.n_frames, frame_count(segment.n_samples, config))
        frames = magnitude(stft(block, config, stop=stop), config)  # (1 + n_sources, n, n_bins)
        rows = slice(segment.first_frame, segment.first_frame + stop)  # the rest stays 0
        file[MIXTURE][rows] = frames[0]
        file[TARGETS][:, rows] = frames[1:]
    return [replace(segment, gain=gain) for segment in segments]


def _write_tables(file, segments: list[Segment], config: SignalConfig) -> None:
    import h5py

    starts = [
        segment.first_frame + config.patch_hop * np.arange(segment.n_patches)
        for segment in segments
    ]
    file.create_dataset(STARTS, data=np.concatenate(starts).astype("<i8"))
    text, columns = h5py.string_dtype(), fields(Segment)
    kinds = {"str": text, "int": "<i8", "float": "<f8"}
    dtype = np.dtype([(column.name, kinds[column.type]) for column in columns])
    file.create_dataset(SEGMENTS, data=np.array([astuple(s) for s in segments], dtype))


def _write_attributes(file, config: SignalConfig, fidelity: Fidelity, songs: list[Song]) -> None:
    file.attrs["format"] = FORMAT
    file.attrs["config"] = config.to_json()
    file.attrs["fidelity"] = fidelity.to_json()
    file.attrs["source_order"] = list(SOURCES)
    read = {
        f"{song.subset}/{song.name}/{path.name}": sha256_of(path)
        for song in songs
        for path in song.stems.values()
    }
    file.attrs["provenance"] = json.dumps({"version": __version__, "sha256": read}, sort_keys=True)


class FeatureFile:
    """Reads patches out of a feature file; a context manager.

    Parameters
    ----------
    path : path-like
        From :func:`make_features`.

    Attributes
    ----------
    config : SignalConfig
        Settings of the magnitudes.
    fidelity : Fidelity
        Preset that the file was made with.
    provenance : dict
        What it was made from.
    starts : np.ndarray [shape=(n_patches,)]
        First frame of each patch.

    Raises
    ------
    HiphopssError
        If the file is missing or is not a feature file of this format.
    """

    def __init__(self, path: str | Path):
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
        self.config, self.fidelity = (
            read_settings(kind, json.loads(attributes[name]), origin=str(path))
            for kind, name in ((SignalConfig, "config"), (Fidelity, "fidelity"))
        )
        self.provenance = json.loads(attributes["provenance"])
        self.starts = self._file[STARTS][:]
        self._mixture, self._sources = self._file[MIXTURE], self._file[TARGETS]

    @property
    def identity(self) -> str:
        """SHA-256 of all that fixes the content: settings, audio files and their segments."""
        told = [self._file.attrs[name] for name in ("config", "fidelity", "provenance")]
        told += map(str, self.segments())
        return hashlib.sha256("\n".join(told).encode()).hexdigest()

    @property
    def n_patches(self) -> int:
        """Patches in the file."""
        return len(self.starts)

    def segments(self) -> list[Segment]:
        """The table of blocks."""
        table = self._file[SEGMENTS]
        text = [column.name for column in fields(Segment) if column.type == "str"]
        rows = (dict(zip(table.dtype.names, row, strict=True)) for row in table[:].tolist())
        return [Segment(**(row | {name: row[name].decode() for name in text})) for row in rows]

    def read(self, patches: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Read patches, scaled for the network.

        Parameters
        ----------
        patches : np.ndarray [shape=(n,)]
            Their indices, in any order.

        Returns
        -------
        mixture : np.ndarray [shape=(n, context, n_bins)]
            Input of the network.
        targets : np.ndarray [shape=(n, n_sources, context, n_bins)]
            What it is to estimate.
        """
        context, bins = self.config.context, self.config.bins
        mixture = np.empty((len(patches), context, bins), np.float32)
        targets = np.empty((len(patches), len(SOURCES), context, bins), np.float32)
        for row, start in enumerate(self.starts[patches]):
            frames = slice(start, start + context)
            self._mixture.read_direct(mixture, np.s_[frames], np.s_[row])
            self._sources.read_direct(targets, np.s_[:, frames], np.s_[row])
        mixture *= np.float32(self.config.scale)
        targets *= np.float32(self.config.scale)
        return mixture, targets

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
