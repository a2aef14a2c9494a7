"""What strangers wrote is shown without anything that a terminal or a reader would obey."""

import sys

import pytest

from hiphopss import HiphopssError
from hiphopss.util.progress import progress_bar, say, tell
from hiphopss.util.text import printable

SHOWN = {
    "\x1b[2J": r"\x1b[2J",
    "a\nb\r\tc\x00\x7f": r"a\nb\r\tc\x00\x7f",
    "\x85\x9b31m": r"\x85\x9b31m",  # the controls of eight bits
    "\u202egpj.wav": r"\u202egpj.wav",
    "\u2066x\u2069\u200e\u061c\ufeff": r"\u2066x\u2069\u200e\u061c\ufeff",
    "\u2028\u2029": r"\u2028\u2029",
    "\ud800": r"\ud800",
    b"caf\xe9.wav".decode("utf-8", "surrogateescape"): r"caf\xe9.wav",
}
KEPT = (
    "Straße, “live”",
    "日本語\u3000歌",
    "a\xa0b",
    "\U0001f469\u200d\U0001f3a4",
    "\u0645\u06cc\u200c\u062e",  # Persian
    "",
)


@pytest.mark.parametrize(("text", "shown"), SHOWN.items())
def test_what_is_not_seen_is_escaped(text, shown):
    assert printable(text) == shown
    assert printable(text).isprintable()


@pytest.mark.parametrize("text", KEPT)
def test_other_text_is_left_alone(text):
    assert printable(text) == text


def test_text_of_several_lines_keeps_them():
    assert printable("a\n\tb\x1b", lines=True) == "a\n\tb\\x1b"


def test_long_text_is_cut_short():
    assert printable("x" * 9, most=9) == "x" * 9
    assert printable("x" * 10, most=9) == "x" * 9 + "..."


def test_errors_are_one_printable_line():
    assert str(HiphopssError("a\nb\x1b[2J: is bad")) == r"a\nb\x1b[2J: is bad"


def test_lines_and_bars_on_standard_error_are_printable(capsys):
    say("hiphopss: \x1b[2J\n")
    with progress_bar(total=1, desc="a\x1b[2J\nb", show=True):
        pass
    errors = capsys.readouterr().err
    assert errors.startswith("hiphopss: \\x1b[2J\\n\n")
    assert "a\\x1b[2J\\nb: " in errors
    assert "\x1b" not in errors.replace("\x1b[A", "")  # tqdm may move its own cursor


def test_standard_output_is_printable(capsys, monkeypatch):
    tell("a\x1b[2J", "b\nc")
    assert capsys.readouterr().out == "a\\x1b[2J\nb\nc\n"
    monkeypatch.setattr(sys, "stdout", None)  # closed before the start
    tell("nobody reads this")


def test_the_command_line_prints_no_controls(run, tmp_path):
    name = "no\x1b[2J\u202esuch\nfile"
    for words in (["weights", "info", tmp_path / name], [name], ["train", "x", "-o", name, name]):
        status, out, errors = run(*words)
        assert status == 2
        assert not out
        assert errors.count("\n") == 1
        assert r"no\x1b[2J\u202esuch\nfile" in errors
