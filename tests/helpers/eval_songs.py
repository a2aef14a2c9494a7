"""Songs of noise in folders, and shorter ways to score them."""

import json
from dataclasses import fields

import numpy as np
import soundfile

from hiphopss import SOURCES
from hiphopss.datasets.stems import read_mixture
from hiphopss.eval.baselines.baseline import SUBTYPE
from hiphopss.eval.evaluation import Baselines, evaluate
from hiphopss.eval.matching import Estimates
from hiphopss.eval.protocols import Scoring
from hiphopss.eval.scoring import score
from hiphopss.util.executor import Executor

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


def settings(**options):
    """Options of :class:`Scoring`, :class:`Executor` and :class:`Baselines` as those objects."""
    for name, kind in (("how", Scoring), ("where", Executor), ("baselines", Baselines)):
        own = {field.name for field in fields(kind)} & options.keys()
        if own:
            options[name] = kind(**{option: options.pop(option) for option in own})
    return options


def run(references, estimates, output, **options):
    """Without processes, so that ``scored`` is what scores."""
    options = {"n_jobs": 1, "progress": False} | options
    return evaluate(references, estimates, output, **settings(**options))


def computed(baseline, songs, **options):
    """What a baseline scores on songs, one of them after the other."""
    found = settings(n_jobs=1, **options)
    return score([Estimates.computed(baseline, songs)], progress=False, **found)


def estimated(baseline, song):
    """What a baseline makes of a song [shape=(n_sources, n_samples, n_channels)]."""
    return baseline(song, read_mixture(song))


def write_estimates(folder, baseline, songs):
    """A folder of what a baseline makes of songs, as a model's that has its name."""
    for song in songs:
        mixture = read_mixture(song)
        (folder / song.name).mkdir(parents=True)
        for source, samples in zip(SOURCES, baseline(song, mixture), strict=True):
            path = folder / song.name / f"{source}.wav"
            soundfile.write(path, samples, mixture.sample_rate, subtype=SUBTYPE)
    (folder / "separation.json").write_text(json.dumps(baseline.record), encoding="utf-8")
    return folder


def load(folder):
    """Stems of a folder [shape=(n_sources, n_samples)], by their names."""
    return np.array([soundfile.read(folder / f"{source}.wav")[0] for source in SOURCES])
