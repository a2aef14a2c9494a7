"""Records of any content give an object that fits the schema, or one line."""

import os
import time
from dataclasses import dataclass, field
from typing import Annotated, Any, NamedTuple

import msgspec
import pytest

from hiphopss import HiphopssError
from hiphopss.util import records
from hiphopss.util.records import (
    Finite,
    Sha256,
    fit_record,
    parse_object,
    parse_record,
    read_record,
    read_table,
)


class Pair(NamedTuple):
    name: str
    number: int


@dataclass(frozen=True)
class Inner:
    hop: Annotated[int, msgspec.Meta(ge=1)] = 1


@dataclass(frozen=True)
class Made:
    name: str
    level: Finite = 0.0
    pairs: list[Pair] = field(default_factory=list)
    inner: Inner = Inner()
    any: Any = None

    def __post_init__(self):
        if self.name == "refused":
            raise HiphopssError("refuses itself: rename it")
        if self.name == "unfit":
            raise ValueError("does not fit itself")


def parsed(text, kind=Made):
    return parse_record(text, kind, origin="FILE", mend="mend it")


def test_a_record_is_read_with_defaults_and_without_keys_of_newer_versions():
    text = '{"name": "é", "pairs": [["a", 1]], "inner": {"hop": 3}, "level": 2, "newer": [1]}'
    expected = Made("é", 2.0, [Pair("a", 1)], Inner(3))
    for given in (text, text.encode(), text.encode("utf-8-sig")):
        assert parsed(given) == expected
    told = parse_object(text, Made, origin="FILE", mend="mend it")
    assert told["newer"] == [1]  # the object itself keeps them


