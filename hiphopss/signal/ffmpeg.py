"""Decoding with the program ``ffmpeg``, for formats that libsndfile doesn't read.

ffmpeg is not part of hiphopss: it is used if it is on the ``PATH``. It may only read the given
file, as the given format: no other protocols, and no guesses at what a file could be.
"""

from __future__ import annotations

import logging
import re
import shutil
import subprocess
from functools import lru_cache
from pathlib import Path

from hiphopss.errors import AudioError, HiphopssError

logger = logging.getLogger(__name__)

_TIME_LIMIT_S = 600
"""Seconds within which a file must be decoded; a song of 4 minutes takes about 2."""

_BROKEN = b"partial file"
"""Message about a file that ends early, after which ffmpeg nevertheless reports success."""

_FULL = (b"No space left on device", b"Disk quota exceeded")


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
    command = [find_ffmpeg(path), "-nostdin", "-hide_banner", "-v", "error", "-xerror"]
    # With "file:", no name of a file is an option or an address.
    command += ["-protocol_whitelist", "file,pipe", "-f", demuxer]
    command += ["-i", f"file:{path.absolute()}"]
    files = [folder / f"{number}.wav" for number in range(n_streams)]
    for number, file in enumerate(files):
        command += ["-map", f"0:a:{number}", "-map_metadata", "-1", "-c:a", "pcm_f32le"]
        # "bitexact": without the muxer's name, with which libsndfile wouldn't change the file.
        command += ["-fflags", "+bitexact", "-rf64", "auto", "-f", "wav", f"file:{file}"]
    try:
        # On a time-out, Ctrl-C or any other exception, ffmpeg is killed.
        done = subprocess.run(
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
    if done.returncode or _BROKEN in done.stderr:
        raise _failure(path, folder, n_streams, done.stderr)
    if done.stderr.strip():
        logger.warning(
            "%s: decoded, but ffmpeg says %r: get the file again if it sounds wrong",
            *(path, _first_line(done.stderr)),
        )
    return files


def _failure(path: Path, folder: Path, n_streams: int, told: bytes) -> HiphopssError:
    """The error for what ffmpeg told on standard error when it failed."""
    if any(full in told for full in _FULL):
        return HiphopssError(
            f"{folder}: the disk is full, so {path} can't be decoded: free some space (85 MB for "
            "each stream of 4 minutes), set TMPDIR to another folder, or use fewer processes"
        )
    if b"matches no streams" in told:
        return AudioError(
            f"{path}: has fewer than {n_streams} audio streams: export it with all of them"
        )
    return AudioError(
        f"{path}: damaged, cut off or in another format (ffmpeg says {_first_line(told)!r}): copy, "
        "download or export it again"
    )


def _first_line(told: bytes) -> str:
    """What was wrong first, without the names of ffmpeg's parts in front of it."""
    first = told.decode("utf-8", "replace").strip().partition("\n")[0]
    plain = re.sub(r"^(\[[^]]*\] )+", "", first)
    return "".join(c for c in plain if c.isprintable())[:100] or "nothing"
