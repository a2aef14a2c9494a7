"""A baseline older than neural networks: supervised non-negative matrix factorisation (NMF).

A dictionary of magnitude spectra is learnt for each source from the stems of the training songs,
with the Kullback-Leibler divergence and multiplicative updates (Lee and Seung 2001). The magnitudes
of a test mixture are then factorised with all dictionaries, which stay fixed, and each source's
share of the result is its soft mask. Transform and masks are of the same kind as the network's, so
the difference of the scores is due to the network.
"""

from __future__ import annotations

import json
import logging
import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from hiphopss.config import SOURCES, SignalConfig
from hiphopss.datasets.songs import Song, find_songs
from hiphopss.datasets.stems import load_stems
from hiphopss.datasets.testsets import training_songs
from hiphopss.errors import HiphopssError
from hiphopss.eval.baselines.baseline import Baseline
from hiphopss.eval.baselines.bounds import RUN, share_out
from hiphopss.signal.reading import Audio
from hiphopss.signal.transform import stft
from hiphopss.util.extras import require
from hiphopss.util.progress import progress_bar

logger = logging.getLogger(__name__)

NMF = "NMF"
"""Name of the model in tables of scores."""

_N_FRAMES = 3000  # frames to learn from for each source; more frames changed little
_LEARN_ITERATIONS = 100
_MASK_ITERATIONS = 60
_FLOOR = 1e-6  # energy relative to the loudest frame (-60 dB); quieter frames are not used


class SupervisedNmf(Baseline):
    """Soft masks from a factorisation with dictionaries that are learnt from training songs.

    The dictionaries for a sampling rate are learnt when they are first needed, and kept.

    Parameters
    ----------
    train_songs : path-like or sequence of Song
        Songs whose stems are used to learn. In a data set in the DSD100 layout, its Dev songs.
    test_songs : sequence of Song
        Songs that will be separated, which must not be used to learn.
    n_components : int
        Number of spectra in the dictionary of a source.
    seed : int
        Seed of the choice of frames and of the initial values.
    config : SignalConfig, optional
        Frame, hop and window; by default the project's (Blackman-Harris, 1024, 512).

    Raises
    ------
    HiphopssError
        If a song is in both, or if there are no songs to learn from.
    """

    model, effort = NMF, 7

    def __init__(
        self,
        train_songs: str | Path | Sequence[Song],
        test_songs: Sequence[Song],
        *,
        n_components: int = 50,
        seed: int = 0,
        config: SignalConfig | None = None,
    ) -> None:
        if n_components < 1:
            raise HiphopssError(f"{n_components} components: give 1 or more")
        require("the baseline NMF", "sklearn")
        self._config = config or SignalConfig()
        self._n_components, self._seed = n_components, seed
        self._train = _training_songs(train_songs)
        own, others = (
            {path for song in songs for path in song.stems.values()}
            for songs in (self._train, test_songs)
        )
        if common := own & others:
            raise HiphopssError(
                f"{min(common)}: a song to train on and to test: take it out of one"
            )
        # The same songs may lie in another half of another data set.
        kept = training_songs(self._train, test_songs)
        dropped = ", ".join(song.name for song in self._train if song not in kept)
        if not kept:
            raise HiphopssError(f"{dropped}: songs to test on: give others for NMF to learn from")
        if dropped:
            logger.warning("NMF doesn't learn from songs to test on: %s", dropped)
        self._train = kept
        self._dictionaries: dict[int, np.ndarray] = {}  # by sampling rate

    @property
    def record(self) -> dict:
        return {
            "model": NMF,
            "n_components": self._n_components,
            "seed": self._seed,
            "trained_on": [song.name for song in self._train],
            "config": json.loads(self._config.to_json()),
        }

    def prepare(self, sample_rate: int, *, progress: bool = False) -> None:
        from threadpoolctl import threadpool_limits

        if sample_rate not in self._dictionaries:
            with threadpool_limits(1):  # so that the last digits don't depend on the machine
                self._dictionaries[sample_rate] = learn_dictionaries(
                    self._train,
                    sample_rate,
                    n_components=self._n_components,
                    seed=self._seed,
                    config=self._config,
                    progress=progress,
                )

    def __call__(self, song: Song, mixture: Audio) -> np.ndarray:
        self.prepare(mixture.sample_rate)
        return nmf_masked(mixture.waveform, self._dictionaries[mixture.sample_rate], self._config)


def _training_songs(songs: str | Path | Sequence[Song]) -> list[Song]:
    """The given songs, or the Dev songs of a data set (all songs of a folder without subsets)."""
    if isinstance(songs, str | Path):
        told, found = songs, [s for s in find_songs(songs) if s.subset in ("Dev", "")]
    else:
        told, found = "the list of songs", list(songs)
    if not found:
        raise HiphopssError(f"{told}: holds no songs of subset 'Dev': give a data set's folder")
    return found


