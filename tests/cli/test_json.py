"""``--json``: one object on standard output, with the fields of docs/json.md, for every verb."""

import csv
import json
import math
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile
from helpers.songs import RATE, noise

from hiphopss import SOURCES, HiphopssError
from hiphopss.cli import build_parser
from hiphopss.cli.terminal.results import FORMAT, plain

ALWAYS = {"format", "version", "verb", "status", "warnings"}
PAGE = (Path(__file__).parents[2] / "docs" / "json.md").read_text("utf-8")


@pytest.fixture
def answer(run):
    """Run a verb with and without ``--json``; give the object and the text."""

    def answer(*arguments, fields, status=0, text=True):
        found, out, _ = run(*arguments, "-q", "--json")
        record = json.loads(out)
        assert found == record["status"] == status
        assert set(record) == ALWAYS | fields
        assert record["format"] == FORMAT
        for field in fields:
            assert f"`{field}`" in PAGE
        told = ""
        if text:
            found, told, _ = run(*arguments, "-q")
            assert found == status
        return record, told

    return answer


def leaves(parser):
    """All verbs by their full names."""
    for name, verb in parser.verbs().items():
        inner = dict(leaves(verb))
        yield from ({f"{name} {k}": v for k, v in inner.items()} or {name: verb}).items()


def test_all_verbs_have_the_same_options_of_telling_and_a_place_on_the_page():
    for name, verb in leaves(build_parser()):
        for option in ("--json",) * (name != "completion") + ("-v", "-q"):
            assert option in verb._option_string_actions, name
        if name != "completion":
            assert f"`{name}`" in PAGE


def test_plain():
    found = plain(
        {"a": (Path("x"), np.float32(0.5), np.array([1, 2])), 3: [math.nan, math.inf, None]}
    )
    assert found == {"a": ["x", 0.5, [1, 2]], "3": [None, None, None]}


def test_an_error_is_one_line_on_standard_error(run, tmp_path):
    for arguments in (["weights", "info", tmp_path / "none"], ["separate", "--json", "--outptu"]):
        status, out, err = run(*arguments, "--json")
        assert (status, out, err.count("\n")) == (2, "", 1)
        assert err.startswith("hiphopss: error: ")


def test_separate(answer, run, published, tmp_path):
    songs = tmp_path / "sóngs"
    songs.mkdir()
    soundfile.write(songs / "a.wav", noise(9000, 1), RATE)
    (songs / "b.wav").write_text("no audio")
    arguments = ["separate", songs, "-o", tmp_path / "out", "--weights", published]
    arguments += ["--loops", "off", "--two-stems", "vocals"]
    fields = {"songs", "n_skipped", "left_out"}
    record, text = answer(*arguments, fields=fields, status=1)
    song = {"folder": text.strip(), "path": str(songs / "a.wav"), "skipped": False}
    song["files"] = [f"{text.strip()}/{stem}.wav" for stem in ("vocals", "no_vocals")]
    assert record["songs"] == [song]
    (left,) = record["left_out"]
    assert left["path"] == left["reason"].split(": ")[0] == str(songs / "b.wav")
    assert (record["n_skipped"], record["warnings"][-1]) == (
        0,
        "1 of 2 songs separated, 1 left out (see above)",
    )
    soundfile.write(songs / "c.wav", noise(9000, 1), RATE)
    _, out, err = run(*arguments, "--skip-existing", "--json")
    assert out.isascii()
    record = json.loads(out)
    assert [song["skipped"] for song in record["songs"]] == [True, False]
    assert record["n_skipped"] == 1
    assert "1 of 3 songs separated, 1 already there, 1 left out (see above)" in err
    (songs / "b.wav").unlink()
    assert "hiphopss: 0 separated, 2 already there\n" in run(*arguments, "--skip-existing")[2]


