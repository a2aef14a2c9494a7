"""Models that are computed from a song's own files, for comparison.

:func:`hiphopss.eval.evaluate` writes no files of them: they are computed, one song at a time, by
the process that scores the song, with the precision of a file of type :data:`SUBTYPE`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

import numpy as np

from hiphopss.datasets.songs import Song
from hiphopss.signal.reading import Audio

SUBTYPE = "FLOAT"
"""Sample type of estimates, which holds 16 and 24-bit mixtures exactly and never clips."""


class Baseline(ABC):
    """A computed model. Instances are pickled and sent to the processes that score.

    Attributes
    ----------
    model : str
        Name of the model in tables of scores.
    effort : int
        Rough ratio of the time for computing the estimates to the time for scoring them.
    """

    model: ClassVar[str]
    effort: ClassVar[int]

    @property
    @abstractmethod
    def record(self) -> dict:
        """Settings of the model, as in ``separation.json``; the key ``model`` is its name."""

    @abstractmethod
    def __call__(self, song: Song, mixture: Audio) -> np.ndarray:
        """Estimate the sources of a song.

        Parameters
        ----------
        song : Song
            The song, with the paths of its files.
        mixture : Audio
            The song's mixture, read exactly.

        Returns
        -------
        np.ndarray [shape=(n_sources, n_samples, n_channels)]
            Estimates with the mixture's channels, as long as the mixture or the shortest file.

        Raises
        ------
        HiphopssError
            If a file can't be read.
        """

    def prepare(self, sample_rate: int, *, progress: bool = False) -> None:  # noqa: B027
        """Prepare what all songs of a sampling rate need, before the model is copied to workers.

        Parameters
        ----------
        sample_rate : int
            Sampling rate in Hz.
        progress : bool
            Show progress bars.

        Raises
        ------
        HiphopssError
            If files can't be read.
        """
