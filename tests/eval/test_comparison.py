"""Foreign models and ours in one table, and paired differences."""

import csv
import json
import shutil

import numpy as np
import pytest
import soundfile
from helpers.songs import warned

from hiphopss import SOURCES, HiphopssError
from hiphopss.eval.comparison import compare
from hiphopss.eval.paired import Difference, format_differences, paired_differences
from hiphopss.eval.table import Row
from hiphopss.util.executor import Executor

RATE = 32000
N_SAMPLES = 9600


def stem(seed, n_samples=N_SAMPLES):
    """Quiet coloured noise, which MP3 keeps [shape=(n_samples,)]."""
    white = np.random.default_rng(seed).standard_normal(n_samples + 30)
    return 0.2 * np.convolve(white, np.hanning(30), "valid")[:n_samples] / 4


def put_stems(folder, seed, level=0.0, suffix=".wav", n_samples=N_SAMPLES):
    """The stems of song ``seed``, with noise of a level relative to theirs."""
    folder.mkdir(parents=True)
    for index, source in enumerate(SOURCES):
        samples = stem([seed, index]) + level * stem([seed, index, 1])
        soundfile.write(folder / f"{source}{suffix}", samples[:n_samples], RATE)


def named(rows):
    """SDRs by model and source."""
    return {(row.model, row.source): row.SDR for row in rows}


def run(*folders, **options):
    """In this process."""
    return compare(*folders, where=Executor(n_jobs=1), progress=False, **options)


def test_a_page_as_the_papers_is_scored_as_it_is(tmp_path):
    page = tmp_path / "page"
    put_stems(page / "songs" / "ground_truth", 1, suffix=".mp3")
    put_stems(page / "songs" / "dsd_fft_1024", 1, 0.8, suffix=".mp3")
    put_stems(page / "songs" / "hh_fft_1024", 1, 0.4, suffix=".mp3")
    (page / "songs" / "pictures").mkdir()
    put_stems(tmp_path / "ours" / "whatever", 1, 0.1)
    (tmp_path / "ours" / "separation.json").write_text('{"model": "HH"}')
    # Padded MP3 and exact WAV may differ in length: what they say then is tested below.
    found = run(page, tmp_path / "all.csv", ours=[tmp_path / "ours"])
    assert found.against == "dsd_fft_1024"
    assert list(dict.fromkeys((row.model, row.song) for row in found.rows)) == [
        ("dsd_fft_1024", "page"),
        ("hh_fft_1024", "page"),
        ("HH", "page"),
    ]
    sdr = named(found.rows)
    for source in SOURCES:
        assert sdr["HH", source] > sdr["hh_fft_1024", source] > sdr["dsd_fft_1024", source] > 0
    best = found.differences["HH", ""][0]
    expected = sdr["HH", "vocals"] - sdr["dsd_fft_1024", "vocals"]
    assert best == Difference("vocals", "SDR", expected, None, 1)
    with open(tmp_path / "all_paired.csv", newline="", encoding="utf-8") as file:
        lines = list(csv.DictReader(file))
    assert lines[0] == {
        **{"model": "hh_fft_1024", "baseline": "dsd_fft_1024", "subset": "", "source": "vocals"},
        **{"metric": "SDR", "ci95": "", "n_songs": "1"},
        "mean": repr(sdr["hh_fft_1024", "vocals"] - sdr["dsd_fft_1024", "vocals"]),
    }
    assert "differences to dsd_fft_1024, mean over songs" in found.text()


def test_several_songs_and_a_baseline_by_name(tmp_path):
    for model, level in (("ground_truth", 0), ("a", 0.5), ("b", 0.2)):
        for seed, song in enumerate(("one", "two")):
            put_stems(tmp_path / "songs" / model / song, seed, level)
    found = run(tmp_path / "songs", tmp_path / "t.csv", against="b", subset="page")
    assert list(found.differences) == [("a", "page")]
    by_name = {(d.source, d.metric): d for d in found.differences["a", "page"]}
    difference = by_name["mean", "SDR"]
    assert difference.n_songs == 2
    # Noise at 0.2 instead of 0.5 is 8 dB less, and songs are alike.
    assert difference.mean == pytest.approx(-8, abs=0.5)
    assert difference.ci95 < 5
    record = json.loads((tmp_path / "t.json").read_text())
    assert record["length_tolerance_s"] == 0.1


def test_plain_folders_need_references(tmp_path):
    put_stems(tmp_path / "data" / "s", 1)
    put_stems(tmp_path / "a" / "s", 1, 0.5)
    put_stems(tmp_path / "b" / "s", 1, 0.2)
    folders = [tmp_path / "a", tmp_path / "b"]
    with pytest.raises(HiphopssError, match="2 folders of estimates, but no true stems"):
        run(folders, tmp_path / "t.csv")
    found = run(folders[:1], tmp_path / "t.csv", references=tmp_path / "data", ours=folders[1:])
    assert list(found.differences) == [("b", "")]
    assert all(d.mean > 0 for d in found.differences["b", ""] if d.metric == "SDR")


