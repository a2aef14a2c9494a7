"""Ogg files (RFC 3533): the songs that were chained to one file, each a part to decode.

A file's pages belong to streams, and streams that start later, behind the end of others, are the
next link of a chain. libsndfile decodes the first link only, and no FLAC in Ogg, which becomes a
FLAC file by leaving out what Ogg adds to it.
"""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass, field
from typing import BinaryIO, NamedTuple

from hiphopss.signal.formats.pieces import Layout, Part, Piece, joined

_FLAC = b"\x7fFLAC"
_CODECS = (b"\x01vorbis", b"OpusHead", _FLAC)  # that libsndfile reads
_BEFORE_FLAC = 9  # bytes in front of a FLAC stream
_BEGINNING = 2  # flag of a stream's first page
_READ = 2**20
_LARGEST_PAGE = 2**17
_NO_SAMPLE = 2**64 - 1  # where no packet ends on a page


class _Page(NamedTuple):
    start: int
    content: int
    stop: int
    n_samples: int  # of the stream up to its end


@dataclass
class _Stream:
    codec: bytes
    pages: list[_Page] = field(default_factory=list)


def layout(file: BinaryIO, start: int, stop: int) -> Layout:
    """The layout of an Ogg file between two places of a file."""
    links = _links(file, start, stop)
    parts = []
    for streams in links:
        stream = next((one for one in streams.values() if one.codec), None)
        if stream is not None and stream.codec == _FLAC:
            parts.append(_flac(file, stream))
        elif stream is not None:
            parts.append(Part(joined((page.start, page.stop) for page in stream.pages)))
    if len(links) == 1 and [p.pieces for p in parts] == [((0, os.fstat(file.fileno()).st_size),)]:
        parts = [Part()]
    return Layout("OGG", tuple(parts), demuxer="ogg")


def _flac(file: BinaryIO, stream: _Stream) -> Part:
    """A stream as a FLAC file, with the length that it has."""
    first, *others = stream.pages
    begin = first.content + _BEFORE_FLAC
    file.seek(begin)
    head = file.read(26)
    word = int.from_bytes(head[18:], "big")
    stated = word & (2**36 - 1)
    there = max((p.n_samples for p in others if p.n_samples != _NO_SAMPLE), default=0)
    pieces: list[Piece] = [(begin, first.stop)]
    if 0 < there < 2**36 and there != stated:
        sizes = (word >> 36 << 36 | there).to_bytes(8, "big")
        pieces = [(begin, begin + 18), sizes, (begin + 26, first.stop)]
    pieces += [(page.content, page.stop) for page in others]
    return Part(joined(pieces), stated=max(1.0, stated / there if there else 1.0))


def _links(file: BinaryIO, start: int, stop: int) -> list[dict[int, _Stream]]:
    """The links of a chain: the streams of each, by number."""
    links: list[dict[int, _Stream]] = []
    begun = True  # whether sound has followed the first pages of a link
    at, origin, window = start, start, b""
    while at + 27 <= stop:
        end = origin + len(window)
        if not (origin <= at and (at + _LARGEST_PAGE <= end or end >= stop)):
            file.seek(at)
            origin, window = at, file.read(min(_READ, stop - at))
        place = window.find(b"OggS", at - origin)
        if place < 0 or place + 27 > len(window):
            if origin + len(window) >= stop:
                break
            at = origin + len(window) - 26
            continue
        head = struct.unpack_from("<BBQI8xB", window, place + 4)
        version, flags, n_samples, number, n_lacing = head
        lacing = window[place + 27 : place + 27 + n_lacing]
        at, content = origin + place, place + 27 + n_lacing
        size = 27 + n_lacing + sum(lacing)
        if version or len(lacing) < n_lacing or at + size > stop:
            at += 4  # no page, or one that is cut off
            continue
        if flags & _BEGINNING:
            if begun:
                links.append({})
                begun = False
            codec = next((c for c in _CODECS if window.startswith(c, content)), b"")
            links[-1].setdefault(number, _Stream(codec))
        elif links:
            begun = True
        if links and number in links[-1]:
            page = _Page(at, origin + content, at + size, n_samples)
            links[-1][number].pages.append(page)
        at += size
    return [link for link in links if link]
