"""A vocoder: the spectral envelope of speech, and sound with that envelope at any pitch.

The envelope is the "true envelope" of a cepstrally smoothed spectrum (Roebel & Rodet 2005). Sound
is made of minimum-phase pulses, one a period, and of noise, both filtered by the envelope.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.fft import irfft, rfft

from hiphopss.datasets.generated.effects import RATE
from hiphopss.errors import HiphopssError

SPEECH_RATE = 22050  # Hz, of espeak-ng
HOP = 0.005  # seconds between envelopes
WINDOW = 0.028  # seconds, two periods of a low voice and more
N_FFT = 1024  # of speech; at RATE the same bins take twice as many samples
N_OUT = N_FFT * RATE // SPEECH_RATE
ITERATIONS = 6
PITCHES = (70.0, 350.0)  # Hz, of speech
FLOOR = 1e-5  # of the loudest bin
ROLL_OFF = 0.012  # nepers a bin by which the envelope goes on falling above the speech's Nyquist
GRAIN = 1024  # samples that a pulse's response is heard for
NOISE_HOP = 256  # samples
AIR_HZ = 3000.0  # breath lies above
BATCH = 512  # pulses made at a time


@dataclass(frozen=True)
class Envelope:
    """Envelopes of an utterance.

    Attributes
    ----------
    log_magnitude, phase : np.ndarray of float32 [shape=(n_frames, n_bins)]
        Of minimum-phase responses, in nepers and radians; ``n_bins`` is ``N_OUT // 2 + 1``, from
        0 Hz to half of ``RATE``. Frames are ``HOP`` apart, the first centred on the first sample.
    """

    log_magnitude: np.ndarray
    phase: np.ndarray

    def magnitude_at(self, seconds: np.ndarray) -> np.ndarray:
        """Magnitudes at any times, interpolated [shape=(n_times, n_bins)]."""
        return np.exp(self._between(self.log_magnitude, seconds))

    def response_at(self, seconds: np.ndarray, delay: np.ndarray) -> np.ndarray:
        """Responses at any times, each delayed by some part of a sample."""
        magnitude = self.magnitude_at(seconds)
        omega = (2 * np.pi / N_OUT * np.arange(N_OUT // 2 + 1)).astype(np.float32)
        phase = self._between(self.phase, seconds) - delay.astype(np.float32)[:, None] * omega
        out = np.empty(phase.shape, np.complex64)  # the complex exponential is five times slower
        out.real, out.imag = magnitude * np.cos(phase), magnitude * np.sin(phase)
        return out

    def _between(self, rows: np.ndarray, seconds: np.ndarray) -> np.ndarray:
        place = np.clip(seconds / HOP, 0, len(rows) - 1)
        before = np.minimum(place.astype(int), len(rows) - 2)
        share = (place - before).astype(np.float32)[:, None]
        return rows[before] + share * (rows[before + 1] - rows[before])


def pitch_of(x: np.ndarray, sample_rate: int) -> float:
    """Median pitch in Hz of a voice, from the autocorrelation of its loud frames.

    Parameters
    ----------
    x : np.ndarray [shape=(n_samples,)]
    sample_rate : int
    """
    n = int(0.05 * sample_rate)
    frames = np.lib.stride_tricks.sliding_window_view(x, n)[:: n // 2]
    power = np.mean(frames**2, axis=1)
    frames = frames[power >= 0.3 * power.max()] * np.hanning(n)
    spectrum = np.abs(np.fft.rfft(frames, 2 * n)) ** 2
    lags = (
        np.fft.irfft(spectrum)[:, :n] / np.fft.irfft(np.abs(np.fft.rfft(np.hanning(n), 2 * n)))[:n]
    )
    first, last = (int(sample_rate / hz) for hz in PITCHES[::-1])
    return float(sample_rate / (first + np.median(np.argmax(lags[:, first:last], axis=1))))


def _minimum_phase(log_magnitude: np.ndarray) -> np.ndarray:
    """Logarithms of the responses with that magnitude and the least phase: the folded cepstrum."""
    cepstrum = irfft(log_magnitude.astype(np.float32))
    half = N_OUT // 2
    cepstrum[:, 1:half] *= 2
    cepstrum[:, half + 1 :] = 0
    return rfft(cepstrum)


def analyse(x: np.ndarray, sample_rate: int, *, size: float = 1.0) -> Envelope:
    """Envelopes of speech, every 5 ms.

    Parameters
    ----------
    x : np.ndarray [shape=(n_samples,)]
    sample_rate : int
        Has to be 22050 Hz, as espeak-ng's voices have.
    size : float
        Scales the formants' frequencies; above 1 the vocal tract is shorter.

    Returns
    -------
    envelope : Envelope

    Raises
    ------
    HiphopssError
        If the speech has another rate.
    """
    if sample_rate != SPEECH_RATE:
        raise HiphopssError(
            f"espeak-ng speaks at {sample_rate} Hz, not {SPEECH_RATE}: "
            "pip install --force-reinstall espeakng-loader"
        )
    n, hop = int(WINDOW * sample_rate), HOP * sample_rate
    centres = np.round(np.arange(0, len(x), hop)).astype(int)
    padded = np.pad(x, (n // 2, n))
    window = np.hanning(n)
    frames = padded[centres[:, None] + np.arange(n)] * window
    spectrum = np.abs(np.fft.rfft(frames, N_FFT)) / np.sqrt(np.sum(window**2))
    target = np.log(np.maximum(spectrum, FLOOR * spectrum.max()))
    # a longer cepstrum would follow the partials
    order = int(0.5 * sample_rate / pitch_of(x, sample_rate))
    smooth = target
    for _ in range(ITERATIONS):
        cepstrum = np.fft.irfft(np.maximum(target, smooth))
        cepstrum[:, order : N_FFT - order + 1] = 0
        smooth = np.fft.rfft(cepstrum).real
    bins = np.arange(N_OUT // 2 + 1) / size
    known = np.minimum(bins, N_FFT // 2 - 1)
    below = known.astype(int)
    share = known - below
    rows = (1 - share) * smooth[:, below] + share * smooth[:, below + 1]
    logarithm = _minimum_phase(rows - ROLL_OFF * (bins - known))
    return Envelope(logarithm.real.copy(), logarithm.imag.copy())


def pulses(f0: np.ndarray) -> np.ndarray:
    """Times in samples (with fractions) at which a voice of that pitch pulses.

    Parameters
    ----------
    f0 : np.ndarray [shape=(n_samples,)]
        Pitch in Hz at each sample.
    """
    cycles = np.cumsum(f0) / RATE
    wanted = np.arange(1, int(cycles[-1]) + 1)
    return np.interp(wanted, cycles, np.arange(len(f0)))


def voiced(envelope: Envelope, source: np.ndarray, f0: np.ndarray, level: np.ndarray) -> np.ndarray:
    """Pulses at a pitch with an envelope.

    Parameters
    ----------
    envelope : Envelope
    source : np.ndarray [shape=(n_samples,)]
        Which moment of the speech (in seconds) is heard at each sample.
    f0 : np.ndarray [shape=(n_samples,)]
        Pitch in Hz.
    level : np.ndarray [shape=(n_samples,)]
        Gain.

    Returns
    -------
    x : np.ndarray [shape=(n_samples,)]
    """
    times = pulses(f0)
    starts = times.astype(int)
    gains = level[starts] * np.sqrt(RATE / f0[starts])
    times, starts, gains = (x[gains > 1e-4] for x in (times, starts, gains))
    out = np.zeros(len(f0) + GRAIN)
    fade = np.ones(GRAIN)
    fade[GRAIN // 2 :] = np.cos(np.linspace(0, np.pi / 2, GRAIN // 2)) ** 2
    for first in range(0, len(starts), BATCH):
        part = slice(first, first + BATCH)
        # whole samples only would make the pitch rough
        spectra = envelope.response_at(source[starts[part]], times[part] - starts[part])
        grains = irfft(spectra)[:, :GRAIN] * fade * gains[part, None]
        for start, grain in zip(starts[part], grains, strict=True):
            out[start : start + GRAIN] += grain
    return out[: len(f0)]


def unvoiced(
    envelope: Envelope,
    source: np.ndarray,
    level: np.ndarray,
    air: np.ndarray,
    rng: np.random.Generator,
) -> np.ndarray:
    """Noise with an envelope.

    Parameters
    ----------
    envelope, source, level
        As of :func:`voiced`.
    air : np.ndarray [shape=(n_samples,)]
        Gain of more noise, the breath in a voice, that lies above 3 kHz.
    rng : np.random.Generator

    Returns
    -------
    x : np.ndarray [shape=(n_samples,)]
    """
    n, length = len(source), 2 * NOISE_HOP
    window = np.hanning(length + 1)[:-1]
    starts = np.arange(0, n, NOISE_HOP)
    centres = np.minimum(starts + NOISE_HOP, n - 1)
    noise = np.pad(rng.standard_normal(n), (0, 2 * length))
    frames = noise[starts[:, None] + np.arange(length)] * window
    hz = np.arange(N_OUT // 2 + 1) * RATE / N_OUT
    colour = level[centres, None] + air[centres, None] * np.clip(hz / AIR_HZ, 0.05, 1.0)
    shape = envelope.magnitude_at(source[centres]) * colour
    filtered = irfft(rfft(frames.astype(np.float32), N_OUT) * shape.astype(np.float32))
    out = np.zeros(n + N_OUT)
    for start, frame in zip(starts, filtered, strict=True):
        out[start : start + N_OUT] += frame
    return out[:n]
