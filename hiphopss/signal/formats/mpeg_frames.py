"""MPEG audio (MP3): every frame of a file, and the counts of frames among them."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import BinaryIO, NamedTuple

from hiphopss.errors import AudioError
from hiphopss.signal.formats.pieces import Piece, joined

_RATES = (44100, 48000, 32000)
_KBPS = {  # by MPEG-1 or not, and layer
    (True, 1): (0, 32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    (True, 2): (0, 32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (True, 3): (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (False, 1): (0, 32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (False, 2): (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (False, 3): (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
_HEADER = re.compile(rb"\xff[\xe2-\xe7\xf2-\xf7\xfa-\xff][^\xf0-\xff]", re.DOTALL)
_COUNTS = (b"Xing", b"Info", b"VBRI")
_VBRI_AT = 36
DELAY = 529  # samples that every decoder is late; libmpg123 needs at least as much padding

_READ = 2**20  # bytes at a time
_SLACK = 256  # bytes by which a count may be wrong: it may include a tag at the end
_SEARCHED = 2**20  # bytes within which the first frame must start
_MOST_TRIES = 100_000  # a hostile file could be full of headers
_CHAIN = 3  # frames in a row that are no accident


Sound = tuple[int, int, int, bool]


class Frame(NamedTuple):
    """What a frame's header says."""

    size: int  # in bytes; 0 in the "free" format, whose size only the next header tells
    sound: Sound  # layer, rate, samples of a frame, mono

    @property
    def side(self) -> int:
        """Bytes between the header and the place of "Xing" or "Info"."""
        layer, _, n_samples, mono = self.sound
        return {(1152, False): 32, (1152, True): 17, (576, False): 17, (576, True): 9}.get(
            (n_samples, mono), 0
        ) * (layer == 3)


