"""HHDS, the hip hop data set of the paper (section 3.1; docs/released-code.md, section 7).

18 songs, 13 Dev and 5 Test, mono, 44.1 kHz, in the layout of DSD100. The archive also holds three
songs of DSD100, which do not belong to HHDS.
"""

from __future__ import annotations

from pathlib import Path

from hiphopss.datasets.roots import all_songs, find_root, warn_unless_complete
from hiphopss.datasets.songs import Song
from hiphopss.datasets.testsets import is_hhds_guest


def hhds_songs(root: str | Path) -> list[Song]:
    """List the songs of HHDS, 13 Dev and 5 Test: those in the archive except the three of DSD100.

    Otherwise as in :func:`hiphopss.datasets.dsd100.dsd100_songs`.
    """
    root = find_root(root)
    songs = [song for song in all_songs(root) if not is_hhds_guest(song)]
    warn_unless_complete("hhds", songs, root)
    return songs