def test_a_codecs_padding_is_cut_with_a_warning_and_more_is_refused(tmp_path):
    put_stems(tmp_path / "ground_truth", 1)
    put_stems(tmp_path / "a", 1, 0.5, n_samples=N_SAMPLES - 3199)
    with warned(r"a/vocals\.wav: 6401 samples, but .*truth/vocals\.wav"):
        found = run(tmp_path, tmp_path / "t.csv")
    assert named(found.rows)["a", "bass"] > 0
    shutil.rmtree(tmp_path / "a")
    put_stems(tmp_path / "b", 1, 0.5, n_samples=N_SAMPLES - 3200)
    with pytest.raises(HiphopssError, match=r"b/vocals\.wav: 6400 samples, but .* has 9600"):
        run(tmp_path, tmp_path / "t.csv")


def test_what_doesnt_fit_is_named(tmp_path):
    put_stems(tmp_path / "songs" / "a" / "one", 1)
    with pytest.raises(HiphopssError, match="songs/ground_truth: no such folder"):
        run(tmp_path, tmp_path / "t.csv")
    (tmp_path / "songs" / "ground_truth").mkdir()
    with pytest.raises(HiphopssError, match="ground_truth: no stems in it"):
        run(tmp_path, tmp_path / "t.csv")
    put_stems(tmp_path / "songs" / "ground_truth" / "two", 1)
    with pytest.raises(HiphopssError, match=r"a/one: .*ground_truth has no song of this name"):
        run(tmp_path, tmp_path / "t.csv")
    (tmp_path / "songs/a/one").rename(tmp_path / "songs/a/two")
    with pytest.raises(HiphopssError, match="no model named 'c': choose one of a"):
        run(tmp_path, tmp_path / "t.csv", against="c")
    put_stems(tmp_path / "songs" / "b", 1)
    with pytest.raises(HiphopssError, match="songs/b: no folders of songs as in"):
        run(tmp_path, tmp_path / "t.csv")
    assert not list(tmp_path.glob("t*"))


def rows_of(model, scores):
    """Rows of songs s0, s1, ... [shape=(n_songs, n_sources)]."""
    return [
        Row(f"s{i}", "Test", source, 0.0, sdr, None, 1.0, None, model)
        for i, song in enumerate(scores)
        for source, sdr in zip(SOURCES, song, strict=False)
    ]


def test_differences_are_those_of_a_paired_t_test():
    from scipy import stats

    random = np.random.default_rng(0)
    ours, theirs = (random.normal(3, 5, (6, 4)).tolist() for _ in range(2))
    rows = rows_of("ours", ours) + rows_of("theirs", theirs)
    found = {(d.source, d.metric): d for d in paired_differences(rows, "ours", "theirs")}
    assert list(dict.fromkeys(source for source, _ in found)) == [*SOURCES, "mean"]
    assert ("bass", "SIR") not in found
    pairs = {"drums": ([s[2] for s in ours], [s[2] for s in theirs])}
    pairs["mean"] = np.mean(ours, axis=1), np.mean(theirs, axis=1)
    for source, pair in pairs.items():
        expected = stats.ttest_rel(*pair)
        low, high = expected.confidence_interval(0.95)
        difference = found[source, "SDR"]
        assert difference.mean == pytest.approx((low + high) / 2)
        assert difference.ci95 == pytest.approx((high - low) / 2)
        assert difference.n_songs == 6


def test_what_one_model_has_no_score_for_is_left_out_of_both():
    rows = rows_of("a", [(1, 2), (3, None), (9, 9)]) + rows_of("b", [(0, 0), (0, 0)])
    differences = paired_differences(rows, "a", "b")
    found = {d.source: (d.mean, d.n_songs) for d in differences if d.metric == "SDR"}
    assert found == {"vocals": (2, 2), "bass": (2, 1), "mean": ((1.5 + 3) / 2, 2)}
    assert paired_differences(rows, "a", "b", subset="Test") == differences
    with pytest.raises(HiphopssError, match="no model named 'a' in the table: it has nothing"):
        paired_differences(rows, "a", "b", subset="Dev")
    with pytest.raises(HiphopssError, match="no model named 'c' in the table: it has a, b"):
        paired_differences(rows, "c", "b")


def test_text_of_differences():
    rows = rows_of("a", [(1, 2), (3, 4)]) + rows_of("b", [(0, 0), (0, 0)])
    text = format_differences({("a", "Test"): paired_differences(rows, "a", "b")}, "b")
    assert text.splitlines() == [
        "Test: differences to b, mean over songs ± half the 95 % confidence interval, in dB",
        "           SDR of a source   mean of the sources",
        "model songs vocals   bass     SDR           SIR           SAR",
        "a         2   2.00   3.00    2.50 ±12.71      -          0.00 ±0.00",
    ]
