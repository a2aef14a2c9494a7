"""The CSV of scores: exact round trip, schema, records."""

import json
import math
import subprocess
import sys

import numpy as np
import pytest
from helpers.mutations import one_line_or_fine

from hiphopss import HiphopssError
from hiphopss.eval.aggregate import format_summary, summarise
from hiphopss.eval.bss.scores import Scores
from hiphopss.eval.table import (
    COLUMNS,
    LEAK_NOTE,
    LOOPS_NOTE,
    Row,
    is_uncertain,
    leaky_models,
    read_rows,
    record_path,
    rows_from_scores,
    with_notes,
    write_record,
    write_rows,
)

LABELS = {"song": 'Straße, "live"', "subset": "Test", "model": "hh"}


def make_rows(model="hh", n_sources=2, n_windows=3):
    """Rows with all 17 digits, an undefined and an infinite score."""
    random = np.random.default_rng(0)
    sdr, sir, sar, isr = random.standard_normal((4, n_sources, n_windows)) * 10
    isr[:] = np.nan
    sdr[1, 0] = np.nan
    sir[0, 0] = np.inf
    notes = np.full(sdr.shape, "", dtype=object)
    notes[1, 0] = "silent reference"
    scores = Scores(sdr, sir, sar, isr, np.arange(n_windows) * 661501, notes.astype(str))
    labels = {"si_sdr": sdr - 1, **LABELS, "model": model}
    return scores, rows_from_scores(scores, ("vocals", "bass"), 44100, **labels)


def test_columns():
    assert ",".join(COLUMNS) == (
        "song,subset,source,window_start_s,SDR,SIR,SAR,ISR,SI_SDR,model,note"
    )


def test_rows_say_what_the_scores_say():
    scores, rows = make_rows()
    assert [(row.source, row.window_start_s) for row in rows] == [
        (source, k * 661501 / 44100) for source in ("vocals", "bass") for k in range(3)
    ]
    assert [row.SAR for row in rows] == scores.sar.ravel().tolist()
    assert rows[3].SDR is rows[3].SI_SDR is None
    assert pytest.approx(scores.sdr[0, 0] - 1) == rows[0].SI_SDR
    assert rows[3].note == "silent reference"
    assert all(row.ISR is None for row in rows)


def test_round_trip_is_exact(tmp_path):
    _, rows = make_rows()
    write_rows(tmp_path / "scores.csv", rows)
    assert read_rows(tmp_path / "scores.csv") == rows


def test_undefined_scores_are_empty_cells(tmp_path):
    row = Row("a", "", "bass", 0.0, None, math.inf, 0.1, None, "m", "silent, they say")
    write_rows(tmp_path / "scores.csv", [row])
    text = (tmp_path / "scores.csv").read_bytes().decode()
    assert text == ",".join(COLUMNS) + '\na,,bass,0.0,,inf,0.1,,,m,"silent, they say"\n'


def test_tables_without_the_newer_column_are_read(tmp_path):
    older = (
        "song,subset,source,window_start_s,SDR,SIR,SAR,ISR,model,note\na,,bass,0.0,1.5,inf,,,m,x\n"
    )
    (tmp_path / "scores.csv").write_text(older, "utf-8")
    assert read_rows(tmp_path / "scores.csv") == [
        Row("a", "", "bass", 0.0, 1.5, math.inf, None, None, "m", "x")
    ]


def test_a_byte_order_mark_does_no_harm(tmp_path):
    _, rows = make_rows()
    write_rows(tmp_path / "scores.csv", rows)
    text = (tmp_path / "scores.csv").read_text("utf-8")
    (tmp_path / "marked.csv").write_text(text, "utf-8-sig")
    assert read_rows(tmp_path / "marked.csv") == rows


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "No such file"),
        (b"", "its first line must be song,subset"),
        (b"song,SDR\na,1\n", "its first line must be song,subset"),
        (b"\xff\xfe\x00", "UTF-8"),
        ((",".join(COLUMNS) + "\na,,bass,0.0\n").encode(), "row 2 has 4 cells instead of 11"),
        (
            (",".join(COLUMNS) + "\na,,bass,0.0,x,,,,,m,\n").encode(),
            "row 2: expected a number.*, got text .at SDR",
        ),
        ((",".join(COLUMNS) + "\na,,bass,,1,,,,,m,\n").encode(), "row 2"),
        (
            (",".join(COLUMNS) + 2 * "\na,,bass,0.0,1,,,,,m,").encode(),
            "there is twice|is there twice",
        ),
    ],
)
def test_a_wrong_table_is_named_in_one_line(tmp_path, content, message):
    path = tmp_path / "wrong.csv"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(HiphopssError, match=message) as caught:
        read_rows(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


CELLS = (
    *("", "nan", "inf", "-inf", "1e999", "1e308", "-1e308", "1_0", " 5 ", "0x10", "x", "\x00"),
    *("\u202e", "=cmd|'/c calc'!A1", '"', '"a,b"', "\u0663", "NaN(5)", "-0.0", "5e-324", "\ufeff"),
    *("a\tb", "\x1b[2J", "x" * 200_000, "a,b", '"a\nb"'),
)


@pytest.mark.parametrize("number", range(len(COLUMNS)))
def test_a_table_with_any_cell_is_read_and_written_again_or_refused(tmp_path, number):
    """And what is read can be averaged and shown: control characters are escaped."""
    good = ["a", "Test", "bass", "0.0", "1.5", "2", "-3.25", "", "0.5", "m", "note"]
    path, again = tmp_path / "a.csv", tmp_path / "again.csv"
    for cell in CELLS:
        cells = [*good[:number], cell, *good[number + 1 :]]
        text = f"{','.join(COLUMNS)}\n{','.join(cells)}\n"
        path.write_text(text, "utf-8", newline="")
        rows = one_line_or_fine(read_rows, path)
        if rows is not None:
            write_rows(again, rows)
            assert read_rows(again) == rows
            summary = format_summary(summarise(rows))
            assert summary.replace("\n", "").isprintable()


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "latin-1", "cp1252"])
def test_tables_in_other_encodings_are_refused_with_the_line(tmp_path, encoding):
    path = tmp_path / "a.csv"
    write_rows(path, make_rows()[1])  # of a song with "ß"
    path.write_text(path.read_text("utf-8"), encoding)
    with pytest.raises(HiphopssError, match=r"line \d is not UTF-8: save|its first line must be"):
        read_rows(path)


