"""Fixtures of the scores: songs of noise, and a BSS Eval that only tells what it was given."""

import numpy as np
import pytest
from helpers.eval_songs import write_song
from threadpoolctl import threadpool_info

from hiphopss.eval import song as song_module
from hiphopss.eval.bss.scores import Scores


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

    monkeypatch.setattr(song_module, "References", Fake)
    return calls
