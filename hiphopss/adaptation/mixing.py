"""New mixtures of the songs' stems, made while the training runs.

An excerpt has a stem for each source, by default of different songs and times. It is mixed as
samples and then transformed, so phases add up in it as they do in music.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from hiphopss.adaptation.material import Piece
from hiphopss.adaptation.settings import Augmentation
from hiphopss.config import SOURCES, SignalConfig
from hiphopss.signal.transform import magnitude, stft

_EXCERPTS = 48  # that are mixed together, and from which batches are drawn
_FRAMES = 128  # of an excerpt
EVERY = 3
"""Of so many frames of a patch, one has targets: the others would say nearly the same again."""


class MixedBatches:
    """Makes batches of patches of new mixtures.

    Parameters
    ----------
    pieces : sequence of Piece
        Stems, at the network's sampling rate.
    config : SignalConfig
        Settings of the transform and the patches.
    augmentation : Augmentation
        How they are mixed.
    seed : int
        Seed of all choices: equal seeds give equal batches.
    """

    def __init__(
        self,
        pieces: Sequence[Piece],
        config: SignalConfig,
        augmentation: Augmentation,
        *,
        seed: int,
    ):
        self._pieces, self._config, self._how, self._seed = pieces, config, augmentation, seed
        lengths = np.array([piece.n_samples for piece in pieces], float)
        self._weights = lengths / lengths.sum()

    def batches(self, n_batches: int, size: int) -> Iterator[tuple[np.ndarray, ...]]:
        """Yield batches: patches, numbers of the frames with targets, and the targets.

        The next excerpts are mixed in a thread while the batches of these are used.

        Parameters
        ----------
        n_batches, size : int
            Number of batches, and of patches in each.

        Yields
        ------
        mixture : np.ndarray [shape=(size, context, n_bins)]
            Scaled magnitudes of the mixtures.
        frames : np.ndarray of int [shape=(size, n_frames)]
            In every row the same: every third frame, from a random one of the first three.
        targets : np.ndarray [shape=(size, n_sources, n_frames, n_bins)]
            Scaled magnitudes of the stems in these frames.
        """
        n_starts = _FRAMES - self._config.context + 1
        n_each = max(1, _EXCERPTS * n_starts // size)  # each patch is used about once
        with ThreadPoolExecutor(1) as pool:
            coming = pool.submit(self._excerpts, 0)
            for first in range(0, n_batches, n_each):
                mixtures, stems = coming.result()
                number = first // n_each
                if first + n_each < n_batches:
                    coming = pool.submit(self._excerpts, number + 1)
                rng = np.random.default_rng([self._seed, number, 1])
                for _ in range(min(n_each, n_batches - first)):
                    yield self._batch(mixtures, stems, size, rng)

    def _batch(
        self, mixtures: np.ndarray, stems: np.ndarray, size: int, rng: np.random.Generator
    ) -> tuple[np.ndarray, ...]:
        context = self._config.context
        excerpt = rng.integers(len(mixtures), size=size)[:, None]
        first = rng.integers(_FRAMES - context + 1, size=size)[:, None]
        frames = np.arange(rng.integers(EVERY), context, EVERY)[: context // EVERY]
        mixture = mixtures[excerpt, first + np.arange(context)]
        targets = stems[excerpt, first + frames]  # (size, n_frames, n_sources, n_bins)
        return mixture, np.tile(frames, (size, 1)), np.ascontiguousarray(targets.swapaxes(1, 2))

    def _excerpts(self, number: int) -> tuple[np.ndarray, np.ndarray]:
        """Scaled magnitudes of mixtures and of stems, by excerpt, frame (, source) and bin."""
        config, n_bins = self._config, self._config.bins
        mixtures = np.empty((_EXCERPTS, _FRAMES, n_bins), np.float32)
        stems = np.empty((_EXCERPTS, _FRAMES, len(SOURCES), n_bins), np.float32)
        for index in range(_EXCERPTS):
            rng = np.random.default_rng([self._seed, number, 0, index])
            # the first frame is half before the signal
            spectra = stft(self._stems(rng), config, start=1, stop=1 + _FRAMES)
            stems[index] = magnitude(spectra, config).swapaxes(0, 1)
            mixtures[index] = magnitude(spectra.sum(axis=0), config)
        scale = np.float32(config.scale)
        mixtures *= scale
        stems *= scale
        return mixtures, stems

    def _stems(self, rng: np.random.Generator) -> np.ndarray:
        """Samples of the stems of one excerpt, `(n_sources, n_samples)`."""
        how, n_samples = self._how, (_FRAMES + 1) * self._config.hop
        apart = rng.random() < how.apart
        silent = rng.random(len(SOURCES)) < how.silent
        silent &= not silent.all()
        stems = np.zeros((len(SOURCES), n_samples), np.float32)
        place = self._place(rng)
        for index, stem in enumerate(stems):
            place = self._place(rng) if apart else place
            gain = 10 ** (rng.normal(0, how.gain_db) / 20) * rng.choice([-1, 1] if apart else [1])
            if not silent[index]:
                stem[:] = gain * self._excerpt(index, *place, n_samples)
        return stems

    def _place(self, rng: np.random.Generator) -> tuple[Piece, int, float]:
        """A piece, the sample at which the excerpt starts, and its speed."""
        piece = self._pieces[int(rng.choice(len(self._pieces), p=self._weights))]
        start = int(rng.integers(piece.n_samples))
        return piece, start, float(np.exp(rng.normal(0, self._how.speed)))

    @staticmethod
    def _excerpt(source: int, piece: Piece, start: int, speed: float, n_samples: int) -> np.ndarray:
        """Samples of a stem, at another speed; after the end of the piece comes its beginning."""
        n_read = int(n_samples * speed) + 2
        read = np.take(piece.stems[source], np.arange(start, start + n_read), mode="wrap")
        return np.interp(np.arange(n_samples) * speed, np.arange(n_read), read) * piece.scale
