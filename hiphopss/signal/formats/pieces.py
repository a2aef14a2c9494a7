"""Files that are put together from pieces of another one, for libsndfile to decode.

libsndfile believes what headers say of a file's length, and reads no further. So where a header is
wrong or silent, libsndfile gets a file with a right one: pieces of the real file, and bytes that
stand between them.
"""

from __future__ import annotations

import io
from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import accumulate
from typing import BinaryIO, NamedTuple

Piece = bytes | tuple[int, int]
"""Bytes as they are, or the place of some in a file: where they start, and where they stop."""


class Part(NamedTuple):
    """A stretch of a file that libsndfile decodes by itself.

    Attributes
    ----------
    pieces : tuple of Piece or None
        What libsndfile gets to read; None for the file as it is.
    n_samples : int or None
        Number of samples, where it is known and libsndfile's own would be wrong.
    stated : float
        As in :class:`Layout`, of this part alone; of a part without samples, the number that its
        header states.
    """

    pieces: tuple[Piece, ...] | None = None
    n_samples: int | None = None
    stated: float = 1.0


@dataclass(frozen=True)
class Layout:
    """What an audio file holds.

    Attributes
    ----------
    kind : str
        Name of the format: libsndfile's name, or one in ``BY_FFMPEG`` of
        :mod:`hiphopss.signal.formats.kinds`; empty if it isn't known.
    parts : tuple of Part
        The stretches of audio, one after the other; none where libsndfile can't read the format.
    stated : float
        Length that the header states, divided by the length that is there: above 1 if the file is
        cut off. It counts besides those of the parts.
    demuxer : str or None
        ffmpeg's name of the format, where ffmpeg could read what libsndfile can't.
    """

    kind: str
    parts: tuple[Part, ...] = (Part(),)
    stated: float = 1.0
    demuxer: str | None = None


def joined(pieces: Iterable[Piece]) -> tuple[Piece, ...]:
    """The same pieces, those that follow one another in the file made one."""
    found: list[Piece] = []
    for piece in pieces:
        last = found[-1] if found else None
        if isinstance(last, tuple) and isinstance(piece, tuple) and last[1] == piece[0]:
            found[-1] = (last[0], piece[1])
        elif len(piece) if isinstance(piece, bytes) else piece[0] < piece[1]:
            found.append(piece)
    return tuple(found)


class PieceFile:
    """Pieces of a file, as a file for ``soundfile.SoundFile``.

    libsndfile calls it from C, where no exception can pass. So it raises none: :attr:`error` keeps
    what went wrong, and nothing more is read.

    Parameters
    ----------
    file : binary file
        File that the pieces are of.
    pieces : iterable of Piece
        The pieces, in order.

    Attributes
    ----------
    error : BaseException or None
        First exception that was raised in reading.
    """

    def __init__(self, file: BinaryIO, pieces: Iterable[Piece]):
        self._file, self._pieces = file, tuple(pieces)
        lengths = [len(p) if isinstance(p, bytes) else p[1] - p[0] for p in self._pieces]
        self._starts = [0, *accumulate(lengths)]
        self._position = 0
        self.error: BaseException | None = None

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to a place; beyond the ends is at the ends."""
        origin = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._starts[-1]}
        self._position = min(max(origin.get(whence, 0) + offset, 0), self._starts[-1])
        return self._position

    def tell(self) -> int:
        """The place from which the next bytes are read."""
        return self._position

    def readinto(self, buffer: memoryview) -> int:
        """Fill a buffer; return the number of bytes, fewer than its size only at the end."""
        view, n_read = memoryview(buffer), 0
        try:
            while n_read < len(view) and self.error is None:
                n_more = self._read_piece(view[n_read:])
                if not n_more:
                    break
                n_read += n_more
                self._position += n_more
        except BaseException as error:  # also Ctrl-C, which is raised after the call
            self.error = error
        return n_read

    def _read_piece(self, view: memoryview) -> int:
        """Read as much as the next piece has."""
        number = bisect_right(self._starts, self._position) - 1
        if number >= len(self._pieces):
            return 0
        piece, inside = self._pieces[number], self._position - self._starts[number]
        if isinstance(piece, bytes):
            some = piece[inside : inside + len(view)]
            view[: len(some)] = some
            return len(some)
        self._file.seek(piece[0] + inside)
        n_wanted = min(len(view), piece[1] - piece[0] - inside)
        return self._file.readinto(view[:n_wanted]) or 0  # type: ignore[attr-defined]

    def write(self, data: bytes) -> int:
        """Never called for a file that is read, but soundfile looks for it."""
        return 0
