"""`compare --with sisec2016` on files: estimates that are the mixture, under DSD100's names."""

import csv

import numpy as np
import pytest
import soundfile
from helpers.eval_songs import RATE, noise, write_song
from helpers.songs import warned

from hiphopss import SOURCES
from hiphopss.eval.campaign.tables import campaign
from hiphopss.eval.table import read_rows

SONGS = {
    "002 - ANiMAL - Rockshow": "002",
    "Patrick Talbot - Set Me Free": "081",
}
OTHER = "Lushlife - Toynbee Suite"
MISSING = "Zeno - Signs"


@pytest.fixture
def folders(tmp_path):
    """References in a plain folder, and estimates of two models: the mixture, and a better one."""
    for seed, name in enumerate([*SONGS, OTHER, MISSING]):
        write_song(tmp_path / "data" / name, seed)
        if name == MISSING:
            continue
        stems = [soundfile.read(tmp_path / "data" / name / f"{s}.wav")[0] for s in SOURCES]
        for index, source in enumerate(SOURCES):
            for model, estimate in (
                ("mix", sum(stems)),
                ("near", stems[index] + 0.3 * noise([seed, index, 9])[:, 0]),
            ):
                folder = tmp_path / model / name
                folder.mkdir(parents=True, exist_ok=True)
                soundfile.write(folder / f"{source}.wav", estimate, RATE, subtype="FLOAT")
    return tmp_path


def lines(path):
    with open(path, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_the_mixture_beside_the_original_network(run, folders):
    output = folders / "t.csv"
    command = ["compare", folders / "mix", folders / "near", "--references", folders / "data"]
    with warned(f"no estimates, not evaluated: {MISSING}"):
        status, told, errors = run(*command, "--with", "sisec2016", "-o", output, "--jobs", 1, "-q")
    assert status == 0, errors
    assert "other numbers of windows with scores than in SiSEC 2016" in errors
    known = campaign("sisec2016")
    found = lines(folders / "t_sisec2016.csv")
    assert {(line["song"], line["number"]) for line in found} == set(SONGS.items())
    sdr = {(r.model, r.song, r.source): r for r in read_rows(output)}
    assert ("mix", OTHER, "bass") in sdr
    for line in found:
        metric, number, target = line["metric"], int(line["number"]), line["target"]
        original = known.songs["CHA", number, target]
        assert float(line["CHA"]) == original.scores[metric, "mean"]
        assert float(line["IBM"]) == known.songs["IBM", number, target].scores[metric, "mean"]
        # One window here: what the table has.
        own = getattr(sdr[line["model"], line["song"], target], metric)
        assert float(line["score"]) == own
        assert float(line["difference"]) == own - float(line["CHA"])
        assert (line["windows"], line["campaign_windows"]) == ("1", str(original.n))
    means = {
        (s["model"], s["subset"], s["target"]): s
        for s in lines(folders / "t_sisec2016_summary.csv")
        if s["metric"] == "SDR"
    }
    bass = means["mix", "Test", "bass"]
    assert (bass["n_songs"], bass["campaign_songs"]) == ("1", "50")
    assert means["near", "Dev and Test", "vocals"]["n_songs"] == "2"
    assert float(means["near", "Test", "bass"]["mean"]) > float(bass["mean"])
    assert "mix beside SiSEC 2016, on 1 of the 50 songs of DSD100's Test: SDR in dB" in told
    assert told.rstrip().endswith("t_sisec2016.png")
    assert (folders / "t_sisec2016.png").read_bytes().startswith(b"\x89PNG")
    assert (folders / "t_paired.csv").exists()


def test_mistakes_are_told_before_any_work(run, folders):
    command = ["compare", folders / "mix", "-o", folders / "t.csv", "-q"]
    data = ["--references", folders / "data"]
    beside = ["--with", "sisec2016"]
    for arguments, message in (
        (beside, "--with sisec2016: no true stems: give --references"),
        ([*beside, *data, "--window", 10], "--window: --with sisec2016 evaluates as the campaign"),
        ([*data, "--average", "median"], "--average: is of the scores of a campaign: give --with"),
    ):
        status, _, errors = run(*command, *arguments)
        assert (status, errors.count("\n")) == (2, 1)
        assert message in errors
    write_song(folders / "others" / "song")
    status, _, errors = run(*command, *beside, "--references", folders / "others")
    assert (status, errors.count("\n")) == (2, 1)
    assert "others: no song of DSD100 by its name: SiSEC 2016 has scores of DSD100's" in errors
    assert not list(folders.glob("t*"))


def test_estimates_of_other_songs_alone_cannot_stand_beside(run, folders):
    for folder in (folders / "mix").iterdir():
        if folder.name != OTHER:
            for file in folder.iterdir():
                file.unlink()
            folder.rmdir()
    command = ["compare", folders / "mix", "--references", folders / "data", "--with", "sisec2016"]
    status, _, errors = run(*command, "-o", folders / "t.csv", "--jobs", 1, "-q")
    assert status == 2
    assert "none of the songs with estimates is of DSD100" in errors.splitlines()[-1]
    assert np.isfinite(read_rows(folders / "t.csv")[0].SDR)
