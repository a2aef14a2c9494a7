"""The beat under a voice, estimated from its copies.

In each bin of a frame the mixture is the sum of what repeats, ``A``, and of what doesn't, ``N``:
``X_0 = A + N_0`` here, ``X_k = A + N_k`` in a copy, all taken as independent and Gaussian. How much
of each source repeats, ``rho_s``, and the network's power of each source, ``p_s``, give the powers:
``rho_s p_s`` summed is that of ``A``, the rest that of ``N``. The mean of ``A`` given all copies is
then a weighted sum of their spectra, phases included. A copy in which the network hears no voice
counts more than one in which it hears a loud one, and a copy that disagrees here and now counts
little. Where no copy agrees, ``A`` and ``N`` are shares of the mixture, and the stems are those of
the network's masks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hiphopss.loops.agreement import spread

Array = NDArray[np.float32]
Spectra = NDArray[np.complex64]
_TINY = np.float32(1e-12)


@dataclass(frozen=True)
class Constants:
    """What was fitted on generated songs (``constants.toml``).

    Attributes
    ----------
    least_likeness : float
        Likeness of a song to itself below which it is not touched.
    most_copies : int
        Copies that are used in a place, the most alike ones.
    gate : float
        Agreement below which a copy isn't used.
    disagreement : float
        How much a copy's disagreement counts.
    leakage : float
        Share of the most repeating source's repetition that the voice has only because the
        network's voice has some of the beat in it.
    certainty : float
        How much what the copies tell replaces the network's powers, 0..1.
    least_share, most_share : float
        Limits of how much of a source repeats.
    gain : float
        How far a copy's level is matched to that here, 0..1.
    """

    least_likeness: float = 0.2
    most_copies: int = 8
    gate: float = 0.2
    disagreement: float = 0.5
    leakage: float = 0.5
    certainty: float = 0.7
    least_share: float = 0.02
    most_share: float = 0.98
    gain: float = 0.0


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


class Place:
    """Collects the copies of some frames, and splits these into what repeats and what doesn't.

    Parameters
    ----------
    here : Copy
        The frames themselves.
    shares : np.ndarray [shape=(n_sources, n_frames, n_bands)]
        How much of each source repeats, 0..1.
    constants : Constants
        The fitted constants.
    """

    def __init__(self, here: Copy, shares: Array, constants: Constants):
        self._here, self._constants = here, constants
        self._shares = spread(shares)
        self._rest = 1 - self._shares
        repeating = self._shares * here.powers
        self._repeating = repeating.sum(axis=0) + _TINY
        self._other = (self._rest * here.powers).sum(axis=0) + _TINY
        self._precision = np.zeros_like(self._repeating)
        self._weighted = np.zeros_like(here.spectra)
        self._heard = repeating  # power of what repeats by source, in all copies that agree

    def add(self, copy: Copy, agreement: Array) -> None:
        """Take a copy into account.

        Parameters
        ----------
        copy : Copy
            Its frames.
        agreement : np.ndarray [shape=(n_frames, n_bands)]
            How alike it is, -1..1.
        """
        constants = self._constants
        clear = np.clip((agreement - constants.gate) / 0.1, 0, 1)
        if not clear.any():
            return
        sure = np.clip(agreement, 1e-3, 0.999)
        other = np.einsum("sfb,sfb->fb", self._rest, copy.powers)
        apart = spread(constants.disagreement * (1 - sure) / sure + 1e-3)
        weight = spread(clear) / (other + apart * self._repeating + _TINY)
        self._precision += weight
        self._weighted += weight * copy.spectra
        self._heard += spread(clear * sure**2) * (self._shares * copy.powers)

    def stems(self) -> Spectra:
        """Spectra of the sources, which sum to the mixture's.

        Returns
        -------
        np.ndarray [shape=(n_sources, n_channels, n_frames, n_bins)]
            In single precision.
        """
        mixture = self._here.spectra
        beat, variance = self._posterior(self._repeating, self._other)
        rest = mixture - beat
        told = self._precision * self._repeating
        trust = self._constants.certainty * told / (told + 1)
        repeating = _between(self._repeating, _power(beat) + variance, trust)
        other = _between(self._other, _power(rest) + variance, trust)
        beat, _ = self._posterior(repeating, other)
        rest = mixture - beat
        of_beat = self._heard + _TINY
        of_beat /= of_beat.sum(axis=0)
        of_rest = self._rest * self._here.powers + _TINY
        of_rest /= of_rest.sum(axis=0)
        return of_beat[:, None] * beat + of_rest[:, None] * rest

    def _posterior(self, repeating: Array, other: Array) -> tuple[Spectra, Array]:
        """Mean and variance of what repeats, given its prior power and that of the rest."""
        variance = 1 / (self._precision + 1 / other + 1 / repeating)
        mean = variance * (self._weighted + self._here.spectra / other)
        return mean, variance


def _power(spectra: Spectra) -> Array:
    """Mean power over channels `[shape=(n_frames, n_bins)]`."""
    return (spectra.real**2 + spectra.imag**2).mean(axis=0)


def _between(prior: Array, found: Array, trust: Array) -> Array:
    """Geometric mean of two powers, weighted by the trust in the second one."""
    return np.exp((1 - trust) * np.log(prior + _TINY) + trust * np.log(found + _TINY))


def chosen(qualities: dict[int, Array], most: int, gate: float) -> Sequence[int]:
    """The steps whose copies agree best in some frames, at most ``most``."""
    scores = {
        step: float(np.square(np.maximum(q - gate, 0)).sum()) for step, q in qualities.items()
    }
    best = sorted((step for step in scores if scores[step] > 0), key=lambda step: -scores[step])
    return best[:most]