def test_names_that_are_no_text_are_written_as_escapes(tmp_path):
    name = b"caf\xe9".decode("utf-8", "surrogateescape")
    row = Row(name, "", "bass", 0.0, 1.0, None, None, None, "m")
    write_rows(tmp_path / "a.csv", [row])
    assert read_rows(tmp_path / "a.csv")[0].song == r"caf\udce9"
    write_record(tmp_path / "a.csv", {"songs": [name]})
    assert json.loads((tmp_path / "a.json").read_text("utf-8")) == {"songs": [name]}


def test_names_that_are_no_csv_are_refused(tmp_path):
    (tmp_path / "folder.csv").mkdir()
    for name in ("scores.json", "scores", "folder.csv"):
        with pytest.raises(HiphopssError, match=name):
            write_rows(tmp_path / name, [])
    assert [path.name for path in tmp_path.iterdir()] == ["folder.csv"]


def test_the_same_window_twice_is_refused(tmp_path):
    _, rows = make_rows()
    with pytest.raises(HiphopssError, match="twice"):
        write_rows(tmp_path / "scores.csv", [*rows, rows[0]])
    assert not list(tmp_path.iterdir())


def test_tables_are_joined_with_their_records(tmp_path):
    tables = {}
    for model in ("b", "a"):
        _, tables[model] = make_rows(model)
        write_rows(tmp_path / f"{model}.csv", tables[model])
    write_record(tmp_path / "a.csv", {"mode": "images"})
    paths = [tmp_path / "b.csv", tmp_path / "a.csv"]
    write_rows(tmp_path / "all.csv", (row for path in paths for row in read_rows(path)))
    assert read_rows(tmp_path / "all.csv") == tables["b"] + tables["a"]
    assert json.loads(record_path(paths[1]).read_text("utf-8")) == {"mode": "images"}


def test_tables_of_the_same_model_are_not_joined(tmp_path):
    for name in ("a.csv", "b.csv"):
        write_rows(tmp_path / name, make_rows()[1])
    both = [row for name in ("a.csv", "b.csv") for row in read_rows(tmp_path / name)]
    with pytest.raises(HiphopssError, match="twice"):
        write_rows(tmp_path / "all.csv", both)
    assert not (tmp_path / "all.csv").exists()


def test_a_record_is_written_beside_its_table(tmp_path):
    write_record(tmp_path / "a.csv", {"b": 1, "a": "±"})
    assert json.loads((tmp_path / "a.json").read_text("utf-8")) == {"a": "±", "b": 1}


def test_a_leak_is_noted_beside_other_notes_and_is_no_uncertainty():
    _, rows = make_rows()
    noted = with_notes(rows, [LEAK_NOTE])
    assert noted[0].note == LEAK_NOTE == "trained on test songs (Q3)"
    assert noted[3].note == "silent reference; trained on test songs (Q3)"
    for table in (rows, noted):
        assert [is_uncertain(row) for row in table] == [False, False, False, True, False, False]
    assert leaky_models(make_rows("honest")[1] + noted) == ["hh"]


def test_loops_are_noted_and_are_no_uncertainty():
    _, rows = make_rows()
    noted = with_notes(rows, [LEAK_NOTE, LOOPS_NOTE])
    assert noted[0].note == "trained on test songs (Q3); separated with loops"
    assert [is_uncertain(row) for row in noted] == [is_uncertain(row) for row in rows]
    assert leaky_models(noted) == ["hh"]
    assert with_notes(rows, []) == rows


def test_importing_the_package_is_cheap():
    code = (
        "import sys, hiphopss.eval; "
        "heavy = {'numpy', 'scipy', 'mir_eval', 'soundfile', 'keras', 'tensorflow'}; "
        "print(sorted(heavy & set(sys.modules))); "
        "hiphopss.eval.bss_eval, hiphopss.evaluate; import hiphopss.eval.baselines.bounds; "
        "print(sorted(heavy & set(sys.modules)))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.split("\n")[:2] == ["[]", "['numpy']"]
