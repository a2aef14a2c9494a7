"""The beat under a voice, estimated from its copies.

In each bin of a frame the mixture is the sum of what repeats, ``A``, and of what doesn't, ``N``:
``X_0 = A + N_0`` here, ``X_k = A + N_k`` in a copy, all taken as independent and Gaussian. How much
of each source repeats, ``rho_s``, and the power of each source, ``p_s``, give their powers: the sum
of ``rho_s p_s`` is that of ``A``, the rest that of ``N``. The mean of ``A`` given all copies is
then a weighted sum of their spectra, phases included. A copy in which the network hears no voice
counts more than one in which it hears a loud one, and a copy that disagrees here and now counts
little. What was found of ``A`` and ``N`` gives better powers than the network's, and so on, a few
times (expectation and maximisation). Where no copy agrees, ``A`` and ``N`` are shares of the
mixture, and the stems are those of the network's masks, but for the little that any source may have
in any bin (``floor``).

Where several copies agree, what repeats is taken for the beat, and what doesn't for the voice,
whatever the network makes of it. Only there can it be known, and there it is nearly always so.
"""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hiphopss.loops.agreement import EDGES, spread
from hiphopss.loops.grid import N_BINS

Array = NDArray[np.float32]
Spectra = NDArray[np.complex64]
_TINY = np.float32(1e-12)
_VOICED = (np.arange(N_BINS) >= EDGES[1]).astype(np.float32)
"""Bins from 86 Hz on: below, there is no voice, whatever doesn't repeat."""
_FITTED = tomllib.loads(files("hiphopss.loops").joinpath("constants.toml").read_text("utf-8"))


@dataclass(frozen=True)
class Constants:
    """The constants of the loop stage; their usual values are in ``constants.toml``.

    Most were fitted on generated songs by :mod:`hiphopss.separation.loop_fitting`, which says why
    the others were not.

    Attributes
    ----------
    least_likeness : float
        Likeness of a song to itself below which it is not touched.
    most_copies : int
        Number of copies that are used in a place, the most alike ones.
    gate, sure : float
        Agreement below which a copy isn't used, and from which on the best one is believed.
    voice_apart, voice_alike : float
        As in :class:`hiphopss.loops.agreement.Agreement`.
    disagreement : float
        How much a copy's disagreement counts.
    leakage : float
        Share of the most repeating source's repetition that the voice has only because the
        network's voice has some of the beat in it.
    few : float
        Number of copies that are believed half as much as very many.
    voice_repeats, rest_repeats : float
        How much of the voice, and of the other sources, repeats where copies are believed.
    averaged : float
        How much each copy's balance of the sources counts for the beat, beside that here.
    floor : float
        Share of the mixture's power that any source may have in any bin from 86 Hz on, whatever
        the network says.
    rounds : int
        Number of rounds of expectation and maximisation.
    """

    least_likeness: float = _FITTED["least_likeness"]
    most_copies: int = _FITTED["most_copies"]
    gate: float = _FITTED["gate"]
    sure: float = _FITTED["sure"]
    voice_apart: float = _FITTED["voice_apart"]
    voice_alike: float = _FITTED["voice_alike"]
    disagreement: float = _FITTED["disagreement"]
    leakage: float = _FITTED["leakage"]
    few: float = _FITTED["few"]
    voice_repeats: float = _FITTED["voice_repeats"]
    rest_repeats: float = _FITTED["rest_repeats"]
    averaged: float = _FITTED["averaged"]
    floor: float = _FITTED["floor"]
    rounds: int = _FITTED["rounds"]


@dataclass(frozen=True)
class Copy:
    """Frames of a copy, or of the place itself.

    Attributes
    ----------
    spectra : np.ndarray [shape=(n_channels, n_frames, n_bins)]
        Spectra of the mixture.
    powers : np.ndarray [shape=(n_sources, n_frames, n_bins)]
        The network's powers of the sources, in the mean over channels.
    """

    spectra: Spectra
    powers: Array


class Material(NamedTuple):
    """What is known of some frames.

    Attributes
    ----------
    here, copies, agreements
        As in :func:`split`.
    shares : np.ndarray [shape=(n_sources, n_frames, n_bands)]
        How much of the network's estimate of each source repeats, for :func:`unleaked`.
    """

    here: Copy
    copies: list[Copy]
    agreements: list[Array]
    shares: Array


def unleaked(shares: Array, constants: Constants) -> Array:
    """How much of each source repeats, without what the voice has of the beat.

    Parameters
    ----------
    shares : np.ndarray [shape=(n_sources, n_frames, n_bands)]
        How much of the network's estimate of each source repeats.
    constants : Constants
        The fitted constants.

    Returns
    -------
    np.ndarray [shape=(n_sources, n_frames, n_bands)]
        Of the sources themselves, 0.02..0.98.
    """
    leaked = constants.leakage * shares[1:].max(axis=0)
    voice = (shares[0] - leaked) / (1 - np.minimum(leaked, 0.9))
    return np.clip(np.concatenate([voice[None], shares[1:]]), 0.02, 0.98)


