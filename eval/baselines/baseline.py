"""Models that are computed from a song's own files, to compare others with.

:func:`hiphopss.eval.evaluate` has those who score a song compute them, one song at a time, and
writes no files. What is scored then is what a file would have held: :data:`SUBTYPE`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

import numpy as np

from hiphopss.datasets.songs import Song
from hiphopss.signal.reading import Audio

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
            Its mixture, read exactly.

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
