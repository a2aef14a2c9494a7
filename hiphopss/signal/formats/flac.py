"""FLAC files: whether all samples are there that the header states, and tags in front of it.

The header may also state no length, if the encoder wrote to a pipe. The last frame tells its own
place, so the real length is known without decoding.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from itertools import pairwise
from typing import BinaryIO, NamedTuple

from hiphopss.signal.formats.pieces import Layout, Part, joined

_SYNC = re.compile(rb"\xff[\xf8\xf9]")
_MAGIC = b"fLaC\0\0\0\x22"
_TAGS = (b"ID3", b"TAG", b"APETAGEX")
_PROBES, _PROBED = 16, 2**15  # places at which a file is looked at, and bytes at each
_LARGEST_FRAME = 2**21  # 65,535 samples of 8 channels and 32 bits
_SIZES = {1: 192, **{n: 576 << (n - 2) for n in range(2, 6)}, **{n: 1 << n for n in range(8, 16)}}


def _table(polynomial: int, bits: int) -> list[int]:
    top, mask = 1 << (bits - 1), (1 << bits) - 1
    table = []
    for byte in range(256):
        crc = byte << (bits - 8)
        for _ in range(8):
            crc = (crc << 1 ^ (polynomial if crc & top else 0)) & mask
        table.append(crc)
    return table


_CRC8, _CRC16 = _table(0x07, 8), _table(0x8005, 16)


class _Frame(NamedTuple):
    at: int  # place in the data
    first: int  # number of its first sample
    n_samples: int


def layout(file: BinaryIO, start: int, stop: int) -> Layout:
    """The layout of a FLAC file between two places of a file."""
    starts = [start]
    if _may_be_joined(file, start, stop):
        starts += _behind(file, start, stop)
    parts = [_part(file, *ends) for ends in pairwise([*starts, stop])]
    as_it_is = ((0, os.fstat(file.fileno()).st_size),)
    if parts == [Part(as_it_is)]:
        return Layout("FLAC", (Part(),), demuxer="flac")
    return Layout("FLAC", tuple(parts), demuxer="flac")


def _may_be_joined(file: BinaryIO, start: int, stop: int) -> bool:
    """Whether another file may stand behind the first, which only a search through all of it shows.

    The search takes as long as some percent of decoding. In one file, frames have rising numbers,
    and the last one is that which the header says.
    """
    file.seek(start)
    head = file.read(42)
    block, stated = int.from_bytes(head[10:12], "big"), int.from_bytes(head[18:26], "big")
    step = (stop - start) // _PROBES
    if step < _PROBED:
        return True
    file.seek(stop - step)  # all of it, because a silent file is small
    data = file.read(step)
    ends = {frame.first + frame.n_samples for frame in _frames(data[-_PROBED:], block)}
    if stated & (2**36 - 1) not in ends or _MAGIC in data:
        return True
    before = -1
    for at in range(start, stop - step, step):
        file.seek(at + 4)
        data = file.read(_PROBED if at > start else step)
        if _MAGIC in data:
            return True
        frame = next(_frames(data[-_PROBED:], block), None)
        if frame is not None:
            if frame.first < before:
                return True
            before = frame.first
    return False


def _behind(file: BinaryIO, start: int, stop: int) -> Iterator[int]:
    """Where other FLAC files start that were joined to this one."""
    at, overlap = start + 4, b""
    while at < stop:
        file.seek(at)
        piece = file.read(min(2**20, stop - at))
        if not piece:
            return
        window = overlap + piece
        for match in re.finditer(re.escape(_MAGIC), window):
            yield at - len(overlap) + match.start()
        at += len(piece)
        overlap = window[-len(_MAGIC) + 1 :]


def _part(file: BinaryIO, start: int, stop: int) -> Part:
    """One file, with the length that it really has."""
    file.seek(start)
    head = file.read(42)
    plain = Part(joined([(start, stop)]))
    if len(head) < 42 or head[4] & 0x7F or head[5:8] != b"\0\0\x22":
        return plain
    block = int.from_bytes(head[10:12], "big")
    word = int.from_bytes(head[18:26], "big")
    stated = word & (2**36 - 1)
    for size in (2**15, _LARGEST_FRAME):
        begin = max(start + 42, stop - size)
        file.seek(begin)
        data = file.read(stop - begin)
        frames = list(_frames(data, block))
        last = next((f for f in frames[::-1] if f.first + f.n_samples == stated), None)
        more = last is not None and any(f.first >= stated for f in frames)
        if last is not None and not more and _ends(data[last.at :]):
            return plain
    found = _last_whole(data, frames)
    if found is None and last is not None and _ends(data[last.at :]):
        return plain  # what looked like more frames were none
    if found is None and stated and frames and begin == start + 42:
        return Part(plain.pieces, 0, stated)  # no frame of it is whole
    if found is None:
        return plain
    frame, end = found
    there = frame.first + frame.n_samples
    sizes = (word >> 36 << 36 | there).to_bytes(8, "big")
    pieces = joined([(start, start + 18), sizes, (start + 26, begin + end)])
    return Part(pieces, stated=max(stated / there, 1.0))


def _frames(data: bytes, block: int) -> Iterator[_Frame]:
    """What looks like a frame's header, with a right checksum."""
    for match in _SYNC.finditer(data):
        at = match.start()
        head = data[at : at + 16]
        if len(head) < 16 or head[2] >> 4 == 0 or head[2] & 15 == 15 or head[3] & 1:
            continue
        if head[3] >> 4 > 10 or head[3] >> 1 & 7 == 3:
            continue
        number, n_bytes = _number(head[4:11])
        if not n_bytes:
            continue
        code, rate, place = head[2] >> 4, head[2] & 15, 4 + n_bytes
        n_samples = _SIZES.get(code, 0)
        if code in (6, 7):
            n_samples = int.from_bytes(head[place : place + code - 5], "big") + 1
            place += code - 5
        place += {12: 1, 13: 2, 14: 2}.get(rate, 0)
        if place >= len(head) or _crc(head[:place], _CRC8, 8) != head[place]:
            continue
        yield _Frame(at, number if head[1] & 1 else number * block, n_samples)


