"""The paper's experiments as data: Table 1, the claims of its section 4.3, and run profiles.

The facts are in ``table1.toml``.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files

from hiphopss.errors import HiphopssError

EPOCHS = 40
"""Number of epochs of most models in Table 1."""

HHDS_TEST, HIP_HOP_TEST = "HHDS test", "DSD100 hip-hop"
TEST_SETS = (HHDS_TEST, HIP_HOP_TEST)
"""The two test sets of the paper's Fig. 1, left and right."""


@dataclass(frozen=True)
class Experiment:
    """A model of Table 1.

    Attributes
    ----------
    name, text : str
        Name and description in the table.
    songs : str
        ``"HHDS"`` or ``"DSD100"``, whose Dev songs are used for training.
    augmentation : str
        One of :data:`hiphopss.datasets.features.augmentation.AUGMENTATIONS`.
    init : str
        Model whose weights are the initial weights; empty for a new initialisation.
    epochs : int
        Number of training epochs.
    learning_rate : float
        Learning rate of Adadelta.
    dissimilarity : dict
        ``alpha``, ``beta`` and ``beta_voc`` of the loss, by preset.
    assumption : str
        Assumption about a setting that is not published.
    """

    name: str
    songs: str
    augmentation: str
    init: str
    epochs: int
    learning_rate: float
    dissimilarity: dict[str, dict[str, float]]
    text: str
    assumption: str = ""


@dataclass(frozen=True)
class Claim:
    """A comparison of two models in the paper.

    Attributes
    ----------
    test_set : str
        One of ``TEST_SETS``.
    model, against : str
        Names of models in Table 1.
    says : str
        ``"better"``, ``"worse"`` or ``"no gain"``.
    dB : float or None
        Difference of the mean SDR.
    """

    test_set: str
    model: str
    against: str
    says: str
    dB: float | None = None


@dataclass(frozen=True)
class Profile:
    """The extent of a run.

    Attributes
    ----------
    name, preset : str
        Name, and default preset.
    epochs : int
        Epochs of the models that have 40 in Table 1; other models have proportionally many.
    patches : int or None
        Maximum number of patches in an epoch.
    seconds : dict of str to float
        Length of generated songs, by preset.
    n_songs : dict of str to (int, int)
        Numbers of Dev and Test songs of generated sets.
    """

    name: str
    preset: str
    epochs: int
    patches: int | None
    seconds: dict[str, float]
    n_songs: dict[str, tuple[int, int]]

    def epochs_of(self, experiment: Experiment) -> int:
        """Number of training epochs of a model, at least 1."""
        return max(1, round(experiment.epochs * self.epochs / EPOCHS))


@lru_cache
def _facts() -> dict:
    return tomllib.loads(files(__package__).joinpath("table1.toml").read_text("utf-8"))


def table1() -> tuple[Experiment, ...]:
    """The eight models, in the order of the table."""
    facts = _facts()

    def dissimilarity(value: str | dict) -> dict:
        by_preset = (
            value if isinstance(value, dict) else dict.fromkeys(("released", "corrected"), value)
        )
        return {preset: facts["dissimilarity"][name] for preset, name in by_preset.items()}

    return tuple(
        Experiment(
            name=line["name"],
            songs=line["songs"],
            augmentation=line["augmentation"],
            init=line["init"],
            epochs=line["epochs"],
            learning_rate=line["rate"],
            dissimilarity=dissimilarity(line["dissimilarity"]),
            text=line["text"],
            assumption=facts["assumptions"].get(line["name"], ""),
        )
        for line in facts["models"]
    )


def select(names: Iterable[str]) -> tuple[Experiment, ...]:
    """Select models of Table 1 by name, in the order of the table.

    Raises
    ------
    HiphopssError
        If a name is not in the table.
    """
    wanted = set(names)
    known = [experiment.name for experiment in table1()]
    for name in wanted - set(known):
        raise HiphopssError(f"no model named {name!r} in Table 1: choose of {', '.join(known)}")
    return tuple(experiment for experiment in table1() if experiment.name in wanted)


def claims() -> tuple[Claim, ...]:
    """The paper's statements about Fig. 1."""
    return tuple(
        Claim(test_set=group["test_set"], **line)
        for group in _facts()["claims"]
        for line in group["lines"]
    )


def profile(name: str) -> Profile:
    """Look up a profile by name.

    Raises
    ------
    HiphopssError
        If no profile has this name.
    """
    known = _facts()["profiles"]
    if name not in known:
        raise HiphopssError(f"no profile named {name!r}: choose one of {', '.join(known)}")
    facts = known[name]
    sizes = {songs: tuple(n) for songs, n in facts["n_songs"].items()}
    return Profile(name, **facts | {"patches": facts["patches"] or None, "n_songs": sizes})
