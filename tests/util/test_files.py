"""Files and folders that appear whole, or not at all."""

import pytest

from hiphopss import HiphopssError
from hiphopss.util.files import filled_whole, written_whole
from hiphopss.util.locks import PREFIX, beside


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


def test_the_longest_names_have_room_beside_them(tmp_path):
    folder, file = tmp_path / ("f" * 255), tmp_path / f"{'é' * 120}.weights.h5"
    with filled_whole(folder) as temporary:
        (temporary / "a").write_text("a")
        assert len(temporary.name) <= 143  # what an encrypted file system takes
    with written_whole(file) as temporary:
        assert temporary.name.endswith(".weights.h5")
        temporary.write_text("b")
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([folder.name, file.name])
    others = [beside(tmp_path / name, PREFIX).name for name in ("f" * 254, "f" * 255, "short.wav")]
    assert len(set(others)) == 3
    assert others[2] == ".lock-short.wav"
