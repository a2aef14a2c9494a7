"""Table 1, the claims and the profiles, as data."""

from dataclasses import asdict, replace

import pytest

from hiphopss import PRESETS, HiphopssError
from hiphopss.config import default_loss_weights
from hiphopss.datasets.features.augmentation import AUGMENTATIONS
from hiphopss.eval.paired import Difference
from hiphopss.reproduction.experiments import (
    TEST_SETS,
    Claim,
    claims,
    profile,
    select,
    table1,
)
from hiphopss.reproduction.report import judge

NAMES = ("DSD", "DSD_HH", "DSD_HH_2", "HH", "HH_COMBI", "HH_CS", "HH_IA", "HH_MA")


def test_table_1_is_the_papers():
    models = {model.name: model for model in table1()}
    assert tuple(models) == NAMES
    assert {name for name, model in models.items() if model.songs == "DSD100"} == {"DSD"}
    assert {name for name, model in models.items() if model.init} == {"DSD_HH", "DSD_HH_2"}
    assert {model.init for model in models.values()} == {"", "DSD"}
    assert {name: m.epochs for name, m in models.items() if m.epochs != 40} == {"DSD_HH_2": 10}
    assert {name for name, m in models.items() if m.learning_rate < 1} == {"DSD_HH_2"}
    assert models["DSD_HH_2"].assumption
    assert [models[f"HH_{short}"].augmentation for short in ("COMBI", "CS", "IA", "MA")] == [
        "combined",
        "circular-shift",
        "instrument",
        "mix",
    ]


def test_dissimilarity_weights_are_those_that_training_takes_by_itself():
    for model in table1():
        assert model.augmentation in AUGMENTATIONS
        for name, fidelity in PRESETS.items():
            expected = asdict(default_loss_weights(fidelity, model.augmentation))
            assert model.dissimilarity[name] == pytest.approx(expected)
    mix = next(model for model in table1() if model.name == "HH_MA")
    standard = {"alpha": 0.001, "beta": 0.01, "beta_voc": 0.03}
    assert mix.dissimilarity["corrected"] == standard
    for name, value in mix.dissimilarity["released"].items():  # Q5
        assert value == pytest.approx(standard[name] / 1000)


def test_claims_are_about_table_1():
    for claim in claims():
        assert {claim.model, claim.against} <= set(NAMES)
        assert claim.test_set in TEST_SETS
        assert claim.says in ("better", "worse", "no gain")
        assert (claim.dB is None) == (claim.says == "no gain")
    assert Claim("HHDS test", "HH", "DSD", "better", 0.7) in claims()
    assert Claim("HHDS test", "HH_COMBI", "HH", "worse", 0.5) in claims()
    assert Claim("DSD100 hip-hop", "HH_MA", "HH", "better", 2.0) in claims()


def test_profiles():
    paper, quick = profile("paper"), profile("quick")
    epochs = {model.name: paper.epochs_of(model) for model in table1()}
    assert epochs == {model.name: model.epochs for model in table1()}
    assert paper.patches is None
    by_name = {model.name: model for model in table1()}
    assert quick.epochs_of(by_name["HH"]) == 4 * quick.epochs_of(by_name["DSD_HH_2"])
    assert replace(quick, epochs=1).epochs_of(by_name["DSD_HH_2"]) == 1


def test_what_is_not_there_is_named():
    assert [model.name for model in select(["HH_MA", "DSD"])] == ["DSD", "HH_MA"]
    with pytest.raises(HiphopssError, match="no model named 'HHH' in Table 1: choose of DSD, "):
        select(["HH", "HHH"])
    with pytest.raises(HiphopssError, match=r"profile named 'slow': choose one of quick, paper$"):
        profile("slow")


@pytest.mark.parametrize(
    ("says", "mean", "half", "expected"),
    [
        ("better", 1.0, 0.5, "yes"),
        ("better", 1.0, 1.5, "same direction, within the interval"),
        ("better", -1.0, 0.5, "no"),
        ("better", -1.0, 1.5, "no (within the interval)"),
        ("better", 1.0, None, "same direction, within the interval"),
        ("worse", -1.0, 0.5, "yes"),
        ("worse", 1.0, 0.5, "no"),
        ("no gain", -0.1, 0.5, "yes"),
        ("no gain", 0.4, 0.5, "yes (a gain within the interval)"),
        ("no gain", 0.6, 0.5, "no"),
    ],
)
def test_whether_a_claim_holds(says, mean, half, expected):
    claim = Claim("HHDS test", "HH", "DSD", says, 1.0)
    assert judge(claim, Difference("mean", "SDR", mean, half, 5)) == expected
