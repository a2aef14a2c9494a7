"""DSD100 and what stands in for it: whole sets of the right names and halves, with short noise."""

from dataclasses import replace

import numpy as np
import pytest
import soundfile
from helpers.songs import RATE, noise, write_song

from hiphopss import SOURCES
from hiphopss.cli import build_parser
from hiphopss.cli.reproduce import _data_sets
from hiphopss.datasets import musdb18
from hiphopss.datasets.dsd100 import dsd100_songs, listed, listed_song
from hiphopss.datasets.features.audition import audition
from hiphopss.datasets.features.file import FeatureFile
from hiphopss.datasets.roots import facts
from hiphopss.datasets.songs import find_songs, read_songs
from hiphopss.eval.table import read_rows
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
@pytest.mark.usefixtures("uncompiled", "undrawn")
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


def test_the_verbs_take_musdb18_hq_by_itself(sets, published, tmp_path, run):
    """Its test folder is separated and scored, and its parts make features."""
    root, stems = sets / "MUSDB18-HQ", tmp_path / "stems"
    names = [song.name for song in find_songs(root / "test")]
    some = [root / "test" / name for name in names[:2]]
    assert run("separate", *some, "-o", stems, "--weights", published, "-q")[0] == 0
    assert sorted(path.name for path in stems.iterdir() if path.is_dir()) == names[:2]
    status, printed, error = run("evaluate", root, stems, "-o", tmp_path / "scores.csv", "-q")
    assert (status, "Test: means over songs" in printed) == (0, True)
    assert "no estimates, not evaluated" in error
    rows = read_rows(tmp_path / "scores.csv")
    assert {(row.subset, row.song) for row in rows} == {("Test", name) for name in names[:2]}

    features = tmp_path / "validation.h5"
    options = ["--part", "validation", "--preset", "corrected", "-q"]
    status, _, error = run("features", root, "-o", features, *options)
    assert (status, "ANiMAL - " in error) == (0, True)
    with FeatureFile(features) as file:
        used = {part.song for segment in file.segments() for part in segment.parts}
    in_training = {song.name for song in read_songs(root, ("Dev",))}
    assert used == in_training & set(facts()["musdb18"]["validation"]) - {"ANiMAL - Rockshow"}


def test_musdb_path_stands_in_for_dsd_path(sets, tmp_path, run, monkeypatch):
    """DSD100's own variable goes before it."""
    monkeypatch.setenv("HHDS_PATH", str(sets / "HHDS"))
    monkeypatch.setenv("MUSDB_PATH", str(sets / "MUSDB18-HQ"))
    monkeypatch.delenv("DSD_PATH", raising=False)
    chosen = build_parser().parse_args(["reproduce", "-o", "run", "--profile", "paper"])
    assert _data_sets(chosen) == (str(sets / "HHDS"), str(sets / "MUSDB18-HQ"))
    monkeypatch.setenv("DSD_PATH", str(sets / "DSD100"))
    assert _data_sets(chosen) == (str(sets / "HHDS"), str(sets / "DSD100"))
    monkeypatch.delenv("DSD_PATH")
    monkeypatch.setenv("MUSDB_PATH", str(tmp_path / "nowhere"))
    status, _, error = run("reproduce", "-o", tmp_path / "run", "--profile", "paper")
    assert (status, error.count("\n")) == (2, 1)
    assert "MUSDB_PATH=" in error
