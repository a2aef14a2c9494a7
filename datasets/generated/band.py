"""Songs of a band: what is drawn for one, and what guitars, keys and synthesisers play."""

from __future__ import annotations

from typing import Any

import numpy as np

from hiphopss.config import SOURCES
from hiphopss.datasets.generated.effects import RATE, band, normalise
from hiphopss.datasets.generated.grid import STEPS, Grid
from hiphopss.datasets.generated.instruments import bass, drummer
from hiphopss.datasets.generated.instruments.bass import pitch_above
from hiphopss.datasets.generated.instruments.drums import lasting
from hiphopss.datasets.generated.style import Dealer, draw, load, nudged
from hiphopss.datasets.generated.tones import add, note
from hiphopss.datasets.generated.vocals import rap, singing

GEAR = "band"  # which file has the instruments
TIMING = 0.006  # seconds, standard deviation of a player's timing
SHORTEST = 64  # samples of a note


def arrangement(style: dict[str, Any]) -> dict[str, Any]:
    """The ``sections`` of all bands."""
    return load(GEAR)


def choose(
    style: dict[str, Any], deal: Dealer, *, voice: dict[str, Any], rng: np.random.Generator
) -> dict[str, Any]:
    """Everything that is drawn for a song, as tables of its style and of the bands' gear.

    Parameters
    ----------
    style : dict
        One of the bands' styles.
    deal : Dealer
        Gives the song's cards.
    voice : dict
        Who sings or raps.
    rng : np.random.Generator
    """
    gear = load(GEAR)
    nudge = gear["nudge"]

    def dealt(topic: str) -> Any:
        return deal(topic, style[topic])

    kit, bass_name, line_up = dealt("kits"), dealt("basses"), dealt("line_ups")
    effects = gear["effects"] | style.get("effects", {})
    return {
        "tempo": round(rng.uniform(*style["tempo"]), 1),
        "swing": round(rng.uniform(*style["swing"]), 3),
        "tonic": int(rng.integers(12)),
        "form": deal("forms", gear["forms"]),
        "progression": dealt("progressions"),
        "groove": dealt("grooves"),
        "kit": {"name": kit} | nudged(gear["kits"][kit], rng, **nudge),
        "hands": draw(rng, gear["hands"] | style.get("hands", {})),
        "bass": {"name": bass_name} | nudged(gear["basses"][bass_name], rng, **nudge),
        "bass_line": dealt("bass_lines"),
        "line_up": line_up,
        "instruments": {
            name: nudged(gear["instruments"][name], rng, **nudge)
            for name in dict.fromkeys(part["instrument"] for part in line_up["parts"])
        },
        "voice": voice,
        "manner": draw(rng, gear[style["vocals"]] | style.get("manner", {})),
        "levels": draw(rng, gear["levels"] | style.get("levels", {})),
        "effects": {
            source: {**draw(rng, effects[source]), "drive": draw(rng, gear["drive"][source])}
            for source in SOURCES
        },
        "peak": draw(rng, gear["peak"]),
    }


def named(chosen: dict[str, Any]) -> dict[str, str]:
    """What the song's tables are called, and its mode."""
    topics = ("form", "progression", "groove", "bass_line", "line_up")
    names = {topic: chosen[topic]["name"] for topic in topics}
    return names | {"mode": chosen["progression"]["mode"]}


