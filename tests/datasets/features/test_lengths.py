"""Feature files of songs whose stems differ in length by a few samples."""

import h5py
import numpy as np
import pytest
import soundfile
from helpers.songs import RATE, noise, warned, write_song

from hiphopss import SOURCES, HiphopssError, SongChoice, make_features, plan_features
from hiphopss.datasets.features.audition import audition
from hiphopss.datasets.features.file import FeatureFile
from hiphopss.datasets.features.segments import MIXTURE, TARGETS


@pytest.fixture
def song(tmp_path):
    """The bass is a sample shorter than the others; the mixture is as long as these."""
    stems = {s: noise(40000, i).astype(np.float32) for i, s in enumerate(SOURCES)}
    write_song(tmp_path / "set", "Dev", "song", stems, gain=0.7)
    bass = tmp_path / "set" / "Sources" / "Dev" / "song" / "bass.wav"
    soundfile.write(bass, stems["bass"][:-1], RATE, subtype="FLOAT")
    return tmp_path / "set"


def test_longer_stems_are_cut_and_the_file_says_so(song, tmp_path, run):
    with warned(r"bass\.wav: 39999 samples, but .*\(by up to 1 sample, 0\.0227 ms\)") as told:
        path = make_features(song, tmp_path / "f.h5", preset="corrected", progress=False)
    assert sum("bass.wav" in line for line in told) == 1
    assert "mixture.wav has 40000" in told[-1]
    with FeatureFile(path) as file:
        cut = {f"Dev/song/{source}": 1 for source in ("vocals", "drums", "other")}
        assert file.provenance["cut"] == cut
        assert file.segments()[0].n_samples == 39999
    assert len(audition(path, 0, tmp_path / "heard")) == 5
    for source in SOURCES:  # cut beforehand, they give the same features
        stem = song / "Sources" / "Dev" / "song" / f"{source}.wav"
        samples, rate = soundfile.read(stem, dtype="float32")
        soundfile.write(stem, samples[:39999], rate, subtype="FLOAT")
    again = make_features(song, tmp_path / "g.h5", preset="corrected", progress=False)
    with h5py.File(path) as one, h5py.File(again) as other:
        assert "cut" not in other["provenance"].asstr()[()]
        for name in (MIXTURE, TARGETS):
            np.testing.assert_array_equal(one[name], other[name])


def test_by_how_much_stems_may_differ(song, tmp_path, run):
    refused = r"bass\.wav: 39999 samples, but .*vocals\.wav has 40000: .*--length-tolerance SECONDS"
    strict = SongChoice(length_tolerance_s=0)
    with pytest.raises(HiphopssError, match=refused):
        make_features(song, tmp_path / "f.h5", songs=strict, progress=False)
    with pytest.raises(HiphopssError, match=refused):
        plan_features(song, tmp_path / "f.h5", songs=strict, calibrate=False)
    status, _, told = run("features", song, "-o", tmp_path / "f.h5", "--length-tolerance", 0, "-q")
    assert (status, told.count("\n")) == (2, 1)
    with pytest.raises(HiphopssError, match=r"length tolerance is -1 s: give 0 or a positive"):
        SongChoice(length_tolerance_s=-1)
    assert not (tmp_path / "f.h5").exists()
