"""What ``separation.json`` says of a track: the hashes of its file and of its stems.

``hiphopss verify`` compares them. Records have names of files and no paths, so that equal files
give equal records.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from hiphopss.config import SOURCES
from hiphopss.signal.containers import container_of
from hiphopss.util.files import sha256_of

SONGS = "songs"
"""Key of the record under which each track has the name and the SHA-256 of its file."""

STEMS = "stems"
"""Key of a track's entry with the SHA-256 of each of its stems, by source."""


def song_record(path: Path) -> dict[str, str | None]:
    """Name and SHA-256 of the file of a track; the hash is None if it is no plain file."""
    file = container_of(path)
    return {"file": file.name, "sha256": sha256_of(file) if file.is_file() else None}


def stem_hashes(folder: Path) -> dict[str, str]:
    """SHA-256 of the stems in a folder, by source."""
    # They were just written, so that reading them takes less time than hashing.
    with ThreadPoolExecutor(len(SOURCES)) as threads:
        found = threads.map(sha256_of, (folder / f"{source}.wav" for source in SOURCES))
        return dict(zip(SOURCES, found, strict=True))
