"""Reading the files of songs, after checking that they match.

Everything that reads stems uses this module: features, auditions, scores, remixes, the demo and the
reproduction of the paper. The files of a song must have one sampling rate and nearly one length,
and each has one channel or as many as the others (:mod:`hiphopss.datasets.alike`). Vocals may be
missing (:data:`hiphopss.datasets.songs.OPTIONAL_SOURCES`) and are then silence.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from hiphopss.config import SOURCES
from hiphopss.datasets.alike import Common, cut_off, require_alike, tell_cut, within
from hiphopss.datasets.songs import Song, require_mixture
from hiphopss.errors import HiphopssError
from hiphopss.signal import reading
from hiphopss.signal.containers import is_inside

logger = logging.getLogger(__name__)

_PIECE = 2**16  # samples of each channel that are read at a time


def song_common(song: Song, *, tolerance_s: float | None = None, told: bool = True) -> Common:
    """What the stems of a song have in common, from the files' headers.

    Parameters
    ----------
    song : Song
        Song from :func:`hiphopss.datasets.songs.read_songs`.
    tolerance_s, told
        As in :func:`hiphopss.datasets.alike.require_alike`, which also has the errors.

    Returns
    -------
    Common
        Length, sampling rate, and the files that are cut.
    """
    return require_alike(song.stems.values(), tolerance_s=tolerance_s, downmixed=True, told=told)


def song_length(song: Song, sample_rate: int, *, tolerance_s: float | None = None) -> int:
    """Length of a song's stems at a sampling rate, in samples, from the files' headers.

    Parameters
    ----------
    song : Song
        Song from :func:`hiphopss.datasets.songs.read_songs`.
    sample_rate : int
        Sampling rate in Hz.
    tolerance_s : float, optional
        As in :func:`hiphopss.datasets.alike.require_alike`, which also has the errors.

    Returns
    -------
    int
        Length of the stems that :func:`load_stems` returns.
    """
    common = song_common(song, tolerance_s=tolerance_s)
    return reading.resampled_length(common.n_samples, common.sample_rate, sample_rate)


def load_stems(
    song: Song, sample_rate: int, *, tolerance_s: float | None = None, told: bool = True
) -> np.ndarray:
    """Read the stems of a song, mono, at a sampling rate.

    Parameters
    ----------
    song : Song
        Song from :func:`hiphopss.datasets.songs.read_songs`.
    sample_rate : int
        Sampling rate in Hz, to which stems are resampled.
    tolerance_s, told
        As in :func:`hiphopss.datasets.alike.require_alike`.

    Returns
    -------
    np.ndarray [shape=(n_sources, n_samples)]
        Stems in the order of ``SOURCES``, in single precision; missing vocals are silence.

    Raises
    ------
    HiphopssError
        As in :func:`hiphopss.datasets.alike.require_alike`, or if a file can't be read.
    """
    common = song_common(song, tolerance_s=tolerance_s, told=told)
    n_samples = reading.resampled_length(common.n_samples, common.sample_rate, sample_rate)
    stems = np.zeros((len(SOURCES), n_samples), np.float32)
    for row, source in zip(stems, SOURCES, strict=True):
        if source in song.stems:
            stem = _load_mono(song.stems[source], sample_rate, common.n_samples)
            if len(stem) != len(row):
                raise cut_off(song.stems[source])
            row[:] = stem
    return stems


def _load_mono(path: Path, sample_rate: int, n_samples: int | None = None) -> np.ndarray:
    """A file's channels, averaged and resampled; of ``n_samples``, if it has as many."""
    read = reading.read(path)
    mono = reading.to_mono(read.waveform)[:n_samples, None]
    return reading.resample(mono, read.sample_rate, sample_rate)[:, 0]


