"""The plan of a run, and two runs that share a store at once."""

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from functools import partial
from types import SimpleNamespace

import h5py
import pytest
from helpers.songs import noise, write_song

from hiphopss import SOURCES, HiphopssError, ReproductionSettings, plan, profile, reproduce
from hiphopss.datasets.features import plan as feature_plan
from hiphopss.datasets.features.plan import FeatureSpeed
from hiphopss.eval.protocols import Scoring
from hiphopss.reproduction import calibration
from hiphopss.reproduction import plan as plan_module
from hiphopss.reproduction.calibration import Calibration, ScoringSpeed, TrainingSpeed
from hiphopss.training.batches import epoch_batches, epoch_size

TINY = replace(profile("quick"), epochs=2, patches=32)
PROGRAM = (
    "import json, logging, sys\n"
    "from dataclasses import replace\n"
    "from hiphopss import ReproductionSettings, profile, reproduce\n"
    "logging.basicConfig(level='INFO', stream=sys.stdout, format='%(name)s %(message)s')\n"
    "tiny = replace(profile('quick'), epochs=2, patches=32)\n"
    "settings = ReproductionSettings(tiny, **json.loads(sys.argv[3]))\n"
    "print('ready', flush=True)\n"
    "sys.stdin.readline()\n"
    "reproduce(sys.argv[1], settings, store=sys.argv[2], progress=False)\n"
)


@pytest.fixture(scope="module")
def settings(tmp_path_factory):
    """Songs of noise, HHDS alone."""
    root = tmp_path_factory.mktemp("data") / "HHDS"
    for number in range(5):
        subset = "Test" if number > 2 else "Dev"
        stems = {s: noise(60000 + 3000 * number, 8 * number + i) for i, s in enumerate(SOURCES)}
        write_song(root, subset, f"{number:03d} - Maker - {number}", stems, gain=0.8)
    return {"hhds": str(root), "models": ["HH", "HH_CS"]}


@pytest.fixture(scope="module")
def at_once(settings, tmp_path_factory):
    """Two runs in one store, begun together: the folder of all, and what each has told."""
    folder = tmp_path_factory.mktemp("runs")
    runs = []
    for name in ("one", "two"):
        arguments = [str(folder / name), str(folder / "store"), json.dumps(settings)]
        command = [sys.executable, "-c", PROGRAM, *arguments]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        runs.append(subprocess.Popen(command, **pipes, text=True))
    for run in runs:
        assert run.stdout.readline() == "ready\n"
    for run in runs:
        run.stdin.write("go\n")
        run.stdin.flush()
    told = [run.communicate(timeout=300) for run in runs]
    assert [run.returncode for run in runs] == [0, 0], told
    return folder, [out.splitlines() for out, _ in told]


def planned(folder, settings, epochs=2, **options):
    chosen = {**settings, "models": tuple(settings["models"])}
    options = {"store": folder / "store", "calibrate": False, **options}
    extent = replace(TINY, epochs=epochs)
    return plan(folder / "new", ReproductionSettings(extent, **chosen), **options)


def states(found):
    return {(line.stage, line.name): line.state for line in found.lines}


@pytest.mark.slow
def test_two_runs_in_one_store_make_each_output_once(at_once):
    folder, told = at_once
    for name in ("metrics.csv", "table1.csv"):
        one, two = ((folder / run / name).read_bytes() for run in ("one", "two"))
        assert one == two
    work = [line.split(" ", 1)[1] for lines in told for line in lines if " " in line]
    steps = ("features", "training", "separation")
    for line in [f"{model}: {step}" for model in ("HH", "HH_CS") for step in steps]:
        assert work.count(line) == 1
    assert work.count("evaluation, protocol sources") == 1
    assert any(": waiting for another run that makes " in line for line in work)
    left = [path for path in folder.rglob(".*") if path.is_file()]
    assert not left
    hashes = json.loads((folder / "store" / "hashes.json").read_text("utf-8"))
    assert len([path for path in hashes if "Sources" in path]) == 5 * 4


@pytest.mark.slow
def test_the_plan_says_what_is_there(at_once, settings):
    folder, _ = at_once
    before = {p: p.stat().st_mtime_ns for p in folder.rglob("*")}
    done = planned(folder, settings)
    assert set(states(done).values()) == {"done"}
    assert (done.seconds, done.n_bytes) == (0, 0)
    assert {p: p.stat().st_mtime_ns for p in folder.rglob("*")} == before
    sizes = {"features": "features/*.h5", "training": "weights/*.weights.h5"}
    for stage, pattern in sizes.items():
        told = sum(line.n_bytes for line in done.lines if line.stage == stage)
        real = sum(path.stat().st_size for path in (folder / "store").glob(pattern))
        # the overhead of HDF5 in weight files, which have few bytes but arrays
        assert told == real if stage == "features" else told == pytest.approx(real, rel=0.1)
    stems = sum(path.stat().st_size for path in (folder / "store").glob("estimates/*/*/*.wav"))
    told = sum(line.n_bytes for line in done.lines if line.stage == "separation")
    assert told == pytest.approx(stems, rel=0.01)  # headers of files


