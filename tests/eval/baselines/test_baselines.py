"""Bounds and NMF, computed by who scores a song: as if they had been written as files."""

import json
import shutil

import numpy as np
import pytest
import soundfile
from helpers.eval_songs import run as run_here
from helpers.eval_songs import settings, write_estimates
from helpers.songs import warned, write_song
from threadpoolctl import threadpool_limits

from hiphopss import SOURCES, HiphopssError
from hiphopss.datasets.songs import Song, find_songs
from hiphopss.eval import scoring
from hiphopss.eval.baselines import nmf
from hiphopss.eval.baselines.bounds import IdealRatioMask, Mixture
from hiphopss.eval.baselines.nmf import SupervisedNmf
from hiphopss.eval.comparison import compare
from hiphopss.eval.matching import Estimates
from hiphopss.eval.protocols import Scoring

RATE = 8000
N_SAMPLES = 6000
MODELS = ["net", "mixture", "ideal ratio mask", "NMF"]


@pytest.fixture
def data(tmp_path):
    """Two test songs in stereo, one without vocals, a song to learn from; beside them estimates."""
    root = tmp_path / "data"
    for seed, (subset, song) in enumerate((("Test", "b"), ("Test", "a"), ("Dev", "c"))):
        random = np.random.default_rng(seed)
        shape = (N_SAMPLES + 500 * seed, 2)
        stems = {source: 0.05 * random.standard_normal(shape) for source in SOURCES[seed == 0 :]}
        write_song(root, subset, song, stems, gain=0.7, rate=RATE)
        if subset == "Test":
            (tmp_path / "net" / song).mkdir(parents=True)
            for source in SOURCES:
                estimate = stems.get(source, 0) + 0.3 * sum(stems.values())
                soundfile.write(tmp_path / "net" / song / f"{source}.wav", estimate, RATE)
    return root


def run(data, output, **options):
    """Rows with bounds and NMF."""
    return run_here(data, data.parent / "net", output, bounds=True, **options)


def written(data):
    """Folders of the network's estimates, and of what the baselines make, as files."""
    songs = [song for song in find_songs(data) if song.subset == "Test"]
    root = data.parent
    baselines = {"lower": Mixture(), "upper": IdealRatioMask(), "nmf": SupervisedNmf(data, songs)}
    with threadpool_limits(1):  # as who scores does, for the last digits
        folders = [write_estimates(root / name, one, songs) for name, one in baselines.items()]
    return [root / "net", *folders]


def tables(path):
    """A table, its summary and its record, byte by byte."""
    names = f"{path.stem}.csv", f"{path.stem}_summary.csv", f"{path.stem}.json"
    return [path.with_name(name).read_bytes() for name in names]


def scored(path):
    """The same, without the hashes of the files that were read."""
    *written, record = tables(path)
    told = json.loads(record)
    del told["references"]
    for model in told["models"].values():
        del model["estimates"]
    return [*written, told]


@pytest.mark.parametrize("mode", ["sources", "images"])
def test_tables_are_those_of_folders_of_estimates(data, tmp_path, mode):
    rows = run(data, tmp_path / "computed.csv", mode=mode)
    assert [(row.model, row.song) for row in rows[::4]] == [(m, s) for m in MODELS for s in "ab"]
    run_here(data, written(data), tmp_path / "files.csv", mode=mode)
    assert scored(tmp_path / "computed.csv") == scored(tmp_path / "files.csv")


def test_processes_compute_what_one_does(data, tmp_path):
    for n_jobs in (1, 2):
        run(data, tmp_path / f"{n_jobs}.csv", n_jobs=n_jobs)
    assert tables(tmp_path / "1.csv") == tables(tmp_path / "2.csv")


def test_mir_eval_scores_them_one_by_one(data, tmp_path):
    shutil.rmtree(tmp_path / "net" / "a")
    for source in SOURCES[2:]:  # only to be quick
        path = data / "Sources/Test/b" / f"{source}.wav"
        soundfile.write(path, np.zeros((N_SAMPLES, 2)), RATE)
    run(data, tmp_path / "computed.csv", engine="mir_eval")
    folders = written(data)
    for folder in folders[1:]:
        shutil.rmtree(folder / "a")
    run_here(data, folders, tmp_path / "files.csv", engine="mir_eval")
    assert scored(tmp_path / "computed.csv") == scored(tmp_path / "files.csv")


