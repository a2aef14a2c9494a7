"""The generated data sets: synthetic stand-ins for sets that can't be shipped, in DSD100's layout.

``"hhds"`` stands in for HHDS (paper, section 3.1): 18 songs of hip hop by one "producer", with a
drum machine, loops and spoken Spanish by 12 voices. ``"dsd100"`` stands in for DSD100, and differs
from the first set as much as DSD100 does from HHDS (paper, section 4.3): rock, pop, folk, heavy,
reggae, electronic and some hip hop, by bands with played drums, with sung and rapped English.
Two more are for separation that makes use of repetition: the beats of ``"loops"`` come back to the
sample, as a studio's software plays them, and nothing in ``"unlooped"`` does. All of it is
synthesised: none of the sets is music that anybody made, and results on them say nothing about
real songs. The properties of collections, styles, instruments, lines and voices are in the TOML
files in ``facts/``.

:mod:`~hiphopss.datasets.generated.hollow` makes a set's files without their sound.
:mod:`~hiphopss.datasets.generated.collection` and :mod:`~hiphopss.datasets.generated.song` say
which songs there are and how one is made; ``producer`` and ``band`` write the music of the first
two sets, ``studio/`` that of loops, and ``unlooped`` keeps songs from repeating; ``instruments/``
and ``vocals/`` play it; ``style``, ``grid``, ``tones``, ``effects`` and ``balance`` serve all of
them. May import :mod:`hiphopss.util`.
"""

from __future__ import annotations

import json
import wave
from pathlib import Path
from typing import Any

from hiphopss.config import SOURCES
from hiphopss.errors import HiphopssError
from hiphopss.util.extras import require
from hiphopss.util.files import sha256_of, written_whole
from hiphopss.util.progress import progress_bar

VERSION = 1
"""Version of the generator, which is raised if a seed gives other audio in any collection."""

MIN_SECONDS = 4.0
MAX_SECONDS = 600.0


def generate(
    root: str | Path,
    *,
    collection: str = "hhds",
    seconds: float | None = None,
    n_dev: int | None = None,
    n_test: int | None = None,
    seed: int = 0,
    progress: bool = True,
) -> Path:
    """Write a generated data set: a stand-in for HHDS or DSD100, or songs with and without loops.

    The folder gets ``Mixtures/{Dev,Test}/<song>/mixture.wav``,
    ``Sources/{Dev,Test}/<song>/{bass,drums,other,vocals}.wav`` (44.1 kHz, 16 bit, mono except for
    some songs of ``"loops"`` and ``"unlooped"``, which are in stereo) and
    ``generated.json``, which describes each song and has the SHA-256 of its files. The folder
    appears when it is complete.
    A mixture is its gain (in ``generated.json``) times the sum of the four written stems,
    rounded to 16 bits. It is normalised in ``"hhds"``, as the paper says about HHDS, and is the
    plain sum in the others.

    Parameters
    ----------
    root : path-like
        Folder to make; it may exist if it is empty.
    collection : str
        ``"hhds"`` (hip hop by one producer, Spanish, 13 Dev and 5 Test songs), ``"dsd100"``
        (several styles, played by bands, English, 16 and 6 songs; of the first six Test songs, the
        first three are hip hop), ``"loops"`` (hip hop of loops that repeat to the sample, 10 and
        12 songs; Dev and Test share no sound and no language) or ``"unlooped"`` (songs that don't,
        6 and 8; ``generated.json`` has the ``kind`` of each). The sets have no song names in
        common.
    seconds : float, optional
        Length of every song, 4..600; by default 30, but 60 to 180 in ``"loops"`` and 60 to 120 in
        ``"unlooped"``, whose songs differ in length.
    n_dev, n_test : int, optional
        Numbers of songs for training and for testing; by default those of the collection. Together
        at most 999; in ``"dsd100"`` at most 949 and 50, because its Test songs are 001-050, and in
        ``"loops"`` and ``"unlooped"`` at most 899 and 100.
    seed : int
        The same seed gives the same bytes on the same machine. Song ``k`` does not depend on the
        number of songs; outside ``"hhds"`` this applies to the ``k``-th song of each split.
    progress : bool
        Show a progress bar on standard error.

    Returns
    -------
    root : pathlib.Path

    Raises
    ------
    HiphopssError
        If an argument makes no sense, the collection does not exist, the folder is not empty, or
        espeak-ng can't be used.
    """
    from hiphopss.datasets.generated.collection import load_collection
    from hiphopss.datasets.generated.song import render_song

    root = Path(root)
    chosen = load_collection(collection)
    n_dev, n_test = chosen.sizes(n_dev, n_test)
    require_sensible(
        root, collection=collection, seconds=seconds, n_dev=n_dev, n_test=n_test, seed=seed
    )
    require("generated songs", "espeakng_loader")
    songs = []
    usual = chosen.facts["seconds"] if seconds is None else seconds
    varied = isinstance(usual, list)
    with (
        written_whole(root.resolve()) as folder,
        progress_bar(total=n_dev + n_test, desc="generate", unit="song", show=progress) as bar,
    ):
        for song in chosen.songs(n_dev, n_test):
            length = chosen.length(song, seconds)
            stems, facts = render_song(chosen, song, seconds=length, seed=seed)
            if varied:
                facts["seconds"] = length
            name = chosen.song_name(song, facts["title"])
            gain = _write_song(folder, song.split, name, stems, chosen.facts.get("mixture_peak"))
            told = {"name": name, "split": song.split, "mixture_gain": gain, **facts}
            songs.append({**told, "sha256": _hashes(folder, song.split, name)})
            bar.update()
        record = {
            "collection": collection,
            "version": VERSION,
            "seed": seed,
            "seconds": usual,
            "songs": songs,
        }
        text = json.dumps(record, ensure_ascii=False, indent=1)
        (folder / "generated.json").write_text(text + "\n", "utf-8")
    return root


