"""The run that measures what each quirk of the released code does: trainings, for all seeds."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from hiphopss.errors import HiphopssError
from hiphopss.reproduction.experiments import Experiment
from hiphopss.reproduction.quirks import NULL, Comparison, comparisons, measure
from hiphopss.reproduction.reproduce import (
    ABLATION_RECORD,
    ReproductionSettings,
    prepare,
)
from hiphopss.util.executor import Executor

if TYPE_CHECKING:
    from hiphopss.eval.table import Row
    from hiphopss.reproduction.results import Outcome
    from hiphopss.reproduction.stages import Stages

logger = logging.getLogger(__name__)

_AGAIN = 1000  # added to a seed for the second training of the null comparison
_AT_SEPARATION = "standalone_separation"  # the switch of Q6, which training does not read


@dataclass(frozen=True)
class AblationSettings(ReproductionSettings):
    """Settings of an ablation: those of a run, and the following.

    ``models`` restricts the quirks to those that concern these models. ``weights`` and
    ``released_test_leak`` must be left at their defaults.

    Attributes
    ----------
    quirks : tuple of str
        Names of quirks, such as ``"Q1"``; empty for all.
    n_seeds : int
        Number of trainings of each model, with the seeds ``seed``, ``seed + 1``, ...; the songs
        are the same for all. The null comparison trains with ``seed + 1000``, ... too.
    """

    quirks: tuple[str, ...] = ()
    n_seeds: int = 3


def ablate(
    output: str | Path,
    settings: AblationSettings | None = None,
    *,
    store: str | Path | None = None,
    where: Executor | None = None,
    progress: bool = True,
) -> Outcome:
    """Measure what each quirk of the released code does, in dB of SDR, and write a report.

    For each seed, the models are trained in the preset, and again with one switch turned at a time;
    all are evaluated on the test songs. As with :func:`hiphopss.reproduce`, what is in the store
    is not made again, so an interrupted run continues where it stopped.

    Parameters
    ----------
    output : path-like
        Folder of the run, for ``ablation.md``, ``ablation.csv`` (a line for each quirk, model,
        test set and source), ``ablation_scores.csv`` (all scores), ``ablation.png`` and
        ``ablation.svg``.
    settings : AblationSettings
        Settings of the run.
    store, where, progress
        As in :func:`hiphopss.reproduce`.

    Returns
    -------
    Outcome
        Summary, and the files that were written.

    Raises
    ------
    HiphopssError
        If settings don't fit together, or if a stage fails.
    """
    settings, output = settings or AblationSettings(), Path(output)
    if settings.weights or settings.released_test_leak:
        raise HiphopssError(
            "an ablation trains all its models, without test songs: leave out weights that stand "
            "in for a model, and the released test leak"
        )
    if not 1 <= settings.n_seeds <= _AGAIN:
        raise HiphopssError(f"{settings.n_seeds} seeds: give 1 to {_AGAIN}")
    chosen = comparisons(
        settings.preset or settings.profile.preset, names=settings.quirks, models=settings.models
    )
    names = tuple(dict.fromkeys(comparison.model.name for comparison in chosen))
    models, stages = prepare(
        output,
        replace(settings, models=names),
        store=store,
        where=where,
        progress=progress,
        record=ABLATION_RECORD,
    )
    seeds = range(settings.seed, settings.seed + settings.n_seeds)
    scores: dict[int, list[Row]] = {}
    for number, seed in enumerate(seeds, 1):
        logger.info("seed %d (%d of %d)", seed, number, len(seeds))
        scores[seed] = _scores(replace(stages, seed=seed), models, chosen)
    from hiphopss.reproduction.ablation_report import write_ablation
    from hiphopss.reproduction.store import ABLATION_OUTCOME_RECORD, record_outcome

    outcome = write_ablation(output, stages, chosen, scores, measure(chosen, scores))
    files = outcome.files.values()
    record_outcome(output, stages.store, files, record=ABLATION_OUTCOME_RECORD)
    return outcome


def _scores(
    stages: Stages, models: Sequence[Experiment], chosen: Sequence[Comparison]
) -> list[Row]:
    """Train, separate and evaluate the models and their variants with one seed.

    Parameters
    ----------
    stages : Stages
        Stages with the preset and this seed.
    models : sequence of Experiment
        Models to train in the preset itself.
    chosen : sequence of Comparison
        Comparisons.

    Returns
    -------
    list of Row
        Scores of models and variants, under their names and labels.
    """
    weights = {model.name: stages.weights(model) for model in models}
    folders = [stages.estimates(model, weights[model.name]) for model in models]
    for comparison in chosen:
        variant = replace(comparison.model, name=comparison.label)
        standalone = _AT_SEPARATION in comparison.quirk.switch
        if standalone:
            path = weights[comparison.model.name]
        elif comparison.quirk.name == NULL:
            path = replace(stages, seed=stages.seed + _AGAIN).weights(comparison.model)
        else:
            path = replace(stages, preset=comparison.fidelity).weights(variant)
        folders.append(stages.estimates(variant, path, standalone_script=standalone))
    return stages.scores(folders, {})
