"""The plumbing of `make bench`: no time is asserted."""

import importlib.util
import json
import sys
from pathlib import Path

import numpy as np
import pytest

BENCH = Path(__file__).parent / "bench"


@pytest.fixture
def load(monkeypatch):
    """Load a script of the benchmarks by its name, as if from its folder."""
    monkeypatch.syspath_prepend(BENCH)
    for name in ("figures", "literal", "songs"):  # not for other tests to find
        monkeypatch.delitem(sys.modules, name, raising=False)

    def load_script(name):
        spec = importlib.util.spec_from_file_location(f"bench_{name}", BENCH / f"{name}.py")
        script = importlib.util.module_from_spec(spec)
        monkeypatch.setitem(sys.modules, spec.name, script)  # dataclasses look there
        spec.loader.exec_module(script)
        return script

    return load_script


@pytest.fixture
def suite(load, tmp_path, monkeypatch):
    """`tests/bench` in an empty folder, and without the measurement of the machine."""
    suite = load("__main__")
    monkeypatch.setattr(suite, "matmul_rate", lambda: 1.0)
    monkeypatch.chdir(tmp_path)
    return suite


def test_ratios_say_how_many_times_faster_or_slower(load):
    figures = load("figures")
    taken = {"new": np.array([2.0, 4.0]), "old": np.array([6.0, 8.0])}
    figure = figures.faster("f", taken, scale=10, to_reach=30)
    assert (figure.wall, figure.processor, figure.value, figure.met) == (30, 20, 30, True)
    assert not figures.faster("f", taken, scale=10, by="processor", to_reach=30).met
    slower = figures.slower("f", {"old": taken["old"], "new": taken["new"]}, to_reach=3)
    assert (slower.wall, slower.processor, slower.met) == (3, 2, True)
    more = figures.slower("f", dict(reversed(taken.items())), percent=True, to_reach=10)
    assert (more.value, more.unit, more.met) == (200, "%", False)
    assert figures.faster("f", taken).met is None


def test_a_tiny_run_gives_lines_data_and_a_table(suite, tmp_path, monkeypatch, capfd):
    monkeypatch.setitem(suite.SCRIPTS, "features", ["--seconds", "1", "--turns", "1"])
    assert suite.main(["--only", "features"]) == 0
    written = json.loads((tmp_path / "bench.json").read_text())
    assert {"date", "commit", "processor", "Python", "numpy", "BLAS"} <= set(written["machine"])
    names = [figure["name"] for figure in written["figures"]]
    assert names == [
        f"{name}, {preset}"
        for preset in ("released", "corrected")
        for name in ("features", "circular shift")
    ]
    for figure in written["figures"]:
        assert figure["script"] == "features"
        assert figure["value"] > 0
        assert figure["met"] in (True, False)
        assert all(min(pair) > 0 for pair in figure["seconds"].values())
    printed = capfd.readouterr().out
    table = (tmp_path / "bench.md").read_text()
    for name in names:
        assert f"  {name}: " in printed
        assert f"\n| {name} | " in table


def test_a_missed_target_is_no_error_and_a_broken_benchmark_is(suite, tmp_path, monkeypatch, capfd):
    (tmp_path / "slow.py").write_text(
        "import figures\n"
        "def measure():\n"
        "    yield figures.Figure('slow', 'snail', wall=1.0, processor=1.0, to_reach=2)\n"
        "    yield figures.Figure('big', 'whale', by='', measured=3.0, unit='GB')\n"
        "figures.main(measure, 'Slow.')\n"
    )
    (tmp_path / "broken.py").write_text(
        (tmp_path / "slow.py").read_text().replace("    yield figures.Figure('big'", "    1 / 0 #")
    )
    monkeypatch.setenv("PYTHONPATH", str(BENCH))
    monkeypatch.setattr(suite, "HERE", tmp_path)
    monkeypatch.setattr(suite, "SCRIPTS", {"slow": [], "broken": []})
    assert suite.main(["--only", "slow"]) == 0
    table = (tmp_path / "bench.md").read_text()
    assert "| slow | snail |  | 1 x | 1 | 1 | at least 2 | **no** |" in table
    assert "| big | whale |  | 3 GB |  |  |  |  |" in table
    assert suite.main([]) == 1
    out = capfd.readouterr().out
    assert "broken: broke: ZeroDivisionError: division by zero" in out
    figures = json.loads((tmp_path / "bench.json").read_text())["figures"]
    assert [figure["name"] for figure in figures] == ["slow", "big", "slow"]


@pytest.mark.parametrize("preset", ["released", "corrected"])
def test_the_literal_network_is_the_same_mathematics(load, keras, preset):
    literal = load("literal")
    from hiphopss import PRESETS
    from hiphopss.config import LossWeights
    from hiphopss.network.model import build_model
    from hiphopss.training.steps import compile_model
    from hiphopss.weights.files import network_arrays

    random = np.random.default_rng(0)
    mixture = random.gamma(0.3, 0.5, (2, 30, 513)).astype(np.float32)
    targets = random.gamma(0.3, 0.5, (2, 4, 30, 513)).astype(np.float32)
    model = build_model(preset, seed=0)
    drawn = literal.Literal(preset, network_arrays(model))
    estimates, drawn_estimates = np.array(model(mixture)), np.array(drawn.estimates(mixture))
    sounding = np.array(drawn.outputs(mixture)).sum(axis=1, keepdims=True) > 1e-3
    sounding = np.broadcast_to(sounding, estimates.shape)
    assert sounding.mean() > 0.25
    # masks divide outputs, right to some 1e-7, by sums of 1e-3 and more
    np.testing.assert_allclose(estimates[sounding], drawn_estimates[sounding], atol=1e-3)
    compile_model(model, preset, loss_weights=LossWeights())
    literal.compile_literal(drawn.estimates, PRESETS[preset], LossWeights())
    losses = [float(loss(targets, estimates)) for loss in (model.loss, drawn.estimates.loss)]
    # plain float32 sums over the 30,780 values of a term err by some 1e-6 of it
    np.testing.assert_allclose(*losses, rtol=1e-5)
