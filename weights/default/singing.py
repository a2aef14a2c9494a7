"""Speech put to a melody with the WORLD vocoder: other pitches, longer vowels, another throat."""

from __future__ import annotations

import numpy as np

from hiphopss.util.extras import require
from hiphopss.weights.default.kokoro import RATE
from hiphopss.weights.default.plan import Plan

FRAME = 0.005  # seconds
SHORTEST = 0.14  # seconds of a note
GLIDE = 0.02  # seconds, standard deviation of the slide between notes
FADE_IN = 0.3  # seconds until a held note has its vibrato


def sing(
    x: np.ndarray, plan: Plan, *, centre: float, throat: float, rng: np.random.Generator
) -> np.ndarray:
    """Sing a spoken phrase.

    Parameters
    ----------
    x : np.ndarray [shape=(n_samples,)]
        Speech at 24 kHz.
    plan : Plan
        Gives the key.
    centre : float
        MIDI note around which the melody lies.
    throat : float
        Scales the formants' frequencies; below 1 the vocal tract is longer.
    rng : np.random.Generator

    Returns
    -------
    x : np.ndarray [shape=(n_samples,)]
        At 24 kHz; longer than the speech.
    """
    require("singing", "pyworld")
    import pyworld

    x = np.ascontiguousarray(x, np.float64)
    pitch, times = pyworld.dio(x, RATE, frame_period=1000 * FRAME)
    pitch = pyworld.stonemask(x, pitch, times, RATE)
    envelope = pyworld.cheaptrick(x, pitch, times, RATE)
    noise = pyworld.d4c(x, pitch, times, RATE)
    voiced = pitch > 0
    stretch = np.where(voiced, rng.uniform(1.2, 2.4), 1.0)
    places = np.interp(
        np.arange(0, stretch.sum()),
        np.concatenate([[0], np.cumsum(stretch)]),
        np.arange(len(pitch) + 1),
    )
    places = np.minimum(places.astype(int), len(pitch) - 1)
    envelope, noise, voiced = envelope[places], noise[places], voiced[places]
    bins = np.arange(envelope.shape[1]) / throat
    sources = np.minimum(bins.astype(int), envelope.shape[1] - 1)
    sung = _melody(np.log(envelope.sum(axis=1) + 1e-12), plan, centre, rng)
    return pyworld.synthesize(
        np.where(voiced, sung, 0.0),
        np.ascontiguousarray(envelope[:, sources]),
        np.ascontiguousarray(noise[:, sources]),
        RATE,
        1000 * FRAME,
    )


def _melody(
    loudness: np.ndarray, plan: Plan, centre: float, rng: np.random.Generator
) -> np.ndarray:
    """Pitch in Hz of each frame: a new note of the scale wherever the voice dips."""
    width = round(0.06 / FRAME)
    smooth = np.convolve(loudness, np.hanning(width) / np.hanning(width).sum(), "same")
    dips = np.flatnonzero((smooth[1:-1] < smooth[:-2]) & (smooth[1:-1] <= smooth[2:])) + 1
    keys = [plan.pitch(degree) for degree in range(7)]
    notes = sorted(12 * octave + key for octave in range(-1, 10) for key in keys)
    place = int(np.argmin(np.abs(np.array(notes) - centre)))
    home, last = place, -np.inf
    midi, age = np.empty(len(loudness)), np.empty(len(loudness))
    begin = 0
    for dip in [*dips.tolist(), len(loudness)]:
        if dip - last < SHORTEST / FRAME and dip < len(loudness):
            continue
        midi[begin:dip], age[begin:dip] = notes[place], np.arange(dip - begin) * FRAME
        step = int(rng.choice([-2, -1, -1, 0, 0, 1, 1, 2])) + round(0.3 * (home - place))
        place, begin, last = place + step, dip, dip
    reach = round(3 * GLIDE / FRAME)
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) * FRAME / GLIDE) ** 2)
    midi = np.convolve(np.pad(midi, reach, mode="edge"), kernel / kernel.sum(), "valid")
    depth, hz = rng.uniform(0, 0.45), rng.uniform(4.5, 6.5)
    wobble = depth * np.clip(age / FADE_IN - 0.5, 0, 1)
    midi += wobble * np.sin(2 * np.pi * hz * np.arange(len(midi)) * FRAME)
    drift = np.convolve(rng.standard_normal(len(midi) + 40), np.ones(41) / 41, "valid")
    return 440 * 2 ** ((midi + 0.3 * drift - 69) / 12)
