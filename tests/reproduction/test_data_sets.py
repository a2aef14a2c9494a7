"""DSD100 and what stands in for it: whole sets of the right names and halves, with short noise."""

from dataclasses import replace

import numpy as np
import pytest
import soundfile
from helpers.songs import RATE, noise, write_song

from hiphopss import SOURCES
from hiphopss.datasets import musdb18
from hiphopss.datasets.dsd100 import dsd100_songs, listed, listed_song
from hiphopss.datasets.features.audition import audition
from hiphopss.reproduction.experiments import profile
from hiphopss.reproduction.reproduce import ReproductionSettings, reproduce
from hiphopss.reproduction.songs import choose_songs
from hiphopss.signal.containers import stream_paths

N_SAMPLES = 20_000  # 0.45 s: one patch and a bit


def stems_of(name):
    """The same noise for a song, in whichever set it is."""
    seed = sum(name.encode())
    samples = {source: noise(N_SAMPLES, seed + n) for n, source in enumerate(SOURCES)}
    return {source: np.round(0.2 * 32767 * x) / 32768 for source, x in samples.items()}


@pytest.fixture(scope="module")
def sets(tmp_path_factory):
    """HHDS in small, DSD100 (100 songs), MUSDB18-HQ (150) and MUSDB18's names (150)."""
    root = tmp_path_factory.mktemp("sets")
    for number in range(5):
        name = f"{number:03d} - Maker - Song {number}"
        write_song(root / "HHDS", "Dev" if number < 3 else "Test", name, stems_of(name))
    for song in listed():
        stems = {s: x.astype(np.float32) for s, x in stems_of(song.name).items()}
        write_song(root / "DSD100", song.subset, song.folder_name, stems)
    for place, song in enumerate(musdb18.listed()):
        # Whatever half a song has here, that of DSD100 counts.
        half = "train" if place % 3 else "test"
        stems = stems_of(song.name)
        folder = root / "MUSDB18-HQ" / half / song.name
        folder.mkdir(parents=True)
        for name, samples in {"mixture": sum(stems.values()), **stems}.items():
            soundfile.write(folder / f"{name}.wav", samples, RATE, "FLOAT")
        (root / "MUSDB18" / half).mkdir(parents=True, exist_ok=True)
        (root / "MUSDB18" / half / f"{song.name}.stem.mp4").write_bytes(b"")
    return root


def test_each_set_gives_the_same_songs(sets):
    expected = [(song.subset, song.folder_name) for song in listed()]
    expected.sort()
    for name in ("DSD100", "MUSDB18-HQ", "MUSDB18"):
        assert [song.key for song in dsd100_songs(sets / name)] == expected
    of_file = dsd100_songs(sets / "MUSDB18")[0]
    assert of_file.stems.items() <= stream_paths(of_file.folder).items()


def test_each_set_gives_the_same_training_and_test_songs(sets):
    chosen = [
        choose_songs({"HHDS": sets / "HHDS", "DSD100": sets / name})
        for name in ("DSD100", "MUSDB18-HQ")
    ]
    for songs in chosen:
        assert [listed_song(song.name).number for song in songs.tests["DSD100 hip-hop"]] == [
            *(1, 2, 27)
        ]
        assert [listed_song(song.name).number for song in songs.dev["DSD100"]] == list(
            range(51, 101)
        )


@pytest.mark.slow
def test_each_set_gives_the_same_table(sets, tmp_path):
    tables = []
    for name in ("DSD100", "MUSDB18-HQ"):
        settings = ReproductionSettings(
            replace(profile("paper"), epochs=1),
            hhds=str(sets / "HHDS"),
            dsd100=str(sets / name),
            models=("DSD",),
        )
        outcome = reproduce(tmp_path / name, settings, progress=False)
        tables.append(outcome.files["table1"].read_bytes())
        (features,) = (tmp_path / name / "store" / "features").glob("*.h5")
        assert audition(features, 0, tmp_path / name / "heard", dataset=sets / name)
        report = outcome.files["report"].read_text("utf-8")
        assert "027 - M.E.R.C. Music - Knockout" in report
        assert "second test set `paper`" in report
    assert tables[0] == tables[1]
