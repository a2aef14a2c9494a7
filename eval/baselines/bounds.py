"""Reference rows: estimates that bound the scores of a separation.

With the mixture itself as the estimate of every source, one gets the scores that a separation has
to beat (docs/released-code.md, section 10). The ideal ratio mask, which is computed from the true
sources, is about the best that soft masks on the mixture's short-time spectrum can reach, and the
network's masks are of this kind.
"""

from __future__ import annotations

import json
from collections.abc import Iterable

import numpy as np

from hiphopss.config import SOURCES, SignalConfig
from hiphopss.datasets.songs import Song
from hiphopss.datasets.stems import read_exact
from hiphopss.eval.baselines.baseline import Baseline
from hiphopss.signal.reading import Audio, read_header

RUN = 1024
"""Number of frames of a song whose masks are computed together, in some 40 MB."""

MIXTURE, IDEAL_RATIO_MASK = "mixture", "ideal ratio mask"
"""Names of these models in tables of scores."""


class Mixture(Baseline):
    """The mixture as the estimate of each source."""

    model, effort = MIXTURE, 0

    @property
    def record(self) -> dict:
        return {"model": MIXTURE}

    def __call__(self, song: Song, mixture: Audio) -> np.ndarray:
        return np.broadcast_to(mixture.waveform, (len(SOURCES), *mixture.waveform.shape))


class IdealRatioMask(Baseline):
    """The mixture, filtered by the ideal ratio masks of the sources' magnitudes.

    Parameters
    ----------
    config : SignalConfig, optional
        Frame, hop and window; by default the project's (Blackman-Harris, 1024, 512).
    """

    model, effort = IDEAL_RATIO_MASK, 3

    def __init__(self, config: SignalConfig | None = None) -> None:
        self._config = config or SignalConfig()

    @property
    def record(self) -> dict:
        return {"model": IDEAL_RATIO_MASK, "config": json.loads(self._config.to_json())}

    def __call__(self, song: Song, mixture: Audio) -> np.ndarray:
        # Use the length of the shortest file, because codecs add padding.
        n_samples, n_channels = mixture.waveform.shape
        n_samples = min(n_samples, *(read_header(p).n_samples for p in song.stems.values()))
        sources = read_exact(song.stems, n_samples, n_channels)
        return ideal_ratio_masked(sources, mixture.waveform[:n_samples], self._config)


def ideal_ratio_masked(
    sources: np.ndarray, mixture: np.ndarray, config: SignalConfig
) -> np.ndarray:
    """Filter a mixture by the ideal ratio masks of its sources.

    Parameters
    ----------
    sources : np.ndarray [shape=(n_sources, n_samples, n_channels)]
        True sources.
    mixture : np.ndarray [shape=(n_samples, n_channels)]
        Mixture of the sources, at any scale.
    config : SignalConfig
        Frame, hop and window.

    Returns
    -------
    np.ndarray [shape=(n_sources, n_samples, n_channels)]
        Estimates in single precision, which sum to the mixture.
    """
    from hiphopss.signal.transform import frame_count, stft

    n_samples, n_channels = mixture.shape
    n_frames = frame_count(n_samples, config)
    estimates = np.empty(sources.shape, np.float32)
    for channel in range(n_channels):
        ranges = ((start, min(start + RUN, n_frames)) for start in range(0, n_frames, RUN))
        runs = (
            (
                np.abs(stft(sources[:, :, channel], config, start=start, stop=stop)),
                stft(mixture[:, channel], config, start=start, stop=stop),
            )
            for start, stop in ranges
        )
        share_out(estimates[:, :, channel], runs, config)
    return estimates


def share_out(
    estimates: np.ndarray, runs: Iterable[tuple[np.ndarray, np.ndarray]], config: SignalConfig
) -> None:
    """Divide a spectrum among sources in proportion to their magnitudes.

    Parameters
    ----------
    estimates : np.ndarray [shape=(n_sources, n_samples)]
        Array that is filled with the estimates, which sum to the mixture.
    runs : iterable of (np.ndarray, np.ndarray)
        Consecutive frames: magnitudes of the sources, known or estimated
        `[shape=(n_sources, n_frames, n_bins)]`, and the spectrum of the mixture
        `[shape=(n_frames, n_bins)]`. Where all magnitudes are 0, the sources get equal shares.
    config : SignalConfig
        Frame, hop and window.
    """
    from hiphopss.signal.transform import InverseTransform

    n_sources, n_samples = estimates.shape
    inverse = InverseTransform((n_sources,), np.float64, config)
    end = -config.hop  # end of the samples so far; the first samples precede the signal
    for magnitudes, spectrum in runs:
        magnitudes = magnitudes.astype(np.float64)  # so that the masks sum to 1
        total = magnitudes.sum(axis=0)
        magnitudes[:, total == 0] = 1
        total[total == 0] = n_sources
        samples = inverse.push(magnitudes / total * spectrum)
        begin, end = end, end + samples.shape[1]
        inside = slice(max(begin, 0), min(end, n_samples))
        estimates[:, inside] = samples[:, inside.start - begin : inside.stop - begin]
