"""The generated data set: synthetic hip hop with spoken Spanish vocals, in the DSD100 layout.

It stands in for HHDS, which can't be downloaded: 18 songs by one "producer" with 12 voices. The
songs' facts (kits, patterns, chords, instruments, effects, lines, voices) are in the TOML files
beside this module.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from hiphopss.config import SOURCES
from hiphopss.errors import HiphopssError
from hiphopss.files import written_whole
from hiphopss.progress import progress_bar

VERSION = 1
"""Goes up when the same seed gives other audio."""

MIN_SECONDS = 4.0
MAX_SECONDS = 600.0
MAX_SONGS = 999


def generate(
    root: str | Path,
    *,
    seconds: float = 30.0,
    n_dev: int = 13,
    n_test: int = 5,
    seed: int = 0,
    progress: bool = True,
) -> Path:
    """Write a generated data set.

    The folder gets ``Mixtures/{Dev,Test}/<song>/mixture.wav``,
    ``Sources/{Dev,Test}/<song>/{bass,drums,other,vocals}.wav`` (mono, 44.1 kHz, 16 bit) and
    ``generated.json``, which says what each song is made of. It appears when it is complete.
    A mixture is its gain (in ``generated.json``) times the sum of the four written stems,
    rounded to 16 bits.

    Parameters
    ----------
    root : path-like
        Folder to make; it may exist if it is empty.
    seconds : float
        Length of every song, 4..600.
    n_dev, n_test : int
        Songs to train and to test on.
    seed : int
        The same seed gives the same bytes on the same machine. Song ``k`` does not depend on how
        many songs there are.
    progress : bool
        Show a bar on standard error.

    Returns
    -------
    root : pathlib.Path

    Raises
    ------
    HiphopssError
        If an argument makes no sense, the folder holds something, or espeak-ng can't be used.
    """
    from hiphopss.datasets.generated.song import render_song

    root = Path(root)
    require_sensible(root, seconds=seconds, n_dev=n_dev, n_test=n_test, seed=seed)
    songs = []
    with (
        written_whole(root.resolve()) as folder,
        progress_bar(total=n_dev + n_test, desc="generate", unit="song", show=progress) as bar,
    ):
        for index in range(n_dev + n_test):
            stems, facts = render_song(index, seconds=seconds, seed=seed)
            split = "Dev" if index < n_dev else "Test"
            name = f"{index + 1:03d} - Generated - {facts['title']}"
            gain = _write_song(folder, split, name, stems)
            songs.append({"name": name, "split": split, "mixture_gain": gain, **facts})
            bar.update()
        record = {"version": VERSION, "seed": seed, "seconds": seconds, "songs": songs}
        text = json.dumps(record, ensure_ascii=False, indent=1)
        (folder / "generated.json").write_text(text + "\n", "utf-8")
    return root


def require_sensible(
    root: Path, *, seconds: float, n_dev: int = 13, n_test: int = 5, seed: int = 0
) -> None:
    """Raise :class:`HiphopssError` for arguments of :func:`generate` that can't be meant."""
    if not MIN_SECONDS <= seconds <= MAX_SECONDS:
        raise HiphopssError(
            f"seconds is {seconds:g}: choose a length of {MIN_SECONDS:g} to {MAX_SECONDS:g} s"
        )
    if min(n_dev, n_test) < 1 or n_dev + n_test > MAX_SONGS:
        raise HiphopssError(
            f"n_dev is {n_dev} and n_test {n_test}: choose at least 1 of each and at most "
            f"{MAX_SONGS} together"
        )
    if seed < 0:
        raise HiphopssError(f"seed is {seed}: choose 0 or more")
    if root.exists() and (not root.is_dir() or any(root.iterdir())):
        raise HiphopssError(f"{root}: is there already: choose a new folder or delete this one")


def _write_song(folder: Path, split: str, name: str, stems: dict[str, Any]) -> float:
    """Write the stems and their normalised sum; return the gain of the sum."""
    import numpy as np
    import soundfile as sf

    from hiphopss.datasets.generated.effects import RATE
    from hiphopss.datasets.generated.song import mixture_peak

    written = {source: np.round(stems[source] * 32767).astype(np.int16) for source in SOURCES}
    total = sum(x.astype(np.int64) for x in written.values())
    gain = mixture_peak() * 32767 / int(np.abs(total).max())
    sources, mixtures = (folder / kind / split / name for kind in ("Sources", "Mixtures"))
    for place in (sources, mixtures):
        place.mkdir(parents=True)
    for source, x in written.items():
        sf.write(sources / f"{source}.wav", x, RATE, subtype="PCM_16")
    mixture = np.round(gain * total).astype(np.int16)
    sf.write(mixtures / "mixture.wav", mixture, RATE, subtype="PCM_16")
    return gain
