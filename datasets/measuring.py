"""Getting to know the lengths of songs in stem files, which have to be decoded for it."""

from __future__ import annotations

from collections.abc import Iterable

from hiphopss.datasets.songs import Song
from hiphopss.signal.containers import container_of, is_container


def measure_songs(songs: Iterable[Song], *, progress: bool = True) -> None:
    """Get to know the lengths of those songs that are in stem files, which takes a while once.

    Parameters
    ----------
    songs : iterable of Song
        Songs whose files are about to be read.
    progress : bool
        Show a progress bar.

    Raises
    ------
    HiphopssError
        If there are stem files, but ffmpeg isn't on the PATH.
    """
    paths = {container_of(path) for song in songs for path in song.stems.values()}
    found = sorted(filter(is_container, paths))
    if found:
        from hiphopss.signal.decoded import measure

        measure(found, progress=progress)
