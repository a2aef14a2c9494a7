"""The boxes of an MP4: what is in one, and adding some to a file that is complete.

An MP4 (ISO base media file, ISO/IEC 14496-12) is a row of boxes: a size, a type of four letters,
and the content, which in some types is a row of boxes again. ``moov`` says where the samples are,
by their place in the file, and ``mdat`` holds them. So what moves ``mdat`` has to change ``moov``.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np

MOST_OF_MOOV = 2**28
"""Bytes of the largest ``moov`` that is read: some days of audio."""

_INNER = (b"trak", b"mdia", b"minf", b"stbl")  # boxes on the way to the places of samples
_WIDTHS: dict[bytes, np.dtype] = {b"stco": np.dtype(">u4"), b"co64": np.dtype(">u8")}
_BLOCK = 2**20
_HEAD = 8  # bytes of a size and a type


class Box(NamedTuple):
    """Where a box of a file is.

    Attributes
    ----------
    kind : bytes
        Its type: four bytes. For ``b"uuid"``, the 16 bytes that tell whose it is follow.
    start, content, stop : int
        Places in bytes: of its size, of its content, and of what follows it. ``stop`` may lie
        behind the end of a file that is cut off.
    """

    kind: bytes
    start: int
    content: int
    stop: int


def boxes_in(file: BinaryIO, start: int, stop: int) -> Iterator[Box]:
    """The boxes of a part of a file, one after the other.

    Parameters
    ----------
    file : file object
        The open file.
    start, stop : int
        Where the first box begins, and where the last one ends.

    Yields
    ------
    Box
        The boxes. The last one may lie partly behind ``stop``; what is no box ends the row.
    """
    while start + _HEAD <= stop:
        file.seek(start)
        head = file.read(16)
        size, content = int.from_bytes(head[:4], "big"), start + _HEAD
        if size == 1:  # the size has 64 bits, behind the type
            size, content = int.from_bytes(head[8:], "big"), start + 16
        end = stop if size == 0 else start + size  # 0: as far as the file goes
        kind = head[4:8]
        if kind == b"uuid":
            file.seek(content)
            kind, content = kind + file.read(16), content + 16
        if end < content:
            return
        yield Box(kind, start, content, end)
        start = end


def find_box(path: str | Path, *kinds: bytes) -> tuple[int, bytes] | None:
    """A box and its content.

    Parameters
    ----------
    path : path-like
        The MP4.
    *kinds : bytes
        The types of the boxes on the way to it, such as ``b"moov", b"udta", b"stem"``.

    Returns
    -------
    tuple of int and bytes, or None
        Where it begins, and its content, if it is there, whole and no larger than ``MOST_OF_MOOV``.
        Of several, the first.
    """
    with open(path, "rb") as file:
        found = Box(b"", 0, 0, os.fstat(file.fileno()).st_size)
        for kind in kinds:
            inner = boxes_in(file, found.content, found.stop)
            within = next((box for box in inner if box.kind == kind), None)
            if within is None or within.stop > found.stop:
                return None
            found = within
        if found.stop - found.content > MOST_OF_MOOV:
            return None
        file.seek(found.content)
        return found.start, file.read(found.stop - found.content)


def box(kind: bytes, content: bytes) -> bytes:
    """A box of less than 4 GiB, as bytes."""
    return (4 + len(kind) + len(content)).to_bytes(4, "big") + kind + content


def add_boxes(
    path: str | Path,
    *,
    udta: Iterable[bytes] = (),
    last: Callable[[], Iterable[bytes]] = tuple,
) -> None:
    """Add boxes to an MP4, in place, and put its ``moov`` in front of the samples.

    So a player knows what the file holds before it has read it all. If this is interrupted, the
    file is spoilt.

    Parameters
    ----------
    path : path-like
        The file, which is complete and not fragmented.
    udta : iterable of bytes
        Boxes to add to ``moov/udta``, as :func:`box` makes them.
    last : callable
        Gives boxes to add at the end of the file; called when everything else is written.

    Raises
    ------
    ValueError
        If it isn't such a file; nothing is changed then.
    """
    with open(path, "r+b") as file:
        end = os.fstat(file.fileno()).st_size
        front, moov = _front_and_moov(file, end)
        file.seek(moov.content)
        old = _with_udta(file.read(moov.stop - moov.content), b"".join(udta))
        new = _moved(old, moov, front)
        # What follows moov goes first, because what is before it moves to its place.
        _shift(file, moov.stop, end, len(new) - (moov.stop - moov.start))
        _shift(file, front, moov.start, len(new))
        file.seek(front)
        file.write(new)
        file.flush()
        file.seek(0, os.SEEK_END)
        for added in last():
            file.write(added)


def _front_and_moov(file: BinaryIO, end: int) -> tuple[int, Box]:
    """Where the first box ends, and where ``moov`` is; raises ValueError for what isn't known."""
    found = list(boxes_in(file, 0, end))
    if not found or found[0].kind != b"ftyp":
        raise ValueError("it begins with no box of the type ftyp")
    file.seek(found[-1].start)
    if found[-1].stop != end or file.read(4) == bytes(4):
        raise ValueError(f"its last box doesn't end at its end, {end} bytes")
    if any(box.kind == b"moof" for box in found):
        raise ValueError("it is fragmented")
    moovs = [box for box in found if box.kind == b"moov"]
    if len(moovs) != 1:
        raise ValueError(f"it has {len(moovs)} boxes of the type moov")
    if moovs[0].stop - moovs[0].start > MOST_OF_MOOV:
        raise ValueError("its list of samples is too long")
    return found[0].stop, moovs[0]