def require_sensible(
    root: Path,
    *,
    collection: str = "hhds",
    seconds: float | None,
    n_dev: int | None = None,
    n_test: int | None = None,
    seed: int = 0,
) -> None:
    """Raise :class:`HiphopssError` if arguments of :func:`generate` make no sense."""
    from hiphopss.datasets.generated.collection import load_collection

    chosen = load_collection(collection)
    if seconds is not None and not MIN_SECONDS <= seconds <= MAX_SECONDS:
        raise HiphopssError(
            f"seconds is {seconds:g}: choose a length of {MIN_SECONDS:g} to {MAX_SECONDS:g} s"
        )
    n_dev, n_test = chosen.sizes(n_dev, n_test)
    most = chosen.most(n_dev, n_test)
    if not (0 <= n_dev <= most["Dev"] and 0 <= n_test <= most["Test"] and n_dev + n_test):
        raise HiphopssError(
            f"{n_dev} songs of Dev and {n_test} of Test: choose up to {most['Dev']} and "
            f"{most['Test']}, and one song at least"
        )
    if seed < 0:
        raise HiphopssError(f"seed is {seed}: choose 0 or more")
    if root.exists() and (not root.is_dir() or any(root.iterdir())):
        raise HiphopssError(f"{root}: is there already: choose a new folder or delete this one")


def _hashes(folder: Path, split: str, name: str) -> dict[str, str]:
    """SHA-256 of a song's files, for ``hiphopss verify``."""
    files = {source: folder / "Sources" / split / name / f"{source}.wav" for source in SOURCES}
    files["mixture"] = folder / "Mixtures" / split / name / "mixture.wav"
    return {source: sha256_of(path) for source, path in files.items()}


def _write_song(
    folder: Path, split: str, name: str, stems: dict[str, Any], peak: float | None
) -> float:
    """Write the stems and their sum, scaled to a peak if one is given; return the sum's gain."""
    import numpy as np

    written = {source: np.round(stems[source] * 32767).astype(np.int16) for source in SOURCES}
    total = sum(x.astype(np.int64) for x in written.values())
    gain = 1.0 if peak is None else peak * 32767 / int(np.abs(total).max())
    sources, mixtures = (folder / kind / split / name for kind in ("Sources", "Mixtures"))
    for place in (sources, mixtures):
        place.mkdir(parents=True)
    for source, x in written.items():
        _write_wav(sources / f"{source}.wav", x)
    _write_wav(mixtures / "mixture.wav", np.round(gain * total).astype(np.int16))
    return gain


def _write_wav(path: Path, samples: Any) -> None:
    """Write a file of 16 bit; with a full disk, Python's own module raises ``OSError``."""
    from hiphopss.datasets.generated.effects import RATE

    with open(path, "wb") as out, wave.open(out, "wb") as file:
        n_channels = 1 if samples.ndim == 1 else len(samples)
        file.setparams((n_channels, 2, RATE, samples.shape[-1], "NONE", ""))
        file.writeframes(samples.T.astype("<i2").tobytes())
