"""The demo's catalogue: models, and songs that need no upload."""

from __future__ import annotations

import logging
import re
import threading
import tomllib
from collections.abc import Callable, Container, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache, partial
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from hiphopss.config import SOURCES
from hiphopss.datasets.alike import require_alike
from hiphopss.datasets.layouts import is_audio
from hiphopss.datasets.measuring import measure_songs
from hiphopss.datasets.songs import (
    Song,
    find_songs,
    read_songs,
    require_mixture,
    require_stems,
)
from hiphopss.datasets.stems import load_stems, mixture_gain, stem_blocks
from hiphopss.errors import HiphopssError
from hiphopss.util.extras import is_installed, missing
from hiphopss.util.files import sha256_of
from hiphopss.weights.registry import registry, resolve_weights

if TYPE_CHECKING:
    from hiphopss.separation.separator import Separator

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Model:
    """A model for separation.

    Attributes
    ----------
    id, name, description : str
        Id in addresses, and texts for people.
    path : Path
        The weight file.
    separator : Separator
        Separator that is ready to use.
    """

    id: str
    name: str
    description: str
    path: Path
    separator: Separator


def load_models(weights: Iterable[str | Path] | None = None) -> dict[str, Model]:
    """Load the models on offer, by id.

    Parameters
    ----------
    weights : iterable of path-like, optional
        As in :func:`hiphopss.weights.registry.resolve_weights`; by default all shipped weights.

    Raises
    ------
    HiphopssError
        If a weight file can't be used.
    """
    from hiphopss.separation.separator import Separator
    from hiphopss.weights.files import read_info

    shipped = {entry.sha256: entry for entry in registry() if entry.shipped}
    models: dict[str, Model] = {}
    for given in list(weights or (entry.name for entry in shipped.values())):
        path = resolve_weights(given)
        info = read_info(path)
        name = path.name.removesuffix(".pkl").removesuffix(".weights.h5")
        id = _free_id(name, models)
        description = f"Weights of the file {path.name}."
        if info.provenance.get("released_test_leak"):
            description += " They have learnt from test songs of the paper, and do better on those."
        entry = shipped.get(sha256_of(path))
        if entry is not None:
            facts = _facts()["models"].get(entry.name, {})
            name = facts.get("name", name)
            description = facts.get("description", f"Trained on {entry.trained_on}.")
        name = _free_name(name, [model.name for model in models.values()])
        models[id] = Model(id, name, description, path, Separator.from_weights(path))
    return models


@lru_cache
def _facts() -> dict:
    return tomllib.loads(files("hiphopss.demo").joinpath("songs.toml").read_text("utf-8"))


def _free_id(name: str, taken: Container[str]) -> str:
    """Make an unused id that is safe in addresses and file names."""
    plain = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") or "model"
    number, id = 1, plain
    while id in taken or id == "true" or id == "original":
        number += 1
        id = f"{plain}-{number}"
    return id


def _free_name(name: str, taken: Container[str]) -> str:
    """Tell a name from those that are taken: the same weights may be given twice."""
    number, free = 1, name
    while free in taken:
        number += 1
        free = f"{name} ({number})"
    return free


@dataclass(frozen=True)
class OfferedSong:
    """A song on offer, which needs no upload.

    Attributes
    ----------
    id, title : str
        Id in addresses, and title for people.
    seconds : float
        Length of the song.
    true_stems : bool
        Whether the true stems are known.
    files : callable
        Returns the song's files, after making them if the song is generated.
    style : str
        Style of a generated song, in words; empty for others.
    """

    id: str
    title: str
    seconds: float
    true_stems: bool
    files: Callable[[], Song]
    style: str = ""


