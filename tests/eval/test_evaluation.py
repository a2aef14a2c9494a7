"""From folders to the table: matching by name, mir_eval's numbers."""

import csv
import json
import shutil
import warnings
from dataclasses import replace

import numpy as np
import pytest
import soundfile
from helpers.eval_songs import N_SAMPLES, RATE, load, noise, put, run, write_song
from numpy.testing import assert_allclose, assert_array_equal
from threadpoolctl import threadpool_info, threadpool_limits

from hiphopss import SOURCES, HiphopssError
from hiphopss.datasets import stems as stem_files
from hiphopss.datasets.songs import Song, find_songs, song_at
from hiphopss.eval import scoring
from hiphopss.eval.aggregate import summarise
from hiphopss.eval.bss.scores import bss_eval
from hiphopss.eval.matching import Estimates
from hiphopss.eval.protocols import Scoring
from hiphopss.eval.table import LEAK_NOTE, LOOPS_NOTE, read_rows
from hiphopss.util import executor
from hiphopss.util.files import sha256_of

LEAKLESS = {"released_test_leak": False}


def test_the_csv_holds_mir_evals_numbers(references, estimates, tmp_path):
    from mir_eval.separation import bss_eval_sources

    shutil.rmtree(estimates / "a")
    run(references, estimates, tmp_path / "scores.csv", engine="mir_eval")
    with open(tmp_path / "scores.csv", newline="", encoding="utf-8") as file:
        lines = list(csv.DictReader(file))
    assert [(line["song"], line["source"]) for line in lines] == [("b", s) for s in SOURCES]
    with warnings.catch_warnings(), threadpool_limits(1):  # as evaluate does, for the last digit
        warnings.simplefilter("ignore", FutureWarning)
        expected = bss_eval_sources(
            load(references / "Sources" / "Test" / "b"), load(estimates / "b"), False
        )
    for metric, values in zip(("SDR", "SIR", "SAR"), expected, strict=False):
        assert_array_equal([float(line[metric]) for line in lines], values)
    assert {(line["subset"], line["model"], line["ISR"], line["note"]) for line in lines} == {
        ("Test", "net", "", "")
    }


def test_the_number_of_processes_changes_nothing(references, estimates, tmp_path):
    for song in "ab":  # two silent references a song, only to be quick
        (references / "Sources" / "Test" / song / "vocals.wav").unlink()
        put(references / "Sources" / "Test" / song / "other.wav", np.zeros(N_SAMPLES))
    rows = run(references, estimates, tmp_path / "two.csv", n_jobs=2)
    assert [(row.song, row.source) for row in rows] == [(n, s) for n in "ab" for s in SOURCES]
    assert rows == run(references, estimates, tmp_path / "one.csv")
    assert rows == read_rows(tmp_path / "two.csv")
    for suffix in (".csv", ".json", "_summary.csv"):
        files = [tmp_path / f"{name}{suffix}" for name in ("one", "two")]
        assert files[0].read_bytes() == files[1].read_bytes()


def test_silence_shifts_no_row(references, estimates, tmp_path):
    (references / "Sources" / "Test" / "a" / "vocals.wav").unlink()
    soundfile.write(estimates / "a" / "drums.wav", np.zeros(N_SAMPLES), RATE)
    shutil.rmtree(estimates / "b")
    rows = run(references, estimates, tmp_path / "scores.csv", mode="images")
    assert [(row.source, row.note) for row in rows] == [
        ("vocals", "silent reference"),
        ("bass", ""),
        ("drums", "silent estimate"),
        ("other", ""),
    ]
    assert [row.SDR is None for row in rows] == [True, False, True, False]
    stems = np.array(
        [soundfile.read(references / f"Sources/Test/a/{s}.wav")[0] for s in SOURCES[1:]]
    )
    outputs = load(estimates / "a")[1:]
    outputs[1] = noise(99)[:, 0]  # what drums are taken for has no part in the others' scores
    with threadpool_limits(1):
        expected = bss_eval(stems, outputs, mode="images")
    for row, index in ((rows[1], 0), (rows[3], 2)):
        scores = (expected.sdr, expected.isr, expected.sir, expected.sar)
        # The same equations, with sources added in another order.
        assert_allclose(
            [row.SDR, row.ISR, row.SIR, row.SAR], [s[index, 0] for s in scores], atol=1e-6
        )


