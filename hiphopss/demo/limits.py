"""What the server accepts."""

from __future__ import annotations

from dataclasses import dataclass

from hiphopss.errors import HiphopssError

FORMATS = ("WAV", "FLAC", "OGG", "MP3")
"""Kinds of audio files, as libsndfile calls them."""


@dataclass(frozen=True)
class Limits:
    """What the server accepts.

    Attributes
    ----------
    max_bytes : int
        Size of an uploaded file.
    max_seconds : float
        Length of an uploaded song.
    queue : int
        Jobs under way at a time, those that are being uploaded among them.
    idle_seconds, upload_seconds : float
        How long an upload may pause, and take altogether.
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
