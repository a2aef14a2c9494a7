"""Models that are computed from a song's own files, to compare others with.

:func:`hiphopss.eval.evaluate` has those who score a song compute them, one song at a time, and
writes no files. What is scored then is what a file would have held: :data:`SUBTYPE`.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

import numpy as np

from hiphopss.config import RECORD_NAME, SOURCES
from hiphopss.datasets.layout import Song
from hiphopss.errors import HiphopssError
from hiphopss.eval.folders import Audio, read_mixture
from hiphopss.files import written_whole
from hiphopss.progress import progress_bar

SUBTYPE = "FLOAT"
"""Sample type of estimates: it holds 16 and 24-bit mixtures exactly and never clips."""


class Baseline(ABC):
    """A model that is computed. Instances are pickled for the processes that score.

    Attributes
    ----------
    model : str
        Its name in tables of scores.
    effort : int
        How many times as long it takes as scoring what it gives, roughly.
    """

    model: ClassVar[str]
    effort: ClassVar[int]

    @property
    @abstractmethod
    def record(self) -> dict:
        """What made the estimates, as in ``separation.json``; its key ``model`` is the name."""

    @abstractmethod
    def __call__(self, song: Song, mixture: Audio) -> np.ndarray:
        """Estimate the sources of a song.

        Parameters
        ----------
        song : Song
            Where its files are.
        mixture : Audio
            Its mixture.

        Returns
        -------
        np.ndarray [shape=(n_sources, n_samples, n_channels)]
            With the channels of the mixture, and as long, or as the shortest of the song's files.

        Raises
        ------
        HiphopssError
            If a file can't be read.
        """

    def prepare(self, sample_rate: int, *, progress: bool = False) -> None:  # noqa: B027
        """Do once what all songs of a sampling rate need, before others are given a copy.

        Parameters
        ----------
        sample_rate : int
            In Hz.
        progress : bool
            Show bars.

        Raises
        ------
        HiphopssError
            If files can't be read.
        """


def write_estimates(
    songs: Sequence[Song], output: str | Path, baseline: Baseline, *, progress: bool = False
) -> list[str]:
    """Write a folder of estimates, ``<output>/<song>/<source>.wav``, and what made them.

    Parameters
    ----------
    songs : sequence of Song
        What to separate; they need their mixtures.
    output : path-like
        Folder to write, whole or not at all; it must be new or empty.
    baseline : Baseline
        What separates.
    progress : bool
        Show a bar.

    Returns
    -------
    list of str
        Names of the songs.

    Raises
    ------
    HiphopssError
        If a mixture can't be read, two songs have the same name, or the folder can't be written.
    """
    import soundfile

    names = [song.name for song in songs]
    for name in names:
        if names.count(name) > 1:
            raise HiphopssError(f"{output}: two songs are called {name!r}: say which subset")
    with written_whole(output) as temporary:
        for song in progress_bar(songs, desc=baseline.model, unit="song", show=progress):
            mixture = read_mixture(song)
            folder = temporary / song.name
            folder.mkdir(parents=True)
            for source, samples in zip(SOURCES, baseline(song, mixture), strict=True):
                path = folder / f"{source}.wav"
                soundfile.write(path, samples, mixture.sample_rate, subtype=SUBTYPE)
        text = json.dumps(baseline.record, indent=2, sort_keys=True)
        (temporary / RECORD_NAME).write_text(text + "\n", encoding="utf-8")
    return names