def test_songs_and_stems_are_matched_by_name(references, estimates, tmp_path, scored):
    rows = run(references, estimates, tmp_path / "scores.csv")
    for row in rows:
        stem = f"{row.song}/{row.source}.wav"
        reference, _ = soundfile.read(references / "Sources" / "Test" / stem)
        estimate, _ = soundfile.read(estimates / stem)
        # Sums in another order differ by rounding errors.
        assert_allclose([row.SDR, row.SIR], [reference.mean(), estimate.mean()], atol=1e-15)


def test_a_folder_of_songs_needs_no_subsets(references, estimates, tmp_path, scored):
    folder = references / "Sources" / "Test"
    rows = run(folder, estimates, tmp_path / "scores.csv")
    assert {(row.song, row.subset) for row in rows} == {("a", ""), ("b", "")}
    rows = run(folder, estimates, tmp_path / "scores.csv", subset="Test")
    assert {row.subset for row in rows} == {"Test"}
    rows = run(references / "Sources", estimates, tmp_path / "scores.csv")
    assert {row.subset for row in rows} == {"Test"}


def test_any_audio_suffix_is_read(references, estimates, tmp_path, scored):
    expected = run(references, estimates, tmp_path / "scores.csv")
    for path in [*references.rglob("*.wav"), *estimates.rglob("b/*.wav")]:
        samples, rate = soundfile.read(path)
        path.unlink()
        soundfile.write(path.with_suffix(".flac"), samples, rate, subtype="PCM_16")
    assert run(references, estimates, tmp_path / "scores.csv") == expected


def test_a_subset_leaves_the_other_out(references, estimates, tmp_path, scored, caplog):
    write_song(estimates / "c", 12)
    rows = run(references, estimates, tmp_path / "scores.csv", subset="Dev")
    assert {(row.song, row.subset) for row in rows} == {("c", "Dev")}
    assert not caplog.messages


def test_windows_are_given_in_seconds(references, estimates, tmp_path, scored):
    run(references, estimates, tmp_path / "scores.csv", window_s=0.25, hop_s=0.125)
    assert (scored[0]["window"], scored[0]["hop"]) == (2000, 1000)
    run(references, estimates, tmp_path / "scores.csv")
    assert (scored[-1]["window"], scored[-1]["hop"]) == (None, None)


@pytest.mark.parametrize(
    ("suffix", "subtype"), [(".wav", "PCM_16"), (".flac", "PCM_24"), (".ogg", "VORBIS")]
)
@pytest.mark.parametrize("n_channels", [1, 2])
def test_files_that_are_read_in_pieces_are_what_they_are_whole(
    tmp_path, scored, monkeypatch, suffix, subtype, n_channels
):
    monkeypatch.setattr(stem_files, "_PIECE", 999)  # the last one is shorter
    for seed, folder in enumerate(("true", "net")):
        (tmp_path / folder / "a").mkdir(parents=True)
        for index, source in enumerate(SOURCES):
            path = tmp_path / folder / "a" / f"{source}{suffix}"
            put(path, noise([seed, index], n_channels), subtype=subtype)
    run(tmp_path / "true", tmp_path / "net", tmp_path / "s.csv")
    arrays = scored[0]["references"], scored[0]["estimates"][0]
    for folder, array in zip(("true", "net"), arrays, strict=True):
        for samples, source in zip(array, SOURCES, strict=True):
            whole, _ = soundfile.read(tmp_path / folder / "a" / f"{source}{suffix}", always_2d=True)
            assert_array_equal(samples, whole.mean(axis=1, keepdims=True))


