"""Songs that are only there: of HHDS, and the three of DSD100 in its archive."""

import numpy as np
from helpers.songs import write_song

from hiphopss import SOURCES

FOREIGN = ("001 - ANiMAL - Clinic A", "002 - ANiMAL - Rockshow", "052 - ANiMAL - Easy Tiger")


def write_songs(root, subset, names):
    """Songs of eight samples."""
    for name in names:
        write_song(root, subset, name, {s: np.full(8, i / 9) for i, s in enumerate(SOURCES)})


def write_hhds(root):
    """What the archive of HHDS holds: 13 and 5 songs, and the three of DSD100."""
    write_songs(root, "Dev", [f"{n:02d} - Rapper {n % 3} - Song {n}" for n in range(13)])
    write_songs(root, "Test", [f"{n:02d} - Rapper {n % 3} - Song {n}" for n in range(13, 18)])
    write_songs(root, "Dev", FOREIGN[2:])
    write_songs(root, "Test", FOREIGN[:2])
    return root
