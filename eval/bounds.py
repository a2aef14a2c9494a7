"""Reference rows: estimates that bound what a separation can score.

The mixture itself as the estimate of every source is what a separation has to beat (reference
page, section 10); the ideal ratio mask, which knows the sources, is about the best that soft masks
on the mixture's short-time spectrum, such as the network's, can reach. Both are computed while
:func:`hiphopss.eval.evaluate` scores, or written as a folder of estimates,
``<output>/<song>/<source>.wav``.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path

import numpy as np

from hiphopss.audio import read_header
from hiphopss.config import SOURCES, SignalConfig
from hiphopss.datasets.layout import Song
from hiphopss.eval.baseline import Baseline, write_estimates
from hiphopss.eval.folders import (
    Audio,
    read_into,
    reference_stems,
    require_alike,
    require_mixture,
    select_songs,
)

RUN = 1024
"""Frames of a song whose masks are worked out together: some 40 MB."""

MIXTURE, IDEAL_RATIO_MASK = "mixture", "ideal ratio mask"
"""Names of the two in tables of scores."""


class Mixture(Baseline):
    """The mixture as the estimate of each source."""

    model, effort = MIXTURE, 0

    @property
    def record(self) -> dict:
        return {"model": MIXTURE}

    def __call__(self, song: Song, mixture: Audio) -> np.ndarray:
        return np.broadcast_to(mixture.samples, (len(SOURCES), *mixture.samples.shape))


class IdealRatioMask(Baseline):
    """What the magnitudes' ideal ratio masks make of a mixture.

    Parameters
    ----------
    config : SignalConfig, optional
        Frame, hop and window; by default the project's (Blackman-Harris, 1024, 512).
    """

    model, effort = IDEAL_RATIO_MASK, 3

    def __init__(self, config: SignalConfig | None = None) -> None:
        self._config = config or SignalConfig()

    @property
    def record(self) -> dict:
        return {"model": IDEAL_RATIO_MASK, "config": json.loads(self._config.to_json())}

    def __call__(self, song: Song, mixture: Audio) -> np.ndarray:
        sources = _sources(song, mixture)
        return ideal_ratio_masked(sources, mixture.samples[: sources.shape[1]], self._config)


def mixture_estimates(
    dataset: str | Path | Sequence[Song],
    output: str | Path,
    subset: str | None = None,
    *,
    names: Collection[str] | None = None,
) -> list[str]:
    """Write each song's mixture as the estimate of each of its sources: the lower bound.

    Parameters
    ----------
    dataset : path-like or sequence of Song
        A data set in the layout of DSD100, a folder of songs that holds ``mixture.wav`` too, or
        songs from anywhere.
    output : path-like
        Folder to write, whole or not at all; it must be new or empty.
    subset : str, optional
        Only songs of this subset; all by default.
    names : collection of str, optional
        Only songs of these names.

    Returns
    -------
    list of str
        Names of the songs.

    Raises
    ------
    HiphopssError
        If there are no songs, two have the same name, a song's mixture can't be read, or the folder
        can't be written.
    """
    return write_estimates(select_songs(dataset, subset, names=names), output, Mixture())


def ideal_ratio_mask_estimates(
    dataset: str | Path | Sequence[Song],
    output: str | Path,
    subset: str | None = None,
    *,
    names: Collection[str] | None = None,
    config: SignalConfig | None = None,
    length_tolerance_s: float = 0.0,
) -> list[str]:
    """Write what the magnitudes' ideal ratio masks make of each mixture: the upper bound.

    The mask of a source is its magnitude over the sum of all sources' magnitudes, channel by
    channel; where all are 0, the sources share equally, as they do in the network's masks.

    Parameters
    ----------
    dataset, output, subset, names
        As in :func:`mixture_estimates`. Missing vocals count as silence.
    config : SignalConfig, optional
        Frame, hop and window; by default the project's (Blackman-Harris, 1024, 512).
    length_tolerance_s : float
        As in :func:`hiphopss.eval.evaluate`.

    Returns
    -------
    list of str
        Names of the songs.

    Raises
    ------
    HiphopssError
        If there are no songs, a song's files can't be read or don't fit one another, or the
        folder can't be written.
    """
    songs = select_songs(dataset, subset, names=names)
    for song in songs:
        stems = filter(None, reference_stems(song).values())
        require_alike([require_mixture(song), *stems], length_tolerance_s)
    return write_estimates(songs, output, IdealRatioMask(config))


def ideal_ratio_masked(
    sources: np.ndarray, mixture: np.ndarray, config: SignalConfig
) -> np.ndarray:
    """Filter a mixture by the ideal ratio masks of its sources.

    Parameters
    ----------
    sources : np.ndarray [shape=(n_sources, n_samples, n_channels)]
        The true sources.
    mixture : np.ndarray [shape=(n_samples, n_channels)]
        Their mixture, at any scale.
    config : SignalConfig
        Frame, hop and window.

    Returns
    -------
    np.ndarray [shape=(n_sources, n_samples, n_channels)]
        Estimates in single precision, which add up to the mixture.
    """
    from hiphopss.transform import frame_count, stft

    n_samples, n_channels = mixture.shape
    n_frames = frame_count(n_samples, config)
    estimates = np.empty(sources.shape, np.float32)
    for channel in range(n_channels):
        ranges = (
            {"start": start, "stop": min(start + RUN, n_frames)}
            for start in range(0, n_frames, RUN)
        )
        runs = (
            (
                np.abs(stft(sources[:, :, channel], config, **frames)),
                stft(mixture[:, channel], config, **frames),
            )
            for frames in ranges
        )
        share_out(estimates[:, :, channel], runs, config)
    return estimates


def share_out(
    estimates: np.ndarray, runs: Iterable[tuple[np.ndarray, np.ndarray]], config: SignalConfig
) -> None:
    """Share a spectrum out to sources in proportion to their magnitudes.

    Parameters
    ----------
    estimates : np.ndarray [shape=(n_sources, n_samples)]
        Filled: they add up to the mixture.
    runs : iterable of (np.ndarray, np.ndarray)
        Consecutive frames: magnitudes of the sources, known or estimated
        `[shape=(n_sources, n_frames, n_bins)]`, and the spectrum of the mixture
        `[shape=(n_frames, n_bins)]`. Where all magnitudes are 0 the sources share equally, as in
        the network's masks.
    config : SignalConfig
        Frame, hop and window.
    """
    from hiphopss.transform import InverseTransform

    n_sources, n_samples = estimates.shape
    inverse = InverseTransform((n_sources,), np.float64, config)
    end = -config.hop  # of the samples so far; what comes first stands before the signal
    for magnitudes, spectrum in runs:
        magnitudes = magnitudes.astype(np.float64)  # so that the masks add up to 1
        total = magnitudes.sum(axis=0)
        magnitudes[:, total == 0] = 1
        total[total == 0] = n_sources
        samples = inverse.push(magnitudes / total * spectrum)
        begin, end = end, end + samples.shape[1]
        inside = slice(max(begin, 0), min(end, n_samples))
        estimates[:, inside] = samples[:, inside.start - begin : inside.stop - begin]


def _sources(song: Song, mixture: Audio) -> np.ndarray:
    """A song's stems [shape=(n_sources, n_samples, n_channels)], silence for missing vocals.

    They are as long as the shortest of them and the mixture: codecs pad what they encode.
    """
    n_samples, n_channels = mixture.samples.shape
    paths = reference_stems(song).values()
    n_samples = min(n_samples, *(read_header(path).n_samples for path in paths if path))
    stems = np.zeros((len(SOURCES), n_samples, n_channels))
    for stem, path in zip(stems, paths, strict=True):
        if path:
            read_into(stem, path)
    return stems
