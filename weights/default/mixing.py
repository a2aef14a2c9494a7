"""Mixes of rows of the library, as magnitudes of the mixture and of its four stems.

Rows of different songs are mixed: a stem's row, its excerpt, its speed and its level are drawn for
each mix. A manner of mixing (``mixes`` in ``default.toml``) says how often which kinds are taken,
and how loud the stems are to each other.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import scipy.fft

from hiphopss.config import SOURCES, SignalConfig
from hiphopss.datasets.generated.effects import RATE
from hiphopss.errors import HiphopssError
from hiphopss.signal.transform import analysis_window
from hiphopss.weights.default.facts import FACTS

N_FRAMES = 512
GATE = 1e-3  # of the loudest tenth of a second's power: what counts for a row's level
TENTH = RATE // 10
HELD_OUT = 8  # every eighth row of a kind is for validation


@dataclass(frozen=True)
class Shelf:
    """The rows of one kind of a stem, and their levels.

    Attributes
    ----------
    rows : list of np.ndarray of int16 [shape=(n_samples,)]
    levels : np.ndarray [shape=(n_rows,)]
        Root of the mean square where the row is heard.
    """

    rows: list[np.ndarray]
    levels: np.ndarray


def _level_of(row: np.ndarray) -> float:
    tenths = row[: len(row) // TENTH * TENTH].astype(np.float32).reshape(-1, TENTH)
    power = np.mean(tenths**2, axis=1)
    return float(np.sqrt(power[power >= GATE * power.max()].mean() + 1e-9))


def read_shelves(folder: Path, *, held_out: bool) -> dict[str, dict[str, Shelf]]:
    """The library's rows for training, or those held out, by stem and kind.

    Raises
    ------
    HiphopssError
        If a kind isn't there.
    """
    shelves: dict[str, dict[str, Shelf]] = {}
    for stem, kinds in FACTS["kinds"].items():
        shelves[stem] = {}
        for kind in kinds:
            paths = sorted((folder / stem).glob(f"{kind}-*.npy"))
            found = [row for path in paths for row in np.load(path, mmap_mode="r")]
            chosen = [row for i, row in enumerate(found) if (i % HELD_OUT == 3) == held_out]
            if not chosen:
                raise HiphopssError(f"{folder / stem}: has too few rows of {kind}: make them again")
            levels = np.array([_level_of(row) for row in chosen])
            shelves[stem][kind] = Shelf(chosen, levels)
    return shelves


class Mixer:
    """Draws mixes.

    Parameters
    ----------
    shelves : dict of str to dict of str to Shelf
        From :func:`read_shelves`.
    config : SignalConfig
    rng : np.random.Generator
    """

    def __init__(
        self,
        shelves: dict[str, dict[str, Shelf]],
        config: SignalConfig,
        rng: np.random.Generator,
    ):
        self.shelves, self.config, self.rng = shelves, config, rng
        self._window = analysis_window(config).astype(np.float32)
        self._scale = np.float32(config.scale / np.sqrt(config.frame))

    def mix(self) -> np.ndarray:
        """One mix of a few seconds.

        Returns
        -------
        np.ndarray of float32 [shape=(n_frames, 1 + n_sources, n_bins)]
            Scaled magnitudes of the mixture and of the sources.
        """
        facts, rng = FACTS["mixing"], self.rng
        manners = FACTS["mixes"]
        manner = manners[int(rng.choice(len(manners), p=[m["share"] for m in manners]))]
        stems = np.stack([self._stem(manner, stem) for stem in SOURCES])
        if rng.random() < facts["limited"]:
            stems *= _limiter(stems.sum(axis=0), rng)
        windows = np.lib.stride_tricks.sliding_window_view(stems, self.config.frame, axis=1)
        frames = windows[:, :: self.config.hop] * self._window
        spectra = scipy.fft.rfft(frames, axis=-1) * self._scale
        if rng.random() < facts["lossy"]:  # compressed files end at some frequency
            end = int(rng.uniform(*facts["lossy_hz"]) / self.config.sample_rate * self.config.frame)
            spectra[..., end:] *= 1e-3
        out = np.empty((N_FRAMES, 1 + len(SOURCES), self.config.bins), np.float32)
        out[:, 1:] = np.abs(spectra).transpose(1, 0, 2)
        out[:, 0] = np.abs(spectra.sum(axis=0))
        return out

    def _stem(self, manner: dict[str, Any], stem: str) -> np.ndarray:
        facts, rng = FACTS["mixing"], self.rng
        n = (N_FRAMES + 1) * self.config.hop
        weights = manner["kinds"][stem]
        chances = np.array(list(weights.values()), float)
        kind = list(weights)[int(rng.choice(len(chances), p=chances / chances.sum()))]
        shelf = self.shelves[stem][kind]
        row = int(rng.integers(len(shelf.rows)))
        x = _excerpt(shelf.rows[row], n, float(np.exp(rng.normal(0, facts["speed"]))), rng)
        low, high = manner["levels"][stem]
        level = facts["level"] + rng.uniform(low, high) + rng.normal(0, manner["spread"])
        silent = stem != "drums" and rng.random() < facts["silent"]
        gain = 0.0 if silent else rng.choice([-1, 1]) * 10 ** (level / 20)
        return x * np.float32(gain / shelf.levels[row])


def _excerpt(row: np.ndarray, n: int, speed: float, rng: np.random.Generator) -> np.ndarray:
    """As many samples from anywhere in a row, which goes round, at another speed."""
    start, wanted = int(rng.integers(len(row))), int(n * speed) + 2
    piece = row[start : start + wanted]
    if len(piece) < wanted:
        piece = np.concatenate([piece, row[: wanted - len(piece)]])
    return np.interp(np.arange(n) * speed, np.arange(len(piece)), piece).astype(np.float32)


def _limiter(mixture: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Gains that hold a mixture's peaks down, the same for all stems."""
    step = 256
    peaks = np.maximum.reduceat(np.abs(mixture), np.arange(0, len(mixture), step))
    peaks = np.maximum(peaks, np.roll(peaks, 1))
    threshold = np.percentile(peaks, rng.uniform(40, 95)) + 1e-6
    gains = np.minimum(1, threshold / (peaks + 1e-9)) ** rng.uniform(0.3, 1)
    return np.repeat(gains, step)[: len(mixture)].astype(np.float32)
