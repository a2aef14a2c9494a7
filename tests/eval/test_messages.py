"""What an evaluation refuses, warns of and tells, in one line."""

import json
import logging
import math
import shutil

import numpy as np
import pytest
from helpers.eval_songs import N_SAMPLES, noise, put, run, settings, write_song
from helpers.songs import warned

from hiphopss import HiphopssError
from hiphopss.eval.comparison import compare
from hiphopss.eval.evaluation import Baselines, evaluate

BREAK = {
    "estimates of an unknown song": (
        lambda data, net: write_song(net / "d"),
        r"net/d: .*data has no song of this name",
    ),
    "no estimates": (lambda data, net: shutil.rmtree(net), r"net: no such folder"),
    "no references": (lambda data, net: shutil.rmtree(data), r"data: no such folder"),
    "nothing in common": (
        lambda data, net: [shutil.rmtree(net / song) for song in "ab"],
        r"net: no folder of estimates for a song of .*data",
    ),
    "no estimate": (
        lambda data, net: (net / "a" / "bass.wav").unlink(),
        r"net/a/bass\.wav: no such file: separate",
    ),
    "no reference": (
        lambda data, net: (data / "Sources/Test/a/bass.wav").unlink(),
        r"Test/a/bass\.wav: missing, so the song 'a' has no bass",
    ),
    "two references": (
        lambda data, net: put(data / "Sources/Test/a/bass.flac", noise(0)),
        r"a/bass\.flac: there is also bass\.wav",
    ),
    "another rate": (
        lambda data, net: put(net / "b/drums.wav", noise(0), 16000),
        r"net/b/drums\.wav: 16000 Hz, but .*Test/b/vocals\.wav has 8000: export the song",
    ),
    "another length": (
        lambda data, net: put(net / "b/drums.wav", noise(0)[800:]),
        r"net/b/drums\.wav: 3200 samples, but .*Test/b/vocals\.wav has 4000",
    ),
    "no samples": (
        lambda data, net: put(net / "a/other.wav", noise(0)[:0]),
        r"net/a/other\.wav: has no samples",
    ),
    "NaN": (
        lambda data, net: put(net / "a/other.wav", noise(0) * np.nan, subtype="FLOAT"),
        r"net/a/other\.wav: has samples that are not finite",
    ),
    "no audio": (
        lambda data, net: (net / "a/other.wav").write_text("nothing"),
        r"net/a/other\.wav: not an audio file",
    ),
    "no JSON": (
        lambda data, net: (net / "separation.json").write_text("{"),
        r"separation\.json: not JSON",
    ),
}


@pytest.mark.parametrize("case", BREAK)
def test_what_doesnt_fit_is_named_in_one_line(case, references, estimates, tmp_path, scored):
    spoil, message = BREAK[case]
    spoil(references, estimates)
    with pytest.raises(HiphopssError, match=message) as caught:
        run(references, estimates, tmp_path / "scores.csv")
    assert "\n" not in str(caught.value)
    assert not list(tmp_path.glob("scores*"))
    assert not list(tmp_path.glob(".partial*"))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"mode": "image"}, "no mode named 'image'"),
        ({"estimates": []}, "no folder of estimates: give one at least"),
        ({"engine": "matlab"}, "no engine named 'matlab': choose one of hiphopss, mir_eval"),
        ({"subset": "Dev"}, r"no folder of estimates for a song of .* \(Dev\)"),
        ({"n_jobs": 0}, "n_jobs is 0"),
        ({"output": "scores.txt"}, r"scores\.txt: .*ends in \.csv"),
    ],
)
def test_wrong_options_are_named(references, estimates, tmp_path, scored, options, message):
    options = dict(options)
    output = tmp_path / options.pop("output", "scores.csv")
    estimates = options.pop("estimates", estimates)
    with pytest.raises(HiphopssError, match=message):
        run(references, estimates, output, **options)
    assert not scored


def test_a_folder_of_stems_is_no_folder_of_estimates(references, estimates, tmp_path, scored):
    told = "net/a: no folder of estimates .*: it holds stems itself, so name the folder that"
    with pytest.raises(HiphopssError, match=told):
        run(references, estimates / "a", tmp_path / "scores.csv")


def test_stereo_estimates_of_more_channels_are_refused(tmp_path, scored):
    write_song(tmp_path / "data" / "a", 0, n_channels=2)
    write_song(tmp_path / "net" / "a", 1, n_channels=3)
    with pytest.raises(HiphopssError, match=r"net/a/vocals\.wav: 3 channels"):
        run(tmp_path / "data", tmp_path / "net", tmp_path / "s.csv", mode="images")


def test_songs_without_estimates_are_named(references, estimates, tmp_path, scored, caplog):
    shutil.rmtree(estimates / "a")
    with caplog.at_level(logging.WARNING):
        rows = run(references, estimates, tmp_path / "scores.csv")
    assert {row.song for row in rows} == {"b"}
    assert caplog.messages == [f"{estimates}: no estimates, not evaluated: a"]