class Harmony:
    """The chord of each bar.

    Parameters
    ----------
    progression : dict
        One of the style's ``progressions``: chords of the ``verse`` and of the ``hook``.
    tonic : int
        Pitch class of the key, 0 (C) .. 11.
    sections : list of str
        Name of each bar's section.
    """

    def __init__(self, progression: dict[str, Any], tonic: int, sections: list[str]):
        gear = load(GEAR)
        self.tonic, self.scale = tonic, gear["scales"][progression["mode"]]
        self.qualities = gear["qualities"]
        self.bars = []
        for bar, section in enumerate(sections):
            chords = progression["hook" if section == "hook" else "verse"]
            self.bars.append(chords[bar % len(chords)])

    def classes(self, bar: int) -> set[int]:
        """Pitch classes of a bar's chord; past the end the last chord sounds."""
        root, quality = self.bars[min(bar, len(self.bars) - 1)]
        return {(self.tonic + root + step) % 12 for step in self.qualities[quality]}

    def voicing(self, bar: int, kind: str, register: int) -> list[float]:
        """MIDI notes of a bar's chord, low to high.

        Parameters
        ----------
        bar : int
        kind : str
            ``"power"`` (root, fifth, octave), ``"strum"`` (six strings) or ``"close"``.
        register : int
            Lowest MIDI note.
        """
        offset, quality = self.bars[bar]
        root = pitch_above(register, self.tonic, offset)
        steps = self.qualities[quality]
        if kind == "power":
            return [root, root + 7, root + 12]
        if kind == "strum":
            fifth = min(steps, key=lambda step: abs(step - 7))
            return [root, root + fifth, root + 12, *(root + 12 + s for s in steps[1:]), root + 24]
        # the inversion whose notes lie nearest above the register
        return sorted(pitch_above(register, self.tonic, offset + step) for step in steps)


class _Player:
    """One player of the band, who plays one of a line-up's ``parts`` on an instrument."""

    def __init__(
        self, part: dict[str, Any], instrument: dict[str, Any], grid: Grid, rng: np.random.Generator
    ):
        self.part, self.instrument, self.grid, self.rng = part, instrument, grid, rng
        self.out = np.zeros(grid.n_samples)
        self._notes: dict[tuple[float, int], np.ndarray] = {}

    def note(self, midi: float, position: float, length: float, force: float, late: float) -> None:
        """Add a note; position and length are in sixteenths, late is in seconds."""
        n = max(SHORTEST, int(length * self.part["held"] * self.grid.step))
        if (midi, n) not in self._notes:
            self._notes[midi, n] = note(self.instrument, midi, n, self.rng)
        add(self.out, force * self._notes[midi, n], self.grid.at(position) + int(late * RATE))

    def chord(self, pitches: list[float], position: float, length: float, force: float) -> None:
        """A chord; a strummed one goes down on the beat and up between beats."""
        late = max(0.0, TIMING * self.rng.standard_normal())
        force *= self.rng.uniform(0.82, 1.0)
        spread = self.part.get("strum", 0.0)
        if spread and position % 4 >= 2:
            pitches = pitches[::-1][:4]  # up strokes catch the high strings
        for turn, midi in enumerate(pitches):
            self.note(midi, position, length, force, late + turn * spread)

    def sound(self) -> np.ndarray:
        """What comes out of the amplifier, with a peak of 1."""
        x = normalise(self.out)
        if amp := self.part.get("amp"):
            x = np.tanh(amp["drive"] * band(x, low=amp["tight"]))
            x = band(band(x, low=amp["low"], high=amp["high"]), high=1.5 * amp["high"], order=1)
        return normalise(x)


def _accompany(player: _Player, bars: list[bool], harmony: Harmony) -> None:
    """Chords, power chords or broken chords in a rhythm."""
    part = player.part
    for bar, on in enumerate(bars):
        pitches = harmony.voicing(bar, part["voicing"], part["register"])
        cycle = pitches + pitches[-2:0:-1]
        for turn, (at, force, length) in enumerate(lasting(part["rhythm"], bar) if on else []):
            chord = [cycle[turn % len(cycle)]] if part.get("arpeggio") else pitches
            player.chord(chord, bar * STEPS + at, length, force)


def _lead(player: _Player, bars: list[bool], harmony: Harmony) -> None:
    """A melody whose phrases of two bars come back, fitted to the chords."""
    part, rng = player.part, player.rng
    compass = range(part["register"], part["register"] + 17)
    notes = [midi for midi in compass if (midi - harmony.tonic) % 12 in harmony.scale]
    moves = rng.integers(-2, 3, 64)
    for bar, on in enumerate(bars):
        place = len(notes) // 2
        for turn, (at, force, length) in enumerate(lasting(part["rhythm"], bar) if on else []):
            place = int(np.clip(place + moves[turn + 16 * (bar % 2)], 0, len(notes) - 1))
            if at % 8 == 0 or length >= 4:
                fitting = [i for i, m in enumerate(notes) if m % 12 in harmony.classes(bar)]
                place = min(fitting, key=lambda i: abs(i - place))
            player.chord([notes[place]], bar * STEPS + at, length, force)


