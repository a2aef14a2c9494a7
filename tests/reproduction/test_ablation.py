"""What each quirk does: which switches are turned, what is paired, and a tiny run."""

import csv
from dataclasses import asdict, fields, replace

import pytest
from helpers.songs import noise, write_song

from hiphopss import PRESETS, SOURCES, AblationSettings, Fidelity, ablate
from hiphopss.eval.aggregate import confidence_interval
from hiphopss.eval.table import Row, read_rows
from hiphopss.reproduction import stages
from hiphopss.reproduction.ablation_report import effect_lines
from hiphopss.reproduction.experiments import profile, table1
from hiphopss.reproduction.quirks import NULL, comparisons, measure, quirks
from hiphopss.weights.files import read_info

TINY = replace(profile("quick"), epochs=1, patches=32)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """A data set of noise: three songs to train on, two to test on."""
    root = tmp_path_factory.mktemp("data")
    for number, subset in enumerate(("Dev", "Dev", "Dev", "Test", "Test")):
        stems = {s: noise(40000, 8 * number + i) for i, s in enumerate(SOURCES)}
        write_song(root, subset, f"{number:03d} - Maker - {subset}", stems, gain=0.8)
    return str(root)


def test_every_switch_of_the_presets_is_turned():
    switches = {name: value for quirk in quirks() for name, value in quirk.switch.items()}
    differing = {
        field.name
        for field in fields(Fidelity)
        if len({getattr(preset, field.name) for preset in PRESETS.values()}) == 2
    }
    # These two have no number: they decide which songs are used, not what is done with them.
    which_songs = {"mix_drops_remainder", "skip_songs_without_vocals"}
    assert switches.keys() == differing - which_songs | {"standalone_separation"}
    for name in differing - which_songs:
        assert switches[name] == getattr(PRESETS["released"], name)
    assert {model for quirk in quirks() for model in quirk.models} <= {m.name for m in table1()}


@pytest.mark.parametrize(
    ("preset", "word", "sign"), [("released", "without", -1), ("corrected", "with", 1)]
)
def test_one_switch_is_turned_at_a_time(preset, word, sign):
    base = asdict(PRESETS[preset])
    found = comparisons(preset)
    assert [(c.quirk.name, c.model.name) for c in found if c.model.name != "HH"] == [
        *(("Q4", "HH_MA"), ("Q4", "HH_IA"), ("Q5", "HH_MA"), ("Q7", "HH_CS"), ("Q11", "HH_CS"))
    ]
    for comparison in found:
        turned = {
            name for name, value in asdict(comparison.fidelity).items() if value != base[name]
        }
        assert turned == set(comparison.quirk.switch)
        if comparison.quirk.name not in (NULL, "Q6"):
            assert comparison.label == f"{comparison.model.name}-{word}-{comparison.quirk.name}"
            assert comparison.sign == sign
    q6 = next(c for c in found if c.quirk.name == "Q6")
    assert (q6.label, q6.sign) == ("HH-with-Q6", 1)  # it is in neither preset


def rows_of(model, scores):
    """Rows of one seed: ``scores`` by song; every source is a dB better than the one before."""
    return [
        Row(song, "Test", source, 0.0, score + i, 0.0, 0.0, None, model)
        for song, score in scores.items()
        for i, source in enumerate(SOURCES)
    ]


def test_songs_and_seeds_are_two_sources_of_chance():
    (q9, null) = comparisons("released", names=["Q9"])
    songs = ("a", "b", "c")
    own = {0: (1.0, 5.0, 3.0), 1: (2.0, 4.0, 6.0)}
    # Taking Q9 away gives 2 dB with one seed and loses 1 dB with the other, whatever the song, but
    # for a little that differs between songs.
    change = {0: (2.1, 2.0, 1.9), 1: (-0.9, -1.0, -1.1)}
    scores = {
        seed: rows_of("HH", dict(zip(songs, own[seed], strict=True)))
        + rows_of(
            "HH-without-Q9",
            {s: a + b for s, a, b in zip(songs, own[seed], change[seed], strict=True)},
        )
        for seed in own
    }
    effects = measure([q9, null], scores)
    assert [(e.quirk, e.source) for e in effects] == [("Q9", s) for s in (*SOURCES, "mean")]
    for effect in effects:  # the quirk's effect is the score with it minus the score without
        assert effect.by_seed == pytest.approx({0: -2.0, 1: 1.0})
        assert effect.by_song == pytest.approx({"a": -0.6, "b": -0.5, "c": -0.4})
        assert effect.mean == pytest.approx(-0.5)
        assert effect.ci95_songs == pytest.approx(confidence_interval([-0.6, -0.5, -0.4]))
        assert effect.ci95_seeds == pytest.approx(confidence_interval([-2.0, 1.0]))
        assert effect.ci95_songs < 0.5 < effect.ci95_seeds
        assert effect.stands_out is False  # songs alone would say that it does
    line = effect_lines(effects, [q9, null], "Test")[-1]
    assert "| -0.50 | ± 0.25 | ± 19.06 | -2.00 +1.00 |" in line
    assert line.endswith("| no |")