def test_a_name_in_both_subsets_needs_one(references, estimates, tmp_path, scored):
    write_song(references / "Sources" / "Dev" / "a", 5)
    with pytest.raises(HiphopssError, match="say which subset"):
        run(references, estimates, tmp_path / "scores.csv")
    rows = run(references, estimates, tmp_path / "scores.csv", subset="Test")
    assert {(row.song, row.subset) for row in rows} == {("a", "Test"), ("b", "Test")}


def test_lengths_may_differ_where_that_is_tolerated(references, estimates, tmp_path, scored):
    put(estimates / "a" / "drums.wav", noise(0)[: N_SAMPLES - 400])
    put(references / "Sources/Test/a/bass.wav", np.pad(noise(0), [(0, 9), (0, 0)]))
    with pytest.raises(HiphopssError, match=r"bass\.wav: 4009 samples"):
        run(references, estimates, tmp_path / "scores.csv", length_tolerance_s=0)
    with pytest.raises(HiphopssError, match=r"drums\.wav: 3600 samples"):
        run(references, estimates, tmp_path / "scores.csv", length_tolerance_s=0.05)
    apart = r"drums\.wav: 3600 samples, but .*bass\.wav has 4009"
    with pytest.raises(HiphopssError, match=apart):  # each is near to the first file
        run(references, estimates, tmp_path / "scores.csv", length_tolerance_s=0.051)
    with warned(apart):
        run(references, estimates, tmp_path / "scores.csv", length_tolerance_s=0.052)
    record = json.loads((tmp_path / "scores.json").read_text())
    cut = {(c["song"], c["file"]): c["samples"] for c in record["models"]["net"]["audio"]["cut"]}
    assert cut["a", "reference of the bass"] == 409
    assert cut["a", "estimate of the bass"] == 400
    assert len(cut) == 7  # all but the estimate of the drums
    shapes = [call["references"].shape for call in scored]
    assert shapes == [(4, 3600, 1), (4, 4000, 1)]
    assert scored[0]["estimates"][0].shape == (4, 3600, 1)


def test_what_is_cut_off_is_found_before_scoring(references, estimates, tmp_path, scored):
    path = estimates / "b" / "drums.wav"
    path.unlink()
    cut = path.with_suffix(".flac")
    put(cut, noise(0))
    cut.write_bytes(cut.read_bytes()[: cut.stat().st_size // 2])
    with pytest.raises(HiphopssError, match=r"drums\.flac: cut off: "):
        run(references, estimates, tmp_path / "scores.csv")
    assert not scored


def test_two_models_of_one_name_are_refused_before_scoring(references, estimates, tmp_path, scored):
    other = shutil.copytree(estimates, tmp_path / "again" / "net")
    with pytest.raises(HiphopssError, match="model is called 'net' too"):
        run(references, [estimates, other], tmp_path / "scores.csv")
    assert not scored


@pytest.mark.parametrize("window_s", [0, -1, math.nan, math.inf])
def test_windows_of_no_length_are_refused(references, estimates, tmp_path, window_s):
    with pytest.raises(HiphopssError, match=r"window is .* s: give a positive number"):
        run(references, estimates, tmp_path / "scores.csv", window_s=window_s)


@pytest.mark.parametrize("window_s", [0.00001, 0.001, 0.064])
def test_windows_that_the_filters_fill_are_refused(
    references, estimates, tmp_path, scored, window_s
):
    message = rf"^window is {window_s} s, which .* 8000 Hz of 'a': give 0\.065 s or more$"
    with pytest.raises(HiphopssError, match=message):
        run(references, estimates, tmp_path / "scores.csv", window_s=window_s)
    with pytest.raises(HiphopssError, match=message):
        compare(
            estimates,
            tmp_path / "scores.csv",
            references=references,
            progress=False,
            **settings(window_s=window_s),
        )
    assert not scored
    run(references, estimates, tmp_path / "scores.csv", window_s=0.065)
    assert scored[0]["window"] == 520


def test_errors_come_back_from_processes(references, estimates, tmp_path):
    broken = noise(0)
    broken[7] = np.nan  # in the samples, which only the workers read
    for song in "ab":
        put(estimates / song / "bass.wav", broken, subtype="FLOAT")
    with pytest.raises(HiphopssError, match=r"bass\.wav: has samples that are not finite"):
        run(references, estimates, tmp_path / "scores.csv", n_jobs=2)


@pytest.mark.parametrize("nothing", [[], {}], ids=["list", "mapping"])
def test_no_estimates_at_all_are_refused(references, tmp_path, nothing):
    with pytest.raises(HiphopssError, match="no folder of estimates: give one at least"):
        evaluate(references, nothing, tmp_path / "scores.csv")


def test_nmf_needs_songs_to_learn_from(references, estimates, tmp_path):
    with pytest.raises(HiphopssError, match="the list of songs: holds no songs"):
        evaluate(references, estimates, tmp_path / "s.csv", baselines=Baselines(nmf=[]))
