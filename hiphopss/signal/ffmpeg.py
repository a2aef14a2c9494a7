"""Decoding with the program ``ffmpeg``, for formats that libsndfile doesn't read.

ffmpeg is not part of hiphopss: it is used if it is on the ``PATH``. It may only read the given
file, as the given format: no other protocols, and no guesses at what a file could be.
"""

from __future__ import annotations

import logging
import os
import re
import shutil
import subprocess
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from hiphopss.errors import AudioError, HiphopssError
from hiphopss.signal.formats.boxes import boxes_in
from hiphopss.signal.formats.pieces import Layout

logger = logging.getLogger(__name__)

_TIME_LIMIT_S = 600
"""Seconds within which a file must be decoded; a song of 4 minutes takes about 2."""

_BROKEN = b"partial file"
"""Message about a file that ends early, after which ffmpeg nevertheless reports success."""

FULL = (b"No space left on device", b"Disk quota exceeded")
"""Messages about a disk that is full."""

_WRONG = re.compile(rb"\[(error|fatal|panic)\]")
_STREAM = re.compile(rb"^\[info\]\s+Stream #0:\d+.*: Audio: ")
_LENGTH = re.compile(rb"^\[info\]\s+Duration: (\d+):(\d+):([\d.]+)")
_NOT_STATED = re.compile(rb"Estimating duration|: Video: (?!.*\(attached pic\))")
_TOLERATED = 0.1  # seconds by which a decoded stream may be shorter: padding, a last frame


class Song(NamedTuple):
    """A decoded audio stream.

    Attributes
    ----------
    file : Path
        WAV file in single precision.
    subtype : str
        libsndfile's name of the sample type that the stream had, or the name of a lossy codec.
    stated : float
        As in :class:`hiphopss.signal.formats.pieces.Layout`.
    """

    file: Path
    subtype: str
    stated: float


def find_ffmpeg(path: str | Path) -> str:
    """The program ``ffmpeg``.

    Parameters
    ----------
    path : path-like
        File that needs it, for the message.

    Returns
    -------
    str
        Path of the program.

    Raises
    ------
    HiphopssError
        If it is not on the ``PATH``.
    """
    program = shutil.which("ffmpeg")
    if program is None:
        raise HiphopssError(
            f"{path}: only ffmpeg can decode it, which is not on the PATH: install ffmpeg "
            "(https://ffmpeg.org/download.html), or use WAV files, such as those of MUSDB18-HQ"
        )
    return program


@lru_cache
def ffmpeg_version(program: str) -> str:
    """What a program ``ffmpeg`` says of its version, in one word; versions pad streams differently.

    Parameters
    ----------
    program : str
        Path of the program, from :func:`find_ffmpeg`.
    """
    done = subprocess.run([program, "-version"], capture_output=True, text=True, check=False)
    return next(iter(done.stdout.split()[2:]), "unknown")


def decode(path: Path, folder: Path, *, n_streams: int, demuxer: str) -> list[Path]:
    """Decode the first audio streams of a file, in one go, to WAV files in single precision.

    Encoders put silence in front, which the file's edit list says and ffmpeg cuts off; so samples
    are where they were before encoding.

    Parameters
    ----------
    path : Path
        File to decode.
    folder : Path
        Existing, empty folder for the WAV files: for 4 minutes of stereo, 85 MB a stream.
    n_streams : int
        Number of streams.
    demuxer : str
        ffmpeg's name of the file's format, such as ``"mov"`` for MP4 and M4A.

    Returns
    -------
    list of Path
        WAV files, in the order of the streams. They are RF64 beyond 4 GB.

    Raises
    ------
    AudioError
        If the file is damaged, has fewer streams, or can't be decoded within ten minutes.
    HiphopssError
        If ffmpeg is missing or can't be started, or if the disk is full.

    Logs
    ----
    WARNING
        If ffmpeg decodes the file but reports errors.
    """
    command = [find_ffmpeg(path), "-v", "error", "-xerror", *input_options(path, demuxer)]
    files = [folder / f"{number}.wav" for number in range(n_streams)]
    for number, file in enumerate(files):
        command += _output(number, file)
    done = _run(command, path)
    if done.returncode or _BROKEN in done.stderr:
        raise _failure(path, folder, n_streams, done.stderr)
    if done.stderr.strip():
        _warn(path, done.stderr)
    return files


def decode_song(
    path: Path, folder: Path, layout: Layout, *, most_seconds: float | None = None
) -> Song:
    """Decode the first audio stream of a file to a WAV file in single precision.

    Parameters
    ----------
    path : Path
        File to decode.
    folder : Path
        Existing, empty folder for the WAV file: for 4 minutes of stereo, 85 MB.
    layout : Layout
        The file's format.
    most_seconds : float, optional
        Decode one second more than that at most.

    Returns
    -------
    Song
        The WAV file, and what is known of the stream.

    Raises
    ------
    AudioError
        If ffmpeg is missing, or if the file is damaged or has no audio stream.
    HiphopssError
        If ffmpeg can't be started, or if the disk is full.

    Logs
    ----
    WARNING
        If ffmpeg decodes the file but reports errors.
    """
    assert layout.demuxer is not None
    program = shutil.which("ffmpeg")
    if program is None:
        raise AudioError(
            f"{path}: only ffmpeg can decode it ({layout.kind}), which is not on the PATH: install "
            "ffmpeg (https://ffmpeg.org/download.html), or convert it to WAV or FLAC"
        )
    logger.debug("%s: %s, which %s decodes", path, layout.kind, program)
    file = folder / "song.wav"
    command = [program, "-v", "level+info", "-nostats", *input_options(path, layout.demuxer)]
    if most_seconds is not None:
        command += ["-t", f"{most_seconds + 1:g}"]
    done = _run([*command, *_output(0, file)], path)
    lines = done.stderr.splitlines()
    wrong = b"\n".join(line for line in lines if _WRONG.search(line))
    there = _wav_seconds(file)
    if any(full in wrong for full in FULL) or b"matches no streams" in done.stderr or not there:
        if not wrong and done.returncode == 0:
            raise AudioError(f"{path}: has no samples: use another file")
        raise _failure(path, folder, 1, wrong or done.stderr)
    stream = next((line for line in lines if _STREAM.search(line)), b"")
    seconds = _stated_seconds(lines)
    stated = 1.0
    ended = not wrong.strip() and not (layout.demuxer == "mov" and is_cut_off(path))
    if not ended and seconds > there + _TOLERATED and there < (most_seconds or seconds):
        stated = seconds / there
    if wrong.strip() and stated == 1:
        _warn(path, wrong)
    return Song(file, _sample_type(stream.decode("utf-8", "replace"), layout), stated)