def accompany(
    grid: Grid,
    sections: list[str],
    bars: list[bool],
    *,
    line_up: dict[str, Any],
    instruments: dict[str, Any],
    harmony: Harmony,
    rng: np.random.Generator,
) -> np.ndarray:
    """Everything but voice, bass and drums.

    Parameters
    ----------
    grid : Grid
    sections : list of str
        Name of each bar's section.
    bars : list of bool
        In which bars the accompaniment plays.
    line_up : dict
        Its ``parts``; each names the ``sections`` in which it plays.
    instruments : dict of str to dict
    harmony : Harmony
    rng : np.random.Generator

    Returns
    -------
    x : np.ndarray [shape=(n_samples,)]
    """
    out = np.zeros(grid.n_samples)
    for part in line_up["parts"]:
        on = [
            playing and section in part["sections"]
            for playing, section in zip(bars, sections, strict=True)
        ]
        player = _Player(part, instruments[part["instrument"]], grid, rng)
        (_lead if part.get("lead") else _accompany)(player, on, harmony)
        out += 10 ** (part["level"] / 20) * player.sound()
    return normalise(out)


def perform(
    chosen: dict[str, Any],
    style: dict[str, Any],
    grid: Grid,
    sections: list[str],
    playing: list[frozenset[str]],
    rngs: dict[str, np.random.Generator],
) -> tuple[dict[str, np.ndarray], list[int]]:
    """The dry stems, and where the kick drum hits.

    Parameters
    ----------
    chosen : dict
        From :func:`choose`.
    style : dict
    grid : Grid
    sections : list of str
        Name of each bar's section.
    playing : list of frozenset of str
        What plays in each bar.
    rngs : dict of str to np.random.Generator
        One for each source.
    """
    bars = {source: [source in now for now in playing] for source in SOURCES}
    harmony = Harmony(chosen["progression"], chosen["tonic"], sections)
    stems = {}
    stems["drums"], kicks = drummer.perform(
        grid,
        sections,
        bars["drums"],
        kit=chosen["kit"],
        groove=chosen["groove"],
        fills=load(GEAR)["fills"],
        hands=chosen["hands"],
        rng=rngs["drums"],
    )
    lines = chosen["bass_line"]
    stems["bass"] = bass.perform(
        grid,
        bars["bass"],
        instrument=chosen["bass"],
        lines=[lines["hook" if name == "hook" else "verse"] for name in sections],
        tonic=chosen["tonic"],
        chords=harmony.bars,
        rng=rngs["bass"],
    )
    stems["other"] = accompany(
        grid,
        sections,
        bars["other"],
        line_up=chosen["line_up"],
        instruments=chosen["instruments"],
        harmony=harmony,
        rng=rngs["other"],
    )
    stems["vocals"] = _voice(chosen, style, grid, sections, bars["vocals"], harmony, rngs["vocals"])
    return stems, kicks


def _voice(
    chosen: dict[str, Any],
    style: dict[str, Any],
    grid: Grid,
    sections: list[str],
    bars: list[bool],
    harmony: Harmony,
    rng: np.random.Generator,
) -> np.ndarray:
    """Sung or rapped vocals."""
    voice, manner = chosen["voice"], chosen["manner"]
    lyrics = load(style["language"])[style["vocals"]]
    if style["vocals"] == "rapped":
        return rap.perform(
            grid, sections, bars, voice=voice, language=lyrics, delivery=manner, rng=rng
        )
    x, _ = singing.perform(
        grid,
        sections,
        bars,
        voice=voice,
        lyrics=lyrics,
        manner=manner,
        tonic=chosen["tonic"],
        scale=harmony.scale,
        chord_at=harmony.classes,
        rng=rng,
    )
    return x
