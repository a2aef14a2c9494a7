"""The choice of a run's training and test songs."""

import shutil
from pathlib import Path

import pytest
import soundfile
from helpers.hhds import FOREIGN
from helpers.songs import RATE, warned

from hiphopss import HiphopssError
from hiphopss.reproduction.songs import choose_songs


def test_bad_test_songs_are_told_before_any_work(data, tmp_path):
    def copied(name):
        return {
            kind.upper(): Path(shutil.copytree(root, tmp_path / name / kind))
            for kind, root in data.items()
        }

    test = "Test/005 - Maker - Test 5"
    roots = copied("short")
    path = roots["HHDS"] / "Mixtures" / test / "mixture.wav"
    soundfile.write(path, soundfile.read(path)[0][:-5000], RATE, subtype="FLOAT")
    with pytest.raises(HiphopssError, match=r"mixture\.wav|vocals\.wav"):
        choose_songs(roots)
    path.write_bytes(b"")
    with pytest.raises(HiphopssError, match=r"mixture\.wav: not an audio file|mixture\.wav"):
        choose_songs(roots)
    path.unlink()
    with pytest.raises(HiphopssError, match=r"Test 5: a test song without mixture\.wav"):
        choose_songs(roots)
    with pytest.raises(HiphopssError, match="a test song of the same name as"):
        choose_songs(copied("named"), ["005 - Maker - Test 5"])
    roots = copied("both")
    for kind in ("Sources", "Mixtures"):
        moved = roots["HHDS"] / kind / "Dev" / "005 - Maker - Test 5"
        shutil.copytree(roots["HHDS"] / kind / test, moved)
    with warned("because they are test songs: 005 - Maker - Test 5"):
        chosen = choose_songs(roots)
    assert len(chosen.dev["HHDS"]) == 5
    assert not chosen.generated


def test_the_second_test_set_decides_what_is_trained_on(data):
    roots = {kind.upper(): Path(root) for kind, root in data.items()}
    papers = choose_songs(roots)
    assert papers.dev["DSD100"][0].name == FOREIGN[2]
    with warned(f"because they are test songs: {FOREIGN[2]}"):
        archive = choose_songs(roots, test_set="hhds-archive")
    assert [song.name for song in archive.tests["DSD100 hip-hop"]] == list(FOREIGN)
    assert [song.name for song in archive.dev["DSD100"]] == ["053 - Band - A", "054 - Band - B"]
    assert (papers.second.name, archive.second.name) == ("paper", "hhds-archive")
