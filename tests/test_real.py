"""The whole way on a real recording (skipped where there is none)."""

import numpy as np
import pytest
import soundfile
from helpers.eval_songs import run
from helpers.songs import read_json, warned

from hiphopss import SOURCES
from hiphopss.datasets.features.file import FeatureFile
from hiphopss.datasets.features.make import make_features
from hiphopss.datasets.songs import read_songs
from hiphopss.separation.files import SeparationSettings, separate_files
from hiphopss.training.loop import TrainingSettings, train


@pytest.mark.slow
def test_overfitting_a_real_song_separates_it(sample, tmp_path):
    (song,) = read_songs(sample, ("Dev",))
    # its mixture is mastered, so the preset `corrected` takes the scaled sum and says so
    with warned("mastering"):
        features = make_features(sample, tmp_path / "f.h5", preset="corrected", progress=False)
    with FeatureFile(features) as file:
        assert file.n_patches == 100  # 268,288 samples: 526 frames
        (segment,) = file.segments()
        for part in segment.parts:
            assert part.gain == part.target_gain == pytest.approx(0.969, abs=0.001)
    settings = TrainingSettings(epochs=60)
    weights = train(features, tmp_path / "real.weights.h5", settings, progress=False)
    out = tmp_path / "stems"
    separate_files([song.mixture], out, SeparationSettings(weights), progress=False)
    folder = out / song.name
    total = sum(soundfile.read(folder / f"{s}.wav", dtype="int16")[0].astype(int) for s in SOURCES)
    mixture, _ = soundfile.read(song.mixture, dtype="int16")
    assert total.shape == mixture.shape == (268288, 2)
    assert np.abs(total - mixture).max() <= 2
    rows = run(sample, out, tmp_path / "scores.csv", bounds=True)
    mean = {
        model: np.mean([row.SDR for row in rows if row.model == model])
        for model in ("real", "mixture", "ideal ratio mask")
    }
    # Measured: -4.8 dB for the mixture, 4.0 after 60 epochs, 4.9 for ideal ratio masks
    assert mean["mixture"] == pytest.approx(-4.84, abs=0.05)
    assert mean["ideal ratio mask"] == pytest.approx(4.94, abs=0.05)
    assert mean["real"] > mean["mixture"] + 7
    assert read_json(out / "separation.json")["preset"] == "corrected"
