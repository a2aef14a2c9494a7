"""Which patches train and which validate: of other songs, never other patches of the same songs."""

from __future__ import annotations

import logging
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hiphopss.datasets.features.file import FeatureFile
from hiphopss.datasets.features.segments import Segment
from hiphopss.datasets.names import same_song
from hiphopss.errors import HiphopssError

logger = logging.getLogger(__name__)

_MOST = 1 << 16  # validation patches; each takes a third of a training step's time


@dataclass(frozen=True)
class Split:
    """Patches that train and patches that validate.

    Attributes
    ----------
    file : FeatureFile
        File of the training.
    training : np.ndarray [shape=(n_patches,)]
        Its patches that train.
    validation_file : FeatureFile
        File of the validation; the same if a share of its songs is held out.
    validation : np.ndarray [shape=(n_patches,)]
        Its patches that validate, in a fixed random order; none without validation.
    told : dict, optional
        What checkpoints and weight files record of the validation; None without one.
    """

    file: FeatureFile
    training: np.ndarray
    validation_file: FeatureFile
    validation: np.ndarray
    told: dict | None = None

    @property
    def training_songs(self) -> list[str]:
        """Names of the songs that train."""
        return [_name(label) for label in _stems(self.file) if label not in self._held]

    @property
    def training_stems(self) -> dict[str, str]:
        """SHA-256 of the files of the songs that train, by ``<subset>/<song>/<source>``."""
        files = self.file.provenance["sha256"].items()
        return {stem: digest for stem, digest in files if _label(stem) not in self._held}

    @property
    def _held(self) -> list[str]:
        """Labels of the songs of the file that are held out."""
        return self.told["songs"] if self.told and self.validation_file is self.file else []

    def mend_of_infinity(self) -> str:
        """What to do about a loss that is not finite, which depends on the frames. Reads all."""
        for file in (self.file, self.validation_file):
            if not file.is_finite():
                return f"the frames in {file.path} are not, so make this file again"
        return "lower the learning rate"

    def tell(self) -> None:
        """Log which songs validate, and how many patches."""
        if self.told is None:
            return
        n_patches, n_out = len(self.validation), self.file.n_patches - len(self.training)
        logger.info(
            "%s: validation on %d%s patches of %s%s",
            self.validation_file.path,
            n_patches,
            f" of {self.told['patches']}" if self.told["patches"] > n_patches else "",
            ", ".join(self.told["songs"]),
            f"; {n_out} of {self.file.n_patches} patches have these songs in them and do not train"
            if n_out
            else "",
        )


@contextmanager
def split_patches(
    file: FeatureFile, validation: float | str | Path | None, *, seed: int
) -> Iterator[Split]:
    """Divide the patches of a feature file, or take validation patches from another one.

    Parameters
    ----------
    file : FeatureFile
        File of the training.
    validation : float or path-like, optional
        Share of its songs to hold out, at least one of them; or a feature file of other songs,
        which stays open during the context. Of songs that are held out, all versions, and all mixes
        in which one of their sources plays, leave the training; they validate as they are: not
        mixed, and not shifted or muted unless the file has no other version of them.
    seed : int
        Seed of the choice of songs.

    Yields
    ------
    Split

    Raises
    ------
    HiphopssError
        If the other file can't be used, was made with other settings, or has songs of the training;
        or if there are too few songs to divide.
    """
    everything = np.arange(file.n_patches)
    if validation is None:
        yield Split(file, everything, file, everything[:0])
    elif isinstance(validation, float):
        yield _held_out(file, validation, seed)
    else:
        with FeatureFile(validation, file.fidelity) as other:
            _require_comparable(file, other)
            told = {"features": other.identity, "songs": sorted(_stems(other))}
            yield _split(file, everything, other, np.arange(other.n_patches), told)


def _split(
    file: FeatureFile,
    training: np.ndarray,
    validation_file: FeatureFile,
    validation: np.ndarray,
    told: dict,
) -> Split:
    """Make a split; refuse one without patches on a side."""
    for patches, what in ((training, "to train on"), (validation, "to validate on")):
        if not len(patches):
            raise HiphopssError(
                f"{validation_file.path}: the validation leaves no patches {what}: add songs to "
                "the features, or validate with another feature file"
            )
    order = np.random.default_rng(0).permutation(validation)[:_MOST]
    return Split(file, training, validation_file, order, {**told, "patches": len(validation)})


def _held_out(file: FeatureFile, share: float, seed: int) -> Split:
    segments = file.segments()
    playing = [
        {f"{part.subset}/{part.song}" for part in segment.parts if part.song}
        for segment in segments
    ]
    songs = sorted(set().union(*playing))
    if len(songs) < 2:
        raise HiphopssError(
            f"{file.path}: has one song, so that none can be held out: add songs, or validate with "
            "another feature file"
        )
    rng = np.random.default_rng([seed, zlib.crc32(b"validation")])
    n_held = min(max(1, round(share * len(songs))), len(songs) - 1)
    held = sorted(str(song) for song in rng.choice(songs, n_held, replace=False))
    used = np.array([not names.isdisjoint(held) for names in playing])
    plain = np.zeros(len(segments), bool)
    for song in held:
        own = [number for number, names in enumerate(playing) if names == {song}]
        plain[_unaltered(segments, own)] = True
    return _split(
        file,
        np.flatnonzero(~used[file.owners]),
        file,
        np.flatnonzero(plain[file.owners]),
        {"share": share, "songs": held},
    )


def _unaltered(segments: Sequence[Segment], own: list[int]) -> list[int]:
    """Of a song's own segments those with all sources and no shift; all, if there are none."""
    n_sources = {number: sum(bool(p.song) for p in segments[number].parts) for number in own}
    found = [
        number
        for number in own
        if n_sources[number] == max(n_sources.values())
        and not any(part.shift for part in segments[number].parts)
    ]
    return found or own


def _require_comparable(file: FeatureFile, other: FeatureFile) -> None:
    """Raise unless another file has the same settings, and songs of its own."""
    other.config.require_same(file.config, this=str(other.path), that=str(file.path))
    names = [_name(label) for label in _stems(file)]
    contents = set(_stems(file).values())
    both = [
        label
        for label, content in _stems(other).items()
        if content in contents or any(same_song(_name(label), name) for name in names)
    ]
    if both:
        raise HiphopssError(
            f"{other.path}: {len(both)} of its songs train too ({', '.join(sorted(both)[:3])}"
            f"{', ...' if len(both) > 3 else ''}): make it of songs that {file.path} doesn't have"
        )


def _stems(file: FeatureFile) -> dict[str, frozenset[str]]:
    """SHA-256 of the stems of each song, by ``<subset>/<song>``."""
    found: dict[str, set[str]] = {}
    for stem, digest in file.provenance["sha256"].items():
        found.setdefault(_label(stem), set()).add(digest)
    return {label: frozenset(digests) for label, digests in found.items()}


def _label(stem: str) -> str:
    """Label of the song of a stem that is called ``SUBSET/NAME/SOURCE``."""
    return stem.rpartition("/")[0]


def _name(label: str) -> str:
    """Name of a song that is called ``SUBSET/NAME``."""
    return label.partition("/")[2]
