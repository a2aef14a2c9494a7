"""From songs to the report: the eight models, both test sets, and going on after anything."""

import csv
import shutil
from dataclasses import replace
from functools import partial

import pytest
import soundfile
from helpers.eager import uncompiled_steps
from helpers.hhds import HIP_HOP
from helpers.songs import RATE, read_json

from hiphopss import SOURCES, HiphopssError, verify
from hiphopss.datasets.features.file import FeatureFile
from hiphopss.datasets.features.make import make_features
from hiphopss.datasets.songs import read_songs
from hiphopss.eval.table import LEAK_NOTE, read_rows
from hiphopss.reproduction import stages
from hiphopss.reproduction.experiments import TEST_SETS, profile, table1
from hiphopss.reproduction.reproduce import ReproductionSettings, reproduce
from hiphopss.training.loop import train
from hiphopss.training.settings import TrainingSettings
from hiphopss.util.executor import Executor
from hiphopss.weights.converting import convert_weights
from hiphopss.weights.files import read_info

pytestmark = pytest.mark.usefixtures("uncompiled")
TINY = replace(profile("quick"), epochs=2, patches=8)
MODELS = [model.name for model in table1()]
BASELINES = ["mixture", "ideal ratio mask", "NMF"]


@pytest.fixture(scope="module", autouse=True)
def small_batches():
    """Batches of 8 patches: an epoch is one batch, and how long it takes is not under test."""
    with pytest.MonkeyPatch.context() as changed:
        changed.setattr(stages, "TrainingSettings", partial(TrainingSettings, batch_size=8))
        yield


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """What the runs of this module share."""
    return tmp_path_factory.mktemp("store") / "store"


@pytest.fixture(scope="module")
def finished(data, store, tmp_path_factory):
    """A run of all eight models."""
    output = tmp_path_factory.mktemp("run") / "run"
    settings = ReproductionSettings(TINY, **data)
    with uncompiled_steps():
        return output, reproduce(output, settings, store=store, progress=False)


@pytest.mark.slow
def test_eight_models_on_two_test_sets(finished, data, store):
    output, outcome = finished
    rows = read_rows(output / "metrics.csv")
    there = {(row.subset, row.model, row.song, row.source) for row in rows}
    tests = {"HHDS test": [f"00{n} - Maker - Test {n}" for n in (5, 6)], "DSD100 hip-hop": HIP_HOP}
    assert there == {
        (label, model, song, source)
        for label, songs in tests.items()
        for song in songs
        for model in (*MODELS, *BASELINES)
        for source in SOURCES
    }
    assert len(rows) == len(there)
    with open(output / "table1.csv", encoding="utf-8") as file:
        table = list(csv.DictReader(file))
    assert [(line["protocol"], line["model"], line["test_set"]) for line in table] == [
        (protocol, model, label)
        for protocol in ("sources", "released")  # the second because songs of DSD100 are there
        for label in TEST_SETS
        for model in (*MODELS, *BASELINES)
    ]
    one = [row.SDR for row in rows if (row.model, row.subset) == ("HH_CS", "DSD100 hip-hop")]
    line = next(x for x in table if (x["model"], x["test_set"]) == ("HH_CS", "DSD100 hip-hop"))
    assert float(line["SDR_mean"]) == pytest.approx(sum(one) / len(one))
    assert line["description"] == "Trained with HHDS and Circular Shift Augmentation."
    for model in MODELS:
        info = read_info(output / "weights" / f"{model}.weights.h5")
        assert info.provenance["epochs"] == (1 if model == "DSD_HH_2" else 2)
        assert info.provenance["learning_rate"] == (0.1 if model == "DSD_HH_2" else 1.0)
    dsd = read_info(output / "weights" / "DSD.weights.h5").sha256
    for model in ("DSD_HH", "DSD_HH_2"):
        assert read_info(output / "weights" / f"{model}.weights.h5").provenance["init"] == dsd
    assert (output / "fig1.png").stat().st_size > 20_000
    beside = read_rows(output / "metrics_released.csv")
    assert {row.source for row in beside} == {*SOURCES, "accompaniment"}
    assert (output / "fig1_released.png").stat().st_size > 20_000
    assert (output / "fig1.svg").read_text("utf-8").count("HH_COMBI") == 2
    assert "HHDS test: means over songs" in outcome.summary


@pytest.mark.slow
def test_a_run_is_what_its_records_say_back_to_the_songs(finished, data, store):
    output, _ = finished
    found = verify(output, look_in=[store, *data.values()], progress=False)
    assert {finding.state for finding in found.findings} == {"ok"}
    seen = {finding.kind for finding in found.findings}
    assert {"run", "file", "weights", "features", "estimates", "stems", "track", "song"} <= seen


