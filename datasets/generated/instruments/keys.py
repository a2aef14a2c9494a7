"""Everything else: sampled loops of chords and a melody."""

from __future__ import annotations

from typing import Any

import numpy as np

from hiphopss.datasets.generated.effects import RATE, band, crush, normalise, vinyl, wow
from hiphopss.datasets.generated.grid import STEPS, Grid
from hiphopss.datasets.generated.instruments.bass import pitch_above
from hiphopss.datasets.generated.instruments.drums import lasting
from hiphopss.datasets.generated.tones import add, note

CHORD_REGISTER = 50  # MIDI notes above which chords and melodies lie
LEAD_REGISTER = 65
LOOP_BARS = 4


class LoopPlayer:
    """Plays notes of one of the style's ``keys`` into a loop; equal notes are made once.

    ``tail`` is for how many seconds the loop's last notes ring on, and ``bars`` how long it is.
    """

    def __init__(
        self,
        instrument: dict[str, Any],
        grid: Grid,
        tail: float,
        rng: np.random.Generator,
        bars: int = LOOP_BARS,
    ):
        self.instrument, self.grid, self.rng = instrument, grid, rng
        self.bars = min(bars, grid.n_bars)
        self.out = np.zeros(grid.at(self.bars * STEPS) + int(tail * RATE))
        self._notes: dict[tuple[float, int], np.ndarray] = {}

    def play(self, midi: float, position: float, length: float, force: float, late: float) -> None:
        """Add a note; position and length are in sixteenths, late is in seconds."""
        n = max(1, int(length * self.grid.step))
        key = (midi, n)
        if key not in self._notes:
            self._notes[key] = note(self.instrument, midi, n, self.rng)
        add(self.out, force * self._notes[key], self.grid.at(position) + int(late * RATE))


def chord_loop(
    player: LoopPlayer,
    texture: dict[str, Any],
    chords: list[list],
    qualities: dict[str, list[int]],
    tonic: int,
    humanise: float,
) -> None:
    """Comp through the chords, or break them if the texture is an arpeggio."""
    rng = player.rng
    for bar in range(player.bars):
        offset, quality = chords[bar % len(chords)]
        root = pitch_above(CHORD_REGISTER, tonic, offset)
        pitches = [root + interval for interval in qualities[quality]]
        for turn, (at, force, length) in enumerate(lasting(texture["rhythm"], bar)):
            chosen = [pitches[turn % len(pitches)]] if texture.get("arpeggio") else pitches
            for midi in chosen:
                # keep the voicing within an octave of the register's floor, as a hand would
                midi -= 12 if midi > CHORD_REGISTER + 19 else 0
                late = abs(humanise * rng.standard_normal())
                player.play(midi, bar * STEPS + at, length * texture["held"], force, late)


def melody_loop(
    player: LoopPlayer, texture: dict[str, Any], scale: list[int], tonic: int, humanise: float
) -> None:
    """A walk over the scale; the second half of the loop answers the first."""
    rng = player.rng
    base = pitch_above(LEAD_REGISTER, tonic, 0)
    degree = int(rng.integers(len(scale)))
    walk: list[int] = []
    rhythm = lasting(texture["melody"], 0)
    for bar in range(player.bars):
        for turn, (at, force, length) in enumerate(rhythm):
            if bar == 2:
                degree = walk[turn]
            else:
                degree = int(np.clip(degree + rng.integers(-2, 3), -2, len(scale) + 1))
            walk.append(degree)
            octave, place = divmod(degree, len(scale))
            midi = base + 12 * octave + scale[place]
            late = abs(humanise * rng.standard_normal())
            player.play(midi, bar * STEPS + at, length * 0.9, force, late)


def _tiled(loop: np.ndarray, grid: Grid) -> np.ndarray:
    """Repeat a loop over the song [shape=(n_samples,)]."""
    out = np.zeros(grid.n_samples)
    for first in range(0, grid.n_bars, LOOP_BARS):
        add(out, loop, grid.at(first * STEPS))
    return out


def _gate(grid: Grid, bars: list[bool]) -> np.ndarray:
    """1 in bars that play and 0 in the others, with slopes of 30 ms [shape=(n_samples,)]."""
    edges = [grid.at(bar * STEPS) for bar in range(len(bars) + 1)]
    gate = np.repeat(np.array(bars, float), np.diff(edges))
    slope = int(0.03 * RATE)
    total = np.cumsum(np.pad(gate, (slope, 0), mode="edge"))
    return ((total[slope:] - total[:-slope]) / slope)[: grid.n_samples]


def perform(
    grid: Grid,
    bars: list[bool],
    lead_bars: list[bool],
    *,
    style: dict[str, Any],
    texture: dict[str, Any],
    instruments: dict[str, dict[str, Any]],
    tonic: int,
    chords: list[list],
    rng: np.random.Generator,
) -> np.ndarray:
    """Play the loops of a song.

    Parameters
    ----------
    grid : Grid
    bars, lead_bars : list of bool
        In which bars the chords and the melody play.
    style : dict
        Gives the chord ``qualities``, ``scale``, ``tail`` and ``humanise``.
    texture : dict
        One of the style's ``textures``.
    instruments : dict of str to dict
        What plays the ``"chords"`` and the ``"lead"``.
    tonic, chords, rng
        As of :func:`hiphopss.datasets.generated.instruments.bass.perform`.

    Returns
    -------
    x : np.ndarray [shape=(n_samples,)]
    """
    tail, humanise = style["tail"], style["humanise"]
    comp = LoopPlayer(instruments["chords"], grid, tail, rng)
    chord_loop(comp, texture, chords, style["qualities"], tonic, humanise)
    lead = LoopPlayer(instruments["lead"], grid, tail, rng)
    melody_loop(lead, texture, style["scale"], tonic, humanise)
    sample = texture["sample"]
    gate = _gate(grid, bars)
    out = gate * _tiled(normalise(comp.out), grid)
    out += 0.5 * _gate(grid, lead_bars) * _tiled(normalise(lead.out), grid)
    out = wow(crush(normalise(out), sample["bits"]), percent=sample["wow"], rng=rng)
    out = band(out, high=sample["lowpass"])
    if sample["vinyl"] > 0:
        out += sample["vinyl"] * gate * normalise(vinyl(grid.n_samples, rng))
    return out