REFUSED = {
    "no text": (5, "its record is no text"),
    "nothing": (None, "its record is no text"),
    "empty": ("", "not JSON"),
    "cut off": ('{"name": "a"', "not JSON"),
    "more behind": ('{"name": "a"} x', "not JSON"),
    "Latin-1": ('{"name": "é"}'.encode("latin-1"), "not text in UTF-8"),
    "UTF-16": ('{"name": "é"}'.encode("utf-16"), "not text in UTF-8"),
    "half a pair": ('{"name": "\\ud800"}', "not text in UTF-8"),
    "half a pair in a key": ('{"name": "a", "\\udbff": 1}', "not text in UTF-8"),
    "lists in lists": ("[" * 100_000, "nested too deeply"),
    "objects in objects": ('{"a":' * 100_000, "nested too deeply"),
    "deeper than needed": ('{"name": "a", "any": ' + "[" * 40 + "]" * 40 + "}", "nested too"),
    "digits": ("9" * 5000, "not JSON"),
    "a large integer": ('{"name": "a", "any": [18446744073709551616]}', "more than 64 bits"),
    "twice": ('{"name": "a", "name": "b"}', "the key 'name' is there twice"),
    "a list": ("[]", "expected an object, got a list"),
    "null": ("null", "expected an object, got null"),
    "missing": ("{}", "missing required field name"),
    "type": ('{"name": 5}', r"expected text, got a whole number .at name.: mend it$"),
    "true is no number": ('{"name": "a", "level": true}', "expected a number, got true or false"),
    "a fraction": ('{"name": "a", "inner": {"hop": 1.5}}', "whole number.*at inner.hop"),
    "range": ('{"name": "a", "inner": {"hop": 0}}', r"expected a whole number >= 1 .at inner.hop"),
    "NaN": ('{"name": "a", "level": NaN}', "expected a number"),
    "infinite": ('{"name": "a", "level": -Infinity}', "expected a number"),
    "infinite by its exponent": ('{"name": "a", "level": 1e999}', "expected a number"),
    "short": ('{"name": "a", "pairs": [["a"]]}', r"list of length 2, got 1 .at pairs\[0\]"),
    "own check": ('{"name": "refused"}', "^FILE: refuses itself: rename it$"),
    "own error": ('{"name": "unfit"}', "^FILE: does not fit itself: mend it$"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_everything_else_is_one_line(case):
    text, message = REFUSED[case]
    with pytest.raises(HiphopssError, match=message) as caught:
        parsed(text)
    assert str(caught.value).startswith("FILE: ")
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 400


def test_numbers_of_a_run_that_diverged_are_read_where_no_range_is_given():
    assert parsed('{"loss": NaN, "x": Infinity}', dict[str, float])["x"] == float("inf")


def test_names_of_files_that_are_no_utf_8_are_kept():
    name = os.fsdecode(b"caf\xe9")
    assert parsed('{"caf\\udce9": 1}', dict[str, int]) == {name: 1}


def test_hashes_are_hashes():
    assert parsed(f'["{"0f" * 32}"]', list[Sha256]) == ["0f" * 32]
    for other in ("0F" * 32, "0f" * 33, "", "0f" * 32 + "\\n"):
        with pytest.raises(HiphopssError, match="expected text"):
            parsed(f'["{other}"]', list[Sha256])


def test_long_messages_are_cut_short():
    with pytest.raises(HiphopssError) as caught:
        parsed(f'{{"{"x" * 5000}": 1, "{"x" * 5000}": 1}}')
    assert len(str(caught.value)) < 300


def test_a_key_that_is_there_twice_among_many_is_found_at_once():
    """In the time of one look at each key, rather than at all of them for each."""
    keys = ", ".join(f'"{number}": 0' for number in range(100_000))
    begun = time.process_time()
    with pytest.raises(HiphopssError, match="the key '99999' is there twice"):
        parsed(f'{{{keys}, "99999": 0}}')
    assert time.process_time() - begun < 5  # it was minutes


def test_files_that_cant_be_read_are_one_line(tmp_path, monkeypatch):
    getattr(os, "mkfifo", os.mkdir)(tmp_path / "pipe.json")  # a pipe would never end
    (tmp_path / "large.json").write_text(" " * 2000)
    monkeypatch.setattr(records, "MOST_BYTES", 1000)
    for name, message in (
        ("none.json", "none.json: can't be read .No such file or directory.: check the path"),
        ("pipe.json", "pipe.json: a (named pipe|folder), not a file: name a file"),
        (".", ": a folder, not a file: name a file"),
        ("large.json", "large.json: larger than 0 MiB: mend it"),
        ("a\0b", "no name of a file: check the path"),
    ):
        with pytest.raises(HiphopssError, match=f"{message}$") as caught:
            read_record(tmp_path / name, Made, mend="mend it")
        assert "\n" not in str(caught.value)


def test_numbers_in_tables_are_text():
    fitted = fit_record({"a": "1.5"}, dict[str, float], origin="F", mend="m", strict=False)
    assert fitted == {"a": 1.5}
    for text in ("1_0", "0x10", "", "٣", "1e999", "NaN(5)", "=1+1"):
        with pytest.raises(HiphopssError, match=r"^F: "):
            fit_record({"a": text}, dict[str, float], origin="F", mend="m", strict=False)


def table(tmp_path, content):
    (tmp_path / "t.csv").write_bytes(content)
    return list(read_table(tmp_path / "t.csv", mend="mend it"))


def test_tables_are_read_with_the_numbers_of_lines(tmp_path):
    content = b'\xef\xbb\xbfa,b\r\n\r\n"x\ny",\xc3\xa9\n'
    assert table(tmp_path, content) == [(1, ["a", "b"]), (4, ["x\ny", "é"])]
    assert table(tmp_path, b"") == []


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("a,b\né,1\n".encode("latin-1"), "line 2 is not UTF-8: save the table as UTF-8"),
        ("a,b\n".encode("utf-16"), "line 1 is not UTF-8: save the table as UTF-8"),
        (b"a,b\n" + b"x" * 200_000 + b",1\n", "line 2: field larger than field limit"),
        (b'a,b\n"x', "line 2: unexpected end of data"),
        (b'a,"b"c\n', "line 1: "),
    ],
)
def test_files_that_are_no_tables_are_one_line(tmp_path, content, message):
    with pytest.raises(HiphopssError, match=message) as caught:
        table(tmp_path, content)
    assert str(caught.value).startswith(f"{tmp_path / 't.csv'}: ")
    assert "\n" not in str(caught.value)