def _number(data: bytes) -> tuple[int, int]:
    """A number in the manner of UTF-8, and how many bytes it takes; none if it isn't one."""
    first = data[0]
    n_bytes = 8 - (first ^ 0xFF).bit_length()  # ones in front
    if n_bytes == 0:
        return first, 1
    if n_bytes == 1 or n_bytes > 7 or any(c >> 6 != 2 for c in data[1:n_bytes]):
        return 0, 0
    number = first & (0x7F >> n_bytes)
    for byte in data[1:n_bytes]:
        number = number << 6 | byte & 0x3F
    return number, n_bytes


def _last_whole(data: bytes, frames: list[_Frame]) -> tuple[_Frame, int] | None:
    """The last frame of which no byte is missing, and where it ends."""
    stop = _before_tags(data, frames[-1].at) if frames else 0
    ends = [*(frame.at for frame in frames[1:]), stop][: len(frames)]
    for frame, end in list(zip(frames, ends, strict=True))[::-1][:20]:
        if _crc(data[frame.at : end - 2], _CRC16, 16) == int.from_bytes(data[end - 2 : end], "big"):
            return frame, end
    return None


def _before_tags(data: bytes, at: int) -> int:
    """Where the frame that starts at a place ends, if only tags follow; otherwise, the end."""
    crc = 0
    for place in range(at, len(data)):
        if crc == 0 and place > at and data.startswith(_TAGS, place):
            return place
        crc = (crc << 8 & 0xFFFF) ^ _CRC16[crc >> 8 ^ data[place]]
    return len(data)


def _ends(data: bytes) -> bool:
    """Whether a frame that starts here also ends: with a checksum, behind which may be anything."""
    crc = 0
    for byte in data:
        crc = (crc << 8 & 0xFFFF) ^ _CRC16[crc >> 8 ^ byte]
        if crc == 0:
            return True
    return False


def _crc(data: bytes, table: list[int], bits: int) -> int:
    crc, mask, shift = 0, (1 << bits) - 1, bits - 8
    for byte in data:
        crc = (crc << 8 & mask) ^ table[crc >> shift ^ byte]
    return crc