def stem_blocks(
    stems: Mapping[str, Path], n_channels: int, n_samples: int | None = None
) -> Iterator[np.ndarray]:
    """Read stems in parallel, block by block, so that memory use does not grow with their length.

    Parameters
    ----------
    stems : mapping of str to Path
        Matching files by source; sources without a file are silence.
    n_channels : int
        Number of channels of the blocks, as in :func:`fit_channels`.
    n_samples : int, optional
        Number of samples to read of each file; by default all, and none may be longer.

    Yields
    ------
    np.ndarray [shape=(n_sources, n_block, n_channels)]
        Consecutive samples in the order of ``SOURCES``, in single precision.

    Raises
    ------
    HiphopssError
        If a file can't be read, or is shorter than ``n_samples`` or than the others.
    """
    readers = {source: reading.read_blocks(path) for source, path in stems.items()}
    held = dict.fromkeys(stems, np.zeros((0, 1), np.float32))
    n_left = n_samples
    while n_left != 0:
        for source, reader in readers.items():
            if not len(held[source]):
                held[source] = next(reader, held[source])
        n_block = min(map(len, held.values()))
        if not n_block:
            break
        n_block = n_block if n_left is None else min(n_block, n_left)
        joined = np.zeros((len(SOURCES), n_block, n_channels), np.float32)
        for source, path in stems.items():
            block, held[source] = held[source][:n_block], held[source][n_block:]
            joined[SOURCES.index(source)] = fit_channels(block, n_channels, path)
        n_left = None if n_left is None else n_left - n_block
        yield joined
    if n_left or (n_left is None and any(map(len, held.values()))):
        raise cut_off(next(path for source, path in stems.items() if not len(held[source])))


def read_exact(
    stems: Mapping[str, Path | None],
    n_samples: int,
    n_channels: int,
    *,
    out: np.ndarray | None = None,
) -> np.ndarray:
    """Read the first samples of stems in double precision, as scores and oracles need them.

    Parameters
    ----------
    stems : mapping of str to Path or None
        Files by source; a source without a file is silence.
    n_samples, n_channels : int
        Size of the result. One channel averages a file's channels, more duplicate a mono file.
    out : np.ndarray [shape=(n_sources, n_samples, n_channels)], optional
        Array to fill, which is faster than allocating a new one.

    Returns
    -------
    np.ndarray [shape=(n_sources, n_samples, n_channels)]
        Samples, in ``out`` if it was given. The full scale of integers is 1, as in libsndfile.

    Raises
    ------
    HiphopssError
        If a file can't be read, is too short, or has values that are not finite or other channels.
    """
    samples = np.empty((len(SOURCES), n_samples, n_channels)) if out is None else out
    for stem, source in zip(samples, SOURCES, strict=True):
        path = stems.get(source)
        if path is None:
            stem[:] = 0
        else:
            _read_into(stem, path)
    return samples


def _read_into(samples: np.ndarray, path: Path) -> None:
    """Fill `[shape=(n_samples, n_channels)]` with a file's first samples.

    Pieces are checked and copied while they are in the processor's cache. Passes over whole songs
    would wait for memory, for which processes compete.
    """
    n_read = 0
    with reading.opened(path) as file:
        # Each piece ends in a seek, after which an MP3 decoder has lost its state.
        exact = file.subtype.startswith(("PCM", "FLOAT", "DOUBLE"))
        block = np.empty((_PIECE if exact else file.frames, file.channels))
        while len(piece := file.read(out=block)):
            reading.require_finite(piece, path)
            if file.channels != samples.shape[1]:
                piece = fit_channels(piece, samples.shape[1], path)
            wanted = samples[n_read : n_read + len(piece)]
            wanted[:] = piece[: len(wanted)]
            n_read += len(piece)
    if n_read < len(samples):
        raise cut_off(path)


def fit_channels(samples: np.ndarray, n_channels: int, path: Path) -> np.ndarray:
    """Convert samples to a given number of channels.

    Parameters
    ----------
    samples : np.ndarray [shape=(n_samples, n_given)]
        Samples of a file.
    n_channels : int
        With 1, the channels are averaged; with more, a mono file is duplicated.
    path : Path
        Path of the file, for messages.

    Returns
    -------
    np.ndarray [shape=(n_samples, n_channels)]
        Converted samples.

    Raises
    ------
    HiphopssError
        If the file has neither one channel nor ``n_channels``.
    """
    found = samples.shape[1]
    if n_channels == 1:
        return samples.mean(axis=1, keepdims=True)
    if found == 1:
        return samples.repeat(n_channels, axis=1)
    if found != n_channels:
        raise HiphopssError(
            f"{path}: {found} channels, where one or {n_channels} are needed: export it anew"
        )
    return samples


