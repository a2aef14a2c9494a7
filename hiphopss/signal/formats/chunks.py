"""Formats of chunks (WAV, AIFF, W64, CAF, AU): where their samples really start and end.

A recording that was not ended has a size of 0 or the largest one in its header; a file of more than
4 GB, the remainder; one that is cut off, more than there is. In these cases libsndfile gets the
same file with the right sizes.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import takewhile
from typing import BinaryIO, NamedTuple

from hiphopss.signal.formats import mpeg
from hiphopss.signal.formats.pieces import Layout, Part, Piece, joined

_TAGS = (b"ID3", b"TAG", b"APETAGEX", b"LYRICSBEGIN")
_KNOWN = (b"LIST", b"bext", b"iXML", b"junk", b"JUNK", b"PAD ", b"FLLR", b"cue ", b"smpl", b"fact")
_SLACK = 512
"""Bytes that may be too few or too many: headers are often wrong by their own size."""

_MOST_CHUNKS = 10_000
"""Chunks that are looked at: a hostile file could have millions of empty ones."""

_MOST_ZEROS = 2**26
_MPEG = (0x50, 0x55)  # tags of WAV's sample types
_BY_LIBSNDFILE = (1, 2, 3, 6, 7, 0x11, 0x14, 0x31, 0x38, 0x40, 0x64, 0xFFFE)
_LARGEST = 2**32 - 1
_W64_DATA = b"data\xf3\xac\xd3\x11\x8c\xd1\x00\xc0\x4f\x8e\xdb\x8a"


class _Chunk(NamedTuple):
    name: bytes
    start: int  # of the content
    size: int  # as stated


class _Samples(NamedTuple):
    """Where samples start, how many bytes the header states, and where they really end."""

    start: int
    stated: int
    end: int

    @property
    def ratio(self) -> float:
        """As ``Layout.stated``."""
        there = self.end - self.start
        if _is_unknown(self.stated) or self.stated - there <= _SLACK:
            return 1.0
        return self.stated / max(there, 1)


def read_at(file: BinaryIO, start: int, n_bytes: int) -> bytes:
    """Some bytes of a file; fewer at its end, and none behind it."""
    if start >= 2**62:  # more than a system can seek to
        return b""
    file.seek(start)
    return file.read(n_bytes)


def _is_unknown(size: int) -> bool:
    """Whether a stated size is what programs write that don't know it (yet)."""
    return (
        size <= 0
        or 0x7FFF0000 <= size <= 0x80010000
        or 0xFFFF0000 <= size <= _LARGEST
        or size >= 2**40
    )


def _walk(file: BinaryIO, at: int, stop: int, order: str) -> Iterator[_Chunk]:
    """Chunks of RIFF and AIFF, one after the other: a name, a size of 32 bits, the content."""
    for _ in range(_MOST_CHUNKS):
        head = read_at(file, at, 8)
        if at + 8 > stop or len(head) < 8:
            return
        size = struct.unpack(f"{order}I", head[4:])[0]
        yield _Chunk(head[:4], at + 8, size)
        at += 8 + size
        # Contents of odd sizes are padded, but not by all programs.
        if size % 2 and not (_is_name(read_at(file, at, 4)) and at + 8 <= stop):
            at += 1


def _is_name(name: bytes) -> bool:
    return len(name) == 4 and all(32 <= c < 127 for c in name)


def _end_of_samples(
    file: BinaryIO, start: int, stated: int, stop: int, follows: Callable[[int], bool]
) -> int:
    """Where samples end that start here: where the header says, unless more of them follow."""
    end = start + stated
    if _is_unknown(stated) and (end > stop or stated <= 0):
        # Nothing but other chunks behind a size of 0: there really are no samples.
        return start if stated == 0 and stop > start and follows(start) else stop
    if end >= stop:
        return stop
    if stop - end <= _SLACK or follows(end) or _is_silent(file, end, stop):
        return end
    return stop


def _is_silent(file: BinaryIO, start: int, stop: int) -> bool:
    """Whether there are only zeros, such as those of a file that was allocated in advance.

    More of them than would be looked through in a moment may as well be silent samples.
    """
    if stop - start > _MOST_ZEROS:
        return False
    file.seek(start)
    while start < stop:
        piece = file.read(min(2**20, stop - start))
        if not piece or piece.strip(b"\0"):
            return not piece
        start += len(piece)
    return True


