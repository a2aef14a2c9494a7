"""What each quirk of the released code does: one switch of a preset turned at a time.

Conventions
-----------
The effect of a quirk is the score of the model that has it minus the score of the one that has not,
so a positive effect means that the quirk helps. One of the two is the preset's own model; in the
other, only this quirk's switch is turned: off in ``released``, on in ``corrected``. Q6 concerns
only the separation, is in neither preset, and is turned on in both.

Scores are paired: the same song, the same seed (so the same initial weights and, where the number
of patches is the same, the same batches). Songs and seeds are two different sources of chance, and
``n_songs * n_seeds`` scores are not as many independent ones. So there are two intervals: over
songs, of each song's mean over the seeds; and over seeds, of each seed's mean over the songs. An
effect stands out only if neither contains 0. The null comparison shows what remains of noise: the
same model, trained with another seed, minus itself.
"""

from __future__ import annotations

import tomllib
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from importlib.resources import files

from hiphopss.config import Fidelity, resolve_preset
from hiphopss.errors import HiphopssError
from hiphopss.eval.aggregate import MEAN, confidence_interval, finite, mean, source_order
from hiphopss.eval.table import Row
from hiphopss.reproduction.experiments import Experiment, select, table1

NULL = "null"
"""Name of the comparison of a model with itself, trained with another seed."""


@dataclass(frozen=True)
class Quirk:
    """A quirk of the released code.

    Attributes
    ----------
    name, text : str
        Its number (or :data:`NULL`), and what it is.
    switch : dict of str to bool
        The field of :class:`hiphopss.config.Fidelity`, with its value where the quirk is there;
        empty for the null comparison.
    models : tuple of str
        Models of Table 1 that it concerns.
    """

    name: str
    text: str
    switch: dict[str, bool]
    models: tuple[str, ...]


@dataclass(frozen=True)
class Comparison:
    """Two trainings or separations of a model that differ in one quirk.

    Attributes
    ----------
    quirk : Quirk
        The quirk.
    model : Experiment
        The model of Table 1.
    fidelity : Fidelity
        The preset with the switch turned.
    label : str
        Name of the variant in tables of scores; the preset's own model has the model's name.
    sign : int
        1 if the variant has the quirk, -1 if the preset's own model has it.
    """

    quirk: Quirk
    model: Experiment
    fidelity: Fidelity
    label: str
    sign: int


@dataclass(frozen=True)
class Effect:
    """What a quirk does to a model's SDR on a test set, for one source or their mean.

    Attributes
    ----------
    quirk, model, subset, source : str
        The quirk, model, test set and source (or ``"mean"``).
    by_song : dict of str to float
        Effect in dB on each song, mean over the seeds.
    by_seed : dict of int to float
        Effect in dB with each seed, mean over the songs.
    """

    quirk: str
    model: str
    subset: str
    source: str
    by_song: dict[str, float]
    by_seed: dict[int, float]

    @property
    def mean(self) -> float:
        """Mean over songs (and seeds) in dB."""
        return mean(list(self.by_song.values()))

    @property
    def ci95_songs(self) -> float | None:
        """Half the 95 % confidence interval over songs; None for one song."""
        return confidence_interval(list(self.by_song.values()))

    @property
    def ci95_seeds(self) -> float | None:
        """Half the 95 % confidence interval over seeds; None for one seed."""
        return confidence_interval(list(self.by_seed.values()))

    @property
    def is_nothing(self) -> bool:
        """Whether the scores with and without the quirk are the same to the last digit."""
        return not any(self.by_song.values()) and not any(self.by_seed.values())

    @property
    def stands_out(self) -> bool | None:
        """Whether both intervals leave no doubt of the sign; None without one of them."""
        intervals = self.ci95_songs, self.ci95_seeds
        if self.is_nothing:
            return False
        if None in intervals:
            return None
        return all(abs(self.mean) > half for half in intervals if half is not None)


@lru_cache
def _facts() -> dict:
    return tomllib.loads(files(__package__).joinpath("quirks.toml").read_text("utf-8"))


def quirks() -> tuple[Quirk, ...]:
    """The quirks that can be turned, and the null comparison last."""
    facts = _facts()
    null = Quirk(NULL, "nothing: only another seed", {}, tuple(facts["null"]))
    return (
        *(Quirk(**line | {"models": tuple(line["models"])}) for line in facts["quirks"]),
        null,
    )


