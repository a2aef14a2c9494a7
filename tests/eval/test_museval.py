"""museval's JSON: its schema's facts, and a reader as museval's aggregation is one."""

import json
import math
from pathlib import Path
from statistics import median

import numpy as np
import pytest
import soundfile
from helpers.eval_songs import run

from hiphopss import SOURCES, HiphopssError
from hiphopss.datasets.songs import find_songs
from hiphopss.eval.museval import track_scores
from hiphopss.eval.table import Row

RATE = 8000
METRICS = ("SDR", "SIR", "SAR", "ISR")


def write_songs(root, seed, n_seconds=1.0):
    """Two songs of noise; song b has no vocals."""
    for number, song in enumerate(("a", "b. live")):
        (root / song).mkdir(parents=True)
        for index, source in enumerate(SOURCES):
            random = np.random.default_rng([seed, number, index])
            samples = 0.1 * random.standard_normal(round(n_seconds * RATE))
            if (number, index) != (1, 0):
                soundfile.write(root / song / f"{source}.wav", samples, RATE)
            else:
                soundfile.write(root / song / f"{source}.wav", 0 * samples, RATE)


def aggregated(folder):
    """By target and metric, the median over songs of the median over frames, as museval's."""
    frames = {}
    for path in Path(folder).glob("test/**/*.json"):
        for target in json.loads(path.read_text("utf-8"))["targets"]:
            for frame in target["frames"]:
                for metric in METRICS:
                    score = frame["metrics"][metric]
                    if not math.isnan(score):
                        frames.setdefault((target["name"], metric, path.stem), []).append(score)
    songs = {}
    for (target, metric, _), scores in frames.items():
        songs.setdefault((target, metric), []).append(median(scores))
    return {key: median(scores) for key, scores in songs.items()}


def require_schema(scores):
    """The facts of musdb.schema.json: types, all the way down."""
    assert isinstance(scores["targets"], list)
    for target in scores["targets"]:
        assert isinstance(target["name"], str)
        assert isinstance(target["frames"], list)
        for frame in target["frames"]:
            assert set(frame) == {"time", "duration", "metrics"}
            assert tuple(frame["metrics"]) == METRICS
            numbers = [frame["time"], frame["duration"], *frame["metrics"].values()]
            assert all(type(number) in (int, float) for number in numbers)


def expected(rows):
    """The same aggregation of our rows."""
    songs = {}
    for row in rows:
        for metric in METRICS:
            score = getattr(row, metric)
            if score is not None:
                songs.setdefault((row.source, metric, row.song), []).append(score)
    targets = {}
    for (source, metric, _), scores in songs.items():
        targets.setdefault((source, metric), []).append(median(scores))
    return {key: median(scores) for key, scores in targets.items()}


def test_files_are_as_museval_reads_them(tmp_path):
    write_songs(tmp_path / "data" / "Sources" / "Test", 0)
    write_songs(tmp_path / "net", 1)
    rows = run(
        tmp_path / "data",
        tmp_path / "net",
        tmp_path / "scores.csv",
        mode="images",
        window_s=0.4,
        hop_s=0.2,
        museval_json=tmp_path / "json",
    )
    files = sorted((tmp_path / "json").rglob("*.json"))
    assert files == [tmp_path / "json/test/a.json", tmp_path / "json/test/b. live.json"]
    for path in files:
        scores = json.loads(path.read_text("utf-8"))
        require_schema(scores)
        assert [target["name"] for target in scores["targets"]] == list(SOURCES)
        for target in scores["targets"]:
            frames = [(frame["time"], frame["duration"]) for frame in target["frames"]]
            assert frames == [(0.0, 0.4), (0.2, 0.4), (0.4, 0.4), (0.6, 0.4)]
    silent = json.loads(files[1].read_text("utf-8"))["targets"][0]["frames"][0]["metrics"]
    assert all(math.isnan(value) for value in silent.values())
    assert aggregated(tmp_path / "json") == expected(rows)


def test_several_models_have_a_folder_each(tmp_path):
    write_songs(tmp_path / "data", 0, 0.2)
    for seed, model in enumerate(("one", "two"), 1):
        write_songs(tmp_path / model, seed, 0.2)
    for _ in range(2):  # the second time in place of the first
        rows = run(
            tmp_path / "data",
            [tmp_path / "one", tmp_path / "two"],
            tmp_path / "scores.csv",
            museval_json=tmp_path / "json",
        )
    for model in ("one", "two"):
        own = [row for row in rows if row.model == model]
        assert aggregated(tmp_path / "json" / model) == expected(own)
        track = json.loads((tmp_path / "json" / model / "test" / "a.json").read_text("utf-8"))
        assert {f["duration"] for target in track["targets"] for f in target["frames"]} == {0.2}


def test_undefined_and_infinite_scores_are_nan():
    row = Row("a", "", "bass", 0.0, None, math.inf, -0.5, None, "m")
    scores = track_scores([row], 12)
    metrics = scores["targets"][0]["frames"][0]["metrics"]
    assert math.isnan(metrics["SDR"])
    assert math.isnan(metrics["SIR"])
    assert metrics["SAR"] == -0.5
    assert "Infinity" not in json.dumps(scores)


def test_names_that_are_no_folders_are_refused_before_scoring(tmp_path):
    write_songs(tmp_path / "data", 0, 0.2)
    write_songs(tmp_path / "net", 1, 0.2)
    options = {"museval_json": tmp_path / "json"}
    songs = find_songs(tmp_path / "data")
    with pytest.raises(HiphopssError, match="'a/b': can't be the name of a folder"):
        run(songs, {"a/b": tmp_path / "net"}, tmp_path / "s.csv", **options)
    (tmp_path / "json").write_text("")
    with pytest.raises(HiphopssError, match="json: is a file"):
        run(songs, tmp_path / "net", tmp_path / "s.csv", **options)
    assert not list(tmp_path.glob("s.*"))
