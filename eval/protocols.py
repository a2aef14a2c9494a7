"""How to score: protocols, which are named ways to evaluate, and the settings of an evaluation.

A protocol says what is computed, on which channels and in which windows, and whether windows and
songs are summarised by their mean or their median, so that scores can be put beside those of
others. The protocols are data: ``protocols.toml``.
"""

from __future__ import annotations

import math
import tomllib
from dataclasses import dataclass, replace
from functools import lru_cache
from importlib.resources import files

from hiphopss.config import LENGTH_TOLERANCE_S
from hiphopss.datasets.alike import require_tolerance
from hiphopss.errors import HiphopssError
from hiphopss.eval.bss.scores import require_known

ACCOMPANIMENT = "accompaniment"
"""Name of the target that is the sum of all sources but vocals."""

SOURCES_PROTOCOL = "sources"
"""Name of the default protocol, the only one that single settings may change."""


@dataclass(frozen=True)
class Averaging:
    """How scores are summarised.

    Attributes
    ----------
    windows, songs : {"mean", "median"}
        What a song's score is of its windows, and a summary of its songs.
    """

    windows: str = "mean"
    songs: str = "mean"

    @property
    def songs_text(self) -> str:
        """What a summary is of its songs, in words."""
        return f"{self.songs}s over songs"

    def __str__(self) -> str:
        if self.windows == self.songs:
            return f"{self.windows}s over windows and songs"
        return f"{self.songs_text} of {self.windows}s over windows"


@dataclass(frozen=True)
class Protocol:
    """A way to evaluate.

    Attributes
    ----------
    name : str
        Name in options and records; with settings of its own, those are added.
    text, source : str
        What it computes, in a few words, and where it comes from.
    measure : {"bss_eval_v3", "bss_eval_v4", "usdr"}
        What is computed.
    channels : {"mono", "as_references", "stereo"}
        Channels are averaged; or are as many as the references have; or are two at least, which
        duplicates mono files.
    averaging : Averaging
        Mean or median over windows, and over songs.
    mode : str or None
        Variant of BSS Eval, as in :func:`hiphopss.eval.bss_eval`.
    window_s, hop_s : float or None
        Window and hop in seconds; None for the whole song, and for half a window.
    pair : tuple of str
        Targets whose scores come from an evaluation of vocals against the accompaniment.
    all_sound : bool
        Whether a window has scores only if no reference and no estimate is silent in it.
    """

    name: str
    text: str
    source: str
    measure: str
    channels: str
    averaging: Averaging
    mode: str | None = None
    window_s: float | None = None
    hop_s: float | None = None
    pair: tuple[str, ...] = ()
    all_sound: bool = False

    @property
    def what(self) -> str:
        """What is computed, and in which windows."""
        if self.window_s is None:
            return f"{self.text}, whole songs"
        hop_s = self.window_s / 2 if self.hop_s is None else self.hop_s
        return f"{self.text}, windows of {self.window_s:g} s every {hop_s:g} s"

    @property
    def label(self) -> str:
        """What is computed, in which windows and how it is summarised."""
        return f"{self.what}, {self.averaging if self.window_s else self.averaging.songs_text}"


def protocol_names() -> tuple[str, ...]:
    """Names of all protocols, the default first."""
    return tuple(_table())


def protocol(name: str) -> Protocol:
    """Look up a protocol.

    Parameters
    ----------
    name : str
        ``"sources"``, ``"released"``, ``"sisec18"`` or ``"mdx"``.

    Returns
    -------
    Protocol
        The protocol.

    Raises
    ------
    HiphopssError
        If there is none of this name.
    """
    try:
        facts = dict(_table()[name])
    except KeyError:
        known = ", ".join(protocol_names())
        raise HiphopssError(f"no protocol named {name!r}: choose one of {known}") from None
    averaging = Averaging(facts.pop("over_windows"), facts.pop("over_songs"))
    pair = tuple(facts.pop("pair", ()))
    return Protocol(name=name, averaging=averaging, pair=pair, **facts)


@lru_cache
def _table() -> dict[str, dict]:
    return tomllib.loads(files(__package__).joinpath("protocols.toml").read_text("utf-8"))


@dataclass(frozen=True)
class Scoring:
    """Settings of the evaluation.

    Attributes
    ----------
    mode : {"sources", "images"}, optional
        See :func:`hiphopss.eval.bss_eval`; by default the protocol's.
    window_s, hop_s : float, optional
        Window and hop in seconds; by default the protocol's. With a window alone, the hop is half
        of it. A window must exceed the 512 samples of BSS Eval's filters.
    engine : {"hiphopss", "mir_eval"}
        See :func:`hiphopss.eval.bss_eval`; ``"mir_eval"`` has BSS Eval v3 alone.
    length_tolerance_s : float
        If a song's files differ in length by less than this, in seconds, the longer ones are cut to
        the shortest, with a warning.
    protocol : {"sources", "released", "sisec18", "mdx"}
        What is evaluated, and how it is summarised: BSS Eval v3 of mono sources over whole songs
        (Vincent et al. 2006); images in windows of 30 s every 15 s, and the accompaniment, as
        released (docs/released-code.md, section 8); BSS Eval v4 as museval's, with medians; or the
        uSDR of the Music Demixing Challenge. Mode, window and hop change the first, and must be
        those of any other.
    """

    mode: str | None = None
    window_s: float | None = None
    hop_s: float | None = None
    engine: str = "hiphopss"
    length_tolerance_s: float = LENGTH_TOLERANCE_S
    protocol: str = SOURCES_PROTOCOL

    def check(self) -> None:
        """Check the settings before any work.

        Raises
        ------
        HiphopssError
            If a setting is invalid, or contradicts the protocol.
        """
        require_known(self.mode or "sources", self.engine)
        for name, seconds in (("window", self.window_s), ("hop", self.hop_s)):
            if seconds is not None and not 0 < seconds < math.inf:
                raise HiphopssError(f"{name} is {seconds} s: give a positive number")
        require_tolerance(self.length_tolerance_s)
        if self.resolved().measure != "bss_eval_v3" and self.engine != "hiphopss":
            raise HiphopssError(
                f"engine {self.engine!r} has no protocol {self.protocol!r}, only BSS Eval v3: "
                "leave the engine out"
            )

    def resolved(self) -> Protocol:
        """The protocol with the other settings in it.

        Returns
        -------
        Protocol
            What is evaluated; its name lists the settings that differ from the named protocol.

        Raises
        ------
        HiphopssError
            If there is no such protocol, or if a setting contradicts it.
        """
        named = protocol(self.protocol)
        given = {name: getattr(self, name) for name in ("mode", "window_s", "hop_s")}
        changed = {k: v for k, v in given.items() if v not in (None, getattr(named, k))}
        if not changed:
            return named
        told = [
            f"mode {value}" if name == "mode" else f"{name.removesuffix('_s')} {value:g} s"
            for name, value in changed.items()
        ]
        if named.name != SOURCES_PROTOCOL:
            raise HiphopssError(
                f"{', '.join(told)}: protocol {named.name!r} has its own: leave one of them out"
            )
        mode = changed.get("mode", named.mode)
        return replace(
            named,
            **changed,
            name=f"{named.name}, but {', '.join(told)}",
            text=f"BSS Eval v3 {mode}" if mode == "images" else named.text,
            channels="as_references" if mode == "images" else named.channels,
        )
