"""Limits on the server's uploads and jobs."""

from __future__ import annotations

from dataclasses import dataclass

from hiphopss.errors import HiphopssError

FORMATS = ("WAV", "FLAC", "OGG", "MP3")
"""Accepted formats of audio files, by libsndfile's names."""


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
        Maximum number of unfinished jobs, including those that are being uploaded.
    idle_seconds, upload_seconds : float
        Maximum pause of an upload, and its maximum duration.
    """

    max_bytes: int = 100 * 2**20
    max_seconds: float = 600.0
    queue: int = 8
    idle_seconds: float = 30.0
    upload_seconds: float = 900.0

    def __post_init__(self) -> None:
        if self.max_bytes < 1 or not self.max_seconds > 0 or self.queue < 1:
            raise HiphopssError(
                f"limits of {self.max_bytes / 2**20:g} MB, {self.max_seconds:g} s and "
                f"{self.queue} jobs: give positive numbers"
            )