def _chunks_follow(file: BinaryIO, at: int, stop: int, order: str, whole: int) -> bool:
    """Whether chunks or a tag start here, rather than samples.

    The last chunk may be cut off, if it fits in the size ``whole`` that the file should have.
    """
    if read_at(file, at, 16).startswith(_TAGS):
        return True
    for begin in (at, at + 1):  # with and without padding
        last = begin
        for number, (name, start, size) in enumerate(_walk(file, begin, stop, order)):
            if number == 0 and name in _KNOWN:
                return True
            if not _is_name(name) or start + size > max(stop, whole) + 1:
                break
            if start + size > stop + 1:
                return True
            last = start + size
        if last > begin and stop - last <= _SLACK:
            return True
    return False


def _whole_size(file: BinaryIO, start: int, order: str) -> int:
    """Where a file of RIFF or AIFF ends according to its header; 0 if the header doesn't know."""
    size = struct.unpack(f"{order}I", read_at(file, start + 4, 4).ljust(4, b"\0"))[0]
    return 0 if _is_unknown(size) else start + 8 + size


# WAV


def wav(file: BinaryIO, start: int, stop: int) -> Layout:
    """The layout of a WAV, RF64 or BW64 file (ITU-R BS.2088) between two places of a file."""
    return _one_after_the_other(_wav, file, start, stop)


def _wav(file: BinaryIO, start: int, stop: int) -> tuple[Layout, int | None]:
    """The layout of one file, and where the next one starts."""
    kind = read_at(file, start, 4)
    order = ">" if kind == b"RIFX" else "<"
    fmt, ds64, data = b"", None, None
    header: list[Piece] = []  # all chunks but ds64, padded, as libsndfile wants them
    padded, at = True, start + 12
    for chunk in _walk(file, at, stop, order):
        padded, at = padded and chunk.start - 8 == at, chunk.start + chunk.size + chunk.size % 2
        if chunk.name == b"data":
            data = chunk
            break
        if chunk.name == b"ds64":
            ds64 = chunk
        elif chunk.name == b"fmt ":
            fmt = read_at(file, chunk.start, min(chunk.size, 64))
        if chunk.name != b"ds64":
            header += [(chunk.start - 8, chunk.start + chunk.size), b"\0" * (chunk.size % 2)]
    if data is None or len(fmt) < 16:
        return Layout("WAV", _whole(file, start, stop), demuxer="wav"), None
    stated, n_samples = data.size, 0
    if kind in (b"RF64", b"BW64") and ds64 is not None:
        sizes = read_at(file, ds64.start, 24).ljust(24, b"\0")
        _, stated, n_samples = struct.unpack("<QQQ", sizes)

    whole = _whole_size(file, start, order)

    def follows(at: int) -> bool:
        return _is_wav(read_at(file, at, 12)) or _chunks_follow(file, at, stop, order, whole)

    end = _end_of_samples(file, data.start, stated, stop, follows)
    rest = _next(file, (end, whole), stop, _is_wav)
    others = _more_samples(file, data, end, stop if rest is None else rest, order)
    n_bytes = end - data.start + sum(last - first for first, last, _ in others)
    stated += sum(size for *_, size in others)
    samples = _Samples(data.start, stated, data.start + n_bytes)
    (tag,) = struct.unpack(f"{order}H", fmt[:2])
    if tag not in (*_MPEG, *_BY_LIBSNDFILE):
        return Layout("WAV", (), demuxer="wav"), None
    if tag in _MPEG:
        found = mpeg.layout(file, data.start, end)
        if found is not None:
            return Layout("MP3", found.parts, max(found.stated, samples.ratio)), rest
    plain = stated == n_bytes and padded and not others
    if plain and rest is None and kind != b"BW64":
        return Layout("WAV", _whole(file, start, stop), demuxer="wav"), None
    n_all = n_bytes + sum(len(p) if isinstance(p, bytes) else p[1] - p[0] for p in header) + 20
    pieces: list[Piece]
    if kind in (b"RIFF", b"RIFX") and n_all < _LARGEST - 2**16:
        pieces = [kind + struct.pack(f"{order}I", n_all - 8) + b"WAVE", *header]
        pieces.append(b"data" + struct.pack(f"{order}I", n_bytes))
    else:
        sizes = struct.pack("<QQQI", n_all + 36 - 8, n_bytes, n_samples, 0)
        pieces = [b"RF64\xff\xff\xff\xffWAVE", b"ds64" + struct.pack("<I", 28) + sizes, *header]
        pieces.append(b"data\xff\xff\xff\xff")
    pieces += [(data.start, end), *(other[:2] for other in others)]
    parts = (Part(joined(pieces)),)
    return Layout("WAV", parts, samples.ratio, "wav"), rest