@pytest.mark.slow
def test_the_report_says_what_was_run(finished, data):
    output, _ = finished
    report = (output / "report.md").read_text("utf-8")
    assert "generated songs" not in report
    assert report.count("| HHDS test | HH") >= 5
    assert "### Evaluated as `sources`: BSS Eval v3 sources, mono, whole songs" in report
    assert "### Evaluated as `released`: BSS Eval v3 images, windows of 30 s every 15 s" in report
    assert "(fig1.png)" in report
    assert "(fig1_released.png)" in report
    assert "## Beside the original network's own scores" in report
    assert "| HH_CS | vocals | 3 |" in report
    assert "DSD_HH_2: the lower learning rate is not given anywhere" in report
    assert "preset `corrected`, seed 0" in report
    assert "second test set `paper`: the songs of DSD100's Test half whose style is" in report
    for model in MODELS:
        digest = read_info(output / "weights" / f"{model}.weights.h5").sha256[:16]
        assert any(f"| {model} |" in line and digest in line for line in report.splitlines())
    assert data["hhds"] not in report  # nobody's folders are in it


@pytest.mark.slow
def test_test_songs_are_in_no_features(finished, store):
    files = sorted((store / "features").glob("*.h5"))
    assert len(files) == 6  # HH's is that of the transfer models too
    for path in files:
        with FeatureFile(path) as file:
            used = {part.song for s in file.segments() for part in s.parts if part.song}
        assert used.isdisjoint(HIP_HOP)
        assert not any("Test" in name for name in used)


@pytest.mark.slow
@pytest.mark.usefixtures("undrawn")
def test_nothing_is_done_twice(finished, data, store, tmp_path, monkeypatch):
    def never(*_, **__):
        raise AssertionError("done again")

    for name in ("make_features", "train", "separate_files", "score"):
        monkeypatch.setattr(stages, name, never)
    output, _ = finished
    before = {name: (output / name).read_bytes() for name in ("metrics.csv", "table1.csv")}
    settings = ReproductionSettings(TINY, **data)
    reproduce(output, settings, store=store, progress=False)
    reproduce(tmp_path / "other", settings, store=store, progress=False)  # another run shares all
    for folder in (output, tmp_path / "other"):
        assert {name: (folder / name).read_bytes() for name in before} == before


@pytest.mark.slow
@pytest.mark.usefixtures("undrawn")
def test_baselines_are_computed_by_who_scores(finished, data, store, tmp_path, monkeypatch, lines):
    given, original = [], stages.score

    def score(models, *arguments, where, **options):
        given.append(([model.model for model in models], where))
        return original(models, *arguments, where=Executor(1), **options)

    monkeypatch.setattr(stages, "score", score)
    for table in store.glob("scores/*.csv"):
        if table.name.startswith(("mixture", "ideal-ratio-mask", "HH_IA")):
            table.unlink()
    options = {"store": store, "where": Executor(3), "progress": False}
    reproduce(tmp_path / "again", ReproductionSettings(TINY, **data), **options)
    assert given == 2 * [(["HH_IA", *BASELINES[:2]], Executor(3))]
    assert lines.told == ["evaluation, protocol sources", "evaluation, protocol released"]
    for name in ("metrics.csv", "table1.csv"):
        assert (tmp_path / "again" / name).read_bytes() == (finished[0] / name).read_bytes()
    assert {path.name.partition("-")[0] for path in store.glob("estimates/*")} <= {*MODELS}


@pytest.mark.slow
@pytest.mark.usefixtures("undrawn")
def test_what_changes_is_done_again_and_no_more(finished, data, store, tmp_path, monkeypatch):
    made, original = [], stages.make_features
    monkeypatch.setattr(
        stages, "make_features", lambda *a, **k: made.append(a) or original(*a, **k)
    )
    weights = set((store / "weights").glob("*.weights.h5"))
    longer = ReproductionSettings(replace(TINY, epochs=3), hhds=data["hhds"], models=("HH",))
    reproduce(tmp_path / "longer", longer, store=store, progress=False)
    assert not made
    new = set((store / "weights").glob("*.weights.h5")) - weights
    assert {path.name.partition("-")[0].partition(".")[0] for path in new} == {"HH"}

    changed = str(shutil.copytree(data["hhds"], tmp_path / "hhds"))
    stem = tmp_path / "hhds" / "Sources" / "Dev" / "000 - Maker - Dev 0" / "bass.wav"
    soundfile.write(stem, 0.9 * soundfile.read(stem)[0], RATE, subtype="FLOAT")
    reproduce(
        tmp_path / "changed",
        ReproductionSettings(TINY, hhds=changed, models=("HH",)),
        store=store,
        progress=False,
    )
    assert len(made) == 1
    one, other = (
        read_info(tmp_path / name / "weights" / "HH.weights.h5").sha256
        for name in ("longer", "changed")
    )
    assert one != other


@pytest.mark.slow
@pytest.mark.usefixtures("undrawn")
def test_published_weights_stand_in(data, store, tmp_path, published):
    settings = ReproductionSettings(
        TINY,
        preset="released",
        hhds=data["hhds"],
        models=("DSD", "DSD_HH_2"),
        weights={"DSD": str(published)},
    )
    reproduce(tmp_path / "run", settings, store=store, progress=False)
    digest = read_info(published).sha256
    transferred = read_info(tmp_path / "run" / "weights" / "DSD_HH_2.weights.h5")
    assert transferred.provenance["init"] == digest
    assert (tmp_path / "run" / "weights" / "DSD.pkl").read_bytes() == published.read_bytes()
    report = (tmp_path / "run" / "report.md").read_text("utf-8")
    assert "| DSD | given: `model_hh_fft_1024.pkl`, preset `released` |" in report
    rows = read_rows(tmp_path / "run" / "metrics.csv")
    assert {row.model for row in rows} == {"DSD", "DSD_HH_2", *BASELINES}


