"""The whole paper in one run: features, training, separation and evaluation of Table 1's models."""

from __future__ import annotations

import json
import logging
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from hiphopss.config import resolve_preset
from hiphopss.datasets.features.augmentation import require_leaky
from hiphopss.errors import HiphopssError
from hiphopss.reproduction.experiments import Experiment, Profile, profile, select, table1
from hiphopss.util.executor import Executor
from hiphopss.util.extras import require
from hiphopss.util.files import REMAINS, write_text
from hiphopss.util.keras_backend import keras_modules

if TYPE_CHECKING:
    from hiphopss.reproduction.results import Outcome
    from hiphopss.reproduction.songs import Songs
    from hiphopss.reproduction.stages import Stages
    from hiphopss.reproduction.store import Store

logger = logging.getLogger(__name__)

RUN_RECORD = "run.json"
"""File in a run's folder that records the settings of the last run."""
ABLATION_RECORD = "ablation.json"
"""File in a run's folder that records the settings of the last ablation."""
RECORDS = (RUN_RECORD, ABLATION_RECORD)


@dataclass(frozen=True)
class ReproductionSettings:
    """Settings of a run.

    Attributes
    ----------
    profile : Profile
        Extent of the run.
    preset : str
        Fidelity preset; empty for the profile's default.
    hhds, dsd100 : str or None
        Roots of the data sets; MUSDB18 may stand in for DSD100. With neither, both are generated.
        Without DSD100, models that need it are refused, unless other weights replace them.
    models : tuple of str
        Names of models in Table 1; empty for all.
    weights : dict of str to str
        Weight files (own or published) that replace models, by name. Models that start from such a
        model start from these weights.
    test_songs : tuple of str
        Names of the songs of the second test set; empty for those of ``test_set``.
    test_set : str, optional
        Name of the second test set: ``"paper"``, or ``"hhds-archive"``, which is the default
        without DSD100; see :func:`hiphopss.datasets.testsets.second_test_set`.
    seed : int
        Seed of the generated songs, of the augmentations' random choices, and of training.
    released_test_leak : bool
        Q3: HH_CS and HH_COMBI also train on test songs; all results made from them are marked.
    """

    profile: Profile = field(default_factory=lambda: profile("quick"))
    preset: str = ""
    hhds: str | None = None
    dsd100: str | None = None
    models: tuple[str, ...] = ()
    weights: dict[str, str] = field(default_factory=dict)
    test_songs: tuple[str, ...] = ()
    test_set: str | None = None
    seed: int = 0
    released_test_leak: bool = False


def reproduce(
    output: str | Path,
    settings: ReproductionSettings | None = None,
    *,
    store: str | Path | None = None,
    where: Executor | None = None,
    progress: bool = True,
) -> Outcome:
    """Train and evaluate the models of Table 1 on both test sets, and write a report.

    A stage whose output from the same inputs already exists is not repeated, and training resumes
    after its last epoch: an interrupted run continues where it stopped.

    Parameters
    ----------
    output : path-like
        Folder of the run, for ``report.md``, ``table1.csv``, ``metrics.csv`` (a row for each song,
        source and model), ``fig1.png``, ``fig1.svg`` and ``weights/``. If the run is evaluated by
        two protocols, scores and figure of the second are ``metrics_<protocol>.csv`` and
        ``fig1_<protocol>.png``.
    settings : ReproductionSettings
        Settings of the run.
    store : path-like, optional
        Folder for the outputs of all stages, by default ``<output>/store``. Consecutive runs with
        the same folder share outputs where possible.
    where : Executor, optional
        Processes that score, or a cluster that scores.
    progress : bool
        Show progress bars. Log lines announce each stage, and what is left out.

    Returns
    -------
    Outcome
        Summary, and the files that were written.

    Raises
    ------
    HiphopssError
        If settings don't fit together, or if a stage fails.
    """
    from hiphopss.reproduction.results import write_outcome
    from hiphopss.reproduction.store import record_outcome

    output, settings = Path(output), settings or ReproductionSettings()
    experiments, stages = prepare(output, settings, store=store, where=where, progress=progress)
    weights = {e.name: stages.weights(e) for e in experiments}
    folders = [stages.estimates(e, weights[e.name]) for e in experiments]
    baselines = stages.baselines()
    scored = {how.protocol: stages.scores(folders, baselines, how) for how in stages.scorings}
    outcome = write_outcome(output, stages, experiments, weights, scored)
    kept = [*weights.values(), *folders]
    record_outcome(output, stages.store, outcome.files.values(), kept)
    return outcome


