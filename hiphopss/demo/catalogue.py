"""What the demo offers: models, and songs that need no upload."""

from __future__ import annotations

import re
import threading
import tomllib
import warnings
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache, partial
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from hiphopss import audio
from hiphopss.config import SOURCES
from hiphopss.errors import HiphopssError
from hiphopss.files import sha256_of
from hiphopss.registry import registry, resolve_weights

if TYPE_CHECKING:
    from hiphopss.datasets.layout import Song as Files
    from hiphopss.separation import Separator


@dataclass(frozen=True)
class Model:
    """A weight file to separate with.

    Attributes
    ----------
    id, name, description : str
        In addresses, and for people.
    separator : Separator
        Ready to use.
    """

    id: str
    name: str
    description: str
    separator: Separator


def load_models(weights: Iterable[str | Path] | None = None) -> dict[str, Model]:
    """The models to choose from, by id.

    Parameters
    ----------
    weights : iterable of path-like, optional
        As :func:`hiphopss.registry.resolve_weights`; by default all that are shipped.

    Raises
    ------
    HiphopssError
        If weights can't be used.
    """
    from hiphopss.separation import Separator
    from hiphopss.weights import read_info

    shipped = {entry.sha256: entry for entry in registry() if entry.shipped}
    models: dict[str, Model] = {}
    for given in list(weights or (entry.name for entry in shipped.values())):
        path = resolve_weights(given)
        info = read_info(path)
        name = path.name.removesuffix(".pkl").removesuffix(".weights.h5")
        id = _free_id(name, models)
        described = f"Preset {info.fidelity.name}"
        entry = shipped.get(sha256_of(path))
        if entry is not None:
            described = f"Trained on {entry.trained_on}. {described}"
            name = _facts()["models"].get(entry.name, name)
        if info.provenance.get("released_test_leak"):
            described += ", trained on test songs (Q3)"
        models[id] = Model(id, name, f"{described}.", Separator.from_weights(path))
    return models


@lru_cache
def _facts() -> dict:
    return tomllib.loads(files("hiphopss.demo").joinpath("songs.toml").read_text("utf-8"))


def _free_id(name: str, taken) -> str:
    """An id that is safe in addresses and in files' names, and isn't taken."""
    plain = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") or "model"
    number, id = 1, plain
    while id in taken or id == "true" or id == "original":
        number += 1
        id = f"{plain}-{number}"
    return id


@dataclass(frozen=True)
class Song:
    """A song that needs no upload.

    Attributes
    ----------
    id, title : str
        In addresses, and for people.
    seconds : float
        Its length.
    true_stems : bool
        Whether its stems are known.
    files : callable
        Gives its files; for a generated song it makes them.
    """

    id: str
    title: str
    seconds: float
    true_stems: bool
    files: Callable[[], Files]


class GeneratedSongs:
    """The bundled songs, as ``songs.toml`` lists them; a set is made when a song of it is needed.

    Parameters
    ----------
    folder : Path
        Where they go.
    seconds : float
        Length of each.
    """

    def __init__(self, folder: Path, *, seconds: float = 16.0):
        self._folder = folder
        self._seconds = seconds
        self._facts = _facts()
        self._making = threading.Lock()

    def songs(self) -> list[Song]:
        """All of them, without making any."""
        return [
            Song(
                fact["id"],
                fact["title"],
                self._seconds,
                True,
                partial(self._files, fact["set"], fact["subset"]),
            )
            for fact in self._facts["songs"]
        ]

    def _files(self, name: str, subset: str) -> Files:
        from hiphopss.datasets.generated import generate
        from hiphopss.datasets.layout import read_songs

        root = self._folder / name
        with self._making:
            if not root.exists():
                settings = self._facts["sets"][name]
                generate(root, **settings, seconds=self._seconds, n_dev=1, n_test=1, progress=False)
        return read_songs(root, (subset,))[0]


