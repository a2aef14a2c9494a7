"""Ogg files (RFC 3533): the songs that were chained to one file, each a part to decode.

A file's pages belong to streams, and streams that start later, behind the end of others, are the
next link of a chain. libsndfile decodes the first link only.
"""

from __future__ import annotations

import os
import struct
from typing import BinaryIO

from hiphopss.signal.pieces import Layout, Part, joined

_CODECS = (b"\x01vorbis", b"OpusHead", b"\x7fFLAC")  # that libsndfile reads
_BEGINNING = 2  # flag of a stream's first page
_READ = 2**20


def layout(file: BinaryIO, start: int, stop: int) -> Layout:
    """The layout of an Ogg file between two places of a file."""
    links = _links(file, start, stop)
    parts = []
    for streams in links:
        pages = next((pages for codec, pages in streams.values() if codec in _CODECS), None)
        if pages is not None:
            parts.append(Part(joined(pages)))
    if not parts:
        return Layout("OGG", (), demuxer="ogg")
    if len(links) == 1 and parts[0].pieces == ((0, os.fstat(file.fileno()).st_size),):
        parts = [Part()]
    return Layout("OGG", tuple(parts), demuxer="ogg")


def _links(
    file: BinaryIO, start: int, stop: int
) -> list[dict[int, tuple[bytes, list[tuple[int, int]]]]]:
    """The links of a chain: codec and pages of each stream, by the stream's number."""
    links: list[dict[int, tuple[bytes, list[tuple[int, int]]]]] = []
    begun = True  # whether sound has followed the first pages of a link
    at, origin, window = start, start, b""
    while at + 27 <= stop:
        end = origin + len(window)
        if not (origin <= at and (at + 2**17 <= end or end >= stop)):
            file.seek(at)
            origin, window = at, file.read(min(_READ, stop - at))
        place = window.find(b"OggS", at - origin)
        if place < 0 or place + 27 > len(window):
            if origin + len(window) >= stop:
                break
            at = origin + len(window) - 26
            continue
        flags, number, n_lacing = struct.unpack_from("<xB8xI8xB", window, place + 4)
        lacing = window[place + 27 : place + 27 + n_lacing]
        at = origin + place
        content = place + 27 + n_lacing
        size = 27 + n_lacing + sum(lacing)
        if window[place + 4] or len(lacing) < n_lacing or at + size > stop:
            at += 4  # no page, or one that is cut off
            continue
        if flags & _BEGINNING:
            if begun:
                links.append({})
                begun = False
            codec = next((c for c in _CODECS if window.startswith(c, content)), b"")
            links[-1].setdefault(number, (codec, []))
        elif links:
            begun = True
        if links and number in links[-1]:
            links[-1][number][1].append((at, at + size))
        at += size
    return [link for link in links if link]
