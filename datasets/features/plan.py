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
from hiphopss.datasets.features.layout import Layout
from hiphopss.datasets.features.make import lay_out, make_features, require_replaceable
from hiphopss.datasets.features.writer import FrameWriter, describe
from hiphopss.datasets.songs import Song
from hiphopss.util.files import free_space

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
    source_s, mixture_s : float
        Seconds for a frame of a source signal (reading, transforming, writing it), and for a frame
        of a mixture.
    """

    source_s: float
    mixture_s: float

    def seconds(self, layout: Layout) -> float:
        """Expected time for a feature file, in seconds."""
        sources = layout.n_source_frames * self.source_s
        return sources + layout.n_mixture_frames * self.mixture_s


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
    calibrate: bool = True,
) -> FeaturePlan:
    """Say what :func:`hiphopss.make_features` would make and take, without making it.

    Parameters
    ----------
    dataset, output, augmentation, preset, config, seed, released_test_leak, store_phase
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
    )
    speed = measure_features(preset, config) if calibrate else None
    return plan_of(layout, output, speed)


def plan_of(layout: Layout, output: Path, speed: FeatureSpeed | None = None) -> FeaturePlan:
    """The plan of a layout.

    Parameters
    ----------
    layout : Layout
        Layout from :func:`~hiphopss.datasets.features.make.lay_out`.
    output : Path
        The feature file.
    speed : FeatureSpeed, optional
        Speed of this machine.
    """
    return FeaturePlan(
        n_songs=len(layout.songs),
        n_versions=layout.n_versions,
        n_segments=len(layout.segments),
        n_patches=layout.n_patches,
        n_bytes=_file_size(layout),
        seconds=None if speed is None else speed.seconds(layout),
        n_free=free_space(output.absolute().parent),
    )


def _file_size(layout: Layout) -> int:
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

    Two augmentations of the same songs tell apart what a source signal and a mixture take. Each is
    measured twice and the lesser time counts, which other work on the machine disturbs less.
    """
    frames: dict[str, np.ndarray] = {}
    seconds: dict[str, float] = {}
    with noise_songs(_PROBE_SONGS, _PROBE_SECONDS) as songs, quiet():
        path = songs[0].folder / "features.h5"
        for augmentation in ("none", "circular-shift") * 2:
            options: dict[str, Any] = {"augmentation": augmentation, "preset": preset}
            begun = time.perf_counter()
            make_features(songs, path, config=config, progress=False, **options)
            taken = time.perf_counter() - begun
            seconds[augmentation] = min(taken, seconds.get(augmentation, taken))
            layout = lay_out(songs, config=config, seed=0, released_test_leak=False, **options)
            frames[augmentation] = np.array([layout.n_source_frames, layout.n_mixture_frames])
    few, many = frames.values()
    few_s, many_s = seconds.values()
    ratio = many[0] / few[0]
    per_mixture = (many_s - ratio * few_s) / (many[1] - ratio * few[1])
    # Whatever the noise of the measurement, neither takes no time.
    per_mixture = min(max(per_mixture, 0.1 * many_s / many.sum()), 0.9 * many_s / many[1])
    return FeatureSpeed(float((many_s - per_mixture * many[1]) / many[0]), float(per_mixture))


@contextmanager
def noise_songs(n_songs: int, seconds: float) -> Iterator[list[Song]]:
    """Yield songs of noise with a mixture, mono in 16 bit, which exist as long as the context."""
    import soundfile

    rate, rng = SignalConfig().sample_rate, np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder:
        songs = []
        for number in range(n_songs):
            place = Path(folder) / f"noise {number}"
            place.mkdir()
            stems = rng.integers(-3000, 3000, (len(SOURCES), round(seconds * rate)), np.int16)
            paths = {source: place / f"{source}.wav" for source in SOURCES}
            for stem, path in zip(stems, paths.values(), strict=True):
                soundfile.write(path, stem, rate, subtype="PCM_16")
            mixture = place / "mixture.wav"
            soundfile.write(mixture, stems.sum(axis=0, dtype=np.int16), rate, subtype="PCM_16")
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


def amount(n_bytes: int) -> str:
    """Bytes for people, in powers of 1000."""
    for unit, size in (("GB", 1e9), ("MB", 1e6)):
        if n_bytes >= size:
            return f"{n_bytes / size:.1f} {unit}"
    return f"{n_bytes / 1e3:.1f} kB"


def duration(seconds: float) -> str:
    """A time for people, with two digits that matter."""
    if seconds < 99.5:
        return f"{seconds:.2g} s" if seconds < 9.95 else f"{seconds:.0f} s"
    minutes = seconds / 60
    if minutes < 99.5:
        return f"{minutes:.2g} min"
    return f"{minutes / 60:.2g} h" if minutes < 5970 else f"{minutes / 60:,.0f} h"
