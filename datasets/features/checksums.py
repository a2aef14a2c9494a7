"""Checksums of the frames of a feature file, by which a file that has changed is told.

A checksum is the sum, modulo 2^32, of each frame's 32-bit words times an odd number that depends on
the frame's place. So it does not depend on the order in which frames are written, and a frame
that changes, moves or is lost shows, unless changes happen to cancel. It is for accidents; a
cryptographic hash would take a third of the time of making the features.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from hiphopss.datasets.features.file import FeatureFile
from hiphopss.datasets.features.segments import (
    FRAMES,
    MIXTURE,
    PHASE,
    TARGETS,
)

_STEP = 1024  # frames: 2 MB, which stay in the processor's cache


def checksum(frames: np.ndarray, first: int = 0, before: int = 0) -> int:
    """Add frames to a checksum.

    Parameters
    ----------
    frames : np.ndarray [shape=(n_frames, n_bins)]
        Contiguous, in little-endian single precision.
    first : int
        Index of the first of these frames in its dataset.
    before : int
        Checksum of the frames that were added before.

    Returns
    -------
    int
        Checksum of all of them.
    """
    sums = frames.view("<u4").sum(axis=1, dtype=np.uint32)
    places = np.arange(first, first + len(frames), dtype=np.uint64) * 2 + 1
    total = np.multiply(sums, places.astype(np.uint32), dtype=np.uint32).sum(dtype=np.uint32)
    return (before + int(total)) % 2**32


def recorded_checksums(file: FeatureFile) -> dict[str, int] | None:
    """The checksums that a feature file records; None if it is older than they are."""
    found = file.provenance.get(FRAMES)
    return found if isinstance(found, dict) else None


def compute_checksums(
    file: FeatureFile, update: Callable[[int], object] = lambda _: None
) -> dict[str, int]:
    """Compute the checksums of a feature file.

    Parameters
    ----------
    file : FeatureFile
        The open file.
    update : callable
        Is told of each number of bytes that were read.

    Returns
    -------
    dict of str to int
        Checksum by the name of the dataset.
    """
    found = {}
    for name, blocks in _blocks(file).items():
        found[name] = 0
        for first, frames in blocks:
            found[name] = checksum(np.ascontiguousarray(frames, "<f4"), first, found[name])
            update(frames.nbytes)
    return found


def frame_bytes(file: FeatureFile) -> int:
    """Number of bytes that :func:`compute_checksums` reads."""
    return (1 + file.has_phase) * file.mixture.nbytes + file.sources.nbytes


def _blocks(file: FeatureFile) -> dict[str, Iterator[tuple[int, np.ndarray]]]:
    found = {MIXTURE: _steps(file.mixture), TARGETS: _steps(file.sources)}
    if file.has_phase:
        found[PHASE] = ((one.first_frame, file.phase(one)) for one in file.segments())
    return found


def _steps(frames: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
    for first in range(0, len(frames), _STEP):
        yield first, frames[first : first + _STEP]
