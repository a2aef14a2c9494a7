"""The mixture of a song: block by block, and once more beside the stems that come of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from hiphopss.signal import reading
from hiphopss.signal.part import Part


def mixture_blocks(
    path: Path, sample_rate: int, part: Part, *, mono: bool = False, tell: bool = True
) -> Iterator[np.ndarray]:
    """Read the blocks `[shape=(n_block, n_channels)]` of a part of a song.

    Parameters
    ----------
    path : Path
        File of the song.
    sample_rate : int
        Its sampling rate in Hz.
    part : Part
        The part of it.
    mono : bool
        Give the average of its channels as one channel.
    tell : bool
        Log a warning if the file is cut off.
    """
    first, stop = part.samples(sample_rate)
    blocks = reading.read_blocks(path, tell=tell, most_seconds=part.end, first=first, stop=stop)
    for block in blocks:
        yield reading.to_mono(block)[:, None] if mono else block


def alongside(
    stems: Iterable[np.ndarray], mixture: Iterator[np.ndarray] | None
) -> Iterator[tuple[np.ndarray, np.ndarray | None]]:
    """Pair blocks of stems with the same samples of the mixture.

    Parameters
    ----------
    stems : iterable of np.ndarray [shape=(n_sources, n_block, n_channels)]
        Consecutive blocks.
    mixture : iterator of np.ndarray [shape=(n_block, n_channels)], or None
        Blocks of the mixture, of any lengths; None if it is not needed.

    Yields
    ------
    np.ndarray [shape=(n_sources, n_block, n_channels)]
        A block of the stems.
    np.ndarray [shape=(n_block, n_channels)], or None
        The same samples of the mixture.
    """
    if mixture is None:
        yield from ((block, None) for block in stems)
        return
    held = np.zeros((0, 1), np.float32)
    for block in stems:
        n_samples = block.shape[1]
        pieces, n_held = [held] if len(held) else [], len(held)
        while n_held < n_samples:
            pieces.append(next(mixture))
            n_held += len(pieces[-1])
        if pieces:
            held = np.concatenate(pieces)
            yield block, held[:n_samples]
            held = held[n_samples:]