def test_remix(answer, published, tmp_path):
    soundfile.write(tmp_path / "a.wav", noise(9000, 1), RATE)
    arguments = ["remix", tmp_path / "a.wav", "-o", tmp_path / "b.wav", "--gain", "drums=-3"]
    record, text = answer(
        *arguments, "--weights", published, fields={"files", "skipped", "left_out"}
    )
    (made,) = record["files"]
    assert made["path"] == text.strip()
    assert set(made) == {"path", "peak", "n_clipped", "lowered_db"}
    assert made["peak"] > 0


def test_live(answer, run, monkeypatch, tmp_path):
    soundfile.write(tmp_path / "a.wav", noise(9000, 1), RATE)
    arguments = ["live", "--input", tmp_path / "a.wav", "--output", tmp_path / "b.wav"]
    counts = {"output", "n_in", "n_out", "n_late", "n_left", "n_mended", "slowest"}
    record, text = answer(*arguments, fields=counts)
    assert text.strip() == record["output"] == str(tmp_path / "b.wav")
    assert record["n_in"] == record["n_out"] == 9000
    _, out, err = run("live", "--input", tmp_path / "a.wav", "--output", "-", "--json")
    assert out == ""
    assert "both audio and JSON" in err
    device = {"name": "Card", "max_input_channels": 2, "max_output_channels": 0}
    device["default_samplerate"] = 44100.0
    sounddevice = SimpleNamespace(query_devices=lambda: [device])
    monkeypatch.setattr("hiphopss.live.ends.import_sounddevice", lambda: sounddevice)
    record, text = answer("live", "--list-devices", fields={"devices"})
    assert "Card" in text
    (found,) = record["devices"]
    expected = {"number": 0, "name": "Card", "n_inputs": 2, "n_outputs": 0, "sample_rate": 44100}
    assert found == expected


@pytest.mark.parametrize("verb", ["generate", "download", "demo"])
def test_verbs_that_make_one_thing(answer, monkeypatch, verb):
    place, arguments = {
        "generate": ("hiphopss.datasets.generated.generate", ["x"]),
        "download": ("hiphopss.datasets.fetch.dataset.download_dataset", ["hhds", "x"]),
        "demo": ("hiphopss.demo.export.export_site", ["--export", "x"]),
    }[verb]
    monkeypatch.setattr(place, lambda *_, **__: Path("x"))
    record, text = answer(verb, *arguments, fields={"path"})
    assert record["path"] == text.strip() == "x"


def test_demo_tells_its_address_when_it_is_ready(answer, monkeypatch):
    def serve(**options):
        options["ready"]("http://127.0.0.1:8000/")

    monkeypatch.setattr("hiphopss.demo.server.serve", serve)
    record, text = answer("demo", fields={"address"})
    assert record["address"] in text