def own_songs(folder: str | Path, taken: Iterable[str] = ()) -> list[Song]:
    """The songs in a folder of one's own; those that can't be used are left out.

    Parameters
    ----------
    folder : path-like
        A data set in the layout of DSD100, or a folder with audio files and folders of songs:
        ``<song>/mixture.wav``, with the stems beside it where they are known.
    taken : iterable of str
        Ids that other songs have.

    Returns
    -------
    list of Song
        With stems first, then single files, by name.

    Raises
    ------
    HiphopssError
        If there are none, or none that can be used.

    Warns
    -----
    UserWarning
        For each song that is left out: it has stems but no mixture, lacks a stem, or a file can't
        be read.
    """
    from hiphopss.datasets.layout import Song as Files
    from hiphopss.datasets.layout import find_songs

    folder = Path(folder)
    found = find_songs(folder)
    found += [
        Files(path.stem, "", path, {})
        for path in sorted(folder.iterdir())
        if path.suffix.lower() in audio.AUDIO_SUFFIXES
        and not path.name.startswith(".")
        and not path.is_dir()
    ]
    if not found:
        raise HiphopssError(f"{folder}: no songs or audio files in it: name another folder")
    ids, songs, problems = set(taken), [], []
    for files_ in found:
        try:
            seconds = _usable_seconds(files_)
        except HiphopssError as error:
            problems.append(error)
            continue
        id = _free_id(files_.name, ids)
        ids.add(id)
        songs.append(Song(id, files_.name, seconds, bool(files_.stems), partial(_same, files_)))
    if not songs:
        others = f" (and {len(problems) - 1} more like it)" if problems[1:] else ""
        raise HiphopssError(f"{folder}: no song in it can be used: {problems[0]}{others}")
    for problem in problems:
        warnings.warn(f"{problem} (the song is left out)", stacklevel=2)
    return songs


def _usable_seconds(song: Files) -> float:
    """A song's length; raise if its files, as far as their headers and ends say, can't be used."""
    from hiphopss.datasets.layout import require_stems

    if song.stems:
        require_stems(song)
        if song.mixture is None:
            folder = next(iter(song.stems.values())).parent
            raise HiphopssError(f"{folder}: has stems but no mixture.wav: add it")
    header = audio.read_header(song.mixture, end=True)
    _require_alike(song, header)
    return header.n_samples / header.sample_rate


def _require_alike(song: Files, mixture: audio.Header) -> None:
    """Raise if a stem can't be read, or is not of the mixture's rate, length and channels."""
    for path in song.stems.values():
        stem = audio.read_header(path, end=True)
        alike = (stem.sample_rate, stem.n_samples) == (mixture.sample_rate, mixture.n_samples)
        if not alike or stem.n_channels not in (1, mixture.n_channels):
            raise HiphopssError(
                f"{path}: not of the rate, length and channels of {song.mixture.name}: "
                "export them alike"
            )


def _same(files_: Files) -> Files:
    return files_


def true_stems(song: Files, n_channels: int) -> Iterator[np.ndarray]:
    """A song's stems, scaled so that they sum to its mixture, or nearly so if that is mastered.

    Parameters
    ----------
    song : hiphopss.datasets.layout.Song
        With stems.
    n_channels : int
        Of the mixture.

    Yields
    ------
    np.ndarray [shape=(n_sources, n_block, n_channels)]
        Consecutive samples.

    Raises
    ------
    HiphopssError
        If the stems are not those of the mixture.
    """
    _require_alike(song, audio.read_header(song.mixture))
    gain = np.float32(_mixture_gain(song))
    readers = [audio.read_blocks(path) for path in song.stems.values()]
    for blocks in zip(*readers, strict=True):
        stems = np.zeros((len(SOURCES), len(blocks[0]), n_channels), np.float32)
        for source, block in zip(song.stems, blocks, strict=True):
            stems[SOURCES.index(source)] = gain * block
        yield stems


def _mixture_gain(song: Files) -> float:
    """Gain of a mixture against the sum of its stems."""
    from hiphopss.datasets.layout import load_stems, mixture_gain

    rate = audio.read_header(song.mixture).sample_rate
    stems = load_stems(song, rate)
    with warnings.catch_warnings():
        # That a mastered mixture isn't the scaled sum matters to training, not to who listens.
        warnings.simplefilter("ignore", UserWarning)
        return mixture_gain(song, stems, rate)