def _with_udta(content: bytes, added: bytes) -> bytes:
    """The content of ``moov`` with more boxes in its ``udta``, which is made if there is none."""
    parts = list(_parts(content))
    if all(kind != b"udta" for kind, _ in parts):
        parts.append((b"udta", b""))
    out = b""
    for kind, inner in parts:
        if kind == b"udta":
            inner = b"".join(box(*part) for part in _parts(inner)) + added
            added = b""
        out += box(kind, inner)
    return out


def _moved(content: bytes, moov: Box, front: int) -> bytes:
    """The box ``moov`` as it must be when it stands at ``front``, and no longer at its place."""
    for wide in (False, True):  # whether places have 64 bits, which makes the box longer
        with suppress(OverflowError):
            size = _HEAD + len(_rebuilt(content, lambda places: places, wide))

            def shifted(places: np.ndarray, size: int = size) -> np.ndarray:
                gone = (moov.stop - moov.start) * (places >= moov.stop)
                return places + (size - gone) * (places >= front)

            return box(b"moov", _rebuilt(content, shifted, wide))
    raise ValueError("its samples are too far from its beginning")


def _rebuilt(content: bytes, shifted: Callable[[np.ndarray], np.ndarray], wide: bool) -> bytes:
    """The content of ``moov`` or of a box in it, with the places of samples changed.

    Raises OverflowError if they don't fit.
    """
    out = bytearray()
    for kind, inner in _parts(content):
        if kind in (b"stco", b"co64"):
            out += _places(kind, inner, shifted, wide)
        elif kind in _INNER:
            out += box(kind, _rebuilt(inner, shifted, wide))
        else:
            out += box(kind, inner)
    return bytes(out)


def _places(
    kind: bytes, content: bytes, shifted: Callable[[np.ndarray], np.ndarray], wide: bool
) -> bytes:
    """The box with the places of a track's samples, changed."""
    old = _WIDTHS[kind]
    count = int.from_bytes(content[4:8], "big")
    if len(content) < 8 + count * old.itemsize:
        raise ValueError("a list of places that is cut off")
    places = shifted(np.frombuffer(content, old, count, 8).astype(np.int64))
    kind = b"co64" if wide else kind
    if places.size and (places.min() < 0 or places.max() > np.iinfo(_WIDTHS[kind]).max):
        raise OverflowError
    return box(kind, content[:8] + places.astype(_WIDTHS[kind]).tobytes())


def _parts(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Types and contents of the boxes in bytes; raises ValueError if they are none."""
    start = 0
    while any(content[start : start + _HEAD]):  # QuickTime ends udta with zeros
        size = int.from_bytes(content[start : start + 4], "big")
        if size < _HEAD or start + size > len(content):
            raise ValueError(f"a box of {size} bytes where {len(content) - start} are left")
        yield content[start + 4 : start + _HEAD], content[start + _HEAD : start + size]
        start += size


def _shift(file: BinaryIO, start: int, stop: int, by: int) -> None:
    """Move a part of a file towards its end."""
    at = stop
    while at > start:
        n_bytes = min(_BLOCK, at - start)
        at -= n_bytes
        file.seek(at)
        block = file.read(n_bytes)
        file.seek(at + by)
        file.write(block)
