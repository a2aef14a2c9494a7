"""Mixing stems with gain, pan, mute and solo, for whole songs and block by block.

The pan law for stereo stems is that of the Web Audio API's StereoPannerNode (W3C Web Audio API 1.1,
"StereoPanner algorithm"): if a stem is panned to one side, the channel of the other side moves to
it with constant power (cosine and sine), so nothing of the stem is lost, and a pan of 0 changes
nothing. A mono stem that is panned becomes stereo with constant power, too; unlike in that node, it
is scaled so that it has its full level on both sides at 0.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from hiphopss.config import SOURCES
from hiphopss.errors import HiphopssError
from hiphopss.util.arrays import require_upright

MOST_DB = 40.0
"""Maximum gain in dB; ``-inf`` is silence."""

_MOST_CHANNELS = 1024  # of a file; an array with more is most likely transposed

_NEUTRAL = dict.fromkeys(SOURCES, 0.0)


@dataclass(frozen=True)
class Mix:
    """Settings of a mix. The defaults change nothing.

    Attributes
    ----------
    gains : dict of str to float
        Gain of each source in dB, by default 0; ``-inf`` is silence.
    pans : dict of str to float
        Pan of each source from -1 (left) to 1 (right), by default 0.
    muted, soloed : frozenset of str
        If any stem is soloed, only soloed stems are heard; a muted stem is never heard.
    """

    gains: dict[str, float] = field(default_factory=dict)
    pans: dict[str, float] = field(default_factory=dict)
    muted: frozenset[str] = frozenset()
    soloed: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        for name in (*self.gains, *self.pans, *self.muted, *self.soloed):
            require_source(name)
        for name, gain in self.gains.items():
            if math.isnan(gain) or gain > MOST_DB:
                raise HiphopssError(
                    f"gain of {name} {gain:g}: give a number of dB, at most {MOST_DB:g}"
                )
        for name, pan in self.pans.items():
            if not -1 <= pan <= 1:
                raise HiphopssError(f"pan of {name} {pan:g}: give -1 (left) to 1 (right)")
        object.__setattr__(self, "gains", _NEUTRAL | self.gains)
        object.__setattr__(self, "pans", _NEUTRAL | self.pans)

    @classmethod
    def parse(
        cls,
        *,
        gains: Iterable[str] = (),
        pans: Iterable[str] = (),
        muted: Iterable[str] = (),
        soloed: Iterable[str] = (),
    ) -> Mix:
        """Read settings in the form of the command line, such as ``gains=["vocals=-6"]``.

        Raises
        ------
        HiphopssError
            If a source is unknown or named twice, or if a number is invalid or out of range.
        """
        return cls(
            _parse_all("gain", gains), _parse_all("pan", pans), frozenset(muted), frozenset(soloed)
        )

    def changed(self, **attributes: Any) -> Mix:
        """Copy with some attributes changed; ``gains`` and ``pans`` may name only some sources."""
        for name in {"gains", "pans"} & set(attributes):
            attributes[name] = getattr(self, name) | attributes[name]
        return replace(self, **attributes)

    def heard(self, source: str) -> bool:
        """Whether a source is heard with these mutes and solos."""
        return source not in self.muted and (not self.soloed or source in self.soloed)

    @property
    def audible(self) -> tuple[str, ...]:
        """The sources that are heard and have a gain above ``-inf``."""
        return tuple(s for s in SOURCES if self.heard(s) and self.gains[s] > -math.inf)

    @property
    def panned(self) -> bool:
        """Whether any pan is not 0, which turns mono stems into stereo."""
        return any(self.pans.values())

    def matrices(self, n_channels: int, n_out: int | None = None) -> np.ndarray:
        """Compute the matrices by which the channels of each source are multiplied.

        Parameters
        ----------
        n_channels : int
            Number of channels of the stems.
        n_out : int, optional
            Number of channels of the mix; by default 2 if a mono stem is panned, otherwise that of
            the stems.

        Returns
        -------
        np.ndarray [shape=(n_sources, n_out, n_channels)]
            Matrices in double precision.

        Raises
        ------
        HiphopssError
            If stems of more than two channels are panned or a panned mix is not stereo; or if stems
            of several channels would have to be mixed to another number of channels.
        """
        n_out = n_out or self.n_out(n_channels)
        if self.panned and (n_channels > 2 or n_out != 2):
            raise HiphopssError(
                f"pan: not from {n_channels} to {n_out} channels: pan mono or stereo music, into "
                "stereo (`live --stereo` makes mono stereo)"
            )
        if n_channels not in (1, n_out):
            raise HiphopssError(
                f"{n_channels} channels: can't be mixed to {n_out}, only mono becomes stereo: "
                "leave --stereo out"
            )
        matrices = np.empty((len(SOURCES), n_out, n_channels))
        for matrix, source in zip(matrices, SOURCES, strict=True):
            gain = 10 ** (self.gains[source] / 20) if self.heard(source) else 0.0
            matrix[:] = gain * _pan_matrix(self.pans[source], n_channels, n_out)
        return matrices

    def n_out(self, n_channels: int) -> int:
        """Number of channels of the mix for stems of ``n_channels``."""
        return 2 if self.panned and n_channels == 1 else n_channels

    def describe(self) -> str:
        """Describe the settings in one line for people."""
        told = []
        for source in SOURCES:
            words = [f"{source} {self.gains[source]:+.1f} dB"]
            words += [f"pan {self.pans[source]:+.1f}"] * bool(self.pans[source])
            words += ["muted"] * (source in self.muted) + ["solo"] * (source in self.soloed)
            told.append(" ".join(words))
        return " | ".join(told)


def require_source(name: str) -> str:
    """Return the name of a source; raise :class:`HiphopssError` for any other name."""
    if name not in SOURCES:
        raise HiphopssError(f"no source named {name!r}: choose one of {', '.join(SOURCES)}")
    return name


def parse_number(text: str, *, what: str) -> float:
    """Read a number from text; raise :class:`HiphopssError` if it is not a number."""
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if math.isnan(number):
        raise HiphopssError(f"{what} {text!r}: give a number")
    return number


def _parse_all(what: str, settings: Iterable[str]) -> dict[str, float]:
    """Read settings such as ``vocals=-6``."""
    parsed: dict[str, float] = {}
    for setting in settings:
        name, equals, number = setting.partition("=")
        if not equals:
            raise HiphopssError(f"{what} {setting!r}: write it as {SOURCES[0]}=-0.5")
        if require_source(name.strip()) in parsed:
            raise HiphopssError(f"{what} of {name}: given twice: keep one")
        parsed[name.strip()] = parse_number(number.strip(), what=f"{what} of {name}")
    return parsed


def _pan_matrix(pan: float, n_channels: int, n_out: int) -> np.ndarray:
    """Matrix of the pan law in the module's docstring, `[shape=(n_out, n_channels)]`."""
    if n_channels == 1:  # without panning, all channels get the same
        angle = (pan + 1) * np.pi / 4
        sides = math.sqrt(2) * np.array([[math.cos(angle)], [math.sin(angle)]])
        return sides if pan else np.ones((n_out, 1))
    if not pan:
        return np.eye(n_channels)
    over, stays = math.sin(abs(pan) * np.pi / 2), math.cos(abs(pan) * np.pi / 2)
    left = np.array([[1, over], [0, stays]])  # matrix of a pan to the left
    return left if pan < 0 else left[::-1, ::-1]