def _more_samples(
    file: BinaryIO, data: _Chunk, end: int, stop: int, order: str
) -> list[tuple[int, int, int]]:
    """Other chunks of samples behind the first: where they start and end, and the stated size."""
    if end != data.start + data.size:
        return []
    begin = end if _is_name(read_at(file, end, 4)) else end + data.size % 2
    chunks = takewhile(lambda chunk: _is_name(chunk.name), _walk(file, begin, stop, order))
    found = ((c.start, min(c.start + c.size, stop), c.size) for c in chunks if c.name == b"data")
    return [one for one in found if one[2]]


def _one_after_the_other(
    one: Callable[[BinaryIO, int, int], tuple[Layout, int | None]],
    file: BinaryIO,
    start: int,
    stop: int,
) -> Layout:
    """The layout of files of one kind that were joined to one."""
    layout, rest = one(file, start, stop)
    parts = _stating(layout)
    while rest is not None:
        more, rest = one(file, rest, stop)
        parts += _stating(more)
    return replace(layout, parts=tuple(parts), stated=1.0)


def _stating(layout: Layout) -> list[Part]:
    """Parts that have the ratio of a layout themselves, because others have other ones."""
    return [part._replace(stated=layout.stated * part.stated) for part in layout.parts]


def _is_wav(head: bytes) -> bool:
    return head[:4] in (b"RIFF", b"RIFX", b"RF64", b"BW64") and head[8:12] == b"WAVE"


def _next(
    file: BinaryIO, ends: tuple[int, int], stop: int, is_one: Callable[[bytes], bool]
) -> int | None:
    """Where another file of a kind starts behind one, with or without padding.

    The one ends with its samples, or else, if other chunks follow, where its header says.
    """
    first = ends[0]
    starts = (at for end in ends for at in (end, end + 1) if first <= at < stop - 12)
    return next((at for at in starts if is_one(read_at(file, at, 12))), None)


def _size(file: BinaryIO) -> int:
    return os.fstat(file.fileno()).st_size


def _whole(file: BinaryIO, start: int, stop: int) -> tuple[Part, ...]:
    """One part that is all between two places."""
    return (Part(None if (start, stop) == (0, _size(file)) else ((start, stop),)),)


# AIFF


def _is_aiff(head: bytes) -> bool:
    return head[:4] == b"FORM" and head[8:12] in (b"AIFF", b"AIFC")


def aiff(file: BinaryIO, start: int, stop: int) -> Layout:
    """The layout of an AIFF or AIFC file between two places of a file."""
    return _one_after_the_other(_aiff, file, start, stop)


def _aiff(file: BinaryIO, start: int, stop: int) -> tuple[Layout, int | None]:
    """The layout of one file, and where the next one starts."""
    data = next((c for c in _walk(file, start + 12, stop, ">") if c.name == b"SSND"), None)
    if data is None:
        return Layout("AIFF", _whole(file, start, stop), demuxer="aiff"), None
    begin, stated = data.start + 8, data.size - 8  # behind an offset and a block size

    whole = _whole_size(file, start, ">")

    def follows(at: int) -> bool:
        return _is_aiff(read_at(file, at, 12)) or _chunks_follow(file, at, stop, ">", whole)

    end = _end_of_samples(file, begin, stated, stop, follows)
    rest = _next(file, (end, whole), stop, _is_aiff)
    samples = _Samples(begin, stated, end)
    if stated == end - begin and rest is None:
        return Layout("AIFF", _whole(file, start, stop), demuxer="aiff"), None
    n_bytes = min(end - begin + 8, _LARGEST - 2**16)
    n_all = struct.pack(">I", min(begin - start + n_bytes - 16, _LARGEST))
    sizes = struct.pack(">I", n_bytes)
    pieces: list[Piece] = [
        (start, start + 4),
        n_all,
        (start + 8, data.start - 4),
        sizes,
        (data.start, end),
    ]
    return Layout("AIFF", (Part(joined(pieces)),), samples.ratio, "aiff"), rest