@pytest.mark.slow
def test_the_plan_says_what_is_missing(at_once, settings):
    folder, _ = at_once
    (weights,) = (p for p in folder.glob("store/weights/HH-*.h5") if "checkpoint" not in p.name)
    kept = weights.rename(folder / "kept")
    checkpoint = weights.with_name(weights.name.replace(".weights", ".checkpoint.weights"))
    content = checkpoint.read_bytes()
    with h5py.File(checkpoint, "r+") as file:
        info = json.loads(file.attrs["hiphopss"])
        info["provenance"]["epochs"] = 1
        file.attrs["hiphopss"] = json.dumps(info)
    try:
        found = planned(folder, settings)
    finally:
        kept.rename(weights)
        checkpoint.write_bytes(content)
    assert states(found) == {
        ("features", "HH"): "done",
        ("features", "HH_CS"): "done",
        ("training", "HH"): "1 of 2 epochs",
        ("training", "HH_CS"): "done",
        ("separation", "HH"): "missing",
        ("separation", "HH_CS"): "done",
        ("evaluation", "5 tables"): "4 of 5 tables",
    }
    longer = states(planned(folder, settings, epochs=4))  # goes on from this run
    assert longer["training", "HH"] == longer["training", "HH_CS"] == "2 of 4 epochs"
    assert set(states(planned(folder, settings, store=folder / "other")).values()) == {"missing"}
    assert not (folder / "other").exists()


@pytest.mark.slow
def test_a_full_disk_is_told_before_a_stage(at_once, settings, tmp_path, monkeypatch):
    folder, _ = at_once
    before = sorted(folder.rglob("*"))
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=1000))
    with pytest.raises(HiphopssError, match=r"1\.0 kB free, but the generated HHDS takes"):
        reproduce(tmp_path / "run", ReproductionSettings(TINY), progress=False)
    longer = ReproductionSettings(replace(TINY, epochs=3), hhds=settings["hhds"], models=("HH",))
    with pytest.raises(HiphopssError, match=r"1\.0 kB free, but HH's training takes"):
        reproduce(tmp_path / "run", longer, store=folder / "store", progress=False)
    monkeypatch.undo()
    new = [path.name for path in sorted(folder.rglob("*")) if path not in before]
    assert all(name.endswith(".inputs.json") for name in new)


def test_generated_songs_are_planned_but_not_generated(tmp_path, run, monkeypatch):
    class Known(Calibration):
        features = FeatureSpeed(0.0, 0.001, 0.0)
        training = TrainingSpeed(1000.0, 10.0)
        separation = 0.1

        def scoring(self, how):
            return ScoringSpeed(1.0, 0.01)

        def generating(self, collection):
            return 2.0

    monkeypatch.setattr(plan_module, "Calibration", Known)
    free = 10**12  # this machine may have less than the run writes
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=free))
    command = ("--profile", "paper", "--generated", "--seconds", 240, "--models", "DSD_HH,HH_CS")
    status, text, _ = run("reproduce", "-o", tmp_path / "run", *command, "--plan")
    assert status == 0
    assert not list(tmp_path.iterdir())
    rows = [line.split() for line in text.splitlines()]
    table = {tuple(row[:2]): row for row in rows if len(row) > 4}
    # as measured on the real thing
    assert table["features", "HH_CS"][2:8] == [
        "13",
        "1,456",
        "228,592",
        "3.8",
        "GB",
        table["features", "HH_CS"][7],
    ]
    assert table["training", "HH_CS"][3:5] == ["228,576", str(f"{40 * 7143:,}")]
    assert table["training", "HH_CS"][-4:] == ["MB", "2.5", "h", "missing"]  # and 10 s
    assert ["training", "DSD"] in [row[:2] for row in rows]  # from which DSD_HH starts
    assert table["songs", "generated"][-3:] == ["9.3", "h", "missing"]  # DSD100's 70
    assert text.splitlines()[-1] == f"store: {tmp_path / 'run' / 'store'}"
    assert "(not enough)" not in text
    free = 10**9
    _, text, _ = run("reproduce", "-o", tmp_path / "run", *command, "--plan")
    assert "free: 1.0 GB (not enough)" in text


def test_what_reproduce_refuses_has_no_plan(settings, tmp_path):
    with pytest.raises(HiphopssError, match="DSD: no DSD100 songs to train on"):
        plan(tmp_path / "run", ReproductionSettings(TINY, hhds=settings["hhds"]), calibrate=False)


@pytest.mark.parametrize("n_patches", [5, 32, 100])
@pytest.mark.parametrize("most", [None, 1, 40, 64, 1000])
def test_an_epoch_is_as_long_as_planned(n_patches, most):
    options = {"seed": 0, "epoch": 0, "local_shuffle": True, "patches_per_epoch": most}
    batches = epoch_batches(n_patches, 32, **options)
    assert batches.shape == epoch_size(n_patches, 32, most)


@pytest.mark.slow
def test_this_machine_is_measured(monkeypatch):
    """Each speed is that of real work, so more of it takes longer; how long differs by machine."""
    uncompiled = partial(calibration.compile_model, jit_compile=False)  # which takes a while
    monkeypatch.setattr(calibration, "compile_model", uncompiled)
    monkeypatch.setattr(feature_plan, "_PROBE_SECONDS", 5.0)
    monkeypatch.setattr(calibration, "_TRAINING_S", 0.2)
    monkeypatch.setattr(calibration, "_SONG_S", 5.0)
    monkeypatch.setattr(calibration, "_SCORED_S", (1.0, 4.0))
    measured = Calibration("corrected")
    assert measured.training.patches_per_s > 1
    assert measured.training.start_s > 0
    assert 0 < measured.separation < 100
    assert measured.scoring(Scoring()).seconds(10) > 0
    assert measured.scoring(Scoring()) is measured.scoring(Scoring())
    speed = measured.features
    assert speed.sample_s + speed.source_s + speed.mixture_s > 0


def test_a_plan_is_of_the_chosen_test_set(tmp_path):
    """It refuses what the run would refuse."""
    extent = replace(TINY, seconds=dict.fromkeys(TINY.seconds, 4.0))
    settings = ReproductionSettings(extent, models=("HH",), test_set="hhds-archive")
    with pytest.raises(HiphopssError, match="a generated set, which has no test set"):
        plan(tmp_path / "run", settings, calibrate=False, progress=False)