def is_cut_off(path: Path) -> bool:
    """Whether an MP4's box of samples goes beyond the end of the file.

    If the file ends between two packets of samples, ffmpeg takes what is there for the whole.
    """
    with open(path, "rb") as file:
        end = os.fstat(file.fileno()).st_size
        return any(box.kind == b"mdat" and box.stop > end for box in boxes_in(file, 0, end))


def _stated_seconds(lines: list[bytes]) -> float:
    """Length that a file states, by what ffmpeg says of it; 0 if it is a guess or a video's."""
    length = next(filter(None, map(_LENGTH.search, lines)), None)
    if length is None or any(_NOT_STATED.search(line) for line in lines):
        return 0.0
    hours, minutes, seconds = (float(number) for number in length.groups())
    return 3600 * hours + 60 * minutes + seconds


def _wav_seconds(path: Path) -> float:
    """Length of a WAV file that ffmpeg wrote; 0 if it wrote none, or nothing into it."""
    import soundfile

    try:
        return soundfile.info(path).duration
    except soundfile.SoundFileError:
        return 0.0


def _sample_type(stream: str, layout: Layout) -> str:
    """libsndfile's name of a stream's sample type, or the name of a lossy codec."""
    codec = re.search(r": Audio: (\w+)", stream)
    name = codec.group(1).upper() if codec else layout.kind.upper()
    kind = re.search(r", (u8|s16|s32|flt|dbl)p?\b(?: \((\d+) bit\))?", stream)
    if kind is None:
        return name
    if kind.group(1) in ("flt", "dbl"):
        return "FLOAT" if name.startswith(("PCM_", "WAVPACK")) else name
    bits = int(kind.group(2) or {"u8": 8, "s16": 16, "s32": 32}[kind.group(1)])
    return "PCM_U8" if bits <= 8 else f"PCM_{min(n for n in (16, 24, 32) if n >= bits)}"


def input_options(path: Path, demuxer: str) -> list[str]:
    """Options that name a file to read and its format."""
    # With "file:", no name of a file is an option or an address.
    safely = ["-nostdin", "-hide_banner", "-protocol_whitelist", "file,pipe", "-f", demuxer]
    return [*safely, "-i", f"file:{path.absolute()}"]


def _output(number: int, file: Path) -> list[str]:
    """Options that write an audio stream to a WAV file."""
    stream = ["-map", f"0:a:{number}", "-map_metadata", "-1", "-c:a", "pcm_f32le"]
    # "bitexact": without the muxer's name, with which libsndfile wouldn't change the file.
    return [*stream, "-fflags", "+bitexact", "-rf64", "auto", "-f", "wav", f"file:{file}"]


def _run(command: list[str], path: Path) -> subprocess.CompletedProcess[bytes]:
    """Run ffmpeg to the end."""
    try:
        # On a time-out, Ctrl-C or any other exception, ffmpeg is killed.
        return subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, timeout=_TIME_LIMIT_S
        )
    except subprocess.TimeoutExpired as error:
        raise AudioError(
            f"{path}: ffmpeg did not decode it within {_TIME_LIMIT_S} s: convert it to WAV"
        ) from error
    except OSError as error:
        raise HiphopssError(
            f"{command[0]}: can't be run ({error.strerror}), but only it can decode {path}: "
            "install ffmpeg again"
        ) from error


def _warn(path: Path, told: bytes) -> None:
    logger.warning(
        "%s: decoded, but ffmpeg says %r: get the file again if it sounds wrong",
        *(path, first_line(told)),
    )


def _failure(path: Path, folder: Path, n_streams: int, told: bytes) -> HiphopssError:
    """The error for what ffmpeg told on standard error when it failed."""
    if any(full in told for full in FULL):
        return HiphopssError(
            f"{folder}: the disk is full, so {path} can't be decoded: free some space (85 MB for "
            "each stream of 4 minutes), set TMPDIR to another folder, or use fewer processes"
        )
    if b"matches no streams" in told and n_streams == 1:
        return AudioError(f"{path}: has no audio track: use another file")
    if b"matches no streams" in told:
        return AudioError(
            f"{path}: has fewer than {n_streams} audio streams: export it with all of them"
        )
    return AudioError(
        f"{path}: damaged, cut off or in another format (ffmpeg says {first_line(told)!r}): copy, "
        "download or export it again"
    )


def first_line(told: bytes) -> str:
    """What was wrong first, without the names of ffmpeg's parts in front of it."""
    first = told.decode("utf-8", "replace").strip().partition("\n")[0]
    plain = re.sub(r"^(\[[^]]*\]\s+)+", "", first)
    return "".join(c for c in plain if c.isprintable())[:100] or "nothing"