def test_channels_by_mode(tmp_path, scored):
    write_song(tmp_path / "stereo" / "a", 0, n_channels=2)
    write_song(tmp_path / "mono" / "a", 1)
    run(tmp_path / "stereo", tmp_path / "mono", tmp_path / "s.csv")
    assert scored[0]["references"].shape == (4, N_SAMPLES, 1)
    first = soundfile.read(tmp_path / "stereo" / "a" / "vocals.wav")[0]
    assert_array_equal(scored[0]["references"][0, :, 0], first.mean(axis=1))
    run(tmp_path / "stereo", tmp_path / "mono", tmp_path / "s.csv", mode="images")
    assert_array_equal(scored[1]["references"][0], first)
    assert_array_equal(scored[1]["estimates"][0][0, :, 0], scored[1]["estimates"][0][0, :, 1])
    run(tmp_path / "mono", tmp_path / "stereo", tmp_path / "s.csv", mode="images")
    assert_array_equal(scored[2]["estimates"][0][0, :, 0], first.mean(axis=1))


def test_the_model_is_named_by_what_made_the_estimates(references, estimates, tmp_path, scored):
    made = {"model": "HH_CS", "weights": "ab12"}
    (estimates / "separation.json").write_text(json.dumps(made))
    rows = run(references, estimates, tmp_path / "scores.csv", window_s=30, hop_s=15)
    assert {row.model for row in rows} == {"HH_CS"}
    record = json.loads((tmp_path / "scores.json").read_text())
    assert record.pop("versions").keys() == {"hiphopss", "numpy", "scipy"}
    assert record.pop("sha256")["table"] == sha256_of(tmp_path / "scores.csv")
    songs = record.pop("references")
    assert songs.keys() == record["models"]["HH_CS"].pop("estimates").keys()
    assert songs["Test/a"]["bass"] == sha256_of(references / "Sources" / "Test" / "a" / "bass.wav")
    assert record == {
        "protocol": "sources, but window 30 s, hop 15 s",
        "measure": "bss_eval_v3",
        "summary": {"windows": "mean", "songs": "mean"},
        "mode": "sources",
        "window_s": 30,
        "hop_s": 15,
        "engine": "hiphopss",
        "length_tolerance_s": 0.1,
        "models": {
            "HH_CS": {
                "audio": {
                    "sample_rate": [RATE],
                    "reference_sample_type": ["PCM_16"],
                    "estimate_sample_type": ["PCM_16"],
                },
                "loops": "off",  # as the record says nothing of them
                "provenance": made,
            }
        },
    }
    rows = run(references, {"mine": estimates}, tmp_path / "scores.csv")
    assert {row.model for row in rows} == {"mine"}
    assert {summary.model for summary in summarise(rows)} == {"mine"}


def test_songs_from_anywhere_are_labelled_as_they_say(references, estimates, tmp_path, scored):
    elsewhere = tmp_path / "elsewhere" / "c"
    write_song(elsewhere, 7)
    write_song(estimates / "c", 12)
    songs = [
        *(replace(song, subset="HHDS test") for song in find_songs(references / "Sources/Test")),
        song_at(elsewhere, subset="DSD100 hip hop"),
    ]
    rows = run(songs, estimates, tmp_path / "scores.csv")
    assert list(dict.fromkeys((row.song, row.subset) for row in rows)) == [
        ("a", "HHDS test"),
        ("b", "HHDS test"),
        ("c", "DSD100 hip hop"),
    ]
    first, _ = soundfile.read(elsewhere / "vocals.wav")
    assert pytest.approx(first.mean(), abs=1e-15) == rows[8].SDR
    rows = run(songs, estimates, tmp_path / "scores.csv", subset="HHDS test")
    assert {row.song for row in rows} == {"a", "b"}
    with pytest.raises(HiphopssError, match="net/b: the list of songs has no song of this name"):
        run(songs[:1], estimates, tmp_path / "scores.csv")


def test_references_are_read_once_for_all_models(references, estimates, tmp_path, scored):
    other = shutil.copytree(estimates, tmp_path / "other")
    shutil.rmtree(other / "a")
    rows = run(references, [estimates, other], tmp_path / "scores.csv")
    # Songs a and b.
    assert [(len(call["estimates"]), call["keep"]) for call in scored] == [(1, False), (2, True)]
    expected = run(references, estimates, tmp_path / "one.csv")
    assert rows[:8] == expected
    assert rows[8:] == [replace(row, model="other") for row in expected if row.song == "b"]


