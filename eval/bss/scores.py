"""BSS Eval v3, with a separate treatment of silence for each source.

Conventions
-----------
References and estimates are matched by their index, unless a permutation is requested. Scores are
in dB. Two engines give the same numbers: the project's own, which uses correlations and is
explained in :mod:`hiphopss.eval.bss.engine`, and mir_eval.

BSS Eval is undefined if a source is silent. Here a silent source only loses its own score:

- a silent reference adds nothing to the space on which estimates are projected, so it is left out;
- a silent estimate has no score, and does not affect the scores of others.

Windows of no more than 512 samples, the length of BSS Eval's filters, have no scores at all.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike

from hiphopss.errors import HiphopssError
from hiphopss.eval.bss.engine import TOO_SHORT, UNDETERMINED, CorrelationEngine, PairScores
from hiphopss.eval.bss.mir_eval_engine import MirEvalEngine
from hiphopss.util.arrays import require_upright
from hiphopss.util.extras import require

MODES = ("sources", "images")
"""The two variants of BSS Eval: distortion by a filter is allowed, or counts as an error."""

BSS_ENGINES = ("hiphopss", "mir_eval")
"""Engines: the project's own, or mir_eval, which is many times slower."""

METRICS = ("SDR", "SIR", "SAR", "ISR")
"""Ratios of source to distortion, interference and artifacts, and image to spatial distortion."""

PAPER_METRICS = METRICS[:3]
"""Metrics that the paper reports."""


_SILENT = "silent"

_ORDER = "(n_sources, n_samples) or (n_sources, n_samples, n_channels)"

ANOTHER_SILENT = "another source is silent"


@dataclass(frozen=True, eq=False)
class Scores:
    """Result of :func:`bss_eval`.

    Attributes
    ----------
    sdr, sir, sar, isr : np.ndarray [shape=(n_sources, n_windows)]
        Scores in dB; NaN if undefined, as in windows of 512 samples or less. In mode ``"sources"``,
        ``isr`` is NaN throughout. ``sir`` is infinite if no other reference sounds.
    window_starts : np.ndarray [shape=(n_windows,)]
        First sample of each window.
    notes : np.ndarray of str [shape=(n_sources, n_windows)]
        Explanation of a missing or unusual score; otherwise empty.
    permutation : np.ndarray of int [shape=(n_sources, n_windows)], optional
        Index of the estimate that was scored against each reference.
    window_length : int, optional
        Number of samples of each window.
    """

    sdr: np.ndarray
    sir: np.ndarray
    sar: np.ndarray
    isr: np.ndarray
    window_starts: np.ndarray
    notes: np.ndarray
    permutation: np.ndarray | None = None
    window_length: int | None = None


def bss_eval(
    references: ArrayLike,
    estimates: ArrayLike,
    *,
    mode: str = "sources",
    window: int | None = None,
    hop: int | None = None,
    permutation: bool = False,
    engine: str = "hiphopss",
) -> Scores:
    """Compute BSS Eval for the estimates of one song's sources.

    The paper reports SDR, SIR and SAR (section 4); the released MATLAB code uses ``"images"`` in
    windows of 30 s every 15 s (docs/released-code.md, section 8). For many estimates of the same
    sources, :class:`References` is faster.

    Parameters
    ----------
    references, estimates : array_like [shape=(n_sources, n_samples[, n_channels])]
        Waveforms in any unit, which are scored in double precision.
    mode : {"sources", "images"}
        ``"sources"`` allows a distortion of each estimate by a filter of 512 taps and takes one
        channel; ``"images"`` counts such a distortion as an error, adds ISR, and takes any number
        of channels.
    window : int, optional
        Window length in samples; by default the whole signal. As in mir_eval, only full windows
        are used, and if fewer than two fit, the whole signal is one window.
    hop : int, optional
        Number of samples between the starts of windows; by default half a window.
    permutation : bool
        In each window, assign the estimates to the references so that the mean SIR is highest; if
        only one reference sounds, so that its SDR is highest.
    engine : {"hiphopss", "mir_eval"}
        Engine that computes the scores.

    Returns
    -------
    Scores
        Scores in arrays of ``(n_sources, n_windows)``.

    Raises
    ------
    HiphopssError
        If the shapes, the samples or the options can't be scored.

    Examples
    --------
    >>> import numpy as np
    >>> import hiphopss
    >>> rng = np.random.default_rng(0)
    >>> references = rng.standard_normal((2, 44100))  # two sources, one second
    >>> estimates = references + 0.1 * rng.standard_normal((2, 44100))  # noise, 20 dB below
    >>> scores = hiphopss.bss_eval(references, estimates)
    >>> np.round(scores.sdr[:, 0])
    array([20., 20.])
    """
    prepared = References(references, mode=mode, window=window, hop=hop, engine=engine, keep=False)
    return prepared.score(estimates, permutation=permutation)


