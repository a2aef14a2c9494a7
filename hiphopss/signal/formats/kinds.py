"""What a file is, from its content: its name is not asked.

libsndfile and ffmpeg also look at contents, but believe more of them: ffmpeg would take some text
for a playlist and read the files in it. So what ffmpeg gets is recognised here.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import BinaryIO

from hiphopss.errors import AudioError
from hiphopss.signal.formats import chunks, flac, mpeg, ogg
from hiphopss.signal.formats.mpeg_frames import behind_tags
from hiphopss.signal.formats.pieces import Layout, Part
from hiphopss.util.opening import nothing_at

BY_FFMPEG: tuple[tuple[int, bytes, str, str], ...] = (
    (4, b"ftyp", "MP4", "mov"),  # also M4A, MOV, 3GP
    *((4, name, "MOV", "mov") for name in (b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot")),
    (0, b"\x1a\x45\xdf\xa3", "Matroska", "matroska"),  # also WebM
    (0, b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", "ASF", "asf"),  # WMA, WMV
    (8, b"AVI ", "AVI", "avi"),
    (0, b"#!AMR", "AMR", "amr"),
    (0, b"MAC ", "APE", "ape"),
    (0, b"wvpk", "WavPack", "wv"),
    (0, b"TTA1", "TTA", "tta"),
    (0, b"tBaK", "TAK", "tak"),
    (0, b"MPCK", "Musepack", "mpc8"),
    (0, b"MP+", "Musepack", "mpc"),
    (0, b"DSD ", "DSF", "dsf"),
    (0, b"FRM8", "DFF", "iff"),
    (0, b".RMF", "RealMedia", "rm"),
    (0, b".ra\xfd", "RealAudio", "rm"),
    (0, b"FLV\x01", "FLV", "flv"),
    (0, b"\0\0\x01\xba", "MPEG-PS", "mpeg"),
    (0, b"\x0b\x77", "AC-3", "ac3"),
    (0, b"\x7f\xfe\x80\x01", "DTS", "dts"),
)
"""Formats that only ffmpeg decodes: a place, what stands there, a name, and ffmpeg's name."""

_BY_LIBSNDFILE = {
    b"fLaC": flac.layout,
    b"OggS": ogg.layout,
    b"FORM": chunks.aiff,
    b".snd": chunks.au,
    b"dns.": chunks.au,
    b"caff": chunks.caf,
    b"riff": chunks.w64,
    **dict.fromkeys((b"RIFF", b"RIFX", b"RF64", b"BW64"), chunks.wav),
}
_ADTS = (b"\xff\xf1", b"\xff\xf9", b"\xff\xf0", b"\xff\xf8")  # AAC without a container
_ZEROS = 2**16  # bytes of 0 in front, such as those of a stream that was cut, that are passed over


def require_file(path: str | Path) -> None:
    """Raise :class:`AudioError` for what is no file, is empty or can't be opened."""
    try:
        state = os.stat(path)
    except (OSError, ValueError) as error:  # ValueError: a name with a zero byte
        if isinstance(error, FileNotFoundError | NotADirectoryError | ValueError):
            raise AudioError(nothing_at(path, "no such file: check the path")) from error
        reason = getattr(error, "strerror", error)
        raise AudioError(f"{path}: can't be opened ({reason}): check its permissions") from error
    mode = state.st_mode
    if stat.S_ISDIR(mode):
        raise AudioError(f"{path}: is a folder: name an audio file")
    if stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode):
        raise AudioError(
            f"{path}: is a pipe, which can be read only once: write its content to a file, and "
            "name that"
        )
    if not stat.S_ISREG(mode):
        raise AudioError(f"{path}: is a device, not a file: name an audio file")
    if not state.st_size:
        raise AudioError(f"{path}: empty: copy, download or export it again")


def look_at(path: str | Path) -> Layout:
    """The layout of a file, whatever its name is.

    Parameters
    ----------
    path : path-like
        File to look at.

    Returns
    -------
    Layout
        Its format and its parts. A format that isn't known here is left to libsndfile.

    Raises
    ------
    AudioError
        If it is no file, empty, can't be opened, or changes its rate or channels in the middle.
    """
    require_file(path)
    try:
        with open(path, "rb") as file:
            return _layout(file, os.fstat(file.fileno()).st_size)
    except OSError as error:
        raise AudioError(
            f"{path}: can't be opened ({error.strerror}): check its permissions"
        ) from error
    except AudioError as error:
        raise AudioError(f"{path}: {error}") from error


def _layout(file: BinaryIO, stop: int) -> Layout:
    start = behind_tags(file, 0, stop)
    head = chunks.read_at(file, start, 64)
    if not head.strip(b"\0"):
        zeros = chunks.read_at(file, start, _ZEROS)
        start += len(zeros) - len(zeros.lstrip(b"\0"))
        head = chunks.read_at(file, start, 64)
    by_libsndfile = _BY_LIBSNDFILE.get(head[:4])
    if by_libsndfile is chunks.wav and head[8:12] != b"WAVE":
        by_libsndfile = None
    if by_libsndfile is chunks.aiff and head[8:12] not in (b"AIFF", b"AIFC"):
        by_libsndfile = None
    if by_libsndfile is not None:
        return by_libsndfile(file, start, stop)
    for place, magic, kind, demuxer in BY_FFMPEG:
        if head.startswith(magic, place):
            return Layout(kind, (), demuxer=demuxer)
    if _is_transport_stream(chunks.read_at(file, start, 3 * 192)):
        return Layout("MPEG-TS", (), demuxer="mpegts")
    if head.startswith(_ADTS) and _is_adts(file, start, stop):
        return Layout("AAC", (), demuxer="aac")
    return mpeg.layout(file, start, stop) or Layout("", (Part(),))


def _is_transport_stream(data: bytes) -> bool:
    return any(
        len(data) > first + 2 * size and all(data[first + n * size] == 0x47 for n in range(3))
        for first, size in ((0, 188), (4, 192))
    )


def _is_adts(file: BinaryIO, at: int, stop: int) -> bool:
    """Whether three frames of AAC follow one another, or as many as there are."""
    for number in range(3):
        head = chunks.read_at(file, at, 7)
        if number and at == stop:
            return True
        if len(head) < 7 or not head.startswith(_ADTS):
            return False
        at += (head[3] & 3) << 11 | head[4] << 3 | head[5] >> 5
    return True
