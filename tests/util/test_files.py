"""Files and folders that appear whole, or not at all."""

import errno
import os
from concurrent.futures import ThreadPoolExecutor

import pytest

from hiphopss import HiphopssError
from hiphopss.util import locks
from hiphopss.util.files import require_writable, write_text, written_whole
from hiphopss.util.locks import locked


def test_what_is_in_the_output_already_is_not_touched(tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "separation.json").write_text("mine")
    with (
        pytest.raises(HiphopssError, match="out: a folder with something in it"),
        written_whole(tmp_path / "out") as temporary,
    ):
        temporary.mkdir()
    assert (tmp_path / "out" / "separation.json").read_text() == "mine"
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_what_was_begun_is_gone_after_an_error(tmp_path):
    def fail():
        with written_whole(tmp_path / "new" / "out") as temporary:
            temporary.mkdir()
            (temporary / "a").write_text("a")
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("name", "advice"),
    [
        ("ENOSPC", "make room"),
        ("EDQUOT", "remove some of your files"),
        ("EFBIG", "allow larger files"),
        ("EROFS", "choose a folder that can be written to"),
    ],
)
def test_a_disk_that_takes_no_more_is_told_in_a_line(tmp_path, name, advice):
    number = getattr(errno, name)

    def fail():
        with written_whole(tmp_path / "new" / "out.csv") as temporary:
            temporary.write_text("half")
            raise OSError(number, os.strerror(number))

    with pytest.raises(HiphopssError) as told:
        fail()
    reason = os.strerror(number)
    assert str(told.value).startswith(f"{tmp_path / 'new' / 'out.csv'}: can't be written ({reason}")
    assert advice in str(told.value)
    assert "\n" not in str(told.value)
    assert not list(tmp_path.iterdir())


def test_the_error_of_another_file_is_not_called_the_outputs(tmp_path):
    def fail():
        with written_whole(tmp_path / "out"):
            (tmp_path / "missing").read_text()

    with pytest.raises(FileNotFoundError, match="missing"):
        fail()


@pytest.mark.parametrize("name", ["a" * 250 + ".csv", "ü" * 121 + ".weights.h5", "x" * 255])
def test_every_name_that_the_disk_takes_can_be_written(tmp_path, name):
    """The names of temporary and lock files are longer, and are shortened."""
    with written_whole(tmp_path / name) as temporary, locked(tmp_path / name):
        temporary.write_text("whole")
        assert name.endswith("".join(temporary.suffixes[-2:]))
        assert len(list(tmp_path.iterdir())) == 2
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_long_names_have_helpers_of_their_own(tmp_path):
    first, second = (tmp_path / f"{'a' * 200}{k}{'b' * 50}.csv" for k in "12")
    with written_whole(first) as one, written_whole(second) as another:
        one.write_text("1")
        another.write_text("2")
    assert (first.read_text(), second.read_text()) == ("1", "2")


def test_without_locks_two_runs_have_their_own_temporary_files(tmp_path, monkeypatch):
    monkeypatch.setattr(locks, "_acquired", lambda *_: None)
    with ThreadPoolExecutor(1) as other, written_whole(tmp_path / "out") as mine:
        mine.write_text("mine")
        other.submit(write_text, tmp_path / "out", "other").result()
        assert mine.read_text() == "mine"
    assert [(p.name, p.read_text()) for p in tmp_path.iterdir()] == [("out", "mine")]


def test_too_long_a_name_is_told_before_the_work(tmp_path):
    with pytest.raises(HiphopssError, match="too long a name for this disk"):
        require_writable(tmp_path / ("a" * 256))