def test_threads_of_blas_dont_multiply_with_processes(references, estimates, tmp_path, scored):
    with threadpool_limits(2):
        run(references, estimates, tmp_path / "scores.csv")
        assert max(library["num_threads"] for library in threadpool_info()) == 2
    assert [call["threads"] for call in scored] == [1, 1]


def test_processes_are_those_that_are_worth_their_start(monkeypatch):
    def processes(n_songs, n_models, engine="hiphopss"):
        begun = [1]  # as many as there are without others

        def begin(function, items, *, n_processes, told):
            begun.append(n_processes)
            return items

        monkeypatch.setattr(executor, "_in_processes", begin)
        song, models = Song("a", "", None, {}), n_models * [Estimates("m", None, [], None)]
        jobs = n_songs * [scoring.Job(song, models, 60 * 44100, 44100, Scoring(engine=engine))]
        n_useful = scoring._worthwhile(jobs)
        executor.Executor().map(abs, range(99), cost=abs, n_useful=n_useful, done=print)
        return begun[-1]

    for module in (scoring, executor):
        monkeypatch.setattr(module, "processor_count", lambda: 4)
    assert processes(2, 1) == 1
    assert processes(2, 10) == 3
    assert processes(50, 10) == 4
    assert processes(2, 1, "mir_eval") == 4


def test_mir_eval_scores_several_models_alike(references, estimates, tmp_path):
    for song in "ab":  # two silent references a song, only to be quick
        (references / "Sources" / "Test" / song / "vocals.wav").unlink()
        put(references / "Sources" / "Test" / song / "other.wav", np.zeros(N_SAMPLES))
    other = shutil.copytree(estimates, tmp_path / "other")
    rows = run(references, [estimates, other], tmp_path / "a.csv", engine="mir_eval")
    assert rows[8:] == [replace(row, model="other") for row in rows[:8]]
    assert rows[:8] == run(references, estimates, tmp_path / "b.csv", engine="mir_eval")


def test_rows_say_that_a_model_was_trained_on_test_songs(references, estimates, tmp_path, scored):
    honest = shutil.copytree(estimates, tmp_path / "honest")
    made = {"model": "HH_CS", "released_test_leak": True}
    (estimates / "separation.json").write_text(json.dumps(made))
    (honest / "separation.json").write_text(json.dumps(made | {"model": "CS"} | LEAKLESS))
    rows = run(references, [estimates, honest], tmp_path / "scores.csv")
    assert {(row.model, row.note) for row in rows} == {("HH_CS", LEAK_NOTE), ("CS", "")}


def test_table_and_record_say_which_stems_were_made_with_loops(
    references, estimates, tmp_path, scored
):
    told = {"with": {"loops": "auto"}, "without": {"loops": "off"}, "older": {}}
    for name, record in told.items():
        folder = shutil.copytree(estimates, tmp_path / name)
        (folder / "separation.json").write_text(json.dumps({"model": name} | record))
    shutil.copytree(estimates, tmp_path / "unknown")
    for song in (tmp_path / "with").iterdir():  # records of songs in which nothing repeats
        if song.is_dir():
            (song / "track.json").write_text(json.dumps({"file": "a", "loop": None}))
    looped = shutil.copytree(tmp_path / "with", tmp_path / "looped")
    (looped / "separation.json").write_text(json.dumps({"model": "looped", "loops": "auto"}))
    (looped / "a" / "track.json").write_text(json.dumps({"file": "a", "loop": "4 bars"}))
    names = [*told, "looped", "unknown"]
    rows = run(references, [tmp_path / name for name in names], tmp_path / "scores.csv")
    noted = {(row.model, row.song) for row in rows if row.note == LOOPS_NOTE}
    assert noted == {("looped", "a")}
    models = json.loads((tmp_path / "scores.json").read_text())["models"]
    assert [models[name]["loops"] for name in names] == ["auto", "off", "off", "auto", None]
