"""Limits on the server's uploads and jobs."""

from __future__ import annotations

import errno
import shutil
from dataclasses import dataclass

from hiphopss.errors import HiphopssError

FORMATS = ("MP3", "OGG", "FLAC", "WAV")
"""Accepted formats of audio files, by libsndfile's names."""


def accepted_formats() -> list[str]:
    """What visitors are told to choose from, which is more where there is ffmpeg."""
    with_ffmpeg = ["M4A"] if shutil.which("ffmpeg") else []
    return [FORMATS[0], *with_ffmpeg, *FORMATS[1:]]


DISK_FULL = (errno.ENOSPC, errno.EDQUOT)
"""Errors of a full disk."""


@dataclass(frozen=True)
class Limits:
    """Limits on uploads and jobs.

    Attributes
    ----------
    max_bytes : int
        Maximum size of an uploaded file.
    max_seconds : float
        Maximum length of an uploaded song.
    queue : int
        Maximum number of unfinished jobs. An upload becomes one when it is complete.
    bytes_per_second : int
        Least rate at which a client must send a request and read an answer.
    idle_seconds, reading_seconds : float
        How long a client may be slower than that when it sends, and when it reads.
    upload_seconds : float
        Maximum duration of an upload.
    receiving_bytes : int
        Maximum number of bytes on the disk of all uploads that are not complete yet; one upload
        of the maximum size always fits.
    """

    max_bytes: int = 100 * 2**20
    max_seconds: float = 600.0
    queue: int = 8
    bytes_per_second: int = 8000
    idle_seconds: float = 10.0
    reading_seconds: float = 30.0
    upload_seconds: float = 900.0
    receiving_bytes: int = 2 * 2**30

    def __post_init__(self) -> None:
        if self.max_bytes < 1 or not self.max_seconds > 0 or self.queue < 1:
            raise HiphopssError(
                f"limits of {self.max_bytes / 2**20:g} MB, {self.max_seconds:g} s and "
                f"{self.queue} jobs: give positive numbers"
            )