def test_what_stands_out_and_what_nobody_can_tell():
    (q9, _) = comparisons("corrected", names=["Q9"])

    def effect(with_it, without, seeds=(0, 1)):
        scores = {s: rows_of("HH", without) + rows_of("HH-with-Q9", with_it) for s in seeds}
        return measure([q9], scores)[-1]

    clear = effect({"a": 3.0, "b": 4.1}, {"a": 1.0, "b": 2.0})
    assert clear.stands_out
    assert clear.mean == pytest.approx(2.05)
    assert effect({"a": 3.0, "b": 4.1}, {"a": 1.0, "b": 2.0}, seeds=(0,)).stands_out is None
    nothing = effect({"a": 1.0, "b": 2.0}, {"a": 1.0, "b": 2.0})
    assert nothing.is_nothing
    assert nothing.stands_out is False
    # a song without a score on one side is left out on both
    assert effect({"a": 3.0, "b": float("inf")}, {"a": 1.0, "b": 2.0}).by_song == {"a": 2.0}


@pytest.mark.slow
@pytest.mark.usefixtures("uncompiled")
def test_a_run_turns_trains_and_reports(data, tmp_path, monkeypatch):
    settings = AblationSettings(TINY, "released", data, quirks=("Q1", "Q6"), n_seeds=1)
    outcome = ablate(tmp_path / "run", settings, progress=False)
    store = tmp_path / "run" / "store"
    assert len(list((store / "features").glob("*.h5"))) == 1  # Q1 does not concern features
    weights = sorted((store / "weights").glob("*[0-9a-f].weights.h5"))
    weights = [path for path in weights if "checkpoint" not in path.name]
    infos = {path.name.rpartition("-")[0]: read_info(path) for path in weights}
    assert infos.keys() == {"HH", "HH-without-Q1"}
    assert len(weights) == 3  # HH with two seeds
    assert infos["HH"].fidelity == PRESETS["released"]
    turned = replace(PRESETS["released"], shared_other_decoder=False)
    assert infos["HH-without-Q1"].fidelity == turned
    rows = read_rows(tmp_path / "run" / "ablation_scores.csv")
    labels = ("HH", "HH-without-Q1", "HH-with-Q6", "HH-again")
    assert {row.model for row in rows} == {f"{label}, seed 0" for label in labels}
    with open(outcome.files["effects"], encoding="utf-8") as file:
        lines = list(csv.DictReader(file))
    sdr = {(row.model.partition(",")[0], row.song, row.source): row.SDR for row in rows}
    for line in lines:
        if line["quirk"] == "Q1" and line["source"] != "mean":
            own = [k[1:] for k in sdr if k[0] == "HH" and k[2] == line["source"]]
            expected = [sdr["HH", *key] - sdr["HH-without-Q1", *key] for key in own]
            assert float(line["mean"]) == pytest.approx(sum(expected) / 2)
    report = outcome.files["ablation"].read_text("utf-8")
    assert report.count("can't tell") == 3  # with one seed
    assert "preset `released`, training seeds 0" in report
    assert data not in report
    assert outcome.files["figure"].stat().st_size > 20_000

    def never(*_, **__):
        raise AssertionError("done again")

    for name in ("make_features", "train", "separate_files", "score"):
        monkeypatch.setattr(stages, name, never)
    ablate(tmp_path / "run", settings, progress=False)
    assert outcome.files["ablation"].read_text("utf-8") == report


def test_what_cannot_be_meant_is_refused_at_once(data, tmp_path, run):
    def refused(*arguments):
        status, _, error = run("reproduce", "-o", tmp_path / "run", "--hhds", data, *arguments)
        assert status == 2
        assert not (tmp_path / "run").exists()
        assert len(error.strip().splitlines()) == 1
        return error

    assert "no quirk named 'Q3'" in refused("--ablate", "Q1,Q3")
    assert "no model named 'HHH'" in refused("--ablate", "--models", "HHH")
    assert "choose models of HH, HH_CS, HH_IA" in refused("--ablate", "Q1", "--models", "HH_MA")
    assert "0 seeds" in refused("--ablate", "--seeds", "0")
    assert "--seeds: only with --ablate" in refused("--seeds", "2")
    assert "leave out weights" in refused("--ablate", "--weights", "HH=x.pkl")
    assert "test leak" in refused("--ablate", "--preset", "released", "--released-test-leak")
