"""What plays in each bar of a song that is made of loops."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from hiphopss.datasets.generated.grid import STEPS

BEAT = ("drums", "bass", "chords", "lead", "extra", "chop")
OWN_LOOPS = ("drums", "bass", "chords")  # parts that have a second loop
EVENTS = ("change", "variant", "mute", "fill", "crash", "stop", "riser")  # of busy songs
HALF = STEPS // 2
SHORT = 6  # bars of a song that has no sections but verses, in which everything plays


@dataclass(frozen=True)
class Bar:
    """One bar of the arrangement.

    Attributes
    ----------
    section : str
        Its section's name.
    start : int
        Bar at which the section begins, and with it every loop.
    loops : dict of str to int
        Which of its loops each part of the beat plays; a part that isn't there is silent.
    fill : int
        Which fill takes the place of the drums in its second half; -1 for none.
    stop : int
        Sixteenth from which on the beat is silent; 16 if it isn't.
    crash, riser, voice : bool
        Whether a cymbal starts it, whether a riser leads out of it, whether the voice may sound.
    """

    section: str
    start: int
    loops: dict[str, int]
    fill: int = -1
    stop: int = STEPS
    crash: bool = False
    riser: bool = False
    voice: bool = True

    def plays_until(self, part: str) -> int:
        """Sixteenth up to which a part's loop is heard in the bar."""
        if part not in self.loops:
            return 0
        return min(self.stop, HALF if part == "drums" and self.fill >= 0 else STEPS)


def arrange(
    form: dict[str, Any],
    n_bars: int,
    *,
    sections: dict[str, list[list[str]]],
    chances: dict[str, Any],
    n_fills: int,
    chop: bool,
    busy: float,
    rng: np.random.Generator,
) -> list[Bar]:
    """Draw a song's arrangement.

    The form begins again, without its intro, until the song is full.

    Parameters
    ----------
    form : dict
        One of the ``forms``.
    n_bars : int
    sections : dict of str to list of list of str
        For each section's name, the choices of what plays.
    chances : dict
        Facts of the set.
    n_fills : int
        How many fills there are.
    chop : bool
        Whether the song has a sampled vocal.
    busy : float
        How much happens: at 0 each section of a name is like the others, without fills or stops.
    rng : np.random.Generator
    """
    chances = chances | {name: busy * chances[name] for name in EVENTS}
    bars: list[Bar] = []
    known: dict[str, dict[str, int]] = {}
    turn = 0
    while len(bars) < n_bars:
        name, length = form["sections"][turn % len(form["sections"])]
        if name == "intro":
            length = min(length, n_bars // 6) if not bars else 0
        elif name != "verse" and n_bars < SHORT:
            length = 0
        if length:
            if name not in known or rng.random() < chances["change"]:
                varied = rng.random() < busy and n_bars >= SHORT
                choices = sections[name] if varied else sections[name][:1]
                known[name] = _loops(name, choices, chances, chop, rng)
            bars += _section(name, len(bars), length, known[name], chances, rng)
            _end(bars, chances, n_fills, rng)
        turn += 1
    return bars[:n_bars]


def _loops(
    name: str,
    choices: list[list[str]],
    chances: dict[str, Any],
    chop: bool,
    rng: np.random.Generator,
) -> dict[str, int]:
    """What plays in a section of that name, and from which of its loops."""
    parts = list(choices[rng.integers(len(choices))])
    parts += [layer for layer in ("lead", "extra") if rng.random() < chances[layer][name]]
    if chop and (name in ("hook", "intro") or rng.random() < 0.5):
        parts.append("chop")
    loops = {}
    for part in parts:
        other = part in OWN_LOOPS and name != "verse" and rng.random() < chances["variant"]
        loops[part] = int(other)
    return loops


def _section(
    name: str,
    start: int,
    length: int,
    loops: dict[str, int],
    chances: dict[str, Any],
    rng: np.random.Generator,
) -> list[Bar]:
    """A section's bars: the same parts throughout, but for those that pause after eight bars."""
    bars = [Bar(name, start, dict(loops)) for _ in range(length)]
    for last in range(7, length, 8):
        if rng.random() < chances["mute"]:
            muted = list(loops)[rng.integers(len(loops))]
            for bar in bars[last - int(rng.integers(2)) : last + 1]:
                bar.loops.pop(muted, None)
    crash = start > 0 and "drums" in loops and rng.random() < chances["crash"]
    bars[0] = replace(bars[0], crash=bool(crash))
    return bars


def _end(bars: list[Bar], chances: dict[str, Any], n_fills: int, rng: np.random.Generator) -> None:
    """How the newest section ends: in a fill, in a stop, in a bar of silence, with a riser."""
    last = bars[-1]
    fills, stops, silences, rises = rng.random(4) < [
        chances[chance] for chance in ("fill", "stop", "silence", "riser")
    ]
    fill, where = int(rng.integers(n_fills)), [4, 8, 12, 14][rng.integers(4)]
    if "drums" in last.loops and fills:
        last = replace(last, fill=fill)
    if stops and len(bars) > 1:
        last = replace(last, stop=where, fill=-1)
        if silences:
            last = replace(last, stop=0, voice=False)
    bars[-1] = replace(last, riser=bool(rises and last.stop == STEPS))