def _require_stems(stems: np.ndarray, n_channels: int | None = None) -> None:
    """Raise unless stems have the shape (n_sources, n_channels, n_samples)."""
    order = f"({len(SOURCES)}, {n_channels or 'n_channels'}, n_samples)"
    if stems.ndim != 3 or len(stems) != len(SOURCES) or n_channels not in (None, stems.shape[1]):
        raise HiphopssError(f"stems of shape {stems.shape}: give {order}")
    require_upright(
        "stems", stems.shape, stems.shape[1], "channels", order=order, most=_MOST_CHANNELS
    )


def mix(stems: np.ndarray, settings: Mix, *, mixture: np.ndarray | None = None) -> np.ndarray:
    """Mix stems.

    Parameters
    ----------
    stems : np.ndarray [shape=(n_sources, n_channels, n_samples)]
        Stems in the order of ``SOURCES``.
    settings : Mix
        Gains, pans, mutes and solos.
    mixture : np.ndarray [shape=(n_channels, n_samples)], optional
        Mixture from which the stems were separated. The result is then the mixture plus the changes
        of the stems, ``mixture + sum((gain - 1) * stem)``. So neutral settings return it exactly,
        and what the stems lack (the highest frequencies, if they were resampled) is kept, unless a
        solo asks for stems alone.

    Returns
    -------
    np.ndarray [shape=(n_out, n_samples)]
        Mix in the stems' precision; ``n_out`` is given by :meth:`Mix.n_out`.

    Raises
    ------
    HiphopssError
        If the stems have another shape, or as in :meth:`Mix.matrices`.

    Examples
    --------
    >>> import numpy as np
    >>> import hiphopss
    >>> stems = np.ones((4, 2, 44100))  # vocals, bass, drums, other; two channels; samples
    >>> settings = hiphopss.Mix(gains={"drums": -6.0}, muted=frozenset({"vocals"}))
    >>> out = hiphopss.mix(stems, settings)
    >>> out.shape
    (2, 44100)
    >>> round(float(out[0, 0]), 2)  # bass, other, and half of the drums
    2.5
    """
    _require_stems(stems)
    _, n_channels, n_samples = stems.shape
    matrices = settings.matrices(n_channels)
    n_out = matrices.shape[1]
    out = np.zeros((n_out, n_samples), stems.dtype)
    if mixture is not None and not settings.soloed:
        out += mixture  # a mono mixture is added to both sides
        matrices = matrices - _pan_matrix(0, n_channels, n_out)
    for matrix, stem in zip(matrices.astype(stems.dtype), stems, strict=True):
        if matrix.any():
            out += matrix @ stem
    return out