class GeneratedSongs:
    """The bundled songs from ``songs.toml``; a set is generated when one of its songs is needed.

    Parameters
    ----------
    folder : Path
        Folder for the songs.
    seconds : float
        Length of each song.
    """

    def __init__(self, folder: Path, *, seconds: float = 16.0):
        self._folder = folder
        self._seconds = seconds
        self._facts = _facts()
        self._making = threading.Lock()

    def songs(self) -> list[OfferedSong]:
        """List all songs without generating any; none, and a warning, if that is impossible."""
        if not is_installed("espeakng_loader"):
            logger.warning("%s (they are left out)", missing("generated songs", "espeakng_loader"))
            return []
        return [
            OfferedSong(
                fact["id"],
                fact["title"],
                self._seconds,
                True,
                partial(self._files, fact["set"], fact["subset"]),
                fact["style"],
            )
            for fact in self._facts["songs"]
        ]

    def _files(self, name: str, subset: str) -> Song:
        from hiphopss.datasets.generated import generate

        root = self._folder / name
        with self._making:
            if not root.exists():
                settings = self._facts["sets"][name]
                generate(root, **settings, seconds=self._seconds, n_dev=1, n_test=1, progress=False)
        return read_songs(root, (subset,))[0]


def own_songs(folder: str | Path, taken: Iterable[str] = ()) -> list[OfferedSong]:
    """List the songs in a user's folder; those that can't be used are left out.

    Parameters
    ----------
    folder : path-like
        A data set in a known layout, or a folder with audio files and folders of songs:
        ``<song>/mixture.wav``, with the stems beside it if they are known.
    taken : iterable of str
        Ids of other songs.

    Returns
    -------
    list of OfferedSong
        Songs with stems first, then single files, by name.

    Raises
    ------
    HiphopssError
        If no song is found, or none can be used.

    Logs
    ----
    WARNING
        For each song that is left out because it has stems but no mixture, lacks a stem or has two
        files for one, or has a file that can't be read.
    """
    folder = Path(folder)
    problems: list[HiphopssError] = []
    found = find_songs(folder, left_out=problems.append)
    found += [
        Song(path.stem, "", path, {})
        for path in sorted(folder.iterdir())
        if is_audio(path) and not path.name.startswith(".")
    ]
    if not found and not problems:
        raise HiphopssError(f"{folder}: no songs or audio files in it: name another folder")
    with suppress(HiphopssError):  # said of each song below
        measure_songs(found)
    ids, songs = set(taken), []
    for files_ in found:
        try:
            seconds = _usable_seconds(files_)
        except HiphopssError as error:
            problems.append(error)
            continue
        id = _free_id(files_.name, ids)
        ids.add(id)
        songs.append(
            OfferedSong(id, files_.name, seconds, bool(files_.stems), partial(_same, files_))
        )
    if not songs:
        others = f" (and {len(problems) - 1} more like it)" if problems[1:] else ""
        raise HiphopssError(f"{folder}: no song in it can be used: {problems[0]}{others}")
    for problem in problems:
        logger.warning("%s (the song is left out)", problem)
    return songs


def _usable_seconds(song: Song) -> float:
    """Length of a song; raise if the headers or ends of its files show that it can't be used."""
    if song.stems:
        require_stems(song)
        if song.mixture is None:
            raise HiphopssError(f"{song.folder}: has stems but no mixture.wav: add it")
    common = require_alike([require_mixture(song), *song.stems.values()])
    return common.n_samples / common.sample_rate


def _same(files_: Song) -> Song:
    return files_


def true_stems(song: Song, n_channels: int) -> Iterator[np.ndarray]:
    """Yield a song's stems, scaled so that they sum to its mixture (approximately if mastered).

    Parameters
    ----------
    song : hiphopss.datasets.songs.Song
        Song with stems.
    n_channels : int
        Number of channels of the mixture.

    Yields
    ------
    np.ndarray [shape=(n_sources, n_block, n_channels)]
        Consecutive samples.

    Raises
    ------
    HiphopssError
        If the stems do not belong to the mixture.
    """
    mixture = require_mixture(song)
    common = require_alike([mixture, *song.stems.values()], told=False)
    rate = common.sample_rate
    # A mastered mixture, which is not exactly the scaled sum, matters in training but not here.
    gain = np.float32(mixture_gain(song, load_stems(song, rate), rate, mastered=True))
    for stems in stem_blocks(song.stems, n_channels, common.n_samples):
        yield gain * stems
    if mixture in common.cut:  # tracks that play together have one length
        yield np.zeros((len(SOURCES), common.cut[mixture], n_channels), np.float32)
