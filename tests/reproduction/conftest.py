"""Data sets that several modules run on."""

import pytest
from helpers.hhds import FOREIGN, HIP_HOP
from helpers.songs import noise, write_song

from hiphopss import SOURCES
from hiphopss.reproduction import results


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Two data sets of noise; one of DSD100's hip-hop songs is in its Dev half."""
    root = tmp_path_factory.mktemp("data")
    songs = [("HHDS", "Dev", f"{n:03d} - Maker - Dev {n}") for n in range(5)]
    songs += [("HHDS", "Test", f"{n:03d} - Maker - Test {n}") for n in range(5, 7)]
    songs += [("DSD100", "Test", name) for name in HIP_HOP]
    songs += [("DSD100", "Dev", name) for name in (FOREIGN[2], "053 - Band - A", "054 - Band - B")]
    for number, (collection, subset, name) in enumerate(songs):
        stems = {
            s: noise(44100 + 5000 * (number % 3), 8 * number + i) for i, s in enumerate(SOURCES)
        }
        write_song(root / collection, subset, name, stems, gain=0.8)
    return {"hhds": str(root / "HHDS"), "dsd100": str(root / "DSD100")}


@pytest.fixture
def undrawn(monkeypatch):
    """Runs draw no figure, which takes a second, for tests of other outputs."""
    monkeypatch.setattr(results, "plot_fig1", lambda *_, **__: None)