@lru_cache(maxsize=2**14)
def frame_at(head: bytes) -> Frame | None:
    """The frame that four bytes are the header of, if they are one."""
    word = int.from_bytes(head, "big")
    version, layer = word >> 19 & 3, 4 - (word >> 17 & 3)
    rate, index, padding = word >> 10 & 3, word >> 12 & 15, word >> 9 & 1
    if word >> 21 != 0x7FF or version == 1 or layer == 4 or rate == 3 or index == 15:
        return None
    first = version == 3
    hz = _RATES[rate] >> (0 if first else 1 if version == 2 else 2)
    n_samples = 384 if layer == 1 else 1152 if layer == 2 or first else 576
    bps = _KBPS[first, layer][index] * 1000
    size = (12 * bps // hz + padding) * 4 if layer == 1 else n_samples // 8 * bps // hz + padding
    return Frame(size if index else 0, (layer, hz, n_samples, word >> 6 & 3 == 3))


@dataclass
class Run:
    """Frames of one MP3, as far as it was found."""

    head: bytes
    pieces: list[Piece] = field(default_factory=list)
    n_frames: int = 0
    count: Count | None = None

    @property
    def is_ended(self) -> bool:
        """Whether the count of bytes, or else of frames, says that this is all of it."""
        count, last = self.count, self.pieces[-1]
        if count is None or abs(count.n_frames - self.n_frames) <= 1:
            return True
        return isinstance(last, tuple) and abs(count.at + count.n_bytes - last[1]) <= _SLACK


class Count(NamedTuple):
    """What the frame that counts frames says."""

    at: int
    n_frames: int
    n_bytes: int
    lame: bytes  # with the silence at the ends, from "LAME3.100" on; may be empty
    known: bool  # whether libmpg123 understands it

    def silence(self) -> tuple[int, int]:
        """Samples that encoder and decoder add at the beginning, and the rest of those at the end.

        They are as libmpg123 takes them, which adds its own delay.
        """
        if not self.lame:
            return DELAY, 0
        delay, padding = self.lame[21] << 4 | self.lame[22] >> 4, (self.lame[22] & 15) << 8
        return delay + DELAY, padding + self.lame[23] - DELAY


class Scan:
    """The search for the frames between two places of a file."""

    def __init__(self, file: BinaryIO, start: int, stop: int):
        self._file, self._start, self._stop = file, start, stop
        self._buffer, self._at = b"", start  # a stretch of the file, and where it starts
        self._free = 0  # size of a frame of the free format, without padding

    def runs(self) -> list[Run]:
        """The MP3s that were joined to this one; usually one."""
        at = behind_tags(self._file, self._start, self._stop)
        found = self._sync(at, min(at + _SEARCHED, self._stop), None)
        if found is None:
            return []
        runs: list[Run] = []
        sound: Sound | None = None
        place: int | None = found
        while place is not None:
            begin = place
            frame = frame_at(self._bytes(begin, 4))
            assert frame is not None
            if sound is not None and frame.sound != sound:
                raise AudioError(_change(sound, frame.sound))
            sound = frame.sound
            for head, pieces, n_frames, count in self._frames(begin, sound):
                if count is not None or not runs:
                    runs.append(Run(head, count=count))
                runs[-1].pieces += [pieces]
                runs[-1].n_frames += n_frames
                begin = pieces[1]
            after = max(behind_tags(self._file, begin, self._stop), place + 1)
            place = self._sync(after, self._stop, sound)
        for run in runs:
            run.pieces = list(joined(run.pieces))
        return runs

    def _frames(self, at: int, sound: Sound) -> Iterator[tuple]:
        """Stretches of frames without a gap, each from a count of frames on if there is one.

        Yields
        ------
        head, piece, n_frames, count
            Header of the first frame that has sound (or of the count, if none has), where the
            frames are, their number, and the count.
        """
        begin, head, n_frames, count = at, self._bytes(at, 4), 0, None
        sizes: dict[bytes, int] = {}
        tag_at = 4 + Frame(0, sound).side
        while True:
            window = self._window(at)
            position, last, origin = at - self._at, len(window) - 4, self._at
            end = self._stop - origin
            partial = False
            while position <= last:
                start = window[position : position + 4]
                size = sizes.get(start, -1)
                if size <= 0:  # not seen yet, not like the others, or of the free format
                    frame = frame_at(start)
                    if frame is None or frame.sound != sound:
                        break
                    size = frame.size or self._free_size(origin + position, frame)
                    sizes[start] = frame.size
                if not size or position + size > end:
                    break
                # The first frame is looked at in all ways; joined MP3s, in the usual one.
                tag = window[position + tag_at : position + tag_at + 4]
                if tag in _COUNTS or (not n_frames and count is None):
                    told = self._count(origin + position, sound, size)
                    if told is not None:
                        if n_frames:
                            yield head, (begin, origin + position), n_frames, count
                        begin, n_frames = origin + position + size, 0
                        head, count = start, told
                        position += size
                        continue
                if not n_frames:
                    head = start  # of the first that has sound, from which libmpg123 guesses
                position += size
                n_frames += 1
            else:
                partial = True
            at = origin + position
            if not partial or at + 4 > self._stop:
                if n_frames or count is not None:
                    yield head, (begin, at), n_frames, count
                return

    def _count(self, at: int, sound: Sound, size: int) -> Count | None:
        """The count of frames that a frame holds."""
        data, side = self._bytes(at, size), Frame(size, sound).side
        for offset in (_VBRI_AT, 4 + side, 6 + side):
            tag = data[offset:]
            if tag[:4] == b"VBRI" and len(tag) >= 18:
                n_bytes, n_frames = struct.unpack(">II", tag[10:18])
                return Count(at, n_frames, n_bytes, b"", known=False)
            if tag[:4] in (b"Xing", b"Info") and len(tag) >= 8:
                flags = tag[7]
                numbers = [int.from_bytes(tag[8 + 4 * n : 12 + 4 * n], "big") for n in range(2)]
                n_frames = numbers[0] if flags & 1 else 0
                n_bytes = numbers[flags & 1] if flags & 2 else 0
                behind = 8 + 4 * (flags & 1) + 2 * (flags & 2) + 25 * (flags & 4) + (flags & 8) // 2
                lame = tag[behind : behind + 36]
                has_ends = len(lame) >= 24 and lame[0] != 0
                return Count(
                    at,
                    n_frames,
                    n_bytes,
                    lame if has_ends else b"",
                    n_frames > 0 and flags & 3 == 3,
                )
        return None

    def _sync(self, at: int, stop: int, sound: Sound | None) -> int | None:
        """Where the next frames are that are no accident, from a place on."""
        first = at
        for _ in range(_MOST_TRIES):
            window = self._window(at)
            found = _HEADER.search(window, at - self._at)
            at = self._at + (found.start() if found else max(len(window) - 3, 1))
            if at + 4 > stop:
                return None
            if found and self._is_chain(at, sound, at_start=at == first):
                return at
            at += 1 if found else 0
        return None

    def _is_chain(self, at: int, sound: Sound | None, *, at_start: bool) -> bool:
        """Whether frames follow one another here; two will do where the first has to be one."""
        frame = frame_at(self._bytes(at, 4))
        if frame is None:
            return False
        is_count = frame.sound[0] == 3 and frame.size and self._count(at, frame.sound, frame.size)
        if sound is None and is_count:
            return True
        alike = frame.sound
        for number in range(_CHAIN):
            frame = frame_at(self._bytes(at, 4))
            if frame is None or frame.sound != alike:
                return False
            at += frame.size or self._free_size(at, frame) or self._stop
            if at >= self._stop - 4:
                known = alike == sound or (sound is None and (number > 0 or at_start))
                return known and at <= self._stop
        return True

    def _free_size(self, at: int, frame: Frame) -> int:
        """The size of a frame of the free format; 0 if no other follows."""
        head = self._bytes(at, 4)
        padding = head[2] >> 1 & 1
        if not self._free:
            data = self._bytes(at, 2**13)
            third = b"[" + re.escape(bytes([head[2] & ~2, head[2] | 2])) + b"]"
            found = re.compile(re.escape(head[:2]) + third, re.DOTALL).search(data, 24)
            self._free = found.start() - padding if found else 0
        return self._free + padding if self._free else 0

    def _bytes(self, at: int, n_bytes: int) -> bytes:
        window = self._window(at)
        begin = at - self._at
        return window[begin : begin + n_bytes]

    def _window(self, at: int) -> bytes:
        """A stretch of the file from a place on, of which frames at its end lack something."""
        end = self._at + len(self._buffer)
        if not (self._at <= at and (at + 2**14 <= end or end >= self._stop)):
            self._file.seek(at)
            self._at, self._buffer = at, self._file.read(max(0, min(_READ, self._stop - at)))
        return self._buffer


def _change(before: tuple, after: tuple) -> str:
    told = [
        f"{hz} Hz, {'one channel' if mono else 'two channels'}"
        for _, hz, _, mono in (before, after)
    ]
    return f"changes from {told[0]} to {told[1]}: split it, or convert it to WAV"


def behind_tags(file: BinaryIO, at: int, stop: int, *, most: int = 100) -> int:
    """Where the tags end that start at a place (ID3, APE), if any do; at most ``most`` of them."""
    for _ in range(most):
        file.seek(at)
        head = file.read(32)
        if head[:3] == b"ID3" and len(head) >= 10 and all(c < 128 for c in head[6:10]):
            size = head[6] << 21 | head[7] << 14 | head[8] << 7 | head[9]
            at += 10 + size + (10 if head[5] & 16 else 0)
        elif head[:8] == b"APETAGEX" and len(head) == 32:
            n_bytes, flags = int.from_bytes(head[12:16], "little"), head[23]
            at += 32 + (n_bytes if flags & 0x20 else 0)
        elif head[:3] == b"TAG" and stop - at <= 256:
            at += 128
        else:
            break
        if at >= stop:
            return stop
    return at
