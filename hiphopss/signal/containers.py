"""Paths of the streams in a stem file, which is one MP4 with a song's mixture and stems.

MUSDB18 has its songs in Native Instruments' stem format: an MP4 with five audio streams. Here a
stream has a path below that of its file, as if the file were a folder: ``SONG.stem.mp4/vocals``.
Such a path stands wherever the path of an audio file does; :mod:`hiphopss.signal.reading` reads it.
What asks about the file itself (does it exist, which hash has it?) asks :func:`container_of` first.
"""

from __future__ import annotations

from pathlib import Path

STREAMS = ("mixture", "drums", "bass", "other", "vocals")
"""Names of a stem file's streams, in their order in MUSDB18's files."""

SUBTYPE = "AAC"
"""Sample type of streams, where libsndfile's names of others stand. They have no bits to keep."""

SUFFIX = ".stem.mp4"
"""How names of stem files end."""


def is_container(path: str | Path) -> bool:
    """Whether a path is named like a stem file; upper case doesn't matter."""
    return Path(path).name.lower().endswith(SUFFIX)


def is_inside(path: str | Path) -> bool:
    """Whether a path is that of a stream in a stem file, such as ``SONG.stem.mp4/vocals``."""
    path = Path(path)
    return path.name in STREAMS and is_container(path.parent)


def container_of(path: str | Path) -> Path:
    """The file that holds what a path names: the stem file of a stream, else the path itself."""
    path = Path(path)
    return path.parent if is_inside(path) else path


def song_name(container: str | Path) -> str:
    """The name of a stem file's song: ``SONG`` for ``SONG.stem.mp4``."""
    return Path(container).name[: -len(SUFFIX)]


def stream_paths(container: str | Path) -> dict[str, Path]:
    """The paths of a stem file's streams, by name, in the order of ``STREAMS``."""
    return {name: Path(container) / name for name in STREAMS}
