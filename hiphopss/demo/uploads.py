"""Uploaded files: received in pieces, and recognised only by their content.

What is refused is told in the page's own words, which are whole sentences: those of
``static/device/decoding.js`` for the same fault, as visitors don't care where it was found.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

from hiphopss.demo.limits import DISK_FULL, FORMATS, Limits, accepted_formats
from hiphopss.demo.pace import Pace
from hiphopss.errors import HiphopssError
from hiphopss.signal import reading
from hiphopss.signal.formats.kinds import look_at

BY_FFMPEG = ("MP4", "AAC", "ASF", "Matroska")
"""Formats also accepted where the server has ffmpeg, by the names in ``signal.formats.kinds``."""

_RATES = (8000, 192_000)  # Hz; browsers can play this range
_MOST_CHANNELS = 2
_TITLE_LENGTH = 80
_NAME_LENGTH = 100

_SENTENCES = {
    "has no samples": "{name} has no sound in it: choose another file.",
    "not finite": "The song has samples that are no numbers: export it again.",
    "longer than": "{name} is longer than the {most} that this server takes: choose a part of it.",
}
"""What visitors are told instead of what reading says of a file."""


class Refused(HiphopssError):
    """A refused upload, with the HTTP status of the response."""

    def __init__(self, status: int, message: str):
        super().__init__(message)
        self.status = status


class Receptions:
    """The uploads that are being received, which may take up a limited part of the disk.

    When they take up more, the one that began first ends: many slow clients then can't keep others
    out for long.

    Parameters
    ----------
    limits : Limits
        Limits of size and time.
    """

    def __init__(self, limits: Limits):
        self._limits = limits
        self._running: list[_Reception] = []  # oldest first

    async def receive(
        self,
        pieces: AsyncIterator[bytes],
        path: Path,
        *,
        name: str = "The file",
        announced: int | None = None,
    ) -> None:
        """Write an upload to a file as it arrives.

        Parameters
        ----------
        pieces : async iterator of bytes
            The body of the request.
        path : Path
            File to write.
        name : str
            What visitors call it.
        announced : int, optional
            Size of the body according to the client; used to refuse early, but not trusted.

        Raises
        ------
        Refused
            If the upload is too large, empty or too slow, or if there is no room for it.
        """
        if announced is not None and announced > self._limits.max_bytes:
            raise self._too_large(name)
        reception = _Reception(asyncio.timeout(None))
        self._running.append(reception)
        try:
            async with reception.timeout:
                await self._write(pieces, path, reception, name)
        except TimeoutError as error:
            if reception.gives_way:
                raise busy() from error
            raise Refused(408, "The upload took too long: try again.") from error
        except OSError as error:
            if error.errno not in DISK_FULL:
                raise
            raise Refused(503, "The server's disk is full: try again later.") from error
        finally:
            self._running.remove(reception)
        if not reception.n_bytes:
            raise Refused(422, f"{name} is empty: choose another file.")

    async def _write(
        self, pieces: AsyncIterator[bytes], path: Path, reception: _Reception, name: str
    ) -> None:
        limits, clock = self._limits, asyncio.get_running_loop().time
        pace = Pace(clock(), patience=limits.idle_seconds, rate=limits.bytes_per_second)
        latest = clock() + limits.upload_seconds
        reception.timeout.reschedule(min(pace.deadline, latest))
        with open(path, "wb") as file:
            async for piece in pieces:
                reception.n_bytes += len(piece)
                if reception.n_bytes > limits.max_bytes:
                    raise self._too_large(name)
                file.write(piece)
                self._make_room()
                if not reception.gives_way:
                    reception.timeout.reschedule(min(pace.moved(len(piece), clock()), latest))

    def _make_room(self) -> None:
        most = max(self._limits.receiving_bytes, self._limits.max_bytes)
        staying = [r for r in self._running if not (r.gives_way or r.timeout.expired())]
        if sum(reception.n_bytes for reception in staying) > most:
            staying[0].gives_way = True
            staying[0].timeout.reschedule(0)

    def _too_large(self, name: str) -> Refused:
        most = f"{round(self._limits.max_bytes / 2**20, 1):g} MB"
        return Refused(413, f"{name} has more than {most}: make it shorter, or convert it to MP3.")


@dataclass(eq=False)
class _Reception:
    timeout: asyncio.Timeout
    n_bytes: int = 0
    gives_way: bool = False


def busy() -> Refused:
    """The refusal when there are too many uploads or jobs."""
    return Refused(503, "The server is busy, and the queue is full: try again in a minute.")


def clean_title(name: str | None) -> str:
    """Make the title of a song from its file's name, which may be any text."""
    stem = re.sub(
        r"\.(wave?|flac|og[ga]|opus|mp[34]|m4a|aac|wm[av]|mk[av]|webm|mov)$",
        "",
        _printable(name or ""),
        flags=re.IGNORECASE,
    )
    return " ".join(stem.split())[:_TITLE_LENGTH] or "Song"


def clean_name(name: str | None) -> str:
    """Make a file's name fit for messages; it may be any text."""
    return " ".join(_printable(name or "").split())[:_NAME_LENGTH] or "The file"


def _printable(name: str) -> str:
    last = re.split(r"[/\\]", name)[-1]
    return "".join(c if c.isprintable() else " " for c in last)


def sentence(message: str) -> str:
    """A message as the page says it: with a full stop."""
    return message if message.endswith(".") else f"{message}."


def told(error: HiphopssError, path: Path, *, name: str, limits: Limits) -> str:
    """What to tell a visitor of an error that names an uploaded file by its path."""
    for found, words in _SENTENCES.items():
        if found in str(error):
            return words.format(name=name, most=_in_words(limits.max_seconds))
    return sentence(str(error).replace(str(path), name))


def _in_words(seconds: float) -> str:
    n, unit = (seconds, "second") if seconds % 60 else (seconds / 60, "minute")
    return f"{n:g} {unit}{'' if n == 1 else 's'}"


def inspect(path: Path, *, name: str, limits: Limits) -> None:
    """Check that an uploaded file is audio of an accepted format and length.

    Parameters
    ----------
    path : Path
        File to check; its name is not used.
    name : str
        Name of the file in messages.
    limits : Limits
        Limits on uploads.

    Raises
    ------
    Refused
        If the file is not accepted.
    """
    *most, last = accepted_formats()
    not_audio = Refused(
        415,
        f"{name} is no song that this server can read, or a damaged one: "
        f"choose an {', '.join(most)} or {last} file.",
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
        raise Refused(422, told(error, path, name=name, limits=limits)) from error
    rate, n_channels, seconds = header.sample_rate, header.n_channels, header.seconds
    if n_channels > _MOST_CHANNELS:
        raise Refused(422, f"{name} has {n_channels} channels: mix it down to stereo.")
    if not _RATES[0] <= rate <= _RATES[1]:
        raise Refused(422, f"{name} has a sampling rate of {rate} Hz: convert it to 44,100 Hz.")
    if seconds > limits.max_seconds:
        long = HiphopssError(f"{path}: longer than {limits.max_seconds:g} s")
        raise Refused(422, told(long, path, name=name, limits=limits))
