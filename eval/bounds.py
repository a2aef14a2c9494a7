"""Reference rows: estimates that bound what a separation can score.

The mixture itself as the estimate of every source is what a separation has to beat (reference
page, section 10); the ideal ratio mask, which knows the sources, is about the best that soft masks
on the mixture's short-time spectrum, such as the network's, can reach. Both are written as a folder
of estimates, ``<output>/<song>/<source>.wav``, for :func:`hiphopss.eval.evaluate`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection
from pathlib import Path

import numpy as np

from hiphopss.audio import find
from hiphopss.config import RECORD_NAME, SOURCES, SignalConfig
from hiphopss.errors import HiphopssError
from hiphopss.eval.folders import (
    Audio,
    Song,
    fit_channels,
    read_audio,
    reference_songs,
    reference_stems,
    require_alike,
)
from hiphopss.files import written_whole


def mixture_estimates(
    dataset: str | Path,
    output: str | Path,
    subset: str | None = None,
    *,
    names: Collection[str] | None = None,
) -> list[str]:
    """Write each song's mixture as the estimate of each of its sources: the lower bound.

    Parameters
    ----------
    dataset : path-like
        A data set in the layout of DSD100, or a folder of songs that holds ``mixture.wav`` too.
    output : path-like
        Folder to write, whole or not at all; it must be new or empty.
    subset : {"Dev", "Test"}, optional
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
        If there are no songs, a song's mixture can't be read, or the folder can't be written.
    """

    def estimate(song: Song, mixture: Audio) -> np.ndarray:
        return np.broadcast_to(mixture.samples, (len(SOURCES), *mixture.samples.shape))

    return _write_estimates(dataset, output, subset, names, estimate, {"model": "mixture"})


def ideal_ratio_mask_estimates(
    dataset: str | Path,
    output: str | Path,
    subset: str | None = None,
    *,
    names: Collection[str] | None = None,
    config: SignalConfig | None = None,
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
    config = config or SignalConfig()

    def estimate(song: Song, mixture: Audio) -> np.ndarray:
        return ideal_ratio_masked(_sources(song, mixture), mixture.samples, config)

    record = {"model": "ideal ratio mask", "config": json.loads(config.to_json())}
    return _write_estimates(dataset, output, subset, names, estimate, record)


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
        Estimates, which add up to the mixture.
    """
    from hiphopss.transform import istft, stft

    n_samples, n_channels = mixture.shape
    estimates = np.empty(sources.shape)
    for channel in range(n_channels):
        magnitudes = np.abs(stft(sources[:, :, channel], config))  # (n_sources, n_frames, n_bins)
        total = magnitudes.sum(axis=0)
        empty = total == 0
        magnitudes[:, empty] = 1
        total[empty] = len(sources)
        spectrum = stft(mixture[:, channel], config)  # (n_frames, n_bins)
        for estimate, magnitude in zip(estimates, magnitudes, strict=True):
            estimate[:, channel] = istft(magnitude / total * spectrum, n_samples, config)
    return estimates


def _sources(song: Song, mixture: Audio) -> np.ndarray:
    """A song's stems [shape=(n_sources, n_samples, n_channels)], silence for missing vocals."""
    stems = np.zeros((len(SOURCES), *mixture.samples.shape))
    paths = reference_stems(song)
    require_alike([mixture.path, *filter(None, paths.values())])
    for stem, source in zip(stems, SOURCES, strict=True):
        if paths[source] is not None:
            stem[:] = fit_channels(read_audio(paths[source]), mixture.samples.shape[1])
    return stems


def _write_estimates(
    dataset: str | Path,
    output: str | Path,
    subset: str | None,
    names: Collection[str] | None,
    estimate: Callable[[Song, Audio], np.ndarray],
    record: dict,
) -> list[str]:
    """Write a folder of estimates, and what made them; return the songs' names."""
    import soundfile

    songs = [
        song
        for song in reference_songs(dataset)
        if (subset in (None, song.subset) or not song.subset)
        and (names is None or song.name in names)
    ]
    if not songs:
        which = f"songs of subset {subset!r}" if subset else "songs"
        raise HiphopssError(f"{dataset}: holds no {which}: give a data set's folder")
    with written_whole(output) as temporary:
        for song in songs:
            mixture = read_audio(_mixture_path(song))
            folder = temporary / song.name
            folder.mkdir(parents=True)
            for source, samples in zip(SOURCES, estimate(song, mixture), strict=True):
                # 32-bit floating point holds 16 and 24-bit mixtures exactly and never clips.
                path = folder / f"{source}.wav"
                soundfile.write(path, samples, mixture.sample_rate, subtype="FLOAT")
        text = json.dumps(record, indent=2, sort_keys=True)
        (temporary / RECORD_NAME).write_text(text + "\n", encoding="utf-8")
    return [song.name for song in songs]


def _mixture_path(song: Song) -> Path:
    """A song's mixture: beside its stems, or in the parallel folder of the DSD100 layout."""
    folder = song.folder
    if song.subset:
        folder = song.folder.absolute().parents[2] / "Mixtures" / song.subset / song.name
    path = find(folder, "mixture")
    if path is None:
        raise HiphopssError(f"{folder / 'mixture'}.wav: no such file: put the mixture there")
    return path
