"""The command line: fast help, one-line errors, and the verbs strung together."""

import csv
import shutil
import subprocess
import sys
import time

import numpy as np
import pytest
import soundfile
from helpers.songs import RATE, noise, read_json

from hiphopss import SOURCES
from hiphopss.reproduction import experiments

PYTHON = [sys.executable, "-m", "hiphopss"]


def test_help_is_fast_and_imports_no_backend():
    code = (
        "import sys; from hiphopss.cli import build_parser; build_parser().format_help();"
        "heavy = {'tensorflow', 'keras', 'numpy', 'scipy', 'h5py', 'soundfile', 'mir_eval'};"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
    times = []
    for _ in range(3):
        start = time.perf_counter()
        done = subprocess.run([*PYTHON, "--help"], capture_output=True, text=True, check=True)
        times.append(time.perf_counter() - start)
    assert "separate" in done.stdout
    assert min(times) < 0.5


def test_importing_the_package_imports_no_backend():
    code = "import hiphopss, sys; print('keras' in sys.modules, 'numpy' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["separate", "none.wav", "-o", "out", "--weights", "PUBLISHED"], "none.wav"),
        (["separate", "song.wav", "-o", "out", "--weights", "none.pkl"], "none.pkl"),
        (["separate", "song.wav", "-o", "out", "--weights", "text.txt"], "text.txt"),
        (["separate", "text.txt", "-o", "out", "--weights", "PUBLISHED"], "text.txt"),
        (["separate", "song.wav", "-o", "song.wav", "--weights", "PUBLISHED"], "song.wav"),
        (["features", "empty", "-o", "f.h5"], "empty"),
        (["train", "none.h5", "-o", "m.weights.h5"], "none.h5"),
        (["train", "text.txt", "-o", "m.weights.h5"], "text.txt"),
        (["train", "text.txt", "-o", "m.h5"], "m.h5"),
        (["evaluate", "empty", "empty", "-o", "scores.csv"], "empty"),
        (["weights", "info", "none.pkl"], "none.pkl"),
        (["weights", "convert", "text.txt"], "text.txt"),
        (["generate", "full", "--seconds", "5"], "full"),
        (["separate", "song.wav", "--weights", "PUBLISHED"], "-o"),
        (["train", "text.txt", "-o", "m.weights.h5", "--epochs", "ten"], "--epochs"),
        (["reproduce", "-o", "run", "--hhds", "nowhere"], "nowhere"),
        (["reproduce", "-o", "run", "--seconds", "1"], "seconds"),
        (["reproduce", "-o", "full"], "full"),
        (["compare", "empty", "-o", "scores.csv"], "empty"),
        (
            ["compare", "empty", "-o", "scores.csv", "--jobs", "0"],
            "--jobs: 0: give a whole number, 1 or more",
        ),
        (["evaluate", "empty", "empty", "-o", "scores.csv", "--jobs", "0"], "--jobs: 0: give"),
        (["evaluate", "empty", "empty", "-o", "scores.csv", "--jobs", "two"], "--jobs: two: give"),
        (["reproduce", "-o", "run", "--jobs", "-1"], "--jobs: -1: give a whole number, 1 or more"),
        (["generate", "new", "--dev", "0", "--test", "0"], "0 songs of Dev"),
        (["download", "hhds", "full"], "full"),
        (["download", "dsd100", "new"], "add --archive DSD100.zip"),
        (["download", "musdb18", "new", "--archive", "song.wav"], "song.wav: has"),
        (["separate", "song.wav", "-o", "out", "--weights", "model_hh_fft_1024"], "by hand"),
    ],
)
def test_a_user_error_is_one_line_that_names_the_file(
    tmp_path, monkeypatch, run, published, arguments, named
):
    monkeypatch.chdir(tmp_path)
    soundfile.write("song.wav", noise(2000, 1), RATE)
    (tmp_path / "text.txt").write_text("neither audio nor weights")
    (tmp_path / "empty").mkdir()
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").write_text("mine")
    before = sorted(tmp_path.rglob("*"))
    status, out, err = run(*[str(published) if a == "PUBLISHED" else a for a in arguments], "-q") \
        if arguments[0] != "weights" else run(*arguments)  # fmt: skip
    assert status == 2
    assert out == ""
    assert err.startswith("hiphopss: error: ")
    assert err.count("\n") == 1
    assert named in err
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ("separate none.wav -o out", "none.wav"),
        ("separate text.txt -o out", "text.txt"),
        ("separate song.wav -o text.txt", "text.txt"),
        ("remix none.wav -o out.wav --karaoke", "none.wav"),
        ("remix song.wav -o out.xyz --karaoke", "out.xyz"),
        ("remix song.wav -o song.wav --karaoke", "song.wav"),
        ("remix text.txt -o out.wav --karaoke", "text.txt"),
        ("remix song.wav -o out.wav --gain vocals -6", "such as --gain vocals=-6"),
        ("remix --gain drums 3 song.wav -o out.wav", "such as --gain drums=-6"),
        ("remix song.wav -o out.wav --pan bass -1", "such as --pan bass=-0.5"),
        ("live --input song.wav --output out.wav --gain vocals -6", "such as --gain vocals=-6"),
        ("live --input none.wav --output out.wav", "none.wav"),
        ("live --input song.wav --output out.xyz", "out.xyz"),
        ("live --input song.wav --output out.wav --control none", "none"),
        ("live --input song.wav --output out.wav --lookahead 30", "lookahead"),
    ],
)
def test_mistakes_are_told_without_a_word_on_the_weights(
    tmp_path, monkeypatch, run, arguments, told
):
    monkeypatch.chdir(tmp_path)
    soundfile.write("song.wav", noise(2000, 1), RATE)
    (tmp_path / "text.txt").write_text("no audio")
    status, _, err = run(*arguments.split())
    assert (status, err.count("\n")) == (2, 1), err
    assert told in err


