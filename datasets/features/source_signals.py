"""Blocks of stems, shifted as in a recipe, and the level of each song."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable

import numpy as np

from hiphopss.config import SOURCES, Fidelity, SignalConfig
from hiphopss.datasets.features.segments import Segment
from hiphopss.datasets.songs import Song
from hiphopss.datasets.stems import load_stems, mixture_gain

# Limit of the memory for stems: the mix augmentation goes through all songs for each block. 13
# songs of 4 minutes fit.
_STEMS_BYTES = 3 << 30


class SourceSignals:
    """Provides blocks of stems, shifted as in a recipe; recently used songs stay in memory.

    Parameters
    ----------
    config : SignalConfig
        Sampling rate.
    fidelity : Fidelity
        How shifts are done (Q7), and at which level songs are used.
    tolerance_s : float
        By how much the files of a song may differ in length, in seconds.
    """

    def __init__(self, config: SignalConfig, fidelity: Fidelity, tolerance_s: float):
        self.config, self.fidelity = config, fidelity
        self._tolerance_s = tolerance_s
        self._stems = _Recent(_STEMS_BYTES)
        self._gains: dict[tuple, float] = {}

    def gain(self, song: Song) -> float:
        """The level of a song: its mixture's gain relative to the sum of its stems, or 1.

        The gain is absolute, since magnitudes do not depend on the polarity of a mixture.
        """
        if song.key not in self._gains:
            self._song_stems(song)
        return self._gains[song.key]

    def waveform(
        self, song: Song, source: str, segment: Segment, *, n_samples: int | None = None
    ) -> np.ndarray:
        """Samples of a source in a segment, at the stem's level.

        Parameters
        ----------
        song : Song
            Song that has the stem.
        source : str
            One of ``SOURCES``.
        segment : Segment
            Segment, in which the source's part gives its shift.
        n_samples : int, optional
            Number of samples to return, from the start; by default all.

        Returns
        -------
        np.ndarray [shape=(n_samples,)]
            A copy, so that it does not keep the whole song in memory.
        """
        index = SOURCES.index(source)
        stem = self._song_stems(song)[index]
        n_samples = segment.n_samples if n_samples is None else n_samples
        begin = segment.start - segment.parts[index].shift
        if not self.fidelity.shift_by_delay:
            begin %= len(stem)
            head = stem[begin : begin + n_samples]
            return np.concatenate([head, stem[: n_samples - len(head)]])
        waveform = np.zeros(n_samples, stem.dtype)
        waveform[max(-begin, 0) :] = stem[max(begin, 0) : max(begin + n_samples, 0)]
        return waveform

    def _song_stems(self, song: Song) -> np.ndarray:
        def load() -> np.ndarray:
            rate, tolerance_s = self.config.sample_rate, self._tolerance_s
            # When the file was laid out, it was told which stems are cut.
            stems = load_stems(song, rate, tolerance_s=tolerance_s, told=False)
            if song.key not in self._gains:
                gain = 1.0
                if self.fidelity.normalised_mixture:
                    gain = mixture_gain(song, stems, rate, tolerance_s=tolerance_s)
                self._gains[song.key] = abs(gain)
            return stems

        return self._stems.get(song.key, load)


class _Recent:
    """The most recently used arrays, up to a number of bytes (and always the newest one)."""

    def __init__(self, n_bytes: int):
        self._limit, self._held = n_bytes, 0
        self._arrays: OrderedDict[Hashable, np.ndarray] = OrderedDict()

    def get(self, key: Hashable, make: Callable[[], np.ndarray]) -> np.ndarray:
        if key not in self._arrays:
            self._arrays[key] = make()
            self._held += self._arrays[key].nbytes
            while self._held > self._limit and len(self._arrays) > 1:
                _, oldest = self._arrays.popitem(last=False)
                self._held -= oldest.nbytes
        self._arrays.move_to_end(key)
        return self._arrays[key]
