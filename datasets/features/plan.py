"""What making a feature file takes, before it is made: patches, bytes, and time on this machine."""

from __future__ import annotations

import logging
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hiphopss.config import SOURCES, Fidelity, SignalConfig
from hiphopss.datasets.features.layout import FileLayout
from hiphopss.datasets.features.make import lay_out, make_features, require_replaceable
from hiphopss.datasets.features.selection import SongChoice
from hiphopss.datasets.features.writer import FrameWriter, describe
from hiphopss.datasets.songs import Song
from hiphopss.signal.writing import write
from hiphopss.util.files import amount, free_space

_NO_DIGEST = "0" * 64  # as long as a SHA-256
_PROBE_SONGS, _PROBE_SECONDS = 2, 30.0  # a full block: shorter ones have relatively more patches


@dataclass(frozen=True)
class FeaturePlan:
    """What a feature file will hold and take.

    Attributes
    ----------
    n_songs, n_versions, n_segments, n_patches : int
        Songs whose stems are used, versions of them, blocks of versions, and patches.
    n_bytes : int
        Size of the file, exactly.
    seconds : float or None
        Expected time on this machine; None if it was not measured.
    n_free : int
        Free bytes on the disk where the file will be.
    """

    n_songs: int
    n_versions: int
    n_segments: int
    n_patches: int
    n_bytes: int
    seconds: float | None
    n_free: int

    def text(self) -> str:
        """The plan for people, a line for each fact."""
        short = self.n_bytes > self.n_free
        facts = {
            "songs": f"{self.n_songs:,}",
            "versions": f"{self.n_versions:,}",
            "segments": f"{self.n_segments:,}",
            "patches": f"{self.n_patches:,}",
            "size": amount(self.n_bytes),
            "free on the disk": amount(self.n_free) + (" (not enough)" if short else ""),
            "time, about": "not measured" if self.seconds is None else duration(self.seconds),
        }
        return "\n".join(f"{name:18}{value}" for name, value in facts.items())


@dataclass(frozen=True)
class FeatureSpeed:
    """How fast this machine computes features.

    Attributes
    ----------
    sample_s, source_s, mixture_s : float
        Seconds for a sample of a stem (reading it), for a frame of a source signal (transforming
        and writing it), and for a frame of a mixture.
    """

    sample_s: float
    source_s: float
    mixture_s: float

    def seconds(self, layout: FileLayout) -> float:
        """Expected time for a feature file, in seconds."""
        sources = layout.n_source_frames * self.source_s
        mixtures = layout.n_mixture_frames * self.mixture_s
        return layout.n_read * self.sample_s + sources + mixtures


def plan_features(
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
    calibrate: bool = True,
) -> FeaturePlan:
    """Say what :func:`hiphopss.make_features` would make and take, without making it.

    Parameters
    ----------
    dataset, output, augmentation, preset, config, seed, released_test_leak, store_phase, songs
        As in :func:`hiphopss.make_features`. Only the headers of the songs are read.
    calibrate : bool
        Measure for some seconds how fast this machine computes features of this preset.

    Returns
    -------
    FeaturePlan
        Patches and bytes are exact; the time is an estimate.

    Raises
    ------
    HiphopssError
        As in :func:`hiphopss.make_features`, before any work.
    """
    output, config = Path(output), config or SignalConfig()
    require_replaceable(output)
    layout = lay_out(
        dataset,
        augmentation=augmentation,
        preset=preset,
        config=config,
        seed=seed,
        released_test_leak=released_test_leak,
        store_phase=store_phase,
        songs=songs,
    )
    speed = measure_features(preset, config) if calibrate else None
    return plan_of(layout, output, speed)


