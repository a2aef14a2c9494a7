"""BSS Eval v3 as mir_eval computes it, with silence handled source by source.

Conventions
-----------
References and estimates are matched by their index; no permutation is tried. Scores are in dB.
mir_eval (like the MATLAB original) is undefined where a source is silent: its plain functions
raise, and its framewise functions give up the whole window. Here a silent source voids its own
score only:

- a silent reference adds nothing to the space that estimates are projected on, so it is left out;
- a silent estimate has no score, but its reference still spans part of that space: the reference
  takes the estimate's place, and the score is discarded. Without permutations, no estimate has a
  part in another one's score.

Where nothing is silent, the numbers are exactly mir_eval's.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np

from hiphopss.errors import HiphopssError
from hiphopss.eval.condition import SINGULAR, reciprocal_condition

MODES = ("sources", "images")
"""The two variants of BSS Eval: distortion by a filter is allowed, or counts as an error."""

_UNDETERMINED = "references dependent: not determined"

METRICS = ("SDR", "SIR", "SAR", "ISR")
"""Ratios of source to distortion, interference and artifacts, and image to spatial distortion."""


@dataclass(frozen=True, eq=False)
class Scores:
    """What :func:`bss_eval` returns.

    Attributes
    ----------
    sdr, sir, sar, isr : np.ndarray [shape=(n_sources, n_windows)]
        In dB; NaN where undefined. ``isr`` is NaN throughout in mode ``"sources"``. An infinite
        ratio (no interference at all) is left as mir_eval gives it.
    window_starts : np.ndarray [shape=(n_windows,)]
        First sample of each window.
    notes : np.ndarray of str [shape=(n_sources, n_windows)]
        Why a score is missing or peculiar; else empty.
    """

    sdr: np.ndarray
    sir: np.ndarray
    sar: np.ndarray
    isr: np.ndarray
    window_starts: np.ndarray
    notes: np.ndarray


def bss_eval(references, estimates, *, mode="sources", window=None, hop=None) -> Scores:
    """BSS Eval of the estimates of one song's sources.

    The paper scores with SDR, SIR and SAR (section 4); the released MATLAB uses ``"images"`` in
    windows of 30 s every 15 s (reference page, section 8).

    Parameters
    ----------
    references, estimates : array_like [shape=(n_sources, n_samples[, n_channels])]
        Waveforms, in any unit. They are scored in double precision.
    mode : {"sources", "images"}
        ``"sources"`` allows each estimate a distortion of 512 filter taps and takes one channel;
        ``"images"`` counts such a distortion as an error, adds ISR, and takes any number of
        channels.
    window : int, optional
        Window length in samples; the whole signal by default. Windows are counted as mir_eval
        counts them: only full ones, and if fewer than two fit, the whole signal is one window.
    hop : int, optional
        Samples between the starts of windows; half a window by default.

    Returns
    -------
    Scores
        Arrays of ``(n_sources, n_windows)``.

    Raises
    ------
    HiphopssError
        If the shapes, the samples or the options can't be scored.
    """
    if mode not in MODES:
        raise HiphopssError(f"no mode named {mode!r}: choose one of {', '.join(MODES)}")
    references, estimates = _validated(references, estimates, mode)
    n_sources, n_samples = references.shape[:2]
    starts, length = window_layout(n_samples, window, hop)
    shape = (n_sources, len(starts))
    ratios = {name: np.full(shape, np.nan) for name in METRICS}
    notes = np.full(shape, "", dtype=object)
    for k, start in enumerate(starts):
        part = slice(start, start + length)
        scored, notes[:, k] = _score_window(references[:, part], estimates[:, part], mode)
        for name in METRICS:
            ratios[name][:, k] = scored[name]
    return Scores(*(ratios[name] for name in METRICS), starts, notes.astype(str))


def window_layout(n_samples: int, window: int | None, hop: int | None) -> tuple[np.ndarray, int]:
    """Where windows start, and how long they are, in samples.

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
        Samples of a window.
    """
    if window is None:
        if hop is not None:
            raise HiphopssError("hop is given without a window: give both, or neither")
        return np.zeros(1, int), n_samples
    hop = window // 2 if hop is None else hop
    if window < 1 or hop < 1:
        raise HiphopssError(f"window {window} and hop {hop} samples: both must be positive")
    n_windows = (n_samples - window + hop) // hop
    if n_windows < 2:
        return np.zeros(1, int), n_samples
    return np.arange(n_windows) * hop, window


def _validated(references, estimates, mode: str) -> tuple[np.ndarray, np.ndarray]:
    """Both as double precision arrays: 2-D for ``"sources"``, 3-D for ``"images"``."""
    references = np.asarray(references, dtype=np.float64)
    estimates = np.asarray(estimates, dtype=np.float64)
    if references.shape != estimates.shape:
        raise HiphopssError(
            f"references have shape {references.shape}, estimates {estimates.shape}: "
            "both must be the same"
        )
    if references.ndim not in (2, 3) or references.size == 0:
        raise HiphopssError(
            f"references and estimates have shape {references.shape}: "
            "give (n_sources, n_samples) or (n_sources, n_samples, n_channels), none of them 0"
        )
    for name, signals in (("references", references), ("estimates", estimates)):
        bad = [i for i, signal in enumerate(signals) if not np.isfinite(signal).all()]
        if bad:
            raise HiphopssError(
                f"{name}: source {bad[0]} has samples that are NaN or infinite: mend the signal"
            )
    if mode == "images":
        shape = (*references.shape[:2], -1)
        return references.reshape(shape), estimates.reshape(shape)
    if references.ndim == 3:
        if references.shape[2] != 1:
            raise HiphopssError(
                f"mode 'sources' takes one channel, not {references.shape[2]}: "
                "use mode='images', or average the channels"
            )
        references, estimates = references[..., 0], estimates[..., 0]
    return references, estimates


def _silent(signals: np.ndarray) -> np.ndarray:
    """Which sources mir_eval calls silent: those whose channels add up to 0 everywhere.

    Parameters
    ----------
    signals : np.ndarray [shape=(n_sources, n_samples[, n_channels])]
        Waveforms.

    Returns
    -------
    np.ndarray of bool [shape=(n_sources,)]
        True where silent.
    """
    if signals.ndim == 3:
        signals = signals.sum(axis=2)
    return ~signals.any(axis=1)


def _score_window(references: np.ndarray, estimates: np.ndarray, mode: str):
    """Scores of one window, and a note on each source.

    Parameters
    ----------
    references, estimates : np.ndarray [shape=(n_sources, n_samples[, n_channels])]
        One window of the waveforms.
    mode : str
        As in :func:`bss_eval`.

    Returns
    -------
    scored : dict of np.ndarray [shape=(n_sources,)]
        By metric; NaN where undefined.
    notes : list of str
        One a source.
    """
    no_reference, no_estimate = _silent(references), _silent(estimates)
    scored = {name: np.full(len(references), np.nan) for name in METRICS}
    notes = [_silence_note(*pair) for pair in zip(no_reference, no_estimate, strict=True)]
    kept = np.flatnonzero(~no_reference)
    wanted = ~(no_reference | no_estimate)
    if not wanted.any():
        return scored, notes
    if len(kept) < len(references) or no_estimate[kept].any():
        stand_in = no_estimate.reshape((-1,) + (1,) * (references.ndim - 1))
        estimates = np.where(stand_in, references, estimates)[kept]
        references = references[kept]
    values, note = _mir_eval(references, estimates, mode)
    if len(kept) == 1 < len(no_reference):
        note = note or "no other reference sounds"
    for index, position in enumerate(kept):
        if wanted[position]:
            notes[position] = note
            for name in values:
                scored[name][position] = values[name][index]
    return scored, notes


def _silence_note(no_reference: bool, no_estimate: bool) -> str:
    """What to say about a source that is silent in a window."""
    silent = ["reference"] * bool(no_reference) + ["estimate"] * bool(no_estimate)
    return f"silent {' and '.join(silent)}" if silent else ""


def _mir_eval(references: np.ndarray, estimates: np.ndarray, mode: str) -> tuple[dict, str]:
    """mir_eval's scores by metric, and a note where the references hardly determine them."""
    # It imports scipy.stats and scipy.signal, which take seconds.
    from mir_eval import separation

    if mode == "sources":
        function, names = separation.bss_eval_sources, ("SDR", "SIR", "SAR")
        channels = references
    else:
        function, names = separation.bss_eval_images, ("SDR", "ISR", "SIR", "SAR")
        channels = np.concatenate(np.moveaxis(references, 2, 1))
    note = ""
    if reciprocal_condition(channels) < SINGULAR:
        note = "references nearly dependent: SIR, SAR and ISR are uncertain"
    with warnings.catch_warnings(), np.errstate(divide="ignore", invalid="ignore"):
        # mir_eval is pinned below 0.9, where these functions go.
        warnings.filterwarnings("ignore", r"mir_eval\.separation", FutureWarning)
        try:
            values = function(references, estimates, compute_permutation=False)
        except AttributeError as error:
            # Its handler of singular equations names `np.linalg.linalg`, which NumPy 2 lacks.
            if not isinstance(error.__context__, np.linalg.LinAlgError):
                raise
            return {}, _UNDETERMINED
    if note and np.isneginf(values[0]).any():  # what older NumPy versions make of the same
        return {}, _UNDETERMINED
    return dict(zip(names, values, strict=False)), note
