"""Spoken verses on the beat."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import soxr

from hiphopss.datasets.generated.effects import RATE, normalise
from hiphopss.datasets.generated.grid import STEPS, Grid
from hiphopss.datasets.generated.tones import add
from hiphopss.datasets.generated.vocals.speech import Utterance, speak

FIRST_RATE = 190  # words a minute, to measure a line with
RATES = (120, 300)  # words a minute that still sound like speech
LINE_STEPS = 14.0  # sixteenths that a line is to fill; the rest of the bar is for breath
SHORT_WORD = 3  # letters: words up to this lean on the next one
OVERLAP = 0.025  # seconds that a word may run into the next one
FADE = 0.004  # seconds
RAISED_DOUBLE, RAISED_AD_LIB = 6, 12  # of the base pitch, in espeak-ng's 0..100
LATE_DOUBLE = 0.012  # seconds
AD_LIB_LEVEL = 0.5
QUIET = 0.01  # of the peak: what counts as silence at a line's ends


@dataclass(frozen=True)
class Spoken:
    """A line cut into pieces that each start on the grid.

    Attributes
    ----------
    pieces : tuple of np.ndarray [shape=(n_samples,)]
        Words, or short words with the word they lean on.
    starts : tuple of int
        Sample at which each piece starts in the flowing line.
    """

    pieces: tuple[np.ndarray, ...]
    starts: tuple[int, ...]

    @property
    def length(self) -> int:
        """Samples of the flowing line."""
        return self.starts[-1] + len(self.pieces[-1])


def _cuts(text: str, words: tuple[tuple[int, int], ...]) -> list[int]:
    """Samples (of the synthesiser) at which a line is cut: not after a short word."""
    cuts, held = [], None
    for start, position in words:
        held = start if held is None else held
        word = text[position:].split(" ")[0].strip(",.:;")
        if len(word) > SHORT_WORD or "," in text[position : position + len(word) + 1]:
            cuts.append(held)
            held = None
    return cuts if held is None or not cuts else [*cuts, held]


def _cut(text: str, utterance: Utterance, size: float) -> Spoken:
    """Resample an utterance, drop the silence around it and cut it into pieces."""
    source_rate = utterance.sample_rate * size
    x = soxr.resample(utterance.samples, source_rate, RATE, quality="HQ")
    loud = np.flatnonzero(np.abs(x) > QUIET * np.abs(x).max(initial=1e-9))
    begin, end = (int(loud[0]), int(loud[-1]) + 1) if len(loud) else (0, len(x))
    edges = [round(cut * RATE / source_rate) for cut in _cuts(text, utterance.words)] or [0]
    edges = [min(max(edge, begin), end - 1) - begin for edge in edges]
    edges[0] = 0
    x = x[begin:end]
    ramp = np.linspace(0, 1, int(FADE * RATE))
    pieces = []
    for start, stop in zip(edges, [*edges[1:], len(x)], strict=True):
        piece = x[start:stop].copy()
        n = min(len(ramp), len(piece))
        piece[:n] *= ramp[:n]
        piece[len(piece) - n :] *= ramp[:n][::-1]
        pieces.append(piece)
    return Spoken(tuple(pieces), tuple(edges))


class Rapper:
    """A voice over a beat.

    Parameters
    ----------
    voice : dict
        One of the language's ``voices``.
    grid : Grid
    """

    def __init__(self, voice: dict[str, Any], grid: Grid):
        self.voice, self.grid = voice, grid
        self._spoken: dict[tuple[str, int, float], Spoken] = {}

    def say(self, text: str, *, raised: int = 0, steps: float = LINE_STEPS) -> Spoken:
        """Speak a line at the rate that fills as many sixteenths.

        Parameters
        ----------
        text : str
        raised : int
            Added to the voice's base pitch (0..100).
        steps : float
            Sixteenths to fill; 0 leaves the rate as it comes.
        """
        key = (text, raised, steps)
        if key not in self._spoken:
            rate = FIRST_RATE
            if steps > 0:
                measured = self.say(text, steps=0)
                wanted = FIRST_RATE * measured.length / (steps * self.grid.step)
                rate = round(min(max(wanted, RATES[0]), RATES[1]))
            self._spoken[key] = self._at_rate(text, rate, raised)
        return self._spoken[key]

    def _at_rate(self, text: str, rate: int, raised: int) -> Spoken:
        utterance = speak(
            text,
            voice=self.voice["espeak"],
            rate=rate,
            pitch=self.voice["pitch"] + raised,
            pitch_range=self.voice["range"],
        )
        return _cut(text, utterance, self.voice["size"])

    def place(self, spoken: Spoken, position: int, earliest: int) -> list[int]:
        """Samples at which the pieces of a line start: on sixteenths, one after the other.

        Parameters
        ----------
        spoken : Spoken
        position : int
            Sixteenth at which the line starts.
        earliest : int
            Sample before which nothing may start.
        """
        places = []
        for piece, start in zip(spoken.pieces, spoken.starts, strict=True):
            step = position + round(start / self.grid.step)
            while self.grid.at(step) < earliest:
                step += 1
            places.append(self.grid.at(step))
            earliest = places[-1] + len(piece) - int(OVERLAP * RATE)
        return places


def _script(
    sections: list[str], bars: list[bool], language: dict[str, Any], rng: np.random.Generator
) -> list[str | None]:
    """The line of each bar: the hook's two lines in hooks, couplets elsewhere."""
    hook = language["hooks"][rng.integers(len(language["hooks"]))]
    lines = language["lines"]
    couplets = rng.permutation(len(lines) // 2)
    script: list[str | None] = []
    said = 0
    for section, on in zip(sections, bars, strict=True):
        if not on:
            script.append(None)
        elif section == "hook":
            script.append(hook[len(script) % 2])
        else:
            couplet = couplets[said // 2 % len(couplets)]
            script.append(lines[2 * couplet + said % 2])
            said += 1
    return script


def perform(
    grid: Grid,
    sections: list[str],
    bars: list[bool],
    *,
    voice: dict[str, Any],
    language: dict[str, Any],
    delivery: dict[str, Any],
    rng: np.random.Generator,
) -> np.ndarray:
    """Rap a song: a line a bar, doubled in the hooks, with ad-libs between lines.

    Parameters
    ----------
    grid : Grid
    sections : list of str
        Name of each bar's section.
    bars : list of bool
        In which bars there are vocals.
    voice : dict
        One of the language's ``voices``.
    language : dict
        Gives the ``lines``, ``hooks`` and ``ad_libs``.
    delivery : dict
        Drawn from the style: ``fill`` (sixteenths a line takes), ``offset`` (at which it
        starts), ``double`` (level), ``ad_lib`` (chance).
    rng : np.random.Generator

    Returns
    -------
    x : np.ndarray [shape=(n_samples,)]
    """
    rapper = Rapper(voice, grid)
    out = np.zeros(grid.n_samples)
    free = 0  # where the last line ends
    for bar, text in enumerate(_script(sections, bars, language, rng)):
        ad_lib = language["ad_libs"][rng.integers(len(language["ad_libs"]))]
        wants_ad_lib = rng.random() < delivery["ad_lib"]
        if text is None:
            continue
        line = rapper.say(text, steps=delivery["fill"])
        position = bar * STEPS + delivery["offset"]
        places = rapper.place(line, position, free)
        for place, piece in zip(places, line.pieces, strict=True):
            add(out, piece, place)
        free = places[-1] + len(line.pieces[-1])
        if sections[bar] == "hook":
            second = rapper.say(text, raised=RAISED_DOUBLE, steps=delivery["fill"])
            for place, piece in zip(places, second.pieces, strict=True):
                add(out, delivery["double"] * piece, place + int(LATE_DOUBLE * RATE))
        elif wants_ad_lib:
            shout = rapper.say(ad_lib, raised=RAISED_AD_LIB, steps=0)
            for place, piece in zip(
                rapper.place(shout, (bar + 1) * STEPS - 2, 0), shout.pieces, strict=True
            ):
                add(out, AD_LIB_LEVEL * piece, place)
    return normalise(out)