def split(
    here: Copy,
    copies: Sequence[Copy],
    agreements: Sequence[Array],
    shares: Array,
    constants: Constants,
) -> Spectra:
    """Split frames into their sources by what repeats in copies of them.

    Parameters
    ----------
    here : Copy
        The frames themselves.
    copies : sequence of Copy
        Copies of them.
    agreements : sequence of np.ndarray [shape=(n_frames, n_bands)]
        How alike each copy is, -1..1.
    shares : np.ndarray [shape=(n_sources, n_frames, n_bands)]
        How much of each source was found to repeat, 0..1.
    constants : Constants
        The fitted constants.

    Returns
    -------
    np.ndarray [shape=(n_sources, n_channels, n_frames, n_bins)]
        Spectra of the sources, which sum to the mixture's.
    """
    clear = [np.clip((q - constants.gate) / 0.1, 0, 1) for q in agreements]
    sure = [np.clip(q, 1e-3, 0.999) for q in agreements]
    believed = [c * s**2 for c, s in zip(clear, sure, strict=True)]
    shares = spread(_believed(shares, agreements, believed, constants))
    rest = 1 - shares
    own = here.powers + constants.floor * _VOICED * here.powers.sum(axis=0) + _TINY
    repeating = (shares * own).sum(axis=0)
    precision = np.zeros_like(repeating)
    weighted = np.zeros_like(here.spectra)
    heard = np.zeros_like(own)  # powers of the sources in all copies that agree
    for copy, c, s, b in zip(copies, clear, sure, believed, strict=True):
        if not c.any():
            continue
        other = np.einsum("sfb,sfb->fb", rest, copy.powers)
        apart = spread(constants.disagreement * (1 - s) / s + 1e-3)
        weight = spread(c) / (other + apart * repeating + _TINY)
        precision += weight
        weighted += weight * copy.spectra
        heard += spread(b) * copy.powers
    told = precision * repeating
    trust = told / (told + 1)
    heard *= constants.averaged * shares
    powers, mixture = own, here.spectra
    for turn in range(constants.rounds):
        of_beat = shares * powers
        of_rest = powers - of_beat
        repeating, other = of_beat.sum(axis=0), of_rest.sum(axis=0)
        doubt = 1 / (other + _TINY)
        variance = 1 / (precision + doubt + 1 / (repeating + _TINY))
        beat = variance * (weighted + mixture * doubt)
        of_beat = _normalised(of_beat + heard)
        of_rest = _normalised(of_rest)
        if turn + 1 < constants.rounds:
            found = of_beat * power(beat) + of_rest * power(mixture - beat)
            powers = own + trust * (found - own)
    return of_beat[:, None] * beat + of_rest[:, None] * (mixture - beat)


def _believed(
    shares: Array, agreements: Sequence[Array], believed: Sequence[Array], constants: Constants
) -> Array:
    """How much of each source repeats, after what is known of beats where copies agree."""
    if not len(agreements):
        return shares
    range_ = constants.sure - constants.gate
    best = np.clip((np.max(agreements, axis=0) - constants.gate) / range_, 0, 1)
    n_copies = np.sum(believed, axis=0)
    trust = best * n_copies / (n_copies + constants.few)
    known = np.full((len(shares), 1, 1), constants.rest_repeats, np.float32)
    known[0] = constants.voice_repeats
    return shares + trust * (known - shares)


def _normalised(powers: Array) -> Array:
    """Turn powers into shares, which sum to 1 in silence as well."""
    powers += _TINY
    powers /= powers.sum(axis=0)
    return powers


def power(spectra: Spectra) -> Array:
    """Mean power over channels `[shape=(n_frames, n_bins)]` of `[shape=(n_channels, ...)]`."""
    total = np.square(spectra[0].real)
    total += np.square(spectra[0].imag)
    for channel in spectra[1:]:
        total += np.square(channel.real)
        total += np.square(channel.imag)
    if len(spectra) > 1:
        total *= np.float32(1 / len(spectra))
    return total


def chosen(qualities: dict[int, Array], most: int, gate: float) -> Sequence[int]:
    """The steps whose copies agree best in some frames, at most ``most``."""
    scores = {
        step: float(np.square(np.maximum(q - gate, 0)).sum()) for step, q in qualities.items()
    }
    best = sorted((step for step in scores if scores[step] > 0), key=lambda step: -scores[step])
    return best[:most]
