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
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import Any, NamedTuple

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
    most_raised : float
        How many times the network's power of a source, floor included, a round may find at most.
        Otherwise a bright sound without a copy would end as voice, as nothing else is expected not
        to repeat: heard as ticks.
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
    most_raised: float = _FITTED["most_raised"]
    rounds: int = _FITTED["rounds"]


@dataclass(frozen=True)
class Copy:
    """Frames of a place, or of all copies of it, which are then the first axis.

    Attributes
    ----------
    parts : np.ndarray [shape=(..., 2 * n_channels, n_frames, n_bins)]
        Spectra of the mixture: the real parts of all channels, then the imaginary ones. Kept apart
        like this, they are scaled much faster than complex numbers are.
    masks : np.ndarray [shape=(..., n_sources, n_frames, n_bins)]
        The network's masks, times any constant.
    scale : np.ndarray [shape=(..., n_frames, n_bins)]
        What makes them powers: the mixture's, in the mean over channels, over that constant.
    """

    parts: Array
    masks: Array
    scale: Array

    @property
    def powers(self) -> Array:
        """The network's powers of the sources, in the mean over channels, as :attr:`masks`."""
        return self.masks * self.scale[..., None, :, :]

    def __getitem__(self, chosen: Any) -> Copy:
        """One of the copies, or some of them."""
        return Copy(self.parts[chosen], self.masks[chosen], self.scale[chosen])


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
    copies: Copy
    agreements: Array
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


class Split(NamedTuple):
    """Frames as the sum of a beat and the rest, and whose these are.

    Attributes
    ----------
    beat, rest : np.ndarray [shape=(2 * n_channels, n_frames, n_bins)]
        What repeats and what doesn't, as :attr:`Copy.parts`; their sum is the mixture.
    of_beat, of_rest : np.ndarray [shape=(n_sources, n_frames, n_bins)]
        Share of each source in them: in the sum over sources 1, and less in silence.
    """

    beat: Array
    rest: Array
    of_beat: Array
    of_rest: Array

    def stems(self, n_sources: int | None = None) -> Spectra:
        """Spectra of the first sources, or of all of them.

        Returns
        -------
        np.ndarray [shape=(n_sources, n_channels, n_frames, n_bins)]
            Those of all sources sum to the mixture's.
        """
        n_channels = len(self.beat) // 2
        shape = (len(self.of_beat[:n_sources]), n_channels, *self.beat.shape[1:])
        result = np.empty(shape, np.complex64)
        ones, others = np.empty_like(self.beat), np.empty_like(self.rest)
        for stem, of_beat, of_rest in zip(result, self.of_beat, self.of_rest, strict=False):
            np.multiply(of_beat, self.beat, out=ones)
            np.multiply(of_rest, self.rest, out=others)
            np.add(ones[:n_channels], others[:n_channels], out=stem.real)
            np.add(ones[n_channels:], others[n_channels:], out=stem.imag)
        return result


def split(
    here: Copy,
    copies: Copy,
    agreements: Array,
    shares: Array,
    constants: Constants,
) -> Split:
    """Split frames into their sources by what repeats in copies of them.

    Parameters
    ----------
    here : Copy
        The frames themselves.
    copies : Copy
        All copies of them; there may be none.
    agreements : np.ndarray [shape=(n_copies, n_frames, n_bands)]
        How alike each copy is, -1..1.
    shares : np.ndarray [shape=(n_sources, n_frames, n_bands)]
        How much of each source was found to repeat, 0..1.
    constants : Constants
        The fitted constants.

    Returns
    -------
    Split
        Beat and rest, and the sources' shares in them.
    """
    clear = np.clip((agreements - constants.gate) / 0.1, 0, 1)
    used = clear.any(axis=(1, 2))
    if not used.all():
        copies, agreements, clear = copies[used], agreements[used], clear[used]
    sure = np.clip(agreements, 1e-3, 0.999)
    believed = clear * sure**2
    apart = constants.disagreement * (1 - sure) / sure + 1e-3
    shares = spread(_believed(shares, agreements, believed, constants))
    own = here.powers
    own += constants.floor * _VOICED * own.sum(axis=0) + _TINY
    of_beat = shares * own
    weights = np.einsum("sfb,ksfb->kfb", 1 - shares, copies.masks)
    weights *= copies.scale
    weights += spread(apart) * of_beat.sum(axis=0)
    weights += _TINY
    np.divide(spread(clear), weights, out=weights)
    counted = spread(constants.averaged * believed)
    counted *= copies.scale
    heard = np.einsum("kfb,ksfb->sfb", counted, copies.masks)
    heard *= shares
    known = _Known(
        own=own,
        shares=shares,
        precision=weights.sum(axis=0),
        weighted=np.einsum("kfb,kcfb->cfb", weights, copies.parts),
        heard=heard,
    )
    return _estimated(here.parts, known, of_beat, constants)


