"""The stages of a run: features, weights, estimates, scores. Stored outputs are not made again."""

from __future__ import annotations

import logging
import math
import os
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from hiphopss.config import (
    SOURCES,
    Fidelity,
    LossWeights,
    SignalConfig,
    default_loss_weights,
    resolve_preset,
)
from hiphopss.datasets.features.augmentation import RANDOM, SHIFTING, feature_switches
from hiphopss.datasets.features.make import make_features
from hiphopss.datasets.features.segments import FORMAT
from hiphopss.datasets.songs import Song, require_mixture
from hiphopss.eval.baselines.baseline import Baseline
from hiphopss.eval.baselines.bounds import IdealRatioMask, Mixture
from hiphopss.eval.baselines.nmf import SupervisedNmf
from hiphopss.eval.matching import Estimates, find_estimates
from hiphopss.eval.protocols import Scoring
from hiphopss.eval.scoring import score
from hiphopss.eval.table import Row, read_rows, write_rows
from hiphopss.network.spec import array_shapes
from hiphopss.reproduction.experiments import Experiment, Profile, table1
from hiphopss.reproduction.songs import Songs
from hiphopss.reproduction.store import Store
from hiphopss.separation.files import SeparationSettings, separate_files
from hiphopss.signal.reading import BITS, read_header
from hiphopss.signal.writing import output_subtype
from hiphopss.training.checkpoints import adopt_checkpoint
from hiphopss.training.loop import train
from hiphopss.training.settings import TrainingSettings
from hiphopss.util.executor import Executor
from hiphopss.util.files import require_space
from hiphopss.util.locks import locked, unmade
from hiphopss.weights.files import SUFFIX, read_info

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Stages:
    """Settings that all stages of a run share, and the stages as methods.

    Attributes
    ----------
    store : Store
        Store of outputs.
    songs : Songs
        Training and test songs.
    profile : Profile
        Extent of the run.
    preset : str or Fidelity
        Fidelity preset.
    seed : int
        Seed of all random choices.
    stand_ins : dict of str to Path
        Weight files that replace the training of models, by name.
    released_test_leak : bool
        Whether the circular shift also uses test songs (Q3).
    progress : bool
        Show progress bars.
    where : Executor
        Processes that score, or a cluster.
    """

    store: Store
    songs: Songs
    profile: Profile
    preset: str | Fidelity
    seed: int
    stand_ins: dict[str, Path]
    released_test_leak: bool
    progress: bool
    where: Executor

    def features(self, experiment: Experiment) -> Path:
        """Make the feature file of a model."""
        path = self.features_path(experiment)
        with unmade(path, label=experiment.name) as missing:
            if missing:
                logger.info("%s: features", experiment.name)
                songs, options = self.training_songs(experiment), self.feature_options(experiment)
                make_features(songs, path, **options, progress=self.progress)
        return path

    def feature_options(self, experiment: Experiment) -> dict[str, Any]:
        """The settings of a model's features."""
        leak = self.released_test_leak and experiment.augmentation in SHIFTING
        return {
            "augmentation": experiment.augmentation,
            "preset": self.preset,
            "seed": self.seed,
            "released_test_leak": leak,
        }

    def training_songs(self, experiment: Experiment) -> list[Song]:
        """The songs of a model's features."""
        leak = self.feature_options(experiment)["released_test_leak"]
        return self.songs.dev[experiment.songs] + (self.songs.leaked if leak else [])

    def features_path(self, experiment: Experiment) -> Path:
        """Path of a model's feature file, whether it exists or not."""
        inputs = {
            "songs": self.store.songs_hash(self.training_songs(experiment)),
            "augmentation": experiment.augmentation,
            "fidelity": feature_switches(resolve_preset(self.preset), experiment.augmentation),
            "config": asdict(SignalConfig()),
            "seed": self.seed if experiment.augmentation in RANDOM else None,
            "released_test_leak": self.feature_options(experiment)["released_test_leak"],
            "format": FORMAT,
        }
        name = f"{experiment.songs}-{experiment.augmentation}"
        return self.store.path("features", name, inputs, ".h5")

    def weights(self, experiment: Experiment) -> Path:
        """Train a model, or take its replacement; its initial model is trained first if needed."""
        if experiment.name in self.stand_ins:
            return self.stand_ins[experiment.name]
        init = None
        if experiment.init:
            init = self.weights(next(e for e in table1() if e.name == experiment.init))
        features = self.features(experiment)
        path, others = self.weights_paths(experiment, features, init)
        with unmade(path, label=experiment.name) as missing:
            if missing:
                logger.info("%s: training", experiment.name)
                require_space(path.parent, self.weights_bytes, f"{experiment.name}'s training")
                settings = self.training_settings(experiment)
                adopt_checkpoint(path, others, epochs=settings.epochs)
                train(features, path, settings, init=init, progress=self.progress)
        return path

    def training_settings(self, experiment: Experiment) -> TrainingSettings:
        """The settings of a model's training."""
        fidelity = resolve_preset(self.preset)
        return TrainingSettings(
            epochs=self.profile.epochs_of(experiment),
            seed=self.seed,
            learning_rate=experiment.learning_rate,
            loss_weights=_loss_weights(experiment, fidelity),
            patches_per_epoch=self.profile.patches,
            fidelity=fidelity,
        )

    def weights_paths(
        self, experiment: Experiment, features: Path, init: Path | None
    ) -> tuple[Path, list[Path]]:
        """Path of a model's weights, and of those of other numbers of epochs.

        They need not exist.
        """
        settings = self.training_settings(experiment)
        inputs = {
            "features": features.name,
            "fidelity": asdict(resolve_preset(self.preset)),
            "init": _identity(init) if init else None,
            "backend": os.environ.get("KERAS_BACKEND", "tensorflow"),
            "epochs": settings.epochs,
            "patches_per_epoch": settings.patches_per_epoch,
            "learning_rate": settings.learning_rate,
            "loss_weights": asdict(_loss_weights(experiment, resolve_preset(self.preset))),
            "seed": self.seed,
        }
        own = "weights", experiment.name, inputs, SUFFIX
        return self.store.path(*own), self.store.siblings(*own, free="epochs")

    @property
    def weights_bytes(self) -> int:
        """Bytes of a model's weights and of its checkpoint, which has two more arrays for each."""
        shapes = array_shapes(SignalConfig(), resolve_preset(self.preset)).values()
        return 4 * sum(map(math.prod, shapes)) * (1 + 3)

    def estimates(
        self, experiment: Experiment, weights: Path, *, standalone_script: bool = False
    ) -> Path:
        """Make the folder of a model's estimates for all test songs, by default without Q6."""
        folder = self.estimates_path(experiment, weights, standalone_script=standalone_script)
        if not self.unseparated(folder):
            return folder
        with locked(folder, label=experiment.name):
            songs = self.unseparated(folder)  # another run may have made them meanwhile
            if songs:
                logger.info("%s: separation", experiment.name)
                settings = SeparationSettings(
                    weights,
                    mono=True,
                    standalone_script=standalone_script,
                    model_name=experiment.name,
                    loops="off",  # the paper knows none
                )
                require_space(folder, sum(map(stems_bytes, songs)), f"{experiment.name}'s stems")
                missing = {song.name: require_mixture(song) for song in songs}
                separate_files(missing, folder, settings, progress=self.progress)
        return folder

    def estimates_path(
        self, experiment: Experiment, weights: Path, *, standalone_script: bool = False
    ) -> Path:
        """Path of the folder of a model's estimates, whether it exists or not."""
        mixtures = {s.name: self.store.sha256(require_mixture(s)) for s in self.songs.all_tests}
        inputs: dict = {"weights": _identity(weights), "mixtures": mixtures}
        if standalone_script:
            inputs["standalone_script"] = True
        return self.store.path("estimates", experiment.name, inputs)

    def unseparated(self, folder: Path) -> list[Song]:
        """The test songs that have no estimates in a folder."""
        return [song for song in self.songs.all_tests if not (folder / song.name).exists()]

    @property
    def baseline_kinds(self) -> list[type[Baseline]]:
        """The bounds, and NMF if there are songs to learn from."""
        return [Mixture, IdealRatioMask, *([SupervisedNmf] if self.songs.dev["HHDS"] else [])]

    def baselines(self) -> dict[Baseline, dict]:
        """The bounds and NMF, each with its inputs other than the test songs."""
        made: dict[Baseline, dict] = {Mixture(): {}, IdealRatioMask(): {}}
        dev = self.songs.dev["HHDS"]
        if dev:
            nmf = SupervisedNmf(dev, self.songs.all_tests, seed=self.seed)
            made[nmf] = {"learnt_from": self.store.songs_hash(dev)}
        else:
            logger.info("NMF: left out, there are no HHDS songs to learn from")
        return made

    @property
    def scorings(self) -> tuple[Scoring, ...]:
        """The evaluations of the run; the first is that of the figure and the claims.

        The preset ``released`` is evaluated as the released code does. Songs of DSD100 are, too,
        because the original network's public scores of them were made so.
        """
        sources, released = Scoring(), Scoring(protocol="released")
        if resolve_preset(self.preset).name == "released":
            return released, sources
        return (sources, released) if self.songs.of_dsd100 else (sources,)

    def scores(
        self, folders: list[Path], baselines: dict[Baseline, dict], how: Scoring | None = None
    ) -> list[Row]:
        """Rows of all estimates, test set by test set; only new estimates are scored.

        The estimates of baselines are computed by the process that scores the song.
        """
        how = how or Scoring()
        tables = self.tables(folders, baselines, how)
        missing = sorted(table for _, table in tables if not table.exists())
        with ExitStack() as stack:
            for table in missing:  # all runs take several locks in this order
                stack.enter_context(locked(table, label="evaluation"))
            new = [(model, table) for model, table in tables if not table.exists()]
            if new:
                logger.info("evaluation, protocol %s", how.protocol)
                models = [model for model, _ in new]
                rows = score(models, how, where=self.where, progress=self.progress).rows
                for model, table in new:
                    write_rows(table, [row for row in rows if row.model == model.model])
        rows = [row for _, table in tables for row in read_rows(table)]
        return sorted(rows, key=lambda row: list(self.songs.tests).index(row.subset))

    def tables(
        self, folders: list[Path], baselines: dict[Baseline, dict], how: Scoring
    ) -> list[tuple[Estimates, Path]]:
        """List all estimates to score, each with the path of its table of scores."""
        tests = self.songs.all_tests
        scored = {"references": self.store.songs_hash(tests), "protocol": how.protocol}
        tables = []
        for folder in folders:
            inputs = {"estimates": self.store.files_hash(folder), **scored}
            table = self.store.path("scores", folder.name.rpartition("-")[0], inputs, ".csv")
            tables.append((find_estimates(tests, folder), table))
        for baseline, made_from in baselines.items():
            made = {"baseline": baseline.record, **made_from, **scored}
            name = baseline.model.replace(" ", "-")
            table = self.store.path("scores", name, made, ".csv")
            tables.append((Estimates.computed(baseline, tests), table))
        return tables


def stems_bytes(song: Song) -> int:
    """Bytes of the mono estimates of a song, which have the sample type of its mixture or finer."""
    header = read_header(require_mixture(song))
    n_bits = BITS.get(output_subtype(header.subtype), 32)
    return len(SOURCES) * header.n_samples * n_bits // 8


def _loss_weights(experiment: Experiment, fidelity: Fidelity) -> LossWeights:
    """Table 1's weights of a preset; of other switches, those that training takes by itself."""
    given = experiment.dissimilarity.get(fidelity.name)
    return (
        LossWeights(**given) if given else default_loss_weights(fidelity, experiment.augmentation)
    )


def _identity(weights: Path) -> list:
    """Identity of weights: their arrays, and whether they were trained on test songs."""
    info = read_info(weights)
    return [info.sha256, bool(info.provenance.get("released_test_leak"))]
