"""What a feature file takes, told before it is made."""

import json
import re
import shutil
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import pytest
from helpers.songs import noise, write_song

from hiphopss import SOURCES, HiphopssError, SignalConfig, make_features, plan_features
from hiphopss.datasets.features import plan as plan_module
from hiphopss.datasets.features.augmentation import AUGMENTATIONS
from hiphopss.datasets.features.file import FeatureFile
from hiphopss.datasets.features.plan import FeatureSpeed, amount, duration
from hiphopss.datasets.generated import generate
from hiphopss.datasets.generated.hollow import write_hollow
from hiphopss.datasets.roots import generated_songs
from hiphopss.util.locks import locked

SHORT = SignalConfig(block_seconds=0.7)
GB = 1e9


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """Six songs of different lengths, one without vocals, and one to test on."""
    root = tmp_path_factory.mktemp("songs")
    for number in range(7):
        sources = SOURCES[1:] if number == 2 else SOURCES
        stems = {s: noise(30000 + 7001 * number, 8 * number + i) for i, s in enumerate(sources)}
        subset = "Test" if number == 6 else "Dev"
        write_song(root, subset, f"{number:03d} - Mäker - {'long ' * number}", stems)
    return root


@pytest.mark.parametrize("preset", ["released", "corrected"])
@pytest.mark.parametrize("augmentation", AUGMENTATIONS)
def test_patches_and_bytes_are_those_of_the_file(root, tmp_path, augmentation, preset):
    leak = preset == "released" and augmentation in ("circular-shift", "combined")
    options = {
        "augmentation": augmentation,
        "preset": preset,
        "config": SHORT,
        "seed": 3,
        "released_test_leak": leak,
        "store_phase": augmentation == "instrument",
    }
    path = tmp_path / "features.h5"
    plan = plan_features(root, path, **options, calibrate=False)
    assert not path.exists()
    make_features(root, path, **options, progress=False)
    assert plan.n_bytes == path.stat().st_size
    with FeatureFile(path) as file:
        segments = file.segments()
        used = {(part.subset, part.song) for s in segments for part in s.parts if part.song}
        versions = {(s.augmentation, s.version, *s.songs) for s in segments}
        assert plan.n_patches == file.n_patches
    assert plan.n_segments == len(segments)
    assert plan.n_songs == len(used)
    assert plan.n_versions == len(versions)


def test_thirteen_songs_of_four_minutes(tmp_path):
    """The figures that were measured on the files themselves."""
    write_hollow(tmp_path / "set", collection="hhds", seconds=240, n_dev=13, n_test=5, seed=0)
    taken = sum(8 * path.stat().st_blocks // 16 for path in tmp_path.rglob("*.wav"))
    assert taken < 10e6  # 1.9 GB of sound are not there
    plan = plan_features(
        tmp_path / "set", tmp_path / "features.h5", augmentation="CS", calibrate=False
    )
    assert plan.n_patches == 228_592
    assert plan.n_bytes == pytest.approx(3.8 * GB, abs=0.05 * GB)
    assert (plan.n_songs, plan.n_versions, plan.n_segments) == (13, 13 * 14, 13 * 14 * 8)
    assert [path.name for path in tmp_path.iterdir()] == ["set"]


@pytest.mark.parametrize("collection", ["hhds", "dsd100"])
def test_a_hollow_set_is_the_generated_one_without_sound(tmp_path, collection):
    sizes = {"collection": collection, "seconds": 4.0, "n_dev": 1, "n_test": 2, "seed": 7}
    write_hollow(tmp_path / "hollow", **sizes)
    generate(tmp_path / "whole", **sizes, progress=False)

    def told(root):
        songs = [
            [song[key] for key in ("name", "split", "style")] for song in generated_songs(root)
        ]
        files = {p.relative_to(root): p.read_bytes()[:44] for p in root.rglob("*.wav")}
        sizes = {p.relative_to(root): p.stat().st_size for p in root.rglob("*.wav")}
        return songs, files, sizes

    assert told(tmp_path / "hollow") == told(tmp_path / "whole")


def test_the_plan_for_people(root, tmp_path, run, monkeypatch):
    output = tmp_path / "features.h5"
    monkeypatch.setattr(plan_module, "measure_features", lambda *_: FeatureSpeed(1e-6, 0.01, 0.001))
    status, text, _ = run("features", root, "-o", output, "--preset", "corrected", "--plan")
    assert status == 0
    assert not output.exists()
    facts = dict(re.split("  +", line) for line in text.splitlines())
    make_features(root, output, preset="corrected", progress=False)
    with FeatureFile(output) as file:
        n_sources, n_mixtures = len(file.sources), len(file.mixture)
        assert facts["patches"] == f"{file.n_patches:,}"
    assert facts["songs"] == facts["versions"] == facts["segments"] == "6"
    assert facts["size"] == amount(output.stat().st_size)
    n_read = len(SOURCES) * sum(30000 + 7001 * number for number in range(6))
    taken = 1e-6 * n_read + 0.01 * n_sources + 0.001 * n_mixtures
    assert facts["time, about"] == duration(taken)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=1000))
    plan = plan_features(root, output, preset="corrected", calibrate=False)
    assert "1.0 kB (not enough)" in plan.text()
    assert "not measured" in plan.text()


def test_a_file_that_cannot_be_made_has_no_plan(root, tmp_path):
    (tmp_path / "thesis.h5").write_text("a year of work")
    with pytest.raises(HiphopssError, match="is no feature file"):
        plan_features(root, tmp_path / "thesis.h5", calibrate=False)


def test_a_full_disk_is_told_before_anything_is_written(root, tmp_path, run, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=1000))
    status, _, error = run("features", root, "-o", tmp_path / "new" / "features.h5", "-q")
    assert status == 2
    assert "1.0 kB free, but features.h5 takes" in error
    assert len([line for line in error.splitlines() if "error" in line]) == 1
    assert not list(tmp_path.iterdir())


def test_one_file_is_made_by_one_run(root, tmp_path):
    path = tmp_path / "features.h5"

    def other():
        make_features(root, path, preset="corrected", config=SHORT, progress=False)

    with ThreadPoolExecutor(1) as pool:
        with locked(path), pytest.raises(HiphopssError, match=r"features\.h5: another run is mak"):
            pool.submit(other).result()
        assert not list(tmp_path.iterdir())
        pool.submit(other).result()
    with FeatureFile(path) as file:
        assert json.loads(file.config.to_json())["block_seconds"] == SHORT.block_seconds


def test_amounts_and_times_are_told_in_the_unit_that_suits():
    assert [amount(n) for n in (500, 2_340_000, 3_810_000_000)] == ["0.5 kB", "2.3 MB", "3.8 GB"]
    times = [duration(s) for s in (0.04, 9.94, 68, 45 * 60, 6000, 86400, 3.6e6)]
    assert times == ["< 0.1 s", "9.9 s", "68 s", "45 min", "1.7 h", "24 h", "1,000 h"]
