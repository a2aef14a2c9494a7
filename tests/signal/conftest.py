"""A stem file of noise."""

import shutil
from pathlib import Path

import pytest
from helpers.stem_mp4 import make_stem_mp4, streams_of


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return make_stem_mp4(tmp_path_factory.mktemp("made") / "made.stem.mp4", streams_of())


@pytest.fixture
def song(made, tmp_path, ffmpeg_on_path):
    return Path(shutil.copy(made, tmp_path / "a song.stem.mp4"))
