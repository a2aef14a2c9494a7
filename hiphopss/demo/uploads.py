"""Uploaded files: received in pieces, and recognised only by their content."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path

from hiphopss.demo.limits import FORMATS, Limits
from hiphopss.errors import HiphopssError
from hiphopss.signal import reading
from hiphopss.signal.formats.kinds import look_at

BY_FFMPEG = ("MP4", "AAC", "ASF", "Matroska")
"""Formats that are also accepted where the server has ffmpeg, by the names of ``signal.kinds``."""

_RATES = (8000, 192_000)  # Hz; browsers can play this range
_MOST_CHANNELS = 2
_TITLE_LENGTH = 80


class Refused(HiphopssError):
    """A refused upload, with the HTTP status of the response."""

    def __init__(self, status: int, message: str):
        super().__init__(message)
        self.status = status


def clean_title(name: str | None) -> str:
    """Make the title of a song from its file's name, which may be any text."""
    last = re.split(r"[/\\]", name or "")[-1]
    printable = "".join(c if c.isprintable() else " " for c in last)
    stem = re.sub(
        r"\.(wave?|flac|og[ga]|opus|mp[34]|m4a|aac|wm[av]|mk[av]|webm|mov)$",
        "",
        printable,
        flags=re.IGNORECASE,
    )
    return " ".join(stem.split())[:_TITLE_LENGTH] or "Song"


async def receive(
    pieces: AsyncIterator[bytes], path: Path, *, limits: Limits, announced: int | None = None
) -> None:
    """Write an upload to a file as it arrives.

    Parameters
    ----------
    pieces : async iterator of bytes
        The body of the request.
    path : Path
        File to write.
    limits : Limits
        Limits of size and time.
    announced : int, optional
        Size of the body according to the client; it is used to refuse early, but not trusted.

    Raises
    ------
    Refused
        If the upload is too large, empty or too slow.
    """
    too_large = Refused(
        413, f"The file is larger than {limits.max_bytes / 2**20:g} MB: convert it to MP3 or OGG"
    )
    n_bytes = 0
    oversized = announced is not None and announced > limits.max_bytes
    try:
        async with asyncio.timeout(limits.upload_seconds):
            with open(path, "wb") as file:
                while True:
                    async with asyncio.timeout(limits.idle_seconds):
                        piece = await anext(pieces, None)
                    if piece is None:
                        break
                    n_bytes += len(piece)
                    # Browsers show a response only after sending everything, so read some more.
                    if n_bytes > 2 * limits.max_bytes:
                        raise too_large
                    oversized = oversized or n_bytes > limits.max_bytes
                    if not oversized:
                        file.write(piece)
    except TimeoutError as error:
        raise Refused(408, "The upload took too long: try again") from error
    if oversized:
        raise too_large
    if not n_bytes:
        raise Refused(422, "The file is empty: choose another")


def inspect(path: Path, *, title: str, limits: Limits) -> None:
    """Check that an uploaded file is audio of an accepted format and length.

    Parameters
    ----------
    path : Path
        File to check; its name is not used.
    title : str
        Name of the song in messages.
    limits : Limits
        Limits on uploads.

    Raises
    ------
    Refused
        If the file is not accepted.
    """
    not_audio = Refused(
        415, f"{title}: not a WAV, FLAC, OGG or MP3 file, or a damaged one: choose another"
    )
    try:
        kind = look_at(path).kind
        if kind not in (*FORMATS, *BY_FFMPEG):
            raise not_audio
        with reading.opened(path, most_seconds=limits.max_seconds) as reader:
            header = reader.header
    except Refused:
        raise
    except HiphopssError as error:
        if not isinstance(error.__cause__, HiphopssError | None):  # it can't be decoded
            raise not_audio from error
        raise Refused(422, str(error).replace(str(path), title)) from error
    rate, n_channels, seconds = header.sample_rate, header.n_channels, header.seconds
    if n_channels > _MOST_CHANNELS:
        raise Refused(422, f"{title}: has {n_channels} channels: mix it down to stereo")
    if not _RATES[0] <= rate <= _RATES[1]:
        raise Refused(
            422, f"{title}: a sampling rate of {rate} Hz: convert it to 8,000 to 192,000 Hz"
        )
    if seconds > limits.max_seconds:
        raise Refused(
            422,
            f"{title}: longer than {limits.max_seconds:g} s: choose a part of it",
        )
