"""Separating a song into one stem file, for DJ software."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np

from hiphopss.loops.separator import Network
from hiphopss.separation.separator import separate_blocks
from hiphopss.signal import reading, writing
from hiphopss.signal.stem_files import stem_rate, write_blocks


def separate_to_stem_file(
    path: Path,
    mixture: Callable[..., Iterable[np.ndarray]],
    header: reading.Header,
    separator: Network,
    *,
    codec: str,
    finish: Callable[[], Mapping[str, Any]],
    progress: Callable[[int], None] | None = None,
    tags: Mapping[str, str] | None = None,
) -> None:
    """Separate a song into a stem file, which appears when it is complete.

    Parameters
    ----------
    path : Path
        File to write.
    mixture : callable
        Gives the song's blocks from its beginning `[shape=(n_block, n_channels)]`; called twice,
        because the stems come later than the blocks that they are made of, and the second time
        with ``tell=False``, for no more warnings.
    header : Header
        The song's header.
    separator : Network
        What separates it.
    codec : str
        One of :data:`hiphopss.signal.stem_files.CODECS`. ALAC gets the song's bits, 16 or 24.
    finish : callable
        Called when all stems are written, before the file appears; gives the record in it.
    progress : callable, optional
        Called with the number of samples that were separated.
    tags : mapping of str to str, optional
        Tags of the song, as in :func:`hiphopss.signal.stem_files.write_stem_file`.
    """
    rate = stem_rate(header.sample_rate)  # before separating, so that the sum is kept

    def blocks(tell: bool) -> Iterator[np.ndarray]:
        return reading.resample_blocks(mixture(tell=tell), header.sample_rate, rate)

    with closing(separate_blocks(separator, blocks(True), rate, progress)) as stems:
        write_blocks(
            path,
            beside(blocks(False), stems),
            rate,
            codec=codec,
            bits=16 if writing.output_subtype(header.subtype) == "PCM_16" else 24,
            tags=tags,
            record=finish,
        )


def beside(
    mixture: Iterable[np.ndarray], stems: Iterable[np.ndarray]
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Cut a mixture as its stems are cut.

    Parameters
    ----------
    mixture : iterable of np.ndarray [shape=(n_block, n_channels)]
        Blocks of the mixture.
    stems : iterable of np.ndarray [shape=(n_sources, n_block, n_channels)]
        Blocks of the stems, which have other lengths.

    Yields
    ------
    tuple of np.ndarray and np.ndarray
        A block of the mixture, and that of the stems, of the same length.
    """
    blocks = iter(mixture)
    held: list[np.ndarray] = []
    for stem in stems:
        missing = stem.shape[1] - sum(len(block) for block in held)
        while missing > 0 and (block := next(blocks, None)) is not None:
            held.append(block)
            missing -= len(block)
        joined = np.concatenate(held)
        yield joined[: stem.shape[1]], stem
        held = [joined[stem.shape[1] :]]