@pytest.mark.usefixtures("uncompiled")
def test_features_audition_train_and_weights(answer, dataset, published, tmp_path):
    features, weights = tmp_path / "f.h5", tmp_path / "m.weights.h5"
    record, text = answer("features", dataset, "-o", features, fields={"path"})
    assert record["path"] == text.strip()
    monkeypatched = ["features", dataset, "-o", features, "--plan"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("hiphopss.datasets.features.plan.measure_features", lambda *_: None)
        record, text = answer(*monkeypatched, fields={"plan"})
    assert f"patches           {record['plan']['n_patches']}" in text
    record, text = answer("audition", features, fields={"sample_rate", "segments"})
    assert len(record["segments"]) == len(text.splitlines())
    assert record["segments"][0]["parts"][0]["song"] in text
    arguments = ["audition", features, "--segment", 0, "-o", tmp_path / "heard"]
    assert answer(*arguments, fields={"files"})[0]["files"][0].endswith("mixture.wav")
    arguments = ["train", features, "-o", weights, "--epochs", 1, "--batch-size", 8]
    record, text = answer(*arguments, fields={"path"})
    assert record["path"] == text.strip() == str(weights)
    facts = {"path", "preset", "sha256", "sha256_of", "signal", "provenance", "arrays", "n_numbers"}
    record, text = answer("weights", "info", weights, fields=facts)
    assert record["verb"] == "weights info"
    assert record["sha256"] in text
    assert f"{record['n_numbers']:,} numbers" in text
    assert record["provenance"]["versions"]["hiphopss"] == record["version"]
    record, text = answer("weights", "list", fields={"weights"})
    assert all(entry["name"] in text for entry in record["weights"])
    arguments = ["weights", "convert", published, tmp_path / "c.weights.h5"]
    record, _ = answer(*arguments, fields={"path"}, text=False)  # it isn't made twice
    assert record["path"] == str(tmp_path / "c.weights.h5")


def test_adapt(answer, monkeypatch, tmp_path):
    from hiphopss import Adaptation

    before, after = np.array([[1.0, 2, 3, np.nan]]), np.array([[2.0, 3, 4, np.nan]])
    found = Adaptation(tmp_path / "m.weights.h5", ["s"], ["s"], before, after, 60)
    monkeypatch.setattr("hiphopss.adaptation.adapting.adapt", lambda *_, **__: found)
    fields = {"path", "songs", "steps", "gain_db", "held_out"}
    record, text = answer("adapt", "songs", "-o", "m.weights.h5", fields=fields)
    assert record["gain_db"] == 1
    assert "1.00 -> 2.00" in text
    (piece,) = record["held_out"]
    assert piece["sdr_before"] == dict(zip(SOURCES, [1, 2, 3, None], strict=True))


@pytest.fixture
def estimates(dataset, tmp_path):
    """Stems of two models that are the true ones with noise."""
    folders = []
    for number, name in enumerate(("one", "two")):
        song = tmp_path / name / "002 - song"
        song.mkdir(parents=True)
        for source in SOURCES:
            path = dataset / "Sources" / "Test" / song.name / f"{source}.wav"
            x, rate = soundfile.read(path)
            x += (0.01 + 0.02 * number) * noise(x.size, number).reshape(x.shape)
            soundfile.write(song / f"{source}.wav", x, rate)
        folders.append(tmp_path / name)
    return folders


def test_evaluate_and_compare(answer, dataset, estimates, tmp_path):
    arguments = ["evaluate", dataset, *estimates, "-o", tmp_path / "s.csv", "--jobs", 1]
    scored = {"path", "protocol", "summaries"}
    record, text = answer(*arguments, fields=scored | {"n_scores", "n_uncertain"})
    with open(record["path"], newline="") as file:
        rows = list(csv.DictReader(file))
    assert record["n_scores"] == len(rows)
    vocals = next(s for s in record["summaries"] if (s["model"], s["source"]) == ("two", "vocals"))
    row = next(r for r in rows if (r["model"], r["source"]) == ("two", "vocals"))
    assert vocals["scores"]["SDR"] == float(row["SDR"])
    assert f"{vocals['scores']['SDR']:.2f}" in text
    arguments = ["compare", *estimates, "--references", dataset, "-o", tmp_path / "c.csv"]
    fields = scored | {"against", "differences"}
    record, text = answer(*arguments, "--jobs", 1, fields=fields)
    difference = next(d for d in record["differences"] if d["metric"] == "SDR")
    assert (difference["model"], record["against"]) == ("two", "one")
    assert f"{difference['mean']:.2f}" in text


def test_compare_with_a_campaign(answer, monkeypatch):
    from hiphopss import CampaignComparison, Comparison
    from hiphopss.eval.campaign.pairs import put_beside

    found = CampaignComparison(Comparison([], [], "m", {}), put_beside([]), [Path("x.csv")])
    monkeypatch.setattr(
        "hiphopss.eval.campaign.compare.compare_with_campaign", lambda *_, **__: found
    )
    monkeypatch.setattr(CampaignComparison, "text", lambda _: "")
    fields = {"files", "campaign", "average", "against", "summaries", "differences", "pairs"}
    arguments = ["compare", "a", "-o", "x.csv", "--references", "r", "--with", "sisec2016"]
    record, text = answer(*arguments, fields=fields | {"standings"})
    assert record["campaign"] == "sisec2016"
    assert record["files"] == [text.strip()]


def test_reproduce(answer, monkeypatch, tmp_path):
    from hiphopss.eval.aggregate import Summary
    from hiphopss.reproduction.quirks import Effect
    from hiphopss.reproduction.results import Outcome

    summary = Summary("HH", "Test", "vocals", {"SDR": 1.5}, {"SDR": None}, 1)
    outcome = Outcome("table", {"report": Path("r.md")}, [summary])
    monkeypatch.setattr("hiphopss.reproduction.reproduce.reproduce", lambda *_, **__: outcome)
    record, text = answer("reproduce", "-o", tmp_path, fields={"files", "summaries"})
    assert record["summaries"][0]["scores"] == {"SDR": 1.5}
    assert record["files"] == {"report": "r.md"}
    assert text == "table\n\nr.md\n"
    effect = Effect("Q1", "HH", "Test", "mean", {"a": 1.0, "b": 2.0}, {0: 1.5})
    outcome = Outcome("table", {}, effects=[effect], own_scores={"Test": {"HH": 3.0}})
    monkeypatch.setattr("hiphopss.reproduction.ablation.ablate", lambda *_, **__: outcome)
    arguments = ["reproduce", "-o", tmp_path, "--ablate", "Q1"]
    record, _ = answer(*arguments, fields={"files", "effects", "own_scores"})
    assert record["effects"][0]["mean"] == 1.5
    assert record["effects"][0]["by_seed"] == {"0": 1.5}


def test_the_plan_of_a_run(answer, monkeypatch, tmp_path):
    from hiphopss.reproduction.plan import plan

    monkeypatch.setattr(
        "hiphopss.reproduction.plan.plan", lambda *a, **k: plan(*a, **k, calibrate=False)
    )
    arguments = ["reproduce", "-o", tmp_path / "run", "--plan", "--models", "HH", "--seconds", 4]
    record, text = answer(*arguments, fields={"plan"})
    assert record["plan"]["preset"] == "corrected"
    assert [line["stage"] for line in record["plan"]["lines"]] == [
        line.split()[0] for line in text.split("\n\n")[1].splitlines()[1:]
    ]


def test_verify(answer, published, tmp_path):
    record, text = answer("verify", published, fields={"findings"})
    finding = record["findings"][0]
    assert set(finding) == {"depth", "kind", "name", "state", "told"}
    assert finding["state"] in text


def test_env(answer):
    record, text = answer("env", fields={"environment"})
    found = record["environment"]
    assert found["packages"]["numpy"] == {"version": np.__version__, "extras": []}
    assert found["python"] in text
    assert any(blas["of"] == "numpy" for blas in found["blas"])


def test_env_tells_no_home_and_no_secrets(monkeypatch, run):
    home = str(Path(__file__).parents[2].resolve())
    monkeypatch.setenv("HOME", home)
    monkeypatch.setenv("USERPROFILE", home)
    monkeypatch.setenv("HHDS_PATH", f"{home}/HHDS")
    monkeypatch.setenv("MY_TOKEN", "secret-1")
    for arguments in (["env"], ["env", "--json"]):
        _, out, _ = run(*arguments)
        assert home not in out
        assert "~" in out
        assert "secret-1" not in out


def test_env_without_ffmpeg(monkeypatch, run):
    monkeypatch.setenv("PATH", "")
    _, out, _ = run("env")
    assert "not on the PATH" in out


def test_an_error_while_the_result_is_made_leaves_no_object(monkeypatch, run):
    def fail():
        raise HiphopssError("x: y: z")

    monkeypatch.setattr("hiphopss.weights.registry.list_weights", fail)
    assert run("weights", "list", "--json") == (2, "", "hiphopss: error: x: y: z\n")