def prepare(
    output: Path,
    settings: ReproductionSettings,
    *,
    store: str | Path | None = None,
    where: Executor | None = None,
    progress: bool = True,
    record: str = RUN_RECORD,
) -> tuple[list[Experiment], Stages]:
    """Check everything before any work, choose the songs, and record the run in its folder.

    Parameters
    ----------
    output, settings, store, where, progress
        As in :func:`reproduce`.
    record : str
        File in the run's folder that records the settings.

    Returns
    -------
    experiments : list of Experiment
        Models to run.
    stages : Stages
        Stages with the settings and songs of the run.

    Raises
    ------
    HiphopssError
        If settings don't fit together.
    """
    from hiphopss.reproduction.songs import choose_songs, generated_roots
    from hiphopss.reproduction.store import Store

    where = where or Executor()
    settings, experiments = resolve(output, settings)
    where.check()
    kept = Store(store or output / "store")
    roots = given_roots(settings) or generated_roots(
        kept, settings.profile, settings.preset, settings.seed, progress
    )
    songs = choose_songs(roots, settings.test_songs, settings.test_set, progress=progress)
    require_data(experiments, settings, songs.dev)
    _claim(output / record, settings)
    return experiments, make_stages(kept, songs, settings, where, progress)


def resolve(
    output: Path, settings: ReproductionSettings
) -> tuple[ReproductionSettings, list[Experiment]]:
    """Fill in the preset, and raise before any work if settings make no sense.

    Returns
    -------
    settings : ReproductionSettings
        With a preset.
    experiments : list of Experiment
        The models to run.
    """
    if settings.hhds is None and settings.dsd100 is not None:
        raise HiphopssError(
            f"{settings.dsd100}: DSD100 alone is of no use here: name the folder of HHDS too"
        )
    settings = replace(settings, preset=settings.preset or settings.profile.preset)
    return settings, _validate(output, settings)


def make_stages(
    store: Store, songs: Songs, settings: ReproductionSettings, where: Executor, progress: bool
) -> Stages:
    """The stages of a run with these settings, which have a preset."""
    from hiphopss.reproduction.stages import Stages

    return Stages(
        store=store,
        songs=songs,
        profile=settings.profile,
        preset=settings.preset,
        seed=settings.seed,
        stand_ins={name: Path(path) for name, path in settings.weights.items()},
        released_test_leak=settings.released_test_leak,
        progress=progress,
        where=where,
    )


def _validate(output: Path, settings: ReproductionSettings) -> list[Experiment]:
    """Raise before any work if settings make no sense; return the models to run."""
    fidelity = resolve_preset(settings.preset)
    if settings.released_test_leak:
        require_leaky(fidelity, "circular-shift")
    patches = settings.profile.patches
    if settings.seed < 0 or settings.profile.epochs < 1 or (patches is not None and patches < 1):
        raise HiphopssError(
            f"seed {settings.seed}, epochs {settings.profile.epochs}, patches an epoch {patches}: "
            "a seed is 0 or more, the others are 1 or more"
        )
    if output.exists() and not output.is_dir():
        raise HiphopssError(f"{output}: is a file, not a folder: choose another output")
    strange = output.is_dir() and any(
        entry.name not in ("store", *RECORDS) and not entry.name.startswith(REMAINS)
        for entry in output.iterdir()
    )
    if strange and not any((output / name).exists() for name in RECORDS):
        raise HiphopssError(f"{output}: a folder with something in it: choose another output")
    if settings.hhds is None:
        from hiphopss.datasets.generated import require_sensible

        require_sensible(
            output / "store" / "songs" / "new",
            seconds=settings.profile.seconds[settings.preset],
            seed=settings.seed,
        )
    from hiphopss.datasets.testsets import song_names
    from hiphopss.weights.files import read_arrays

    if settings.test_set is not None:
        song_names(settings.test_set)
    select(settings.weights)
    for path in settings.weights.values():
        read_arrays(path)
    models = list(select(settings.models) if settings.models else table1())
    needed = ["sklearn", "matplotlib"]
    if any(model.name not in settings.weights for model in models):
        needed += keras_modules()
    if settings.hhds is None:
        needed.append("espeakng_loader")
    require("reproduce", *needed)
    return models


def given_roots(settings: ReproductionSettings) -> dict[str, Path]:
    """Roots of the data sets that the settings name."""
    from hiphopss.datasets.roots import find_root

    given = {"HHDS": settings.hhds, "DSD100": settings.dsd100}
    return {name: find_root(root) for name, root in given.items() if root is not None}


_OPTIONS = {"HHDS": "--hhds", "DSD100": "--dsd"}


def require_data(experiments: list[Experiment], settings: ReproductionSettings, dev: dict) -> None:
    """Raise if a model has no songs to train on."""
    by_name = {experiment.name: experiment for experiment in table1()}
    for experiment in experiments:
        while experiment.name not in settings.weights:
            if not dev.get(experiment.songs):
                raise HiphopssError(
                    f"{experiment.name}: no {experiment.songs} songs to train on: name their "
                    f"folder ({_OPTIONS[experiment.songs]}), let weights stand in "
                    f"(--weights {experiment.name}=FILE), or leave the model out (--models)"
                )
            if not experiment.init:
                break
            experiment = by_name[experiment.init]


def _claim(record: Path, settings: ReproductionSettings) -> None:
    told = json.dumps(asdict(settings), indent=1, sort_keys=True) + "\n"
    if record.exists() and record.read_bytes() != told.encode():
        logger.warning(
            "%s: the report of an earlier run with other settings will be replaced", record.parent
        )
    write_text(record, told)
