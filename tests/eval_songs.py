"""Songs of noise in folders, and a BSS Eval that only tells what it was given."""

import numpy as np
import pytest
import soundfile
from threadpoolctl import threadpool_info

from hiphopss import SOURCES
from hiphopss.eval import Scores, evaluate, scoring

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


@pytest.fixture
def references(tmp_path):
    """Two test songs and a training song in the layout of DSD100."""
    root = tmp_path / "data"
    for seed, (subset, song) in enumerate([("Test", "b"), ("Test", "a"), ("Dev", "c")]):
        write_song(root / "Sources" / subset / song, seed)
    (root / "Sources" / "Test" / ".hidden").mkdir()
    return root


@pytest.fixture
def estimates(tmp_path):
    """Estimates of the two test songs."""
    for seed, song in enumerate("ab"):
        write_song(tmp_path / "net" / song, 10 + seed)
    (tmp_path / "net" / ".hidden").mkdir()
    (tmp_path / "net" / "notes.txt").write_text("not a song")
    return tmp_path / "net"


@pytest.fixture
def scored(monkeypatch):
    """In place of BSS Eval: SDR is the mean of the reference, SIR that of the estimate."""
    calls = []

    class Fake:
        def __init__(self, references, *, mode, window, hop, engine, keep):
            self.call = {"references": np.asarray(references), "mode": mode}
            self.call |= {"window": window, "hop": hop, "keep": keep, "estimates": []}
            self.call["threads"] = max(library["num_threads"] for library in threadpool_info())
            calls.append(self.call)

        def score(self, estimates):
            self.call["estimates"].append(np.asarray(estimates))
            signals = self.call["references"], self.call["estimates"][-1]
            sdr, sir = (signal.mean(axis=(1, 2))[:, None] for signal in signals)
            empty = np.full(sdr.shape, "")
            return Scores(sdr, sir, sdr, np.full(sdr.shape, np.nan), np.zeros(1, int), empty)

    monkeypatch.setattr(scoring, "References", Fake)
    return calls


def run(references, estimates, output, **options):
    """Without processes, so that ``scored`` is what scores."""
    return evaluate(references, estimates, output, **{"n_jobs": 1, "progress": False} | options)


def load(folder):
    """Stems of a folder [shape=(n_sources, n_samples)], by their names."""
    return np.array([soundfile.read(folder / f"{source}.wav")[0] for source in SOURCES])
