"""Songs and weights of another, much smaller transform, so that adapting takes little time."""

import numpy as np
import soundfile

from hiphopss import SOURCES, SignalConfig
from hiphopss.config import resolve_preset
from hiphopss.weights.files import WeightsInfo

RATE = 2000
CONFIG = SignalConfig(sample_rate=RATE, frame=64, hop=32, context=15, overlap=10)
INFO = WeightsInfo(CONFIG, resolve_preset("corrected"))
BANDS = {"vocals": 600, "bass": 60, "drums": 850, "other": 300}


def stem(source, seconds, seed):
    """A tone of the source's own pitch that swells, in a little noise `[shape=(n_samples,)]`."""
    rng = np.random.default_rng([seed, SOURCES.index(source)])
    time = np.arange(round(seconds * RATE)) / RATE
    tone = np.sin(2 * np.pi * BANDS[source] * (1 + 0.02 * rng.random()) * time)
    return 0.2 * tone * np.abs(np.sin(5 * rng.random() * time + seed)) + 0.001 * rng.normal(
        size=len(time)
    )


def write_song(folder, seed=0, seconds=7.0, sources=SOURCES):
    """A song's folder with its stems."""
    folder.mkdir(parents=True)
    for source in sources:
        soundfile.write(folder / f"{source}.wav", stem(source, seconds, seed), RATE, "FLOAT")
    return folder


def write_init(path, **made):
    """A weight file with random weights, which separate badly."""
    from hiphopss.network.model import build_model
    from hiphopss.weights.files import save_weights

    model = build_model(INFO.fidelity, config=CONFIG, seed=0)
    heard = {"songs": ["an older song"], **made}
    save_weights(path, model, config=CONFIG, fidelity=INFO.fidelity, provenance=heard)
    return path
