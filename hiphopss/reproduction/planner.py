"""The outputs of a run one by one: what each will hold and take, and what is there of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from hiphopss.config import SignalConfig
from hiphopss.datasets.features.make import lay_out
from hiphopss.datasets.features.plan import FeaturePlan, plan_of, quiet
from hiphopss.datasets.songs import Song, require_mixture
from hiphopss.reproduction.calibration import Calibration
from hiphopss.reproduction.experiments import Experiment, table1
from hiphopss.reproduction.songs import generated_bytes
from hiphopss.reproduction.stages import Stages, stems_bytes
from hiphopss.signal.reading import read_header
from hiphopss.training.batches import epoch_size
from hiphopss.training.checkpoints import furthest
from hiphopss.util.threads import processor_count

STAGES = ("songs", "features", "training", "separation", "evaluation")
DONE, MISSING = "done", "missing"


@dataclass(frozen=True)
class PlanLine:
    """One output of a run.

    Attributes
    ----------
    stage : str
        One of ``STAGES``.
    name : str
        Model (several, if they share features), or generated data set.
    n_songs : int
        Songs that are made, trained on, separated or scored.
    n_segments, n_patches, n_steps : int or None
        Segments and patches of the features; patches of an epoch and batches of the whole training.
    n_bytes : int
        Bytes of the output, made or not.
    seconds : float or None
        Expected time for what is left; None if it is not known.
    state : str
        ``"done"``, ``"missing"``, or what is there of it.
    """

    stage: str
    name: str
    n_songs: int
    n_segments: int | None = None
    n_patches: int | None = None
    n_steps: int | None = None
    n_bytes: int = 0
    seconds: float | None = None
    state: str = MISSING


@dataclass(frozen=True)
class Planner:
    """Makes the lines of a plan.

    Attributes
    ----------
    stages : Stages
        Stages of the run, with a store that is not written to.
    moved : dict of Path to Path
        Future roots of songs that are planned from files without sound; nothing is made of them.
    calibration : Calibration or None
        Speeds of this machine; without, times are unknown.
    """

    stages: Stages
    moved: dict[Path, Path]
    calibration: Calibration | None

    @property
    def fresh(self) -> bool:
        """Whether no stage has any output yet, so that no file needs to be looked at."""
        return bool(self.moved) or not (self.stages.store.root / "hashes.json").exists()

    def generated(self, name: str, root: Path, sizes: dict) -> PlanLine:
        """The line of a generated set."""
        n_songs, done = sizes["n_dev"] + sizes["n_test"], root.exists()
        taken = None
        if self.calibration and not done:
            speed = self.calibration.generating(sizes["collection"])
            taken = n_songs * sizes["seconds"] * speed
        return PlanLine(
            "songs",
            f"generated {name}",
            n_songs,
            n_bytes=generated_bytes(sizes),
            seconds=0.0 if done else taken,
            state=DONE if done else MISSING,
        )

    def lines(self, experiments: Sequence[Experiment]) -> Iterator[PlanLine]:
        """The lines of all stages of these models."""
        trained = _with_initial(experiments, self.stages.stand_ins)
        features = {}
        for names, experiment in _by_features(trained):
            line = self._features(names, experiment)
            features[experiment.songs, experiment.augmentation] = line
            yield line
        weights: dict[str, Path | None] = {**self.stages.stand_ins}
        for experiment in trained:
            path, n_done = self._trained(experiment, weights)
            made = features[experiment.songs, experiment.augmentation]
            line = self._training(experiment, path, n_done, made)
            weights[experiment.name] = path if line.state == DONE else None
            yield line
        folders = []
        for experiment in experiments:
            line, folder = self._separation(experiment, weights[experiment.name])
            folders.append(folder)
            yield line
        yield self._evaluation(experiments, folders)

    def _features(self, names: str, experiment: Experiment) -> PlanLine:
        planned = self._feature_plan(experiment)
        done = not self.fresh and self.stages.features_path(experiment).exists()
        return PlanLine(
            "features",
            names,
            planned.n_songs,
            planned.n_segments,
            planned.n_patches,
            n_bytes=planned.n_bytes,
            seconds=0.0 if done else planned.seconds,
            state=DONE if done else MISSING,
        )

    def _feature_plan(self, experiment: Experiment) -> FeaturePlan:
        songs, options = (
            self.stages.training_songs(experiment),
            self.stages.feature_options(experiment),
        )
        with quiet():  # choosing the songs has told what is to be said of them
            layout = lay_out(songs, config=SignalConfig(), **options)
        speed = self.calibration.features if self.calibration else None
        # The names of the files are in the feature file.
        layout = replace(layout, songs=[_moved(song, self.moved) for song in layout.songs])
        return plan_of(layout, self.stages.store.root / "features" / "features.h5", speed)

    def _trained(
        self, experiment: Experiment, weights: dict[str, Path | None]
    ) -> tuple[Path | None, int]:
        """Where a model's weights are or will be, and the epochs of the checkpoint to go on from.

        The path is None if it depends on what is not made yet.
        """
        init = weights[experiment.init] if experiment.init else None
        if self.fresh or (experiment.init and init is None):
            return None, 0
        features = self.stages.features_path(experiment)
        path, others = self.stages.weights_paths(experiment, features, init)
        epochs = self.stages.training_settings(experiment).epochs
        return path, furthest(path, others, epochs=epochs)[0]

    def _training(
        self, experiment: Experiment, path: Path | None, n_done: int, features: PlanLine
    ) -> PlanLine:
        settings = self.stages.training_settings(experiment)
        n_patches = features.n_patches or 0
        n_batches, size = epoch_size(n_patches, settings.batch_size, settings.patches_per_epoch)
        done = path is not None and path.exists()
        n_left = 0 if done else settings.epochs - n_done
        taken = None
        if self.calibration and n_left:
            speed = self.calibration.training
            taken = speed.start_s + n_left * n_batches * size / speed.patches_per_s
        part = f"{n_done} of {settings.epochs} epochs" if n_done else MISSING
        return PlanLine(
            "training",
            experiment.name,
            features.n_songs,
            n_patches=n_batches * size,
            n_steps=settings.epochs * n_batches,
            n_bytes=self.stages.weights_bytes,
            seconds=taken if n_left else 0.0,
            state=DONE if done else part,
        )

    def _separation(
        self, experiment: Experiment, weights: Path | None
    ) -> tuple[PlanLine, Path | None]:
        songs = self.stages.songs.all_tests
        folder, left = None, songs
        if weights is not None and not self.fresh:
            folder = self.stages.estimates_path(experiment, weights)
            left = self.stages.unseparated(folder)
        n_made = len(songs) - len(left)
        taken = None
        if self.calibration and left:
            taken = self.calibration.separation * sum(map(_song_seconds, left))
        part = f"{n_made} of {len(songs)} songs" if n_made else MISSING
        line = PlanLine(
            "separation",
            experiment.name,
            len(songs),
            n_bytes=sum(map(stems_bytes, songs)),
            seconds=taken if left else 0.0,
            state=part if left else DONE,
        )
        return line, None if left else folder

    def _evaluation(
        self, experiments: Sequence[Experiment], folders: Sequence[Path | None]
    ) -> PlanLine:
        """The line of all scores, which are made together."""
        stages, songs = self.stages, self.stages.songs.all_tests
        n_all = (len(experiments) + len(stages.baseline_kinds)) * len(stages.scorings)
        made = [folder for folder in folders if folder is not None]
        baselines = {} if self.fresh else stages.baselines()
        left = {}
        for how in stages.scorings:
            efforts = [1 + kind.effort for kind in stages.baseline_kinds]
            if not self.fresh:
                tables = stages.tables(made, baselines, how)
                missing = [model.baseline for model, table in tables if not table.exists()]
                efforts = [1 + baseline.effort if baseline else 1 for baseline in missing]
            left[how] = [1] * (len(folders) - len(made)) + efforts
        n_left, taken = sum(map(len, left.values())), None
        if self.calibration and n_left and stages.where.dask is None:
            processes = min(stages.where.n_jobs or processor_count(), len(songs))
            taken = 0.0
            for how, efforts in left.items():
                if efforts:
                    speed = self.calibration.scoring(how)
                    each = sum(speed.seconds(_song_seconds(song)) for song in songs)
                    taken += sum(efforts) * each / processes
        n_made = n_all - n_left
        part = f"{n_made} of {n_all} tables" if n_made else MISSING
        return PlanLine(
            "evaluation",
            f"{n_all} tables",
            len(songs),
            seconds=taken if n_left else 0.0,
            state=part if n_left else DONE,
        )


def _with_initial(
    experiments: Sequence[Experiment], stand_ins: dict[str, Path]
) -> list[Experiment]:
    """The models to train: these and those that they start from, which come first."""
    by_name = {experiment.name: experiment for experiment in table1()}
    found: dict[str, Experiment] = {}

    def add(experiment: Experiment) -> None:
        if experiment.name not in stand_ins:
            if experiment.init:
                add(by_name[experiment.init])
            found[experiment.name] = experiment

    for experiment in experiments:
        add(experiment)
    return list(found.values())


def _by_features(experiments: Sequence[Experiment]) -> list[tuple[str, Experiment]]:
    """One model for each feature file, with the names of all that use it."""
    groups: dict[tuple[str, str], list[Experiment]] = {}
    for experiment in experiments:
        groups.setdefault((experiment.songs, experiment.augmentation), []).append(experiment)
    return [(", ".join(one.name for one in group), group[0]) for group in groups.values()]


def _moved(song: Song, moved: dict[Path, Path]) -> Song:
    """The song with the paths that its files will have."""

    def path(old: Path) -> Path:
        for root, new in moved.items():
            if old.is_relative_to(root):
                return new / old.relative_to(root)
        return old

    return replace(song, stems={source: path(stem) for source, stem in song.stems.items()})


def _song_seconds(song: Song) -> float:
    return read_header(require_mixture(song)).seconds
