"""MPEG audio (MP3): finding every frame, so that no length has to be guessed.

The first frame of an MP3 may hold no sound but a count of frames (Xing's, Info or VBRI). libsndfile
guesses the length of a file without it, reads as far as a wrong count says, and complains on the
terminal about anything between frames. So frames are looked for here, which takes some
milliseconds, and where libsndfile would go wrong it gets nothing but frames, behind a right count.
MP3s that were joined are decoded one by one, because each has its own silence at its ends.
"""

from __future__ import annotations

import os
import struct
from typing import BinaryIO

from hiphopss.signal.formats.mpeg_frames import (
    DELAY,
    Count,
    Run,
    Scan,
    behind_tags,
    frame_at,
)
from hiphopss.signal.formats.pieces import Layout, Part, joined

_ZEROS = bytes(2**13)


def layout(file: BinaryIO, start: int, stop: int) -> Layout | None:
    """The layout of MPEG audio between two places of a file; None if there is none.

    Parameters
    ----------
    file : binary file
        File to look at.
    start, stop : int
        Where it starts and stops; tags, pictures and anything else may stand between the frames.

    Raises
    ------
    AudioError
        If the rate or the number of channels changes.
    """
    runs = Scan(file, start, stop).runs()
    if not runs:
        return None
    frame = frame_at(runs[0].head)
    assert frame is not None
    kind = "MP3" if frame.sound[0] == 3 else "MPEG"
    if len(runs) == 1 and _is_plain(runs[0], file, start, stop):
        return Layout(kind, (Part(),), demuxer="mp3")
    there = sum(run.n_frames for run in runs)
    stated = there + sum(_missing(run, stop) for run in runs)
    if not there:
        return None
    parts = tuple(_part(run) for run in runs if run.n_frames)
    return Layout(kind, parts, stated / there, "mp3")


def _missing(run: Run, stop: int) -> int:
    """Number of frames that the count has and the file hasn't: it was cut off."""
    count = run.count
    if count is None or count.n_frames <= run.n_frames + 1:
        return 0
    if count.n_bytes and count.at + count.n_bytes <= stop + 128:
        return 0  # the count itself is wrong: all bytes are there
    return count.n_frames - run.n_frames


def _is_plain(run: Run, file: BinaryIO, start: int, stop: int) -> bool:
    """Whether libmpg123 will read the whole file, with the right length, and in silence."""
    count = run.count
    if count is None or not _is_usable(count, run) or len(run.pieces) != 1:
        return False
    if not count.known or count.n_frames != run.n_frames:
        return False
    if (start, stop) != (0, os.fstat(file.fileno()).st_size):
        return False
    (piece,) = run.pieces
    if not isinstance(piece, tuple) or count.at != behind_tags(file, 0, stop, most=1):
        return False
    file.seek(piece[1])
    rest = file.read(129)
    n_bytes = stop - count.at
    return (not rest or (len(rest) == 128 and rest[:3] == b"TAG")) and (
        abs(count.n_bytes - n_bytes) <= n_bytes // 200
    )


def _is_usable(count: Count, run: Run) -> bool:
    """Whether libmpg123 can be left to cut off the silence at the ends."""
    frame = frame_at(run.head)
    assert frame is not None
    return bool(count.known or count.lame) and sum(count.silence()) < run.n_frames * frame.sound[2]


def _part(run: Run) -> Part:
    """What libsndfile gets to read in place of an MP3."""
    frame = frame_at(run.head)
    assert frame is not None
    layer, _, n_samples, _ = frame.sound
    n_bytes = sum(p[1] - p[0] for p in run.pieces if isinstance(p, tuple))
    if run.count is None or layer != 3 or not frame.size or not _is_usable(run.count, run):
        # libmpg123 guesses from the size. With an own count it would cut off its decoder's delay.
        n_zeros = max(0, run.n_frames * frame.size - n_bytes)
        n_there = run.n_frames * n_samples
        if run.count and run.count.lame and run.is_ended:
            n_there = 0  # the whole is shorter than the silence at its ends
        # One object for all, because there may be many parts, or much to fill up.
        return Part((*joined(run.pieces), *[_ZEROS] * (n_zeros // len(_ZEROS) + 2)), n_there)
    lame = run.count.lame
    if lame and not run.is_ended:
        # The silence at the end belongs to an end that is not there, or not the end.
        delay = run.count.silence()[0] - DELAY
        lame = lame[:21] + (delay << 12 | DELAY).to_bytes(3, "big") + lame[24:]
    tag = b"Info" + struct.pack(">III", 3, run.n_frames, 0)
    head, size = _roomy(run.head, 4 + frame.side + len(tag) + max(len(lame), 36) + 140)
    tag = tag[:12] + struct.pack(">I", min(size + n_bytes, 2**32 - 1)) + lame
    first = (head + bytes(frame.side) + tag).ljust(size, b"\0")
    return Part(joined([first, *run.pieces]))


def _roomy(head: bytes, n_bytes: int) -> tuple[bytes, int]:
    """A header like the given one, without a checksum, of a frame that has room for some bytes."""
    word = int.from_bytes(head, "big") | 1 << 16
    for index in range(1, 15):
        found = (word & ~(0xF << 12 | 1 << 9) | index << 12).to_bytes(4, "big")
        frame = frame_at(found)
        if frame and frame.size >= n_bytes:
            return found, frame.size
    raise AssertionError("the largest frame has room for a count")
