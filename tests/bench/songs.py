"""Songs of noise, for what reads files."""

from pathlib import Path

import numpy as np
import soundfile

from hiphopss import SOURCES

RATE = 44100
SECONDS = 60.0


def write_songs(root: Path, *, n_songs: int = 3, seconds: float = SECONDS) -> Path:
    """Songs in the layout of DSD100, mono and 16 bit as HHDS has them."""
    random = np.random.default_rng(0)
    for number in range(n_songs):
        stems = 0.05 * random.standard_normal((len(SOURCES), round(seconds * RATE)), np.float32)
        waveforms = dict(zip(SOURCES, stems, strict=True)) | {"mixture": 0.7 * stems.sum(axis=0)}
        for name, waveform in waveforms.items():
            kind = "Mixtures" if name == "mixture" else "Sources"
            folder = root / kind / "Dev" / str(number)
            folder.mkdir(parents=True, exist_ok=True)
            soundfile.write(folder / f"{name}.wav", waveform, RATE, subtype="PCM_16")
    return root