# W64, CAF, AU


def w64(file: BinaryIO, start: int, stop: int) -> Layout:
    """The layout of a Sony Wave64 file between two places of a file."""
    at = start + 40
    for _ in range(_MOST_CHUNKS):
        head = read_at(file, at, 24)
        size = int.from_bytes(head[16:], "little")  # with the 24 bytes themselves
        if head[:16] == _W64_DATA and len(head) == 24:
            break
        if size < 24 or at + 24 > stop:
            return Layout("W64", _whole(file, start, stop), demuxer="w64")
        at += (size + 7) // 8 * 8
    else:
        return Layout("W64", _whole(file, start, stop), demuxer="w64")

    def follows(place: int) -> bool:
        place = start + (place - start + 7) // 8 * 8
        n_bytes = int.from_bytes(read_at(file, place + 16, 8), "little")
        return 24 <= n_bytes <= stop - place

    begin, stated = at + 24, size - 24
    end = _end_of_samples(file, begin, stated, stop, follows)
    if stated == end - begin and (end == stop or follows(end)):  # libsndfile may read beyond
        return Layout("W64", _whole(file, start, stop), demuxer="w64")
    n_all, sizes = ((n).to_bytes(8, "little") for n in (end - start, end - at))
    pieces: list[Piece] = [(start, start + 16), n_all, (start + 24, at + 16), sizes, (begin, end)]
    ratio = _Samples(begin, stated, end).ratio
    return Layout("W64", (Part(joined(pieces)),), ratio, "w64")


def caf(file: BinaryIO, start: int, stop: int) -> Layout:
    """The layout of a Core Audio file between two places of a file."""
    at = start + 8
    for _ in range(_MOST_CHUNKS):
        head = read_at(file, at, 12)
        size = int.from_bytes(head[4:], "big", signed=True)
        if head[:4] == b"data" and len(head) == 12:
            break
        if size < 0 or at + 12 > stop:
            return Layout("CAF", _whole(file, start, stop), demuxer="caf")
        at += 12 + size
    else:
        return Layout("CAF", _whole(file, start, stop), demuxer="caf")

    def follows(place: int) -> bool:
        head = read_at(file, place, 12)
        return _is_name(head[:4]) and int.from_bytes(head[4:], "big") <= stop - place

    begin, stated = at + 16, size - 4  # behind a number of edits
    end = _end_of_samples(file, begin, stated, stop, follows)
    if stated == end - begin:
        return Layout("CAF", _whole(file, start, stop), demuxer="caf")
    pieces: list[Piece] = [(start, at + 4), (end - begin + 4).to_bytes(8, "big"), (at + 12, end)]
    if end < stop:
        pieces.append((end, stop))  # the packet table
    ratio = _Samples(begin, stated, end).ratio
    return Layout("CAF", (Part(joined(pieces)),), ratio, "caf")


def au(file: BinaryIO, start: int, stop: int) -> Layout:
    """The layout of a Sun or NeXT file between two places of a file."""
    head = read_at(file, start, 24)
    order = ">" if head[:4] == b".snd" else "<"
    if len(head) < 24:
        return Layout("AU", _whole(file, start, stop))
    offset, stated = struct.unpack(f"{order}II", head[4:12])
    begin = start + offset
    if not 24 <= offset <= stop - start:
        return Layout("AU", _whole(file, start, stop), demuxer="au")
    end = _end_of_samples(file, begin, stated, stop, lambda _: False)
    if stated == end - begin:
        return Layout("AU", _whole(file, start, stop), demuxer="au")
    n_bytes = struct.pack(f"{order}I", min(end - begin, _LARGEST))
    pieces: list[Piece] = [(start, start + 8), n_bytes, (start + 12, end)]
    ratio = _Samples(begin, stated, end).ratio
    return Layout("AU", (Part(joined(pieces)),), ratio, "au")