def learn_dictionaries(
    songs: Sequence[Song],
    sample_rate: int,
    *,
    n_components: int,
    seed: int,
    config: SignalConfig,
    progress: bool = False,
) -> np.ndarray:
    """Learn a dictionary for each source.

    Parameters
    ----------
    songs : sequence of Song
        Songs to learn from.
    sample_rate : int
        Sampling rate in Hz, to which stems are resampled.
    n_components, seed, config
        As in :class:`SupervisedNmf`.
    progress : bool
        Show progress bars.

    Returns
    -------
    np.ndarray [shape=(n_sources, n_components, n_bins)]
        Magnitude spectra in single precision, each with sum 1.

    Raises
    ------
    HiphopssError
        If files can't be read.
    """
    from sklearn.decomposition import NMF as Factorisation
    from sklearn.exceptions import ConvergenceWarning

    random = np.random.default_rng(seed)
    frames: list[list[np.ndarray]] = [[] for _ in SOURCES]
    n_wanted = -(-_N_FRAMES // len(songs))  # number of frames from each song
    for song in progress_bar(songs, desc="NMF: listen", unit="song", show=progress):
        for found, stem in zip(frames, load_stems(song, sample_rate), strict=True):
            magnitudes = np.abs(stft(stem, config))  # (n_frames, n_bins)
            energies = np.square(magnitudes).sum(axis=1)
            sounding = np.flatnonzero(energies > _FLOOR * energies.max())
            chosen = random.permutation(sounding)[:n_wanted]
            found.append(magnitudes[np.sort(chosen)])
    learnt = []
    for parts in progress_bar(frames, desc="NMF: learn", unit="source", show=progress):
        heard = np.concatenate(parts)
        if not len(heard):  # the source never sounds, so its estimates are silence
            learnt.append(np.zeros((n_components, config.bins)))
            continue
        model = Factorisation(
            n_components,
            init="random",
            solver="mu",
            beta_loss="kullback-leibler",
            max_iter=_LEARN_ITERATIONS,
            random_state=seed,
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # the limit above is intended
            model.fit(heard)
        spectra = model.components_
        learnt.append(spectra / np.maximum(spectra.sum(axis=1, keepdims=True), 1e-12))
    return np.array(learnt, np.float32)


def nmf_masked(mixture: np.ndarray, dictionaries: np.ndarray, config: SignalConfig) -> np.ndarray:
    """Filter a mixture by the soft masks of its factorisation.

    Parameters
    ----------
    mixture : np.ndarray [shape=(n_samples, n_channels)]
        Mixture at any scale.
    dictionaries : np.ndarray [shape=(n_sources, n_components, n_bins)]
        Dictionaries from :func:`learn_dictionaries`, at the mixture's sampling rate.
    config : SignalConfig
        Frame, hop and window.

    Returns
    -------
    np.ndarray [shape=(n_sources, n_samples, n_channels)]
        Estimates in single precision, which sum to the mixture.
    """
    n_samples, n_channels = mixture.shape
    estimates = np.empty((len(dictionaries), n_samples, n_channels), np.float32)
    for channel in range(n_channels):
        spectrum = stft(mixture[:, channel], config)  # (n_frames, n_bins)
        models = _source_models(np.abs(spectrum).astype(np.float32), dictionaries)
        pieces = (slice(start, start + RUN) for start in range(0, len(spectrum), RUN))
        runs = ((models[:, piece], spectrum[piece]) for piece in pieces)
        share_out(estimates[:, :, channel], runs, config)
    return estimates


def _source_models(magnitudes: np.ndarray, dictionaries: np.ndarray) -> np.ndarray:
    """Magnitudes of the sources in the factorisation `[shape=(n_sources, n_frames, n_bins)]`."""
    n_sources, n_components, n_bins = dictionaries.shape
    joined = dictionaries.reshape(-1, n_bins)  # (n_sources * n_components, n_bins)
    tiny = np.float32(1e-12)
    scale = magnitudes.max(initial=tiny)
    scaled = magnitudes / scale
    # The spectra sum to 1, so the update needs no denominator.
    activations = np.repeat(scaled.sum(axis=1, keepdims=True) / len(joined), len(joined), axis=1)
    for _ in range(_MASK_ITERATIONS):
        ratio = scaled / np.maximum(activations @ joined, tiny)
        activations *= ratio @ joined.T
    by_source = activations.reshape(-1, n_sources, n_components).swapaxes(0, 1)
    return by_source @ dictionaries * scale