class References:
    """One song's true sources, ready to score any number of estimates.

    The references are correlated and factorised only once; :func:`bss_eval` does it in every call.

    Parameters
    ----------
    references : array_like [shape=(n_sources, n_samples[, n_channels])]
        Waveforms of the true sources.
    mode, window, hop, engine
        As in :func:`bss_eval`.
    keep : bool
        Keep each window's factors for further estimates, in up to 1 GiB (mono: 20 MB per window
        with 4 sources; stereo images: 80 MB). Others are computed again when needed.

    Raises
    ------
    HiphopssError
        If the shape, the samples or the options can't be scored.
    """

    def __init__(
        self,
        references: ArrayLike,
        *,
        mode: str = "sources",
        window: int | None = None,
        hop: int | None = None,
        engine: str = "hiphopss",
        keep: bool = True,
    ):
        require_known(mode, engine)
        references = _as_array("references", references)
        self._shape, self._mode = references.shape, mode
        references = _validated("references", references, mode)
        self._starts, self._length = window_layout(references.shape[1], window, hop)
        self._sounding = sound(references, self._starts, self._length)
        layout = references, mode, self._starts, self._length, self._sounding
        self._engine: MirEvalEngine | CorrelationEngine
        if engine == "mir_eval":
            self._engine = MirEvalEngine(*layout)
        else:
            self._engine = CorrelationEngine(*layout, keep=keep)

    def score(self, estimates: ArrayLike, *, permutation: bool = False) -> Scores:
        """Score estimates of these sources.

        Parameters
        ----------
        estimates : array_like
            Waveforms in the references' shape.
        permutation : bool
            As in :func:`bss_eval`.

        Returns
        -------
        Scores
            Scores in arrays of ``(n_sources, n_windows)``.

        Raises
        ------
        HiphopssError
            If the shape or the samples can't be scored.
        """
        estimates = _as_array("estimates", estimates)
        if estimates.shape != self._shape:
            raise HiphopssError(
                f"references have shape {self._shape}, estimates {estimates.shape}: "
                "both must be the same"
            )
        estimates = _validated("estimates", estimates, self._mode)
        sounding = sound(estimates, self._starts, self._length)
        wanted = sounding[:, None] & self._sounding
        if not permutation:
            wanted &= np.eye(len(estimates), dtype=bool)[..., None]
        ratios = {name: np.full(sounding.shape, np.nan) for name in METRICS}
        notes = np.full(sounding.shape, "", dtype=object)
        chosen = np.tile(np.arange(len(estimates))[:, None], len(self._starts))
        for k, scored in enumerate(self._engine.windows(estimates, wanted)):
            if permutation:
                chosen[:, k] = _best_permutation(scored, wanted[..., k])
            pairs = chosen[:, k], np.arange(len(estimates))
            for name, table in scored.ratios.items():
                ratios[name][:, k] = np.where(wanted[(*pairs, k)], table[pairs], np.nan)
            silent = ~self._sounding[:, k], ~sounding[chosen[:, k], k]
            notes[:, k] = silence_notes(scored.note, ratios["SDR"][:, k], *silent)
        sdr, sir, sar, isr = (ratios[name] for name in METRICS)
        return Scores(sdr, sir, sar, isr, self._starts, notes.astype(str), chosen, self._length)


def sound(signals: np.ndarray, starts: np.ndarray, length: int) -> np.ndarray:
    """Find the windows in which sources sound.

    Parameters
    ----------
    signals : np.ndarray [shape=(n_sources, n_samples, n_channels)]
        Waveforms.
    starts : np.ndarray of int [shape=(n_windows,)]
        First sample of each window.
    length : int
        Number of samples of a window.

    Returns
    -------
    np.ndarray of bool [shape=(n_sources, n_windows)]
        False where a source's channels sum to 0 throughout the window.
    """
    total = sum(np.moveaxis(signals, 2, 0))
    return np.stack([total[:, start : start + length].any(axis=1) for start in starts], axis=1)


def require_known(mode: str, engine: str) -> None:
    """Raise :class:`HiphopssError` unless the mode and the engine exist."""
    for name, choice, choices in (("mode", mode, MODES), ("engine", engine, BSS_ENGINES)):
        if choice not in choices:
            raise HiphopssError(f"no {name} named {choice!r}: choose one of {', '.join(choices)}")
    if engine == "mir_eval":
        require("the engine mir_eval", "mir_eval", otherwise=", or leave the engine out")


def window_layout(n_samples: int, window: int | None, hop: int | None) -> tuple[np.ndarray, int]:
    """Starts and length of windows, in samples.

    Parameters
    ----------
    n_samples : int
        Length of the signal.
    window, hop : int or None
        As in :func:`bss_eval`.

    Returns
    -------
    starts : np.ndarray [shape=(n_windows,)]
        First sample of each window.
    length : int
        Number of samples of a window.
    """
    if window is None:
        if hop is not None:
            raise HiphopssError("hop is given without a window: give a window, too")
        return np.zeros(1, int), n_samples
    hop = window // 2 if hop is None else hop
    if window < 1 or hop < 1:
        raise HiphopssError(f"window {window} and hop {hop} samples: both must be positive")
    n_windows = (n_samples - window + hop) // hop
    if n_windows < 2:
        return np.zeros(1, int), n_samples
    return np.arange(n_windows) * hop, window


