"""The serial number of an Ogg stream, which libsndfile draws from the time of day."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

_HEADER = struct.Struct("<4sBBqIIIB")  # of a page, before the sizes of its segments
_MIRRORED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


def number_by_content(path: str | Path) -> None:
    """Number the only stream of an Ogg file by its content, so that equal streams are equal files.

    Streams with other content get other numbers, as they must have to be joined to one file.

    Parameters
    ----------
    path : path-like
        The file, which is changed in place.
    """
    with open(path, "r+b") as file:
        serial = 0
        for _, page in _pages(file):
            serial = zlib.crc32(page[_HEADER.size :], serial)
        for place, page in _pages(file):
            mark, version, kind, position, _, number, _, n_segments = _HEADER.unpack_from(page)
            fields = [mark, version, kind, position, serial, number, 0, n_segments]
            _HEADER.pack_into(page, 0, *fields)
            fields[6] = _checksum(page)
            file.seek(place)
            file.write(_HEADER.pack(*fields))


def _pages(file: BinaryIO) -> Iterator[tuple[int, bytearray]]:
    """The pages of a file, with their places."""
    place = 0
    while True:
        file.seek(place)
        page = bytearray(file.read(_HEADER.size))
        if not page:
            return
        sizes = file.read(page[-1])
        page += sizes + file.read(sum(sizes))
        yield place, page
        place += len(page)


def _checksum(page: bytearray) -> int:
    """An Ogg page's checksum (RFC 3533, section 6): a CRC-32 like zlib's, with bits mirrored."""
    mirrored = zlib.crc32(page.translate(_MIRRORED), 0xFFFFFFFF) ^ 0xFFFFFFFF
    return int(f"{mirrored:032b}"[::-1], 2)
