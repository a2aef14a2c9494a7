"""Mistakes that people make on the command line, and what they are told."""

import numpy as np
import pytest
import soundfile

import hiphopss
from hiphopss import HiphopssError


def test_unknown_options_point_to_the_help_of_the_verb(run):
    for verb, near in (
        ("separate song.wav -o out", " (did you mean --weights?)"),
        ("weights list", ""),
    ):
        status, _, errors = run(*verb.split(), "--wieghts", "x")
        name = " ".join(
            word for word in verb.split()[:2] if word in ("separate", "weights", "list")
        )
        assert (status, errors) == (
            2,
            f"hiphopss: error: --wieghts: no such option{near}: see `hiphopss {name} --help`\n",
        )


def test_an_empty_list_of_models_is_refused(run, tmp_path):
    status, _, errors = run("reproduce", "-o", tmp_path / "run", "--models", "")
    assert status == 2
    assert "--models: names no model" in errors
    assert not (tmp_path / "run").exists()


def test_references_and_estimates_the_wrong_way_round(run, dataset, tmp_path):
    (tmp_path / "stems" / "000 - song").mkdir(parents=True)
    soundfile.write(tmp_path / "stems" / "000 - song" / "bass.wav", np.zeros(9000), 44100)
    status, _, errors = run("evaluate", tmp_path / "stems", dataset, "-o", tmp_path / "s.csv")
    assert status == 2
    assert "name the references first" in errors


def test_one_file_may_be_given_as_such(published, tmp_path):
    soundfile.write(tmp_path / "song.wav", 0.1 * np.ones(9000), 44100)
    settings = hiphopss.SeparationSettings(published)
    done = hiphopss.separate_files(
        str(tmp_path / "song.wav"), tmp_path / "out", settings, progress=False
    )
    assert done.folders == [tmp_path / "out" / "song"]
    with pytest.raises(HiphopssError, match="waveform: not an array of samples: read the file"):
        hiphopss.separate("song.wav", 44100)