class Mixer:
    """Mixes block by block; settings change smoothly, so that there are no clicks.

    Parameters
    ----------
    settings : Mix
        Initial settings.
    n_channels : int
        Number of channels of the stems.
    n_out : int, optional
        Number of channels of the mix, which is fixed; by default :meth:`Mix.n_out` of ``settings``.
    ramp : int
        Duration of a change in samples; by default 10 ms at 44.1 kHz.
    """

    def __init__(
        self, settings: Mix, n_channels: int, *, n_out: int | None = None, ramp: int = 441
    ):
        self.n_out = n_out or settings.n_out(n_channels)
        self._n_channels, self._ramp = n_channels, ramp
        self._settings = settings
        self._target = settings.matrices(n_channels, self.n_out)
        self._origin, self._done = self._target, ramp

    @property
    def settings(self) -> Mix:
        """The current settings. New ones begin a linear ramp from the current state."""
        return self._settings

    @settings.setter
    def settings(self, settings: Mix) -> None:
        target = settings.matrices(self._n_channels, self.n_out)
        self._origin, self._target, self._done = self._now(), target, 0
        self._settings = settings

    def _now(self) -> np.ndarray:
        return self._origin + (self._target - self._origin) * (self._done / self._ramp)

    def process(self, stems: np.ndarray) -> np.ndarray:
        """Mix the next samples.

        Parameters
        ----------
        stems : np.ndarray [shape=(n_sources, n_channels, n_block)]
            Consecutive samples of the stems.

        Returns
        -------
        np.ndarray [shape=(n_out, n_block)]
            Mix in the stems' precision.

        Raises
        ------
        HiphopssError
            If the stems have another shape.
        """
        _require_stems(stems, self._n_channels)
        out = _sum(self._target, stems)
        n_ramp = min(self._ramp - self._done, stems.shape[-1])
        if n_ramp > 0:
            # The missing part of the change fades out, by one step per sample.
            left = 1 - np.arange(self._done + 1, self._done + n_ramp + 1) / self._ramp
            missing = _sum(self._origin - self._target, stems[..., :n_ramp])
            out[:, :n_ramp] += missing * left.astype(stems.dtype)
            self._done += n_ramp
        return out


def _sum(matrices: np.ndarray, stems: np.ndarray) -> np.ndarray:
    """Sum of the stems, each multiplied by its matrix."""
    side_by_side = matrices.swapaxes(0, 1).reshape(matrices.shape[1], -1).astype(stems.dtype)
    return side_by_side @ stems.reshape(side_by_side.shape[1], -1)
