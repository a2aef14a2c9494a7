"""Songs of noise in folders, and a BSS Eval that only tells what it was given."""

import numpy as np
import soundfile

from hiphopss import SOURCES
from hiphopss.eval import evaluate

RATE = 8000
N_SAMPLES = 4000


def noise(seed, n_channels=1):
    """Quiet noise [shape=(n_samples, n_channels)]."""
    return 0.1 * np.random.default_rng(seed).standard_normal((N_SAMPLES, n_channels))


def write_song(folder, seed=0, sources=SOURCES, suffix=".wav", n_channels=1, rate=RATE):
    """A song's folder with one stem of noise a source."""
    folder.mkdir(parents=True)
    for index, source in enumerate(sources):
        samples = noise([seed, index], n_channels)
        soundfile.write(folder / f"{source}{suffix}", samples, rate, subtype="PCM_16")


def put(path, samples, rate=RATE, **options):
    """Replace a file."""
    path.parent.mkdir(exist_ok=True)
    soundfile.write(path, samples, rate, **options)


def run(references, estimates, output, **options):
    """Without processes, so that ``scored`` is what scores."""
    return evaluate(references, estimates, output, **{"n_jobs": 1, "progress": False} | options)


def load(folder):
    """Stems of a folder [shape=(n_sources, n_samples)], by their names."""
    return np.array([soundfile.read(folder / f"{source}.wav")[0] for source in SOURCES])
