"""A song of noise and tones over which a voice glides: drums, bass and chords come back exactly."""

import numpy as np

RATE = 44100
BEAT = 22058  # samples; a bar of four is two seconds, and no whole number of frames


def looped_song(n_bars=8, *, seed=0):
    """A mixture and its stems `[shape=(n_samples,)]` and `[shape=(4, n_samples)]`, as `SOURCES`."""
    rng = np.random.default_rng(seed)
    bar = np.stack([_bass(rng), _drums(rng), _chord(rng)])
    bass, drums, other = np.tile(bar, n_bars)
    stems = np.stack([_voice(rng, len(bass)), bass, drums, other]).astype(np.float32)
    return stems.sum(axis=0), stems


def _struck(rng, length, decay_s):
    """How a sound that begins at once dies away."""
    t = np.arange(length) / RATE
    return np.minimum(t / 0.002, 1) * np.exp(-t / decay_s) * np.minimum((t[-1] - t) / 0.01, 1)


def _tones(hertz, length, *, n_partials, phases):
    t = np.arange(length) / RATE
    partials = range(1, n_partials + 1)
    return sum(np.sin(2 * np.pi * hertz * k * t + phases[k - 1]) / k for k in partials)


def _bass(rng):
    notes = [_tones(hz, BEAT, n_partials=4, phases=rng.uniform(0, 6, 4)) for hz in (55, 55, 65, 49)]
    return 0.2 * np.concatenate([note * _struck(rng, BEAT, 0.4) for note in notes])


def _drums(rng):
    hits = []
    for beat in range(8):
        noise = rng.normal(0, 1, BEAT // 2)
        if beat % 4 == 0:  # a kick is low
            noise = 8 * np.convolve(noise, np.hanning(400) / 200, mode="same")
        hits.append(noise * _struck(rng, BEAT // 2, 0.04 if beat % 2 else 0.08))
    return 0.15 * np.concatenate(hits)


def _chord(rng):
    notes = [
        _tones(hz, 4 * BEAT, n_partials=6, phases=rng.uniform(0, 6, 6)) for hz in (220, 262, 330)
    ]
    return 0.04 * sum(notes) * _struck(rng, 4 * BEAT, 2.0)


def _voice(rng, n_samples):
    """Phrases that glide, with pauses between."""
    knots = n_samples // RATE + 2
    at = np.arange(n_samples) / RATE
    hertz = np.interp(at, np.arange(knots), rng.uniform(140, 280, knots))
    loud = np.interp(at, np.arange(2 * knots) / 2, rng.integers(0, 2, 2 * knots))
    phase = 2 * np.pi * np.cumsum(hertz) / RATE
    return 0.12 * loud * sum(np.sin(k * phase) / k for k in range(1, 16))