@pytest.mark.slow
def test_the_released_test_leak_is_marked_everywhere(data, store, tmp_path, published, request):
    settings = ReproductionSettings(
        TINY,
        preset="released",
        hhds=data["hhds"],
        models=("HH", "HH_CS"),
        released_test_leak=True,
    )
    outcome = reproduce(tmp_path / "run", settings, store=store, progress=False)
    rows = read_rows(outcome.files["metrics"])
    noted = {model: {LEAK_NOTE in r.note for r in rows if r.model == model} for model in MODELS}
    assert noted["HH_CS"] == {True}
    assert noted["HH"] == {False}
    assert read_info(outcome.files["HH_CS"]).provenance["released_test_leak"] is True
    assert read_info(outcome.files["HH"]).provenance["released_test_leak"] is False
    leaked = [
        read_json(path).get("released_test_leak")
        for path in (store / "estimates").glob("HH_CS-*/separation.json")
    ]
    assert True in leaked
    assert "| HH_CS † |" in outcome.files["report"].read_text("utf-8")
    assert "†" in (tmp_path / "run" / "fig1.svg").read_text("utf-8")
    # What starts from such weights is marked too.
    songs = read_songs(data["hhds"], ("Dev",))
    features = make_features(songs, tmp_path / "f.h5", progress=False)
    options = {"init": outcome.files["HH_CS"], "progress": False}
    once = TrainingSettings(epochs=1, batch_size=8, patches_per_epoch=8)
    path = train(features, tmp_path / "t.weights.h5", once, **options)
    assert read_info(path).provenance["released_test_leak"] is True
    with pytest.raises(
        HiphopssError, match=r"trained on test songs \(Q3\), which a \.pkl can't say"
    ):
        convert_weights(outcome.files["HH_CS"], tmp_path / "x.pkl")
    # The published one was, too, and is known by its name.
    request.getfixturevalue("undrawn")
    known = shutil.copy(published, tmp_path / "model_hh_cs_aug_fft_1024.pkl")
    settings = replace(settings, released_test_leak=False, weights={"HH_CS": str(known)})
    outcome = reproduce(tmp_path / "known", settings, store=store, progress=False)
    rows = read_rows(outcome.files["metrics"])
    assert {r.model for r in rows if LEAK_NOTE in r.note} == {"HH_CS"}


def test_what_cannot_be_meant_is_refused_at_once(data, tmp_path, run, monkeypatch):
    monkeypatch.delenv("HHDS_PATH", raising=False)

    def refused(*arguments):
        status, _, error = run("reproduce", "-o", tmp_path / "run", "-q", *arguments)
        assert status == 2
        assert not (tmp_path / "run").exists()
        assert len(error.strip().splitlines()) == 1
        return error

    assert "HHDS_PATH: not set" in refused("--dsd", data["dsd100"])
    assert "no model named 'HHH'" in refused("--hhds", data["hhds"], "--models", "HH,HHH")
    assert "add --preset released" in refused("--released-test-leak")
    assert "write MODEL=FILE" in refused("--weights", "DSD")
    assert "no model named 'FOO'" in refused("--weights", "FOO=x.pkl")
    assert "x.pkl" in refused("--weights", "DSD=x.pkl")
    assert "epochs 0" in refused("--epochs", "0")
    assert "no profile named 'slow'" in refused("--profile", "slow")
    assert "patches an epoch 0" in refused("--patches-per-epoch", "0")
    assert "nowhere: no Dask scheduler answers" in refused("--dask", "nowhere")
    assert "--generated" in refused("--generated", "--hhds", data["hhds"])
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.txt").write_text("a year of work")
    with pytest.raises(HiphopssError, match="a folder with something in it"):
        reproduce(tmp_path / "full", ReproductionSettings(TINY, **data), progress=False)
    with pytest.raises(HiphopssError, match="n_jobs is 0"):
        reproduce(
            tmp_path / "run", ReproductionSettings(TINY, **data), where=Executor(0), progress=False
        )
    assert not (tmp_path / "run").exists()


def test_paper_profile_asks_for_the_data(tmp_path, run, monkeypatch):
    monkeypatch.delenv("HHDS_PATH", raising=False)
    status, _, error = run("reproduce", "-o", tmp_path / "run", "--profile", "paper")
    assert status == 2
    assert "HHDS_PATH" in error


def test_without_dsd100_models_that_need_it_are_refused(data, tmp_path):
    with pytest.raises(HiphopssError, match=r"DSD: no DSD100 songs to train on.*--weights DSD="):
        reproduce(tmp_path / "run", ReproductionSettings(TINY, hhds=data["hhds"]), progress=False)
