"""BSS Eval v3 by mir_eval: slow, and the measure of the project's own engine.

mir_eval is undefined where a source is silent: it raises. So a silent reference, which adds nothing
to the space that estimates are projected on, is left out here; and in place of a silent estimate
stands the reference, and the score is discarded: no estimate has a part in another one's score.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator

import numpy as np

from hiphopss.eval.bss.correlation import correlate_windows
from hiphopss.eval.bss.engine import UNCERTAIN, UNDETERMINED, PairScores, channels
from hiphopss.eval.bss.projection import SINGULAR, Projection


class MirEvalEngine:
    """mir_eval behind the interface of :class:`hiphopss.eval.bss.engine.CorrelationEngine`.

    Parameters
    ----------
    references, mode, starts, length, sounding
        As there.
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
        """Scores of the wanted pairs, window by window.

        Parameters
        ----------
        estimates, wanted
            As in :meth:`hiphopss.eval.bss.engine.CorrelationEngine.windows`.

        Yields
        ------
        PairScores
            Of each window.
        """
        for k, start in enumerate(self._starts):
            part = slice(start, start + self._length)
            kept = np.flatnonzero(self._sounding[:, k])
            references = self._references[kept, part]
            if not wanted[..., k].any():
                yield PairScores({}, UNDETERMINED)
                continue
            note = UNCERTAIN if _reciprocal_condition(references) < SINGULAR else ""
            ratios: dict[str, np.ndarray] = {}
            # Without permutations, mir_eval scores one estimate a reference: each shift is another
            # way to pair them, and only the wanted ones are taken.
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
            yield PairScores(ratios, note if ratios else UNDETERMINED)


def _reciprocal_condition(references: np.ndarray) -> float:
    """How well the references determine projections; 0 where one is a channel of silence."""
    signals = channels(references)
    correlations = correlate_windows(signals, signals, np.zeros(1, int), signals.shape[1])[0]
    if np.einsum("iit->ti", correlations)[0].min() < np.finfo(float).tiny:
        return 0.0
    return Projection(correlations).reciprocal_condition


def _mir_eval(references: np.ndarray, estimates: np.ndarray, mode: str) -> dict | None:
    """mir_eval's scores by metric [shape=(n_sources,)]; None where its equations are singular."""
    # It imports scipy.stats and scipy.signal, which take seconds.
    from mir_eval import separation

    names: tuple[str, ...]
    if mode == "sources":
        function, names = separation.bss_eval_sources, ("SDR", "SIR", "SAR")
        references, estimates = references[..., 0], estimates[..., 0]
    else:
        function, names = separation.bss_eval_images, ("SDR", "ISR", "SIR", "SAR")
    with warnings.catch_warnings(), np.errstate(divide="ignore", invalid="ignore"):
        # mir_eval is pinned below 0.9, where these functions go.
        warnings.filterwarnings("ignore", r"mir_eval\.separation", FutureWarning)
        try:
            values = function(references, estimates, compute_permutation=False)
        except AttributeError as error:
            # Its handler of singular equations names `np.linalg.linalg`, which NumPy 2 lacks.
            if not isinstance(error.__context__, np.linalg.LinAlgError):
                raise
            return None
    return dict(zip(names, values, strict=False))
