"""Parts of a song that waits on disk: a long one is separated in several, which overlap."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from hiphopss.loops.spool import Spool
from hiphopss.signal.reading import to_mono

_PIECE = 2**16  # samples that are read together


class Part(NamedTuple):
    """Some of a song's samples."""

    song: Spool
    start: int
    stop: int

    def __len__(self) -> int:
        return self.stop - self.start

    def read(self, start: int, stop: int) -> np.ndarray:
        """Samples, counted from the part's beginning; zeros outside of the part."""
        first, last = max(start, 0), max(min(stop, len(self)), 0)
        inside = self.song.read(self.start + first, self.start + last)
        if len(inside) == stop - start:
            return inside
        return np.pad(inside, [(first - start, stop - last), (0, 0)])


def divided(song: Spool, sample_rate: int, most_s: float, fade_s: float) -> list[Part]:
    """Equal parts of at most ``most_s`` seconds, with ``fade_s`` more where one has a neighbour."""
    n = song.n_records
    n_parts = max(1, -(-n // round(most_s * sample_rate)))
    edges = np.linspace(0, n, n_parts + 1).round().astype(int)
    fade = round(fade_s * sample_rate)
    return [
        Part(song, max(0, int(first) - fade), min(n, int(last) + fade))
        for first, last in itertools.pairwise(edges)
    ]


def pieces(part: Part) -> Iterator[np.ndarray]:
    """A part's samples in blocks; an empty one of no samples."""
    for start in range(0, max(len(part), 1), _PIECE):
        yield part.read(start, min(start + _PIECE, len(part)))


def mono_pieces(part: Part) -> Iterator[np.ndarray]:
    """The same in mono `[shape=(n_block, 1)]`."""
    for block in pieces(part):
        yield to_mono(block)[:, None]
