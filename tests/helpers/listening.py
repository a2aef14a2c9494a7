"""Stems with loops, and where their making changes from one block of frames to the next."""

from unittest import mock

import numpy as np

from hiphopss.loops import separator as loops


def looped_stems(network, mixture, *, constants=None, block=loops._BLOCK):
    """Separate a mixture `[shape=(n_samples,)]` with loops, so many frames together.

    Returns
    -------
    stems : np.ndarray [shape=(4, n_samples)]
    borders : np.ndarray [shape=(n_borders,)]
        Samples in the middle of where a block fades into the next; none without loops.
    """
    grids = []
    grid = loops.Grid

    def kept(*args):
        grids.append(grid(*args))
        return grids[-1]

    with mock.patch.multiple(loops, Grid=kept, _BLOCK=block):
        stems = plain_stems(loops.LoopSeparator(network, constants), mixture)
    if len(grids) != 1:
        return stems, np.zeros(0)
    first = np.arange(block, grids[0].n_frames, block)
    return stems, (first - 0.5) * grids[0].hop


def plain_stems(separator, mixture):
    """Separate a mixture `[shape=(n_samples,)]`; gives `[shape=(4, n_samples)]`."""
    pieces = (mixture[start : start + 2**16, None] for start in range(0, len(mixture), 2**16))
    return np.concatenate(list(separator.stems(pieces)), axis=1)[:, :, 0]
