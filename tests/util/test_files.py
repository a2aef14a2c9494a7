"""Files and folders that appear whole, or not at all."""

import pytest

from hiphopss import HiphopssError
from hiphopss.util.files import written_whole


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