@pytest.mark.parametrize(
    "arguments", ["remix song.wav -o out.wav --karaoke", "live --input song.wav --output o.wav"]
)
def test_the_shipped_weights_are_told_once(tmp_path, monkeypatch, run, arguments):
    monkeypatch.chdir(tmp_path)
    soundfile.write("song.wav", noise(2000, 1), RATE)
    assert run(*arguments.split(), "-q")[::2] == (0, "")
    status, _, err = run(*arguments.split())
    assert status == 0
    assert err.count("shipped weights 'generated'") == 1
    assert "\nhiphopss: separating with the shipped weights" in f"\n{err}"


def test_error_in_a_process_of_its_own_is_one_line(tmp_path, published):
    (tmp_path / "song.wav").write_bytes(b"RIFF but cut off")
    done = subprocess.run(
        [*PYTHON, "separate", "song.wav", "-o", "out", "--weights", published],
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "song.wav: not an audio file" in done.stderr
    assert done.stdout == ""


def cut_off(path, kept=0.5):
    """Keep a part of a file."""
    path.write_bytes(path.read_bytes()[: round(path.stat().st_size * kept)])


def test_songs_that_can_not_be_separated_are_left_out(tmp_path, run, published, monkeypatch):
    monkeypatch.chdir(tmp_path)
    songs = tmp_path / "songs"
    (songs / "bounces.wav").mkdir(parents=True)  # a folder is no file, whatever its name
    for name in ("a.wav", "cut.flac", "z.flac"):
        soundfile.write(songs / name, noise(100_000, 1), RATE)
    cut_off(songs / "cut.flac", 0.01)
    x = noise(200_000, 1)
    x[-1_500] = np.nan  # found only when it is separated
    soundfile.write(songs / "0 late.wav", x, RATE, subtype="FLOAT")
    (songs / "empty.wav").touch()
    (songs / "text.mp3").write_text("no audio")
    arguments = ["--weights", published, "--loops", "off", "-q"]
    status, out, err = run("separate", "songs", "-o", "out", *arguments)
    assert status == 1
    assert out.split() == ["out/a", "out/z"]
    assert err.splitlines() == [
        *(
            f"hiphopss: warning: songs/{line} (the song is left out)"
            for line in (
                "cut.flac: cut off: none of it is there: copy, download or export it again",
                "empty.wav: empty: copy, download or export it again",
                "text.mp3: not an audio file that libsndfile reads, or a damaged one: "
                "get it again, or convert it to WAV or FLAC",
                "0 late.wav: has samples that are not finite: export it again",
            )
        ),
        "hiphopss: warning: 2 of 6 songs separated, 4 left out (see above)",
    ]
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["a", "separation.json", "z"]


def test_no_song_of_several_can_be_separated(tmp_path, run):
    for name in "ab":
        (tmp_path / f"{name}.wav").write_text("no audio")
    status, out, err = run("separate", tmp_path, "-o", tmp_path / "out")
    assert (status, out) == (1, "")
    assert err.count("left out)") == 2
    assert err.endswith("hiphopss: warning: 0 of 2 songs separated, 2 left out (see above)\n")
    assert "weights" not in err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("verb", ["separate", "remix", "live"])
def test_what_is_there_of_a_song_is_used(tmp_path, run, published, verb):
    soundfile.write(tmp_path / "song.wav", noise(20_000, 1), RATE)
    cut_off(tmp_path / "song.wav")
    output = tmp_path / ("out" if verb == "separate" else "out.wav")
    arguments = [tmp_path / "song.wav", "-o", output]
    if verb == "live":
        arguments = ["--input", tmp_path / "song.wav", "--output", output]
    status, _, err = run(verb, *arguments, "--weights", published, "-q")
    assert status == 0
    told = [line for line in err.splitlines() if "cut off" in line]
    assert told == [
        f"hiphopss: warning: {tmp_path / 'song.wav'}: cut off: 0.2 of 0.5 s are there: get it "
        "again if you need the rest"
    ]
    made = output / "song" / "bass.wav" if verb == "separate" else output
    assert soundfile.info(made).frames == 9_989


def test_output_that_can_not_be_written_stops_all(tmp_path, run, published):
    for name in ("a.wav", "b.wav", "c.wav"):
        soundfile.write(tmp_path / name, noise(2000, 1), RATE)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "b").write_text("in the way")
    arguments = ["--weights", published, "--loops", "off", "-q"]
    status, out, err = run("separate", tmp_path, "-o", tmp_path / "out", *arguments)
    assert (status, out) == (2, "")
    assert err.count("\n") == 1
    assert "out/b: is a file, not a folder" in err
    assert not (tmp_path / "out" / "c").exists()


