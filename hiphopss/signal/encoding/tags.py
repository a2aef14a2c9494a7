"""Tags of a song (title, artist, album and so on), read, and written beside its stems.

libsndfile keeps them in the chunks of WAV and AIFF (which has only title and artist) and in the
comments of FLAC and Ogg. In MP3 it writes text as Latin-1 that is UTF-8, so ID3 is made here. Tags
of what only ffmpeg decodes, and those of M4A, go through ffmpeg.
"""

from __future__ import annotations

import logging
import re
import shutil
import subprocess
from contextlib import nullcontext
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from hiphopss.errors import AudioError
from hiphopss.signal.containers import container_of
from hiphopss.signal.decoding import native_path
from hiphopss.signal.ffmpeg import input_options
from hiphopss.signal.formats.kinds import look_at
from hiphopss.signal.quiet import quiet_c

if TYPE_CHECKING:
    import soundfile

logger = logging.getLogger(__name__)

_LONGEST = 500  # characters of a tag that are kept; longer ones are no titles
_LIMIT_S = 20  # ffmpeg only reads the beginning and the end of a file
_FRAMES = {
    **{"title": "TIT2", "artist": "TPE1", "album": "TALB"},
    **{"date": "TDRC", "track": "TRCK", "genre": "TCON"},
}
"""Names of the tags in ID3v2.4."""
_LINE = re.compile(r"([^=\\]+)=((?:\\.|[^\\])*)", re.DOTALL)
_UTF_8 = b"\x03"


@dataclass(frozen=True)
class Tags:
    """The tags of a file; an empty one is not written.

    Attributes
    ----------
    title, artist, album, date, track, genre : str
        As the file has them: a track may be ``"7"`` or ``"7/12"``, a date a year.
    """

    title: str = ""
    artist: str = ""
    album: str = ""
    date: str = ""
    track: str = ""
    genre: str = ""

    def of(self, part: str) -> Tags:
        """The tags of something made of the song, such as ``vocals``, named after its title."""
        named = part.replace("_", " ")
        return replace(self, title=f"{self.title} ({named})") if self.title else self

    def put(self, file: soundfile.SoundFile) -> None:
        """Write the tags into a new file, before its samples."""
        for name, text in asdict(self).items():
            if text:
                setattr(file, "tracknumber" if name == "track" else name, text)

    def id3(self) -> bytes:
        """The tags as ID3v2.4, which stands in front of an MP3 file; nothing if there are none."""
        frames = b""
        for name, text in asdict(self).items():
            if text:
                content = _UTF_8 + text.encode("utf-8")
                frames += _FRAMES[name].encode() + _sevens(len(content)) + bytes(2) + content
        return b"ID3\x04\0\0" + _sevens(len(frames)) + frames if frames else b""

    def for_ffmpeg(self) -> list[str]:
        """The tags as options of ffmpeg."""
        given = ((name, text) for name, text in asdict(self).items() if text)
        return [word for name, text in given for word in ("-metadata", f"{name}={text}")]


def read_tags(path: Path) -> Tags:
    """Read the tags of a song. A file whose tags can't be read has none.

    Parameters
    ----------
    path : Path
        An audio file, or the stream of a stem file.
    """
    try:
        layout = look_at(container_of(path))
    except AudioError:
        return Tags()
    found = _by_libsndfile(container_of(path), layout.kind) if layout.parts else None
    if found is None and layout.demuxer is not None:
        found = _by_ffmpeg(container_of(path), layout.demuxer)
    known = {name: _plain(text) for name, text in (found or {}).items()}
    return Tags(**known)


def _plain(text: str) -> str:
    """A tag in one line of text that can be written again."""
    shown = "".join(char if char.isprintable() else " " for char in text)
    return shown.replace("\ufffd", "?").strip()[:_LONGEST]


def _by_libsndfile(path: Path, kind: str) -> dict[str, str] | None:
    import soundfile

    try:
        with quiet_c() if kind in ("MP3", "MPEG", "") else nullcontext():
            file = soundfile.SoundFile(native_path(path))
        with file:
            names = {name: "tracknumber" if name == "track" else name for name in _FRAMES}
            return {name: getattr(file, theirs) for name, theirs in names.items()}
    except Exception:  # soundfile raises almost any kind for strange files
        return None


def _by_ffmpeg(path: Path, demuxer: str) -> dict[str, str]:
    """The tags that ffmpeg writes as its own text: ``key=value``, with ``\\`` before ``=;#\\``."""
    program = shutil.which("ffmpeg")
    if program is None:
        return {}
    command = [program, "-v", "error", *input_options(path, demuxer), "-f", "ffmetadata", "pipe:1"]
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, timeout=_LIMIT_S
        )
    except (OSError, subprocess.TimeoutExpired):
        return {}
    found = {}
    lines = re.split(r"(?<!\\)\n", done.stdout.decode("utf-8", "replace"))
    for line in lines[1:]:
        if line.startswith("["):  # a stream or a chapter, which has its own
            break
        if (match := _LINE.fullmatch(line)) and match[1].lower() in _FRAMES:
            found[match[1].lower()] = re.sub(r"\\(.)", r"\1", match[2], flags=re.DOTALL)
    return found


def _sevens(number: int) -> bytes:
    """A number in four bytes of seven bits, as ID3 writes sizes."""
    return bytes(number >> shift & 0x7F for shift in (21, 14, 7, 0))
