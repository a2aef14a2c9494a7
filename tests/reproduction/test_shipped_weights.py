"""How the shipped weights were trained: the program, on a few seconds of songs."""

import pytest

from hiphopss.reproduction import shipped_weights
from hiphopss.util.executor import Executor
from hiphopss.weights.files import read_info


@pytest.mark.slow
@pytest.mark.usefixtures("uncompiled")
def test_the_program_trains_weights_and_goes_on(monkeypatch, tmp_path):
    monkeypatch.setattr(shipped_weights, "SECONDS", 4.0)
    monkeypatch.setattr(shipped_weights, "N_SONGS", {"hhds": 1, "dsd100": 1})
    monkeypatch.setattr(shipped_weights, "Executor", lambda: Executor(1))
    shipped_weights.main([str(tmp_path), "--seeds", "1", "--epochs", "1"])
    info = read_info(tmp_path / "start.weights.h5")
    assert (info.fidelity.name, info.provenance["epochs"]) == ("corrected", 1)
    made = (tmp_path / "features.h5").stat().st_mtime_ns
    shipped_weights.main([str(tmp_path), "--seeds", "1", "--epochs", "2"])
    assert read_info(tmp_path / "start.weights.h5").provenance["epochs"] == 2
    assert (tmp_path / "features.h5").stat().st_mtime_ns == made