class _Known(NamedTuple):
    """What is known of the beat and of the sources."""

    own: Array  # powers of the sources here, as the network hears them
    shares: Array  # of the sources, which repeat
    precision: Array  # of what the copies say of the beat
    weighted: Array  # sum of the copies, each as often as it counts
    heard: Array  # powers of the sources in all copies that agree


def _estimated(mixture: Array, known: _Known, of_beat: Array, constants: Constants) -> Split:
    """Rounds of expectation and maximisation, the last of which only expects.

    ``of_beat`` is what repeats of the sources' powers; it is used up.

    With ``certain``, the precision of the beat without the mixture, and ``doubt``, that of the
    mixture, the beat is ``(doubt * mixture + weighted) / (certain + doubt)`` and the rest is
    ``(certain * mixture - weighted) / (certain + doubt)``. Only the powers of both are needed
    before the last round, and they follow from three that no round changes.
    """
    if constants.rounds < 1:
        raise ValueError(f"rounds is {constants.rounds}: 1 or more")
    own, shares, precision, weighted, heard = known
    of_rest = own - of_beat
    repeating = of_beat.sum(axis=0)
    trust = precision * repeating
    trust /= trust + 1
    kept, most = (1 - trust) * own, np.float32(constants.most_raised) * own
    power_here, power_there = power(mixture), power(weighted)
    twice = _product(mixture, weighted)
    twice *= 2
    heard_of_all = heard.sum(axis=0)
    heard_of_all += _TINY
    for number in range(constants.rounds):
        repeating = of_beat.sum(axis=0)
        repeating += _TINY
        doubt = of_rest.sum(axis=0)
        doubt += _TINY
        np.divide(1, doubt, out=doubt)
        certain = 1 / repeating
        certain += precision
        of_beat += heard
        if number == constants.rounds - 1:
            break
        scale = certain + doubt
        scale *= scale
        np.divide(trust, scale, out=scale)
        to_beat = ((doubt * power_here + twice) * doubt + power_there) * scale
        to_beat /= repeating + heard_of_all
        to_rest = (certain * power_here - twice) * certain + power_there
        np.maximum(to_rest, 0, out=to_rest)
        to_rest *= scale
        to_rest *= doubt
        of_beat *= to_beat
        of_rest *= to_rest
        of_rest += of_beat
        of_rest += kept
        np.minimum(of_rest, most, out=of_rest)  # now the powers of the sources
        np.multiply(shares, of_rest, out=of_beat)
        of_rest -= of_beat
    beat = mixture * doubt
    beat += weighted
    beat /= certain + doubt
    of_beat /= repeating + heard_of_all
    of_rest *= doubt
    return Split(beat, mixture - beat, of_beat, of_rest)


def _believed(shares: Array, agreements: Array, believed: Array, constants: Constants) -> Array:
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


def power(parts: Array) -> Array:
    """Mean power over channels `[shape=(n_frames, n_bins)]` of :attr:`Copy.parts`."""
    return _product(parts, parts)


def _product(parts: Array, others: Array) -> Array:
    """Mean product over channels `[shape=(n_frames, n_bins)]` of two :attr:`Copy.parts`."""
    total = np.einsum("cfb,cfb->fb", parts, others)
    if len(parts) > 2:
        total *= np.float32(2 / len(parts))
    return total


def chosen(scores: Mapping[int, float], most: int) -> list[int]:
    """The steps whose copies agree best in some frames, at most ``most``."""
    best = sorted((step for step in scores if scores[step] > 0), key=lambda step: -scores[step])
    return best[:most]
