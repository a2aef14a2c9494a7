"""Songs that are only there: of HHDS, the three of DSD100 in its archive, whole data sets."""

import numpy as np
import soundfile
from helpers.songs import RATE, write_song

from hiphopss import SOURCES

FOREIGN = ("001 - ANiMAL - Clinic A", "002 - ANiMAL - Rockshow", "052 - ANiMAL - Easy Tiger")

KNOCKOUT = "027 - M.E.R.C. Music - Knockout"
HIP_HOP = (*FOREIGN[:2], KNOCKOUT)


def write_songs(root, subset, names):
    """Songs of eight samples."""
    for name in names:
        write_song(root, subset, name, {s: np.full(8, i / 9) for i, s in enumerate(SOURCES)})


def write_musdb(root, subset, names):
    """Songs of eight samples in the layout of MUSDB18-HQ; ``subset`` is train or test."""
    for name in names:
        stems = {s: np.full(8, i / 9) for i, s in enumerate(SOURCES)}
        for source, samples in {"mixture": sum(stems.values()), **stems}.items():
            path = root / subset / name / f"{source}.wav"
            path.parent.mkdir(parents=True, exist_ok=True)
            soundfile.write(path, samples, RATE, "PCM_16")


def write_hhds(root):
    """What the archive of HHDS holds: 13 and 5 songs, and the three of DSD100."""
    write_songs(root, "Dev", [f"{n:02d} - Rapper {n % 3} - Song {n}" for n in range(13)])
    write_songs(root, "Test", [f"{n:02d} - Rapper {n % 3} - Song {n}" for n in range(13, 18)])
    write_songs(root, "Dev", FOREIGN[2:])
    write_songs(root, "Test", FOREIGN[:2])
    return root
