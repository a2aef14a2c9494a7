"""The voice over a looped beat: new takes of every line, or a hook that is copied."""

from __future__ import annotations

from typing import Any

import numpy as np

from hiphopss.datasets.generated.effects import RATE, normalise
from hiphopss.datasets.generated.grid import STEPS, Grid
from hiphopss.datasets.generated.studio.arranging import Bar
from hiphopss.datasets.generated.studio.loops import place
from hiphopss.datasets.generated.tones import add
from hiphopss.datasets.generated.vocals.rap import (
    AD_LIB_LEVEL,
    LATE_DOUBLE,
    RAISED_AD_LIB,
    RAISED_DOUBLE,
    Rapper,
)

PARTS_OF_BEAT_ALONE = ("intro", "bridge", "outro")  # where only ad-libs may be


class _Booth:
    """Records takes of lines onto a track."""

    def __init__(
        self,
        rapper: Rapper,
        delivery: dict[str, Any],
        takes: dict[str, Any],
        rng: np.random.Generator,
    ):
        self.rapper, self.delivery, self.takes, self.rng = rapper, delivery, takes, rng

    def line(self, out: np.ndarray, text: str, position: int, *, doubled: bool, free: int) -> int:
        """Say a line as it was never said before; returns the sample at which it ends."""
        rng, takes = self.rng, self.takes
        raised = int(rng.integers(-takes["pitch"], takes["pitch"] + 1))
        steps = round(self.delivery["fill"] * rng.uniform(1 - takes["pace"], 1 + takes["pace"]), 2)
        late = round(takes["loose"] * RATE * rng.standard_normal())
        said = self.rapper.say(text, raised=raised, steps=steps)
        starts = self.rapper.place(said, position, free)
        for start, piece in zip(starts, said.pieces, strict=True):
            add(out, piece, start + late)
        if doubled:
            second = self.rapper.say(text, raised=raised + RAISED_DOUBLE, steps=steps)
            later = late + int(LATE_DOUBLE * RATE * rng.uniform(0.5, 1.5))
            for start, piece in zip(starts, second.pieces, strict=True):
                add(out, self.delivery["double"] * piece, start + later)
        return starts[-1] + len(said.pieces[-1])

    def ad_lib(self, out: np.ndarray, text: str, position: int) -> None:
        """A shout beside the line."""
        raised = RAISED_AD_LIB + int(self.rng.integers(-4, 5))
        said = self.rapper.say(text, raised=raised, steps=0)
        for start, piece in zip(self.rapper.place(said, position, 0), said.pieces, strict=True):
            add(out, AD_LIB_LEVEL * piece, start)


def perform(
    grid: Grid,
    bars: list[Bar],
    *,
    voice: dict[str, Any],
    language: dict[str, Any],
    delivery: dict[str, Any],
    takes: dict[str, Any],
    copied: bool,
    whole: bool,
    rng: np.random.Generator,
) -> np.ndarray:
    """Rap a song.

    Parameters
    ----------
    grid : Grid
    bars : list of Bar
    voice, language, delivery
        As of :func:`hiphopss.datasets.generated.vocals.rap.perform`.
    takes : dict
        How takes differ, and how often a bar has no line.
    copied : bool
        Whether the hook is recorded once and copied to the sample.
    whole : bool
        Whether copies start at whole samples.
    rng : np.random.Generator

    Returns
    -------
    x : np.ndarray [shape=(n_samples,)]
    """
    booth = _Booth(Rapper(voice, grid), delivery, takes, rng)
    out = np.zeros(grid.n_samples)
    hook = language["hooks"][rng.integers(len(language["hooks"]))]
    lines, ad_libs = language["lines"], language["ad_libs"]
    couplets = rng.permutation(len(lines) // 2)
    said = free = 0
    tape = _hook_tape(booth, hook, grid) if copied else None
    for index, bar in enumerate(bars):
        ad_lib = ad_libs[rng.integers(len(ad_libs))]
        shouts = rng.random() < delivery["ad_lib"]
        pauses = index > 0 and rng.random() < takes["pause"]
        position = index * STEPS + delivery["offset"]
        if not bar.voice:
            continue
        if bar.section in PARTS_OF_BEAT_ALONE:
            if shouts:
                booth.ad_lib(out, ad_lib, index * STEPS + 8)
        elif bar.section == "hook" and tape is not None:
            half = (index - bar.start) % 2
            place(out, tape[half], grid.time(index * STEPS), whole=whole)
        elif bar.section == "hook":
            text = hook[(index - bar.start) % 2]
            free = booth.line(out, text, position, doubled=True, free=free)
        else:
            text = lines[2 * couplets[said // 2 % len(couplets)] + said % 2]
            said += 1
            if not pauses:
                free = booth.line(out, text, position, doubled=False, free=free)
            if shouts:
                booth.ad_lib(out, ad_lib, (index + 1) * STEPS - 2)
    return normalise(out)


def _hook_tape(booth: _Booth, hook: list[str], grid: Grid) -> list[np.ndarray]:
    """Each line of the hook once, from the start of its bar."""
    tape = []
    for text in hook:
        out = np.zeros(grid.at(2 * STEPS))
        booth.line(out, text, booth.delivery["offset"], doubled=True, free=0)
        tape.append(out)
    return tape