def _as_array(name: str, signals: ArrayLike) -> np.ndarray:
    """Convert waveforms of any shape to double precision."""
    try:
        return np.asarray(signals, dtype=np.float64)
    except ValueError as error:
        raise HiphopssError(
            f"{name}: sources differ in shape, or are not numbers: cut them to the same length"
        ) from error


def require_order(name: str, shape: tuple[int, ...]) -> None:
    """Raise for waveforms in another order of axes than (n_sources, n_samples[, n_channels])."""
    n_sources, n_samples, *rest = shape
    for n, what in (*((n, "channels") for n in rest), (n_sources, "sources")):
        require_upright(name, shape, n, what, n_samples=n_samples, order=_ORDER)


def _validated(name: str, signals: np.ndarray, mode: str) -> np.ndarray:
    """Check waveforms; return them as [shape=(n_sources, n_samples, n_channels)]."""
    if signals.ndim not in (2, 3) or signals.size == 0:
        raise HiphopssError(f"{name} have shape {signals.shape}: give {_ORDER}, none of them 0")
    require_order(name, signals.shape)
    bad = [i for i, signal in enumerate(signals) if not np.isfinite(signal).all()]
    if bad:
        raise HiphopssError(
            f"{name}: source {bad[0]} has samples that are NaN or infinite: mend the signal"
        )
    signals = signals.reshape(*signals.shape[:2], -1)
    if mode == "sources" and signals.shape[2] != 1:
        raise HiphopssError(
            f"mode 'sources' takes one channel, not {signals.shape[2]}: "
            "use mode='images', or average the channels"
        )
    return signals


def _best_permutation(scored: PairScores, wanted: np.ndarray) -> np.ndarray:
    """The estimate of each reference [shape=(n_references,)] for the highest mean SIR of a window.

    ``wanted`` [shape=(n_estimates, n_references)] are the pairs in which neither signal is silent.
    Silent references get the remaining estimates in order.
    """
    from scipy.optimize import linear_sum_assignment

    estimates, references = np.flatnonzero(wanted.any(axis=1)), np.flatnonzero(wanted.any(axis=0))
    chosen = np.full(len(wanted), -1)
    if scored.ratios:
        merit = scored.ratios["SDR" if len(references) == 1 else "SIR"]
        # A pair without overlap has a score of minus infinity, which would exclude the pair.
        merit = np.maximum(np.nan_to_num(merit[np.ix_(estimates, references)], nan=-1e6), -1e6)
        rows, columns = linear_sum_assignment(merit, maximize=True)
        chosen[references[columns]] = estimates[rows]
    chosen[chosen < 0] = np.setdiff1d(np.arange(len(wanted)), chosen)
    return chosen


def silence_notes(
    note: str, sdr: np.ndarray, no_reference: np.ndarray, no_estimate: np.ndarray
) -> list[str]:
    """Write the note on each source of one window.

    Parameters
    ----------
    note : str
        Note on the window, for the sources that have none of their own.
    sdr : np.ndarray [shape=(n_sources,)]
        Scores; NaN where undefined.
    no_reference, no_estimate : np.ndarray of bool [shape=(n_sources,)]
        Sources that are silent there.

    Returns
    -------
    list of str
        A note for each source, or an empty text.
    """
    only_one = np.count_nonzero(~no_reference) == 1 < len(no_reference)
    notes = []
    for score, *silent in zip(sdr, no_reference, no_estimate, strict=True):
        if any(silent):
            named = [n for n, is_so in zip(("reference", "estimate"), silent, strict=True) if is_so]
            notes.append(f"{_SILENT} {' and '.join(named)}")
        elif np.isnan(score):
            notes.append(note if note == TOO_SHORT else UNDETERMINED)
        else:
            notes.append(note or ("no other reference sounds" if only_one else ""))
    return notes


def without_silence(scores: Scores) -> Scores:
    """Leave out the windows in which some source is silent, as MATLAB's BSS Eval and museval do.

    Parameters
    ----------
    scores : Scores
        Scores of which only silent sources lack theirs.

    Returns
    -------
    Scores
        The same, but NaN for all sources where the reference or the estimate of one is silent. A
        source that is silent in every window, such as the vocals of an instrumental, is not
        counted: there would be nothing left.
    """
    silent = np.char.startswith(scores.notes, _SILENT)
    left_out = silent[~silent.all(axis=1)].any(axis=0)
    kept = (np.where(left_out, np.nan, x) for x in (scores.sdr, scores.sir, scores.sar, scores.isr))
    sdr, sir, sar, isr = kept
    notes = np.where(left_out & ~silent, ANOTHER_SILENT, scores.notes)
    return replace(scores, sdr=sdr, sir=sir, sar=sar, isr=isr, notes=notes)