def plan_of(layout: FileLayout, output: Path, speed: FeatureSpeed | None = None) -> FeaturePlan:
    """The plan of a layout.

    Parameters
    ----------
    layout : FileLayout
        FileLayout from :func:`~hiphopss.datasets.features.make.lay_out`.
    output : Path
        The feature file.
    speed : FeatureSpeed, optional
        Speed of this machine.
    """
    return FeaturePlan(
        n_songs=len({song.key for _, version in layout.segments for song in version.songs}),
        n_versions=layout.n_versions,
        n_segments=len(layout.segments),
        n_patches=layout.n_patches,
        n_bytes=_file_size(layout),
        seconds=None if speed is None else speed.seconds(layout),
        n_free=free_space(output.absolute().parent),
    )


def _file_size(layout: FileLayout) -> int:
    """Size of a layout's file: of one like it whose frames are reserved, but never written.

    Such a file takes no more space on a disk than its tables, whatever its size.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "features.h5"
        FrameWriter(path, layout.sizes, layout.config).close()
        segments = [segment for segment, _ in layout.segments]
        describe(path, segments, layout, lambda _: _NO_DIGEST)
        return path.stat().st_size


def measure_features(preset: str | Fidelity, config: SignalConfig) -> FeatureSpeed:
    """Measure how fast this machine computes features, on some songs of noise.

    Of the same songs, the instrument augmentation has more mixtures than none, and the circular
    shift more source signals: this tells apart what each takes. Each is measured twice and the
    lesser time counts, which other work on the machine disturbs less.
    """
    layouts, seconds = [], []
    with noise_songs(_PROBE_SONGS, _PROBE_SECONDS) as songs, quiet():
        path = songs[0].folder / "features.h5"
        for augmentation in ("none", "instrument", "circular-shift"):
            options: dict[str, Any] = {"augmentation": augmentation, "preset": preset}
            taken = []
            for _ in range(2):
                begun = time.perf_counter()
                make_features(songs, path, config=config, progress=False, **options)
                taken.append(time.perf_counter() - begun)
            seconds.append(min(taken))
            layouts.append(
                lay_out(songs, config=config, seed=0, released_test_leak=False, **options)
            )
    plain, more_mixtures, more_sources = layouts
    mixture_s = max(seconds[1] - seconds[0], 0.0) / (
        more_mixtures.n_mixture_frames - plain.n_mixture_frames
    )
    without = [
        s - mixture_s * lay.n_mixture_frames for s, lay in zip(seconds, layouts, strict=True)
    ]
    source_s = max(without[2] - without[0], 0.0) / (
        more_sources.n_source_frames - plain.n_source_frames
    )
    sample_s = max(without[0] - source_s * plain.n_source_frames, 0.0) / plain.n_read
    return FeatureSpeed(sample_s, source_s, mixture_s)


@contextmanager
def noise_songs(n_songs: int, seconds: float) -> Iterator[list[Song]]:
    """Yield songs of noise with a mixture, mono in 16 bit, which exist as long as the context."""
    rate, rng = SignalConfig().sample_rate, np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder:
        songs = []
        for number in range(n_songs):
            place = Path(folder) / f"noise {number}"
            place.mkdir()
            stems = rng.integers(-3000, 3000, (len(SOURCES), round(seconds * rate)), np.int16)
            paths = {source: place / f"{source}.wav" for source in SOURCES}
            for stem, path in zip(stems, paths.values(), strict=True):
                write(path, stem / 2**15, rate)
            mixture = place / "mixture.wav"
            write(mixture, stems.sum(axis=0) / 2**15, rate)
            songs.append(Song(place.name, "Dev", mixture, paths))
        yield songs


@contextmanager
def quiet() -> Iterator[None]:
    """Leave out what a measurement would log, which is about its noise and not about the plan."""
    logger = logging.getLogger("hiphopss")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(level)


def duration(seconds: float) -> str:
    """A time for people, in seconds, minutes or hours."""
    if seconds < 99.5:
        return _rounded(seconds, "s")
    minutes = seconds / 60
    return _rounded(minutes, "min") if minutes < 99.5 else _rounded(minutes / 60, "h")


def _rounded(number: float, unit: str) -> str:
    if number < 0.05:
        return f"< 0.1 {unit}"
    return f"{number:.1f} {unit}" if number < 9.95 else f"{number:,.0f} {unit}"
