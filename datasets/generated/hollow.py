"""A generated set's files without their sound: for plans, which need names and lengths alone."""

from __future__ import annotations

import json
import struct
from pathlib import Path

from hiphopss.config import SOURCES
from hiphopss.datasets.generated.collection import load_collection
from hiphopss.datasets.generated.effects import RATE
from hiphopss.datasets.generated.song import song_title
from hiphopss.datasets.generated.style import load


def write_hollow(
    root: Path, *, collection: str, seconds: float, n_dev: int, n_test: int, seed: int
) -> None:
    """Write the set that :func:`hiphopss.generate` would write, as files of silence.

    Songs have the same names, styles and lengths, and files the same format. Their samples are
    reserved, but never written, so they take no space on a disk that can do that.

    Parameters
    ----------
    root : Path
        Folder to make.
    collection, seconds, n_dev, n_test, seed
        As in :func:`hiphopss.generate`.
    """
    chosen = load_collection(collection)
    songs = []
    for song in chosen.songs(n_dev, n_test):
        name = chosen.song_name(song, song_title(chosen, song, seed))
        style = load(chosen.style(song)[0])["label"]
        songs.append({"name": name, "split": song.split, "style": style})
        sources, mixtures = (root / kind / song.split / name for kind in ("Sources", "Mixtures"))
        for place, files in ((sources, SOURCES), (mixtures, ("mixture",))):
            place.mkdir(parents=True)
            for file in files:
                _write_silence(place / f"{file}.wav", round(seconds * RATE))
    record = {"collection": collection, "seed": seed, "seconds": seconds, "songs": songs}
    (root / "generated.json").write_text(json.dumps(record, ensure_ascii=False), "utf-8")


def _write_silence(path: Path, n_samples: int) -> None:
    """Write a WAV file, mono in 16 bit; what a file's end is moved over is zeros."""
    size = 2 * n_samples
    form = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, RATE, 2 * RATE, 2, 16)
    head = struct.pack("<4sI4s", b"RIFF", 4 + len(form) + 8 + size, b"WAVE") + form
    with path.open("wb") as file:
        file.write(head + struct.pack("<4sI", b"data", size))
        file.truncate(file.tell() + size)
