"""How fast this machine does each stage, from a few seconds of each: for the plan of a run.

Everything is measured with the functions that do the work, on noise: none of them is faster or
slower on music. Each speed is measured when it is first asked for.
"""

from __future__ import annotations

import tempfile
import time
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np

from hiphopss.config import SignalConfig, resolve_preset
from hiphopss.datasets.features.file import FeatureFile
from hiphopss.datasets.features.make import make_features
from hiphopss.datasets.features.plan import FeatureSpeed, measure_features, noise_songs, quiet
from hiphopss.datasets.generated import generate
from hiphopss.datasets.songs import require_mixture
from hiphopss.eval.matching import Estimates
from hiphopss.eval.protocols import Scoring
from hiphopss.eval.scoring import score
from hiphopss.separation.files import SeparationSettings, separate_files
from hiphopss.training.processes import Share
from hiphopss.training.settings import TrainingSettings
from hiphopss.training.steps import compile_model, training_steps
from hiphopss.util.executor import Executor
from hiphopss.util.keras_backend import import_keras
from hiphopss.weights.files import SUFFIX, save_weights

_TRAINING_S = 3.0
_MOST_BATCHES = 100_000  # in that time, on any machine
_SONG_S = 20.0
_SCORED_S = (10.0, 30.0)
_GENERATED_S = 8.0


@dataclass(frozen=True)
class TrainingSpeed:
    """How fast this machine trains.

    Attributes
    ----------
    patches_per_s : float
        Patches trained on in a second, after the first call.
    start_s : float
        Seconds for building and compiling a model.
    """

    patches_per_s: float
    start_s: float


@dataclass(frozen=True)
class ScoringSpeed:
    """How fast a process of this machine scores.

    Attributes
    ----------
    song_s : float
        Seconds for each song and model, whatever the song's length.
    per_second : float
        Seconds for each second of a song, and each model.
    """

    song_s: float
    per_second: float

    def seconds(self, song_seconds: float) -> float:
        """Expected time for one model on one song."""
        return self.song_s + song_seconds * self.per_second


@dataclass
class Calibration:
    """The speeds of this machine, with the present backend.

    Attributes
    ----------
    preset : str
        Fidelity preset.
    """

    preset: str
    _scoring: dict[Scoring, ScoringSpeed] = field(default_factory=dict)

    @cached_property
    def features(self) -> FeatureSpeed:
        """Speed of making features."""
        return measure_features(self.preset, SignalConfig())

    @cached_property
    def training(self) -> TrainingSpeed:
        """Speed of training the preset's network, in batches of the usual size."""
        size = TrainingSettings().batch_size
        with noise_songs(1, _SONG_S) as songs, quiet():
            path = songs[0].folder / "features.h5"
            make_features(songs, path, preset=self.preset, progress=False)
            begun = time.perf_counter()
            with FeatureFile(path) as file:
                import_keras()
                from hiphopss.network.model import build_model

                model = build_model(file.fidelity, config=file.config, seed=0)
                compile_model(model, file.fidelity)
                rng = np.random.default_rng(0)
                batches = rng.integers(file.n_patches, size=(_MOST_BATCHES, size))
                calls = training_steps(model, file, Share())(batches)
                next(calls)
                compiled, n_batches = time.perf_counter(), 0
                for n_more, _ in calls:
                    n_batches += n_more
                    if time.perf_counter() - compiled > _TRAINING_S:
                        break
                taken = time.perf_counter() - compiled
        return TrainingSpeed(n_batches * size / taken, compiled - begun)

    @cached_property
    def separation(self) -> float:
        """Seconds for separating a second of a song, mono."""
        fidelity, config = resolve_preset(self.preset), SignalConfig()
        import_keras()
        from hiphopss.network.model import build_model

        with noise_songs(1, _SONG_S) as songs, quiet():
            folder, mixture = songs[0].folder, require_mixture(songs[0])
            weights = folder / f"fresh{SUFFIX}"
            model = build_model(fidelity, config=config, seed=0)
            save_weights(weights, model, config=config, fidelity=fidelity)
            settings = SeparationSettings(weights, mono=True, loops="off")
            taken = []
            for turn in ("first", "second"):
                begun = time.perf_counter()
                separate_files([mixture], folder / turn, settings, progress=False)
                taken.append(time.perf_counter() - begun)
        return min(taken) / _SONG_S

    def scoring(self, how: Scoring) -> ScoringSpeed:
        """Speed of scoring in a mode, with windows or without."""
        if how not in self._scoring:
            taken = []
            for seconds in (1.0, *_SCORED_S):  # the first one warms up
                with noise_songs(2, seconds) as (song, other), quiet():
                    models = [Estimates(n, None, [(song, other.stems)], None) for n in ("a", "b")]
                    begun = time.perf_counter()
                    score(models, how, Executor(1), progress=False)
                    taken.append((time.perf_counter() - begun) / len(models))
            short, long = _SCORED_S
            per_second = max(taken[2] - taken[1], 0.0) / (long - short)
            self._scoring[how] = ScoringSpeed(max(taken[2] - long * per_second, 0.0), per_second)
        return self._scoring[how]

    def generating(self, collection: str) -> float:
        """Seconds for generating a second of a song of a collection."""
        with tempfile.TemporaryDirectory() as folder, quiet():
            begun = time.perf_counter()
            generate(
                Path(folder, "set"),
                collection=collection,
                seconds=_GENERATED_S,
                n_dev=1,
                n_test=1,
                progress=False,
            )
            return (time.perf_counter() - begun) / (2 * _GENERATED_S)