def read_mixture(song: Song) -> reading.Audio:
    """Read a song's mixture in double precision, as :func:`read_exact` reads stems.

    Parameters
    ----------
    song : Song
        Song with the mixture.

    Returns
    -------
    Audio
        The whole mixture.

    Raises
    ------
    HiphopssError
        If the song has no mixture, or if it can't be read.
    """
    return reading.read(require_mixture(song), exact=True)


def mixture_gain(
    song: Song,
    stems: np.ndarray,
    sample_rate: int,
    *,
    mastered: bool = False,
    tolerance_s: float | None = None,
) -> float:
    """Gain of a data set's ``mixture.wav`` relative to the sum of its stems.

    HHDS normalises its mixtures (docs/released-code.md, section 7: by 0.704 on the public song).

    Parameters
    ----------
    song : Song
        Song from :func:`read_songs`.
    stems : np.ndarray [shape=(n_sources, n_samples)]
        Stems from :func:`load_stems`.
    sample_rate : int
        Sampling rate of the stems, in Hz.
    mastered : bool
        Don't warn about a mixture that is not exactly the scaled sum. Those of stem files never
        are, because they were encoded by themselves, so for them there is no warning either.
    tolerance_s : float, optional
        By how much the mixture may be longer or shorter than the stems, as in
        :func:`hiphopss.datasets.alike.require_alike`.

    Returns
    -------
    float
        The least-squares gain; 1 if there is no mixture file or the stems are silent.

    Raises
    ------
    HiphopssError
        If the mixture has another length, or most of it is not the sum of the stems.

    Logs
    ----
    WARNING
        If more than -40 dB of the mixture is not the scaled sum, as after mastering, or if its
        length differs a little.
    """
    if song.mixture is None:
        return 1.0
    mixture = _load_mono(song.mixture, sample_rate).astype(np.float64)
    total = stems.sum(axis=0).astype(np.float64)  # 16 bits add up exactly in single precision
    mixture, total = _cut_alike(song, mixture, total, sample_rate, tolerance_s)
    energy = total @ total
    if energy == 0:
        return 1.0
    common = mixture @ total
    gain = float(common / energy)
    if not mixture.any():
        raise HiphopssError(
            f"{song.mixture}: silent, but the stems of {song.name!r} are not: export it again"
        )
    rest = 1 - gain * common / (mixture @ mixture)  # share of the mixture's energy
    if rest > 0.5:
        raise HiphopssError(
            f"{song.mixture}: not the mixture of the stems of {song.name!r} (half of it is "
            "something else): check that they belong together"
        )
    if rest > 1e-4 and not mastered and not is_inside(song.mixture):
        logger.warning(
            "%s: not the scaled sum of the stems, from which it differs by %.0f dB (mastering, "
            "lossy coding?): the scaled sum is used instead",
            *(song.mixture, 10 * np.log10(rest)),
        )
    return gain


def _cut_alike(
    song: Song,
    mixture: np.ndarray,
    total: np.ndarray,
    sample_rate: int,
    tolerance_s: float | None,
) -> tuple[np.ndarray, np.ndarray]:
    """Cut a song's mixture and the sum of its stems to the same length."""
    assert song.mixture is not None
    if not within(len(mixture) - len(total), sample_rate, tolerance_s):
        raise HiphopssError(
            f"{song.mixture}: {len(mixture)} samples, but the stems of {song.name!r} have "
            f"{len(total)}: export them alike"
        )
    tell_cut({song.mixture: len(mixture), song.folder: len(total)}, sample_rate)
    n_samples = min(len(mixture), len(total))
    return mixture[:n_samples], total[:n_samples]
