"""The period of a loop: the lag at which a song is most like itself.

A beat that is made of loops plays the same samples again, so its waveform is like itself at the
loop's length and at multiples of it, and a voice hardly is. A lag is found in samples of a lower
rate, and then to a fraction of a sample from its multiples.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hiphopss.loops.grid import turns

DECIMATION = 4
"""By what the sampling rate is divided before a period is looked for."""

SHORTEST_S, LONGEST_S = 1.5, 24.0
"""Lengths between which the strongest period is looked for, in seconds."""

_LEAST_HEARD = 3  # times that a song must have room for a loop
_MOST_OF_SONG = 0.6  # a longer lag has too few samples to compare
_WORTH = 0.1  # likeness of copies that are worth comparing
_NEARLY = 0.9  # of the largest likeness
_FINE = 16  # how many times finer than the lower rate's samples a maximum is looked for
_ROWS, _ROWS_CACHED = 1024, 32  # of the matrix by which a song is transformed
_REACH = 24  # samples of the lower rate around a maximum that interpolate it


@dataclass(frozen=True)
class Period:
    """Length of a loop.

    Attributes
    ----------
    samples : float
        Length of the step between copies, in samples of the song, of which there are
        ``DECIMATION`` for each one of the lower rate.
    n_steps : int
        Number of steps in the loop: the shortest period at which the song is nearly as much like
        itself as at any.
    likeness : float
        Largest normalised autocorrelation; 1 would be a song that repeats exactly.
    """

    samples: float
    n_steps: int
    likeness: float

    @property
    def loop(self) -> float:
        """Length of the whole loop in samples."""
        return self.samples * self.n_steps


class Likeness:
    """Normalised autocorrelation of a signal at a lower rate.

    Parameters
    ----------
    waveform : np.ndarray [shape=(n_samples,)]
        The signal at ``rate``, in single precision; at least one sample.
    rate : float
        Its sampling rate in Hz.
    """

    def __init__(self, waveform: np.ndarray, rate: float):
        self.rate = rate
        self.n_samples = n = len(waveform)
        self._products = _autocorrelation(waveform, min(n, int(_MOST_OF_SONG * n) + 2))
        self._energy = np.zeros(n + 1)
        np.cumsum(np.square(waveform), dtype=np.float64, out=self._energy[1:])

    def at(self, lags: np.ndarray) -> np.ndarray:
        """Likeness at whole lags, of up to 0.6 of the song `[shape=(n_lags,)]`.

        It is 0 where there is nothing to compare.
        """
        lags = np.asarray(lags)
        total = self._energy[-1]
        early, late = self._energy[self.n_samples - lags], total - self._energy[lags]
        scale = np.sqrt(early * late)
        quiet = scale <= 1e-6 * total
        return np.where(quiet, 0.0, self._products[lags] / np.where(quiet, 1.0, scale))

    def peak(self, lag: float, reach: int) -> tuple[float, float]:
        """The maximum near a lag, to a fraction of a sample: its lag and its likeness."""
        lags = np.arange(round(lag) - reach, round(lag) + reach + 1)
        middle = int(lags[np.argmax(self.at(lags))])
        around = np.arange(middle - _REACH, middle + _REACH + 1)
        values = self.at(around) * np.hanning(len(around) + 2)[1:-1]
        offsets = np.linspace(-1, 1, 2 * _FINE + 1)
        fine = np.sinc(middle + offsets[:, None] - around) @ values
        best = int(np.argmax(fine))
        return middle + float(offsets[best]), float(self.at(np.array([middle]))[0])


def _autocorrelation(waveform: np.ndarray, n_lags: int) -> np.ndarray:
    """Sums of products of a signal with itself some samples later `[shape=(n_lags,)]`.

    A transform of millions of samples is made of many short ones, which stay in the processor's
    cache and need no memory for a plan of the long one: of the columns of a matrix of the samples,
    whose results are turned, and then of its rows.
    """
    from scipy import fft

    n_columns = fft.next_fast_len(-(-(len(waveform) + n_lags) // _ROWS))
    samples = np.zeros(_ROWS * n_columns, np.float32)  # long enough that no lag meets the other end
    samples[: len(waveform)] = waveform
    spectra = fft.rfft(samples.reshape(_ROWS, -1), axis=0, overwrite_x=True)
    del samples
    for start in range(0, len(spectra), _ROWS_CACHED):
        rows = spectra[start : start + _ROWS_CACHED]
        angles = -2 * np.pi / (_ROWS * n_columns) * np.arange(start, start + len(rows))
        turn = turns(angles, n_columns)
        rows *= turn
        power = np.square(np.abs(fft.fft(rows, axis=1)))
        np.multiply(fft.ifft(power, axis=1), np.conj(turn), out=rows)
    return fft.irfft(spectra, _ROWS, axis=0, overwrite_x=True).reshape(-1)[:n_lags]


def find_period(likeness: Likeness, *, least: float) -> Period | None:
    """Find the period of a song.

    Parameters
    ----------
    likeness : Likeness
        Autocorrelation of the song at the lower rate.
    least : float
        Likeness below which the song has no loop.

    Returns
    -------
    Period or None
        None if nothing repeats.
    """
    rate = likeness.rate
    lags = np.arange(
        round(SHORTEST_S * rate),
        min(round(LONGEST_S * rate), likeness.n_samples // _LEAST_HEARD + 1),
    )
    if not len(lags):
        return None
    values = likeness.at(lags)
    best = int(np.argmax(values))
    if not values[best] >= least:
        return None
    whole = _refined(likeness, float(lags[best]))
    most = max(1, int(whole / (SHORTEST_S * rate)))
    step = whole / max(range(1, most + 1), key=lambda n: _gathered(likeness, whole / n))
    multiples = np.arange(1, round(whole / step) + 1)
    alike = likeness.at((multiples * step).round().astype(int))
    n_steps = int(multiples[np.argmax(alike >= _NEARLY * alike.max())])
    return Period(step * DECIMATION, n_steps, float(values[best]))


def _gathered(likeness: Likeness, step: float) -> float:
    """How much a song is like itself at all multiples of a step, less what they cost."""
    lags = np.arange(1, int(_MOST_OF_SONG * likeness.n_samples / step) + 1) * step
    return float((likeness.at(lags.round().astype(int)) - _WORTH).sum())


def _refined(likeness: Likeness, lag: float) -> float:
    """A period from its multiples: the further away, the more exact."""
    strength = likeness.at(np.array([round(lag)]))[0]
    multiple, reach = 1, 2
    while multiple * lag + _REACH + reach < _MOST_OF_SONG * likeness.n_samples:
        found, value = likeness.peak(multiple * lag, reach)
        if value < 0.5 * strength:
            break
        lag = found / multiple
        multiple += 1
    return lag
