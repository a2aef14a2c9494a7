"""The stages of a run: features, weights, estimates, scores. What is in the store is not redone."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from hiphopss.config import LossWeights, SignalConfig, resolve_preset
from hiphopss.datasets.augmentation import RANDOM, SHIFTING
from hiphopss.datasets.feature_file import FORMAT
from hiphopss.datasets.features import make_features
from hiphopss.eval.table import Row, read_rows, write_rows
from hiphopss.experiments import Experiment, Profile, table1
from hiphopss.reproduce.songs import Songs
from hiphopss.reproduce.store import Store
from hiphopss.weights import SUFFIX, read_info


@dataclass(frozen=True)
class Stages:
    """What all stages of a run need.

    Attributes
    ----------
    store : Store
        Where outputs are.
    songs : Songs
        Training and test songs.
    profile : Profile
        How much is done.
    preset : str
        Fidelity preset.
    seed : int
        Of all random choices.
    stand_ins : dict of str to Path
        Weight files to use instead of training a model.
    released_test_leak : bool
        Q3.
    progress : bool
        Show bars.
    n_jobs : int or None
        Processes that score.
    dask : str or None
        Address of the cluster that scores.
    """

    store: Store
    songs: Songs
    profile: Profile
    preset: str
    seed: int
    stand_ins: dict[str, Path]
    released_test_leak: bool
    progress: bool
    n_jobs: int | None = None
    dask: str | None = None

    def say(self, text: str) -> None:
        """Tell which stage begins."""
        if self.progress:
            print(text, file=sys.stderr)

    def features(self, experiment: Experiment) -> Path:
        """The feature file of a model."""
        leak = self.released_test_leak and experiment.augmentation in SHIFTING
        songs = self.songs.dev[experiment.songs] + (self.songs.leaked if leak else [])
        inputs = {
            "songs": self.store.songs_hash(songs),
            "augmentation": experiment.augmentation,
            "fidelity": asdict(resolve_preset(self.preset)),
            "config": asdict(SignalConfig()),
            "seed": self.seed if experiment.augmentation in RANDOM else None,
            "released_test_leak": leak,
            "format": FORMAT,
        }
        name = f"{experiment.songs}-{experiment.augmentation}"
        path = self.store.path("features", name, inputs, ".h5")
        if not path.exists():
            self.say(f"{experiment.name}: features")
            make_features(
                songs,
                path,
                augmentation=experiment.augmentation,
                preset=self.preset,
                seed=self.seed,
                released_test_leak=leak,
                progress=self.progress,
            )
        return path

    def weights(self, experiment: Experiment) -> Path:
        """The weight file of a model, trained or standing in; first that of its initial model."""
        if experiment.name in self.stand_ins:
            return self.stand_ins[experiment.name]
        init = None
        if experiment.init:
            init = self.weights(next(e for e in table1() if e.name == experiment.init))
        features = self.features(experiment)
        inputs = {
            "features": features.name,
            "init": _identity(init) if init else None,
            "backend": os.environ.get("KERAS_BACKEND", "tensorflow"),
            "epochs": self.profile.epochs_of(experiment),
            "patches_per_epoch": self.profile.patches,
            "learning_rate": experiment.learning_rate,
            "loss_weights": experiment.dissimilarity[self.preset],
            "seed": self.seed,
        }
        path = self.store.path("weights", experiment.name, inputs, SUFFIX)
        if not path.exists():
            from hiphopss.training import train

            self.say(f"{experiment.name}: training")
            train(
                features,
                path,
                epochs=inputs["epochs"],
                init=init,
                seed=self.seed,
                learning_rate=experiment.learning_rate,
                loss_weights=LossWeights(**inputs["loss_weights"]),
                patches_per_epoch=self.profile.patches,
                progress=self.progress,
            )
        return path

    def estimates(self, experiment: Experiment, weights: Path) -> Path:
        """The folder of a model's estimates of all test songs."""
        from hiphopss.tracks import separate_files

        songs = self.songs.all_tests
        inputs = {
            "weights": _identity(weights),
            "mixtures": {song.name: self.store.sha256(song.mixture) for song in songs},
        }
        folder = self.store.path("estimates", experiment.name, inputs)
        missing = [song.mixture for song in songs if not (folder / song.name).exists()]
        if missing:
            self.say(f"{experiment.name}: separation")
            separate_files(
                missing,
                folder,
                weights=weights,
                mono=True,
                model_name=experiment.name,
                progress=self.progress,
            )
        return folder

    def baselines(self) -> list[Path]:
        """Folders of estimates of the bounds and of NMF."""
        from hiphopss.eval import ideal_ratio_mask_estimates, mixture_estimates, nmf_estimates

        tests, dev = self.songs.all_tests, self.songs.dev["HHDS"]
        inputs = {"tests": self.store.songs_hash(tests)}
        folders = []
        for name, make in (
            ("mixture", mixture_estimates),
            ("ideal-ratio-mask", ideal_ratio_mask_estimates),
        ):
            folders.append(self.store.path("estimates", name, inputs))
            if not folders[-1].exists():
                self.say(f"{name}: estimates")
                make(tests, folders[-1])
        if not dev:
            self.say("NMF: left out, there are no HHDS songs to learn from")
            return folders
        inputs |= {"dev": self.store.songs_hash(dev), "seed": self.seed}
        folders.append(self.store.path("estimates", "NMF", inputs))
        if not folders[-1].exists():
            self.say("NMF: dictionaries and estimates")
            nmf_estimates(dev, tests, folders[-1], seed=self.seed, progress=self.progress)
        return folders

    def scores(self, folders: list[Path]) -> list[Row]:
        """The rows of all folders of estimates, test set by test set; new ones are scored."""
        from hiphopss.eval import evaluate

        tests = self.songs.all_tests
        references = self.store.songs_hash(tests)
        tables = {
            folder: self.store.path(
                "scores",
                folder.name.rpartition("-")[0],
                {"estimates": self.store.files_hash(folder), "references": references},
                ".csv",
            )
            for folder in folders
        }
        new = [folder for folder, table in tables.items() if not table.exists()]
        if new:
            self.say("evaluation")
            with TemporaryDirectory() as scratch:
                table = Path(scratch) / "new.csv"
                rows = evaluate(
                    tests, new, table, n_jobs=self.n_jobs, dask=self.dask, progress=self.progress
                )
            for folder in new:
                model = json.loads((folder / "separation.json").read_text("utf-8"))["model"]
                write_rows(tables[folder], [row for row in rows if row.model == model])
        rows = [row for table in tables.values() for row in read_rows(table)]
        return sorted(rows, key=lambda row: list(self.songs.tests).index(row.subset))


def _identity(weights: Path) -> list:
    """What tells weights apart: their arrays, and whether they were trained on test songs."""
    info = read_info(weights)
    return [info.sha256, bool(info.provenance.get("released_test_leak"))]
