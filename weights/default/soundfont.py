"""Instruments of a General MIDI soundfont, played by FluidSynth."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hiphopss.datasets.generated.effects import RATE
from hiphopss.errors import HiphopssError
from hiphopss.util.extras import require
from hiphopss.weights.default.plan import SECONDS

DRUM_CHANNEL, DRUM_BANK = 9, 128
GAIN = 0.3  # leaves room for chords: the synthesiser gives 16 bits
SETTINGS = {
    "synth.reverb.active": 0,
    "synth.chorus.active": 0,
    "synth.dynamic-sample-loading": 1,  # a synthesiser is made each time
}


@dataclass(frozen=True)
class Played:
    """A note: when, for how long (seconds), which key, and how hard (1..127)."""

    start: float
    length: float
    key: int
    velocity: int


def _synthesiser(font: Path) -> tuple[Any, int]:
    """A new one: what it plays depends a little on what it has played."""
    require("a soundfont", "fluidsynth")
    try:
        import fluidsynth
    except ImportError as error:
        raise HiphopssError(
            "a soundfont: needs FluidSynth's library: install it (Debian: apt-get install "
            "libfluidsynth3)"
        ) from error
    synthesiser = fluidsynth.Synth(gain=GAIN, samplerate=float(RATE), **SETTINGS)
    number = synthesiser.sfload(str(font))
    if number < 0:
        raise HiphopssError(f"{font}: not a soundfont: name an .sf2 file")
    return synthesiser, number


def play(font: Path, notes: list[Played], program: int, *, drums: bool = False) -> np.ndarray:
    """Play notes with one instrument.

    Parameters
    ----------
    font : Path
    notes : list of Played
    program : int
        Instrument, or drum kit, of General MIDI, from 0.
    drums : bool
        Play a drum kit.

    Returns
    -------
    x : np.ndarray [shape=(n_samples,)]
        As long as a song; the mean of both channels.
    """
    synthesiser, number = _synthesiser(font)
    channel = DRUM_CHANNEL if drums else 0
    synthesiser.program_select(channel, number, DRUM_BANK if drums else 0, program)
    n_samples, at, parts = int(SECONDS * RATE), 0, []
    events = [(round(note.start * RATE), True, note) for note in notes]
    events += [(round((note.start + note.length) * RATE), False, note) for note in notes]
    for time, begins, note in sorted(events, key=lambda event: event[:2]):
        time = min(max(time, 0), n_samples)
        if time > at:
            parts.append(synthesiser.get_samples(time - at))
            at = time
        if begins and time < n_samples:
            synthesiser.noteon(channel, note.key, note.velocity)
        else:
            synthesiser.noteoff(channel, note.key)
    if at < n_samples:
        parts.append(synthesiser.get_samples(n_samples - at))
    synthesiser.delete()
    return np.concatenate(parts).reshape(-1, 2).mean(axis=1) / 32768
