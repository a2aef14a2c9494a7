"""BSS Eval v3 by mir_eval: slow, and the standard for the project's own engine.

mir_eval raises an error if a source is silent. So silent references, which add nothing to the space
on which estimates are projected, are left out here. A silent estimate is replaced by the reference
and its score is discarded, because no estimate affects the score of another.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator

import numpy as np

from hiphopss.eval.bss.correlation import FILTER_TAPS, correlate_windows
from hiphopss.eval.bss.engine import (
    TOO_SHORT,
    UNCERTAIN,
    UNDETERMINED,
    PairScores,
    channels,
    determined,
    distinct_channels,
)
from hiphopss.eval.bss.projection import SINGULAR, Projection


class MirEvalEngine:
    """mir_eval behind the interface of :class:`hiphopss.eval.bss.engine.CorrelationEngine`.

    Parameters
    ----------
    references, mode, starts, length, sounding
        As in that class.
    """

    def __init__(
        self,
        references: np.ndarray,
        mode: str,
        starts: np.ndarray,
        length: int,
        sounding: np.ndarray,
    ):
        self._references, self._mode = references, mode
        self._starts, self._length, self._sounding = starts, length, sounding

    def windows(self, estimates: np.ndarray, wanted: np.ndarray) -> Iterator[PairScores]:
        """Score the wanted pairs, window by window.

        Parameters
        ----------
        estimates, wanted
            As in :meth:`hiphopss.eval.bss.engine.CorrelationEngine.windows`.

        Yields
        ------
        PairScores
            Scores of each window.
        """
        for k, start in enumerate(self._starts):
            part = slice(start, start + self._length)
            kept = np.flatnonzero(self._sounding[:, k])
            references = self._references[kept, part]
            if not wanted[..., k].any():
                yield PairScores({}, UNDETERMINED)
                continue
            if self._length <= FILTER_TAPS:
                yield PairScores({}, TOO_SHORT)
                continue
            note = UNCERTAIN if _reciprocal_condition(references) < SINGULAR else ""
            ratios: dict[str, np.ndarray] = {}
            # Without permutations, mir_eval scores one estimate per reference. Each shift pairs
            # them in another way, and only the wanted pairs are used.
            for shift in range(len(estimates)):
                chosen = (kept + shift) % len(estimates)
                real = wanted[chosen, kept, k]
                if not real.any():
                    continue
                stand_in = (real == 0)[:, None, None]
                values = _mir_eval(
                    references, np.where(stand_in, references, estimates[chosen, part]), self._mode
                )
                if values is None or (note and np.isneginf(values["SDR"]).any()):
                    ratios = {}
                    break
                for name, row in values.items():
                    table = ratios.setdefault(name, np.full(wanted.shape[:2], np.nan))
                    table[chosen[real], kept[real]] = row[real]
            yield determined(
                PairScores(ratios, note if ratios else UNDETERMINED),
                self._length,
                int(distinct_channels(channels(references), references.shape[2]).sum()),
            )


def _reciprocal_condition(references: np.ndarray) -> float:
    """Reciprocal condition of the references' projection; 0 if one has a silent channel."""
    signals = channels(references)
    correlations = correlate_windows(signals, signals, np.zeros(1, int), signals.shape[1])[0]
    if np.einsum("iit->ti", correlations)[0].min() < np.finfo(float).tiny:
        return 0.0
    return Projection(correlations).reciprocal_condition


def _mir_eval(references: np.ndarray, estimates: np.ndarray, mode: str) -> dict | None:
    """mir_eval's scores by metric [shape=(n_sources,)]; None if its equations are singular."""
    # This imports scipy.stats and scipy.signal, which takes seconds.
    from mir_eval import separation

    names: tuple[str, ...]
    if mode == "sources":
        function, names = separation.bss_eval_sources, ("SDR", "SIR", "SAR")
        references, estimates = references[..., 0], estimates[..., 0]
    else:
        function, names = separation.bss_eval_images, ("SDR", "ISR", "SIR", "SAR")
    with warnings.catch_warnings(), np.errstate(divide="ignore", invalid="ignore"):
        # mir_eval is pinned below 0.9, which removes these functions.
        warnings.filterwarnings("ignore", r"mir_eval\.separation", FutureWarning)
        try:
            values = function(references, estimates, compute_permutation=False)
        except AttributeError as error:
            # mir_eval's handler of singular equations needs `np.linalg.linalg`, gone in NumPy 2.
            if not isinstance(error.__context__, np.linalg.LinAlgError):
                raise
            return None
    return dict(zip(names, values, strict=False))