def test_clipping_is_told_in_one_line(tmp_path, run, published):
    loud = np.clip(40 * noise(20000, 1), -1, 1)  # stems of a clipped mixture exceed full scale
    soundfile.write(tmp_path / "loud.wav", loud, RATE, subtype="PCM_16")
    status, _, err = run(
        "separate", tmp_path / "loud.wav", "-o", tmp_path / "out", "--weights", published, "-q"
    )
    assert status == 0
    warnings = [line for line in err.splitlines() if "clipped" in line]
    assert warnings
    assert all(line.startswith("hiphopss: warning: ") for line in warnings)
    assert "out/loud/" in warnings[0]


def test_the_verbs_from_songs_to_a_table(dataset, tmp_path, run):
    # `dataset` has songs of about a second: the whole way in a few seconds
    features, weights = tmp_path / "f.h5", tmp_path / "m.weights.h5"
    assert run("features", dataset, "-o", features, "--preset", "corrected", "-q")[0] == 0
    assert run("train", features, "-o", weights, "--epochs", "2", "--batch-size", "8", "-q")[0] == 0
    out = tmp_path / "stems"
    test_songs = dataset / "Mixtures" / "Test"
    assert run("separate", test_songs, "-o", out, "--weights", weights, "-q")[0] == 0
    table = tmp_path / "scores.csv"
    status, printed, _ = run("evaluate", dataset, out, "-o", table, "--bounds", "--jobs", 1, "-q")
    assert status == 0
    assert "ideal ratio mask" in printed
    with open(table, newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(r["model"], r["song"], r["source"]) for r in rows[:4]] == [
        ("m", "002 - song", source) for source in SOURCES
    ]
    assert {r["subset"] for r in rows} == {"Test"}
    sdr = {model: [float(r["SDR"]) for r in rows if r["model"] == model] for model in
           ("mixture", "ideal ratio mask")}  # fmt: skip
    assert np.mean(sdr["ideal ratio mask"]) > np.mean(sdr["mixture"]) + 3


def test_weights_info_and_convert(tmp_path, run, published):
    status, out, _ = run("weights", "info", published)
    assert status == 0
    assert "preset     released" in out
    own = tmp_path / "dsd.weights.h5"
    assert run("weights", "convert", published, own)[0] == 0
    _, out, _ = run("weights", "info", own)
    assert "published  model_hh_fft_1024.pkl" in out


@pytest.mark.slow
@pytest.mark.usefixtures("uncompiled")
def test_reproduce_by_default_runs_on_generated_songs(tmp_path, run, monkeypatch):
    few = {"HHDS": [3, 2], "DSD100": [2, 2]}
    monkeypatch.setitem(experiments._facts()["profiles"]["quick"], "n_songs", few)
    out = tmp_path / "run"
    arguments = ["reproduce", "-o", out, "--seconds", 4, "--epochs", 1, "-q"]
    arguments += ["--patches-per-epoch", 64, "--models", "HH_IA"]
    status, printed, _ = run(*arguments)
    assert status == 0
    for name in ("report.md", "fig1.png", "metrics.csv", "table1.csv", "HH_IA.weights.h5"):
        assert name in printed
    assert "On generated songs, not on music" in (out / "report.md").read_text("utf-8")
    assert read_json(out / "run.json")["preset"] == "corrected"
    (made,) = (out / "store" / "estimates").glob("HH_IA-*/separation.json")
    assert read_json(made)["loops"] == "off"
    first = (out / "metrics.csv").read_bytes()
    gone = next((out / "store" / "estimates").glob("HH_IA-*/0*"))
    shutil.rmtree(gone)
    next((out / "store" / "scores").glob("HH_IA-*.csv")).unlink()
    assert run(*arguments) == (0, printed, "")
    assert gone.is_dir()
    assert (out / "metrics.csv").read_bytes() == first


def test_audition_lists_and_writes_segments(dataset, tmp_path, run):
    features = tmp_path / "f.h5"
    run("features", dataset, "-o", features, "--augmentation", "IA", "--store-phase", "-q")
    status, listed, _ = run("audition", features)
    assert status == 0
    assert len(listed.splitlines()) == 10  # two songs, five versions each
    assert "without drums" in listed.splitlines()[1]
    status, written, _ = run("audition", features, "--segment", 1)
    assert status == 0
    assert len(written.splitlines()) == 5
    drums, rate = soundfile.read(tmp_path / "f-segment-1" / "drums.wav")
    assert rate == RATE
    assert not drums.any()
    status, _, err = run("audition", features, "--segment", 10)
    assert status == 2
    assert "no segment 10: choose one of 0..9" in err