def test_padded_mixtures_are_cut_as_files_are(data, tmp_path):
    path = data / "Mixtures/Test/a/mixture.wav"
    mixture, _ = soundfile.read(path)
    soundfile.write(path, np.pad(mixture, ((0, 700), (0, 0))), RATE, subtype="FLOAT")
    options = {"references": data, "progress": False}
    with warned(r"vocals\.wav: 6500 samples, but .*mixture\.wav has 7200"):
        bounds = settings(n_jobs=1, bounds=True)
        compare(tmp_path / "net", tmp_path / "computed.csv", **bounds, **options)
    with warned(r"6500 samples, but .* has 7200"):
        compare(written(data), tmp_path / "files.csv", **settings(n_jobs=1), **options)
    assert scored(tmp_path / "computed.csv") == scored(tmp_path / "files.csv")


def test_dictionaries_are_learnt_once_and_before(data, tmp_path, monkeypatch):
    order = []
    learn, score = nmf.learn_dictionaries, scoring.score_song

    def learning(*arguments, **options):
        order.append("learn")
        return learn(*arguments, **options)

    def scored(*arguments):
        order.append("score")
        return score(*arguments)

    monkeypatch.setattr(nmf, "learn_dictionaries", learning)
    monkeypatch.setattr(scoring, "score_song", scored)
    run(data, tmp_path / "a.csv")
    assert order == ["learn", "score", "score"]


def test_more_processes_are_worth_their_start_for_what_is_computed(monkeypatch):
    monkeypatch.setattr(scoring, "processor_count", lambda: 4)

    def job(*baselines):
        models = [Estimates("m", None, [], None, baseline) for baseline in baselines]
        return scoring.Job(Song("a", "", None, {}), models, 60 * 44100, 44100, Scoring())

    assert scoring._worthwhile([job(None)] * 2) == 1
    assert scoring._worthwhile([job(None, Mixture(), IdealRatioMask())] * 2) == 2
    assert job(None, Mixture()).n_scored == job(None, None).n_scored


def add_nan(data):
    path = data / "Mixtures/Test/a/mixture.wav"
    mixture, _ = soundfile.read(path)
    mixture[9] = np.nan
    soundfile.write(path, mixture, RATE, subtype="FLOAT")


def cut_off(data):
    """As MP3, whose header tells of more samples than follow."""
    path = data / "Mixtures/Test/a/mixture.wav"
    mixture, _ = soundfile.read(path)
    path.unlink()
    path = path.with_suffix(".mp3")
    soundfile.write(path, mixture, RATE)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])


def lengthen(data):
    path = data / "Mixtures/Test/a/mixture.wav"
    soundfile.write(path, np.zeros((9, 2)), RATE)


BREAK = {
    "none": (
        lambda data: (data / "Mixtures/Test/a/mixture.wav").unlink(),
        r"^\S+/Mixtures/Test/a/mixture\.wav: no such file: put the mixture there",
    ),
    "another length": (
        lengthen,
        r"Sources/Test/a/vocals\.wav: 6500 samples, but \S+/Mixtures/Test/a/mixture\.wav has 9:",
    ),
    "NaN": (add_nan, r"^\S+/Mixtures/Test/a/mixture\.wav: has samples that are not finite"),
    "cut off": (cut_off, r"^\S+/Mixtures/Test/a/mixture\.mp3: cut off: 0\.\d of 0\.6 s are there"),
}


@pytest.mark.parametrize("case", BREAK)
def test_mixtures_that_dont_fit_are_named(case, data, tmp_path):
    spoil, message = BREAK[case]
    spoil(data)
    before = sorted(tmp_path.iterdir())
    with pytest.raises(HiphopssError, match=message) as caught:
        run(data, tmp_path / "scores.csv")
    assert "\n" not in str(caught.value)
    assert sorted(tmp_path.iterdir()) == before


def test_errors_come_back_from_who_computes(data, tmp_path):
    add_nan(data)
    with pytest.raises(HiphopssError, match=r"mixture\.wav: has samples that are not finite"):
        run(data, tmp_path / "scores.csv", n_jobs=2)


def test_nothing_is_learnt_where_headers_dont_fit(data, tmp_path, monkeypatch):
    monkeypatch.setattr(SupervisedNmf, "prepare", None)  # which would be called
    soundfile.write(tmp_path / "net/a/bass.wav", np.zeros(9), RATE)
    with pytest.raises(HiphopssError, match=r"net/a/bass\.wav: 9 samples, but"):
        run(data, tmp_path / "scores.csv")


def test_the_record_says_what_computed_them(data, tmp_path):
    run(data, tmp_path / "a.csv")
    models = json.loads((tmp_path / "a.json").read_text())["models"]
    assert models["mixture"]["provenance"] == {"model": "mixture"}
    assert models["NMF"]["provenance"]["trained_on"] == ["c"]
    assert models["ideal ratio mask"]["audio"]["estimate_sample_type"] == ["FLOAT"]