def comparisons(
    preset: str | Fidelity, *, names: Sequence[str] = (), models: Sequence[str] = ()
) -> list[Comparison]:
    """List the comparisons of an ablation.

    Parameters
    ----------
    preset : str or Fidelity
        Preset whose switches are turned.
    names : sequence of str
        Names of quirks; empty for all. The null comparison is always there.
    models : sequence of str
        Names of models; empty for all that the quirks concern.

    Returns
    -------
    list of Comparison
        Comparisons in the order of the quirks.

    Raises
    ------
    HiphopssError
        If there is no such quirk or model, or if no quirk concerns the models.
    """
    base = resolve_preset(preset)
    known = {quirk.name: quirk.text for quirk in quirks()}
    for name in names:
        if name not in known:
            told = "; ".join(f"{n} ({text})" for n, text in known.items() if n != NULL)
            raise HiphopssError(f"no quirk named {name!r}: choose of {told}")
    wanted = {experiment.name for experiment in select(models)} if models else None
    by_name = {experiment.name: experiment for experiment in table1()}
    found = [
        _comparison(quirk, by_name[model], base)
        for quirk in quirks()
        if not names or quirk.name in (*names, NULL)
        for model in quirk.models
        if wanted is None or model in wanted
    ]
    if all(comparison.quirk.name == NULL for comparison in found):
        concerned = sorted({model for q in quirks() for model in q.models})
        raise HiphopssError(
            f"none of these quirks concerns {', '.join(models)}: choose models of "
            f"{', '.join(concerned)}, or other quirks"
        )
    return found


def _comparison(quirk: Quirk, model: Experiment, base: Fidelity) -> Comparison:
    """The comparison of a preset with itself, this quirk's switch turned."""
    if not quirk.switch:
        return Comparison(quirk, model, base, f"{model.name}-again", 1)
    ((switch, value),) = quirk.switch.items()
    has_it = getattr(base, switch) == value
    return Comparison(
        quirk,
        model,
        replace(base, **{switch: not getattr(base, switch)}),
        f"{model.name}-{'without' if has_it else 'with'}-{quirk.name}",
        -1 if has_it else 1,
    )


def measure(chosen: Sequence[Comparison], scores: dict[int, list[Row]]) -> list[Effect]:
    """Compute the effects of quirks from scores.

    Parameters
    ----------
    chosen : sequence of Comparison
        Comparisons.
    scores : dict of int to list of Row
        Scores of models and variants, by seed.

    Returns
    -------
    list of Effect
        Effects by test set, comparison and source (``"mean"`` last). Scores that one of two models
        lacks are left out for both.
    """
    table: dict[tuple, list[float]] = defaultdict(list)  # a song's windows
    for seed, rows in scores.items():
        for row in rows:
            table[row.subset, row.model, seed, row.song, row.source] += finite([row.SDR])
    subsets = dict.fromkeys(row.subset for rows in scores.values() for row in rows)
    return [
        effect
        for subset in subsets
        for comparison in chosen
        for effect in _effects(comparison, subset, table)
    ]


def _effects(comparison: Comparison, subset: str, table: dict[tuple, list[float]]) -> list[Effect]:
    """The effects of a comparison on a test set, source after source."""
    model, label = comparison.model.name, comparison.label
    differences = {}  # by source, seed and song
    for (where, name, seed, song, source), own in table.items():
        other = table.get((subset, label, seed, song, source))
        if (where, name) == (subset, model) and own and other:
            differences[source, seed, song] = comparison.sign * (mean(other) - mean(own))
    stems = defaultdict(list)
    for (_, seed, song), value in differences.items():
        stems[MEAN, seed, song].append(value)
    differences |= {key: mean(values) for key, values in stems.items()}
    found = []
    for source in sorted({source for source, *_ in differences}, key=source_order):
        by_song, by_seed = defaultdict(list), defaultdict(list)
        for (name, seed, song), value in differences.items():
            if name == source:
                by_song[song].append(value)
                by_seed[seed].append(value)
        found.append(
            Effect(
                comparison.quirk.name,
                model,
                subset,
                source,
                {song: mean(values) for song, values in by_song.items()},
                {seed: mean(values) for seed, values in by_seed.items()},
            )
        )
    return found
