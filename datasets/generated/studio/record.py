"""A looped song from its arrangement to its stems."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from hiphopss.config import SOURCES
from hiphopss.datasets.generated import unlooped
from hiphopss.datasets.generated.balance import balanced
from hiphopss.datasets.generated.effects import (
    RATE,
    normalise,
    process,
    reverberate,
    saturate,
    vinyl,
)
from hiphopss.datasets.generated.grid import STEPS, Grid
from hiphopss.datasets.generated.studio import automation, parts, rapping
from hiphopss.datasets.generated.studio.arranging import BEAT, Bar, arrange
from hiphopss.datasets.generated.studio.choosing import COMMON, GEAR, choose
from hiphopss.datasets.generated.studio.loops import Loop, hits_of, lay
from hiphopss.datasets.generated.style import Making, draw, load
from hiphopss.datasets.generated.tones import add

STOP_SLOPE = int(0.008 * RATE)
OF_OTHER = {"chords": 1.0, "lead": 0.5, "extra": 0.4, "chop": 0.5}  # levels


class Session:
    """One song's loops on the tracks of its beat.

    Parameters
    ----------
    chosen : dict
        From :func:`hiphopss.datasets.generated.studio.choosing.choose`.
    grid : Grid
    rngs : dict of str to np.random.Generator
        One for each source.
    """

    def __init__(self, chosen: dict[str, Any], grid: Grid, rngs: dict[str, np.random.Generator]):
        self.chosen, self.grid, self.rngs = chosen, grid, rngs
        self.gear, self.common = load(GEAR), load(COMMON)
        self.bars = arrange(
            chosen["form"],
            grid.n_bars,
            sections=self.common["sections"],
            chances=self.common["chances"],
            n_fills=len(self.gear["fills"]),
            chop=chosen["has"]["chop"],
            rng=rngs["other"],
        )
        self.kicks: list[int] = []

    def _lay(self, part: str, loops: list[Loop]) -> np.ndarray:
        out = np.zeros(self.grid.n_samples)
        lay(out, part, loops, self.bars, self.grid, self.chosen["timing"])
        return out

    def drums(self) -> np.ndarray:
        """The drums' hits."""
        chosen, grid, rng = self.chosen, self.grid, self.rngs["drums"]
        shots = parts.kit_shots(chosen["kit"], rng)
        loops = [
            parts.drum_loop(
                shots,
                pattern,
                chosen["loop_bars"]["drums"],
                humanise=chosen["humanise"],
                grid=grid,
                rng=rng,
            )
            for pattern in chosen["patterns"]
        ]
        out = self._lay("drums", loops)
        extra = parts.fill_hits(shots, self.gear["fills"], self.bars)
        for position, hit in extra:
            add(out, hit.force * hit.sound, grid.at(position))
        played = [*hits_of("drums", loops, self.bars), *extra]
        starts = sorted(grid.at(position) for position, hit in played if hit.low)
        self.kicks = [start for start in starts if start < grid.n_samples]
        return out

    def bass(self) -> np.ndarray:
        """The bass."""
        chosen = self.chosen
        loops = [
            parts.bass_loop(
                chosen["bass"],
                line["notes"],
                chosen["loop_bars"]["bass"],
                tonic=chosen["tonic"],
                chords=progression["chords"],
                grid=self.grid,
                rng=self.rngs["bass"],
            )
            for line, progression in zip(chosen["bass_lines"], chosen["progressions"], strict=True)
        ]
        return saturate(normalise(self._lay("bass", loops)), chosen["bass"]["drive"])

    def layers(self) -> dict[str, np.ndarray]:
        """The tracks of ``other``: chords, melody, a second texture's chords."""
        chosen, rng = self.chosen, self.rngs["other"]
        treatment = {
            "humanise": chosen["humanise"],
            "tail": self.gear["tail"],
            "cut": chosen["has"]["cut"],
            "vinyl": not chosen["has"]["song_vinyl"],
        }

        def loop(part: str, texture: int, progression: int) -> Loop:
            kind = "lead" if part == "lead" else "chords"
            return parts.key_loop(
                kind,
                chosen["keys"][texture][kind],
                chosen["textures"][texture],
                chosen["loop_bars"][part],
                harmony={
                    "tonic": chosen["tonic"],
                    "chords": chosen["progressions"][progression]["chords"],
                    "qualities": self.gear["qualities"],
                    "scale": self.gear["scale"],
                },
                treatment=treatment,
                grid=self.grid,
                rng=rng,
            )

        tracks = {
            "chords": self._lay("chords", [loop("chords", 0, 0), loop("chords", 0, 1)]),
            "lead": self._lay("lead", [loop("lead", 0, 0)]),
            "extra": self._lay("extra", [loop("extra", 1, 0)]),
        }
        noise = chosen["textures"][0]["sample"]["vinyl"]
        if chosen["has"]["song_vinyl"] and noise > 0:
            tracks["chords"] += noise * normalise(vinyl(self.grid.n_samples, rng))
        parts.risers(tracks["chords"], self.bars, self.grid, rng)
        return tracks

    def chop(self, language: dict[str, Any], other_voices: list[dict[str, Any]]) -> np.ndarray:
        """The sampled vocal; it isn't the rapper's."""
        rng = self.rngs["other"]
        loop = parts.vocal_chop(
            language["ad_libs"][rng.integers(len(language["ad_libs"]))],
            other_voices[rng.integers(len(other_voices))],
            self.chosen["loop_bars"]["chop"],
            grid=self.grid,
            rng=rng,
        )
        return self._lay("chop", [loop])

    def vocals(self, language: dict[str, Any]) -> np.ndarray:
        """The rapper."""
        chosen = self.chosen
        return rapping.perform(
            self.grid,
            self.bars,
            voice=chosen["voice"],
            language=language,
            delivery=chosen["delivery"],
            takes=chosen["takes"],
            copied=chosen["has"]["copied_hook"],
            whole=chosen["timing"] != "fractions",
            rng=self.rngs["vocals"],
        )

    def tracks(
        self, language: dict[str, Any], voices: list[dict[str, Any]]
    ) -> dict[str, dict[str, np.ndarray]]:
        """What was recorded of each source, by part [shape of each=(n_samples,)]."""
        tracks = {
            "drums": {"drums": self.drums()},
            "bass": {"bass": self.bass()},
            "vocals": {"voice": self.vocals(language)},
            "other": {part: OF_OTHER[part] * normalise(x) for part, x in self.layers().items()},
        }
        if self.chosen["has"]["chop"]:
            chop = OF_OTHER["chop"] * normalise(self.chop(language, voices))
            owner = "vocals" if self.chosen["has"]["chop_is_vocals"] else "other"
            tracks[owner]["chop"] = chop
        return tracks

    def mix(self, tracks: dict[str, dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
        """The stems with their effects, in one channel or in two."""
        stops = self.stops()
        stems = {}
        for source in SOURCES:
            stem = self._stereo(source, tracks[source]) if self.chosen["has"]["stereo"] else None
            stem = self._processed(source, sum(tracks[source].values())) if stem is None else stem
            stems[source] = stem if source == "vocals" else stops * stem
        return stems

    def _processed(self, source: str, x: np.ndarray, *, reverb: bool = True) -> np.ndarray:
        """One channel of a stem with its effects."""
        settings = dict(self.chosen["effects"][source])
        if not self.chosen["has"]["ducked"]:
            settings.pop("duck", None)
        if not reverb:
            settings.pop("reverb", None)
        rng = self.rngs[source]
        if source == "drums":
            x = parts.drum_sound(x, self.chosen["kit"]["sound"], rng)
        return process(x, settings, step=self.grid.step, hits=self.kicks, rng=rng)

    def _stereo(self, source: str, tracks: dict[str, np.ndarray]) -> np.ndarray:
        """Both channels: parts at their places, reverberation different on both sides."""
        if source == "bass":
            return np.tile(self._processed(source, tracks["bass"]), (2, 1))
        if source == "vocals":
            dry = self._processed(source, sum(tracks.values()), reverb=False)
            room, rng = self.chosen["effects"][source]["reverb"], self.rngs[source]
            return np.stack([reverberate(dry, **room, rng=rng) for _ in range(2)])
        places = self.chosen["places"]
        sides = [
            sum(math.cos(math.pi / 4 * (1 + side * places[part])) * x for part, x in tracks.items())
            for side in (-1, 1)
        ]
        if source == "other":
            late = int(self.chosen["width"] * RATE)
            sides[1] = np.concatenate([np.zeros(late), sides[1][: len(sides[1]) - late]])
        return np.stack([self._processed(source, side) for side in sides])

    def worn(self, stems: dict[str, np.ndarray], how: dict[str, Any]) -> dict[str, np.ndarray]:
        """The stems with a beat that was on tape, or time-stretched, as ``unlooped.toml`` says."""
        beat = {source: x for source, x in stems.items() if source != "vocals"}
        if "tape" in how:
            beat = unlooped.taped(beat, how["tape"], self.rngs["other"])
        if how.get("stretched"):
            bars = self.chosen["loop_bars"] | {"other": self.chosen["loop_bars"]["chords"]}
            beat = {
                source: unlooped.stretched(
                    x, bars[source] * STEPS * self.grid.step, self.rngs[source]
                )
                for source, x in beat.items()
            }
        return stems | beat

    def stops(self) -> np.ndarray:
        """0 where the beat halts and 1 elsewhere [shape=(n_samples,)]."""
        spans = [
            (self.grid.at(index * STEPS + bar.stop), self.grid.at((index + 1) * STEPS))
            for index, bar in enumerate(self.bars)
            if bar.stop < STEPS
        ]
        return automation.gate(self.grid.n_samples, spans, STOP_SLOPE)

    def automate(self, stems: dict[str, np.ndarray], rng: np.random.Generator) -> list[str]:
        """Filter sweeps and fades of the beat, in place; returns what was done."""
        chosen, done = self.chosen, []
        n = self.grid.n_samples
        sections = sorted({bar.start for bar in self.bars})
        edges = [*(self.grid.at(start * STEPS) for start in sections), n]
        if chosen["has"]["sweep"]:
            sources = [("other",), ("other", "drums", "bass")][rng.integers(2)]
            which = int(rng.integers(len(sections)))
            begin, end = edges[which], min(edges[which + 1], n)
            path = np.linspace(
                np.log(chosen["sweep"]["closed"]), np.log(automation.OPEN), end - begin
            )
            if rng.random() < 0.3:
                path = path[::-1]
            corner = np.full(n, automation.OPEN)
            corner[begin:end] = np.exp(path)
            for source in sources:
                stems[source] = automation.swept(stems[source], corner)
            done.append(f"sweep of {' '.join(sources)} from bar {sections[which]}")
        ramp = min(self.grid.at(4 * STEPS), n // 4)
        if chosen["has"]["fade_in"]:
            for source in ("drums", "bass", "other"):
                stems[source][..., :ramp] *= np.linspace(0, 1, ramp) ** 2
            done.append("fade-in of the beat")
        if chosen["has"]["fade_out"]:
            for source in SOURCES:
                stems[source][..., n - ramp :] *= np.linspace(1, 0, ramp) ** 2
            done.append("fade-out")
        return done


def studio_song(making: Making) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Make a looped song.

    Parameters
    ----------
    making : Making

    Returns
    -------
    stems : dict of str to np.ndarray [shape=(n_samples,) or (2, n_samples)]
        In balance, but not scaled to a peak; a compressor of the mix is in them.
    facts : dict
        What the song is made of, ready for JSON.
    """
    style, rng = making.style, making.rng
    chosen = choose(style, making.dealt, voice=making.voice, rng=rng)
    grid = Grid(RATE, chosen["tempo"], chosen["swing"], making.n_samples)
    session = Session(chosen, grid, making.rngs)
    facts = load(style["language"])
    language = facts[style["vocals"]] if "vocals" in style else facts
    tracks = session.tracks(language, facts["voices"])
    stems = session.mix(tracks)
    automated = session.automate(stems, rng)
    how = draw(rng, load("unlooped")[making.kind]) if making.kind else {}
    stems = balanced(session.worn(stems, how), chosen["levels"])
    if chosen["has"]["compressor"]:
        gain = automation.bus_gain(sum(stems.values()), **chosen["bus"])
        stems = {source: gain * x for source, x in stems.items()}
    kind = {"kind": making.kind, **how} if making.kind else {}
    return stems, kind | told(session, automated)


def told(session: Session, automated: list[str]) -> dict[str, Any]:
    """What is written down about the song."""
    chosen, has = session.chosen, session.chosen["has"]
    keep = {
        key: value
        for key, value in chosen.items()
        if key not in ("tonic", "places", "width", "form", "has", "sweep", "bus", "keys", "takes")
    }
    return {
        **keep,
        **{topic: [table["name"] for table in chosen[topic]] for topic in NAMED},
        "form": chosen["form"]["name"],
        "bar_samples": STEPS * session.grid.step,
        "hook": "copied" if has["copied_hook"] else "new takes",
        "chop": ("vocals" if has["chop_is_vocals"] else "other") if has["chop"] else None,
        "vinyl": "song" if has["song_vinyl"] else "loop",
        "compressor": chosen["bus"] if has["compressor"] else None,
        "automation": automated,
        "bars": [_line(bar) for bar in session.bars],
    }


NAMED = ("progressions", "patterns", "bass_lines", "textures")


def _line(bar: Bar) -> str:
    """One bar in words."""
    playing = [f"{part}{'' if not bar.loops[part] else ' B'}" for part in BEAT if part in bar.loops]
    events = [
        *([f"fill {bar.fill}"] if bar.fill >= 0 else []),
        *(["stop"] if bar.stop < STEPS else []),
        *(["riser"] if bar.riser else []),
        *(["crash"] if bar.crash else []),
        *([] if bar.voice else ["silence"]),
    ]
    return f"{bar.section}: {', '.join([*playing, *events])}"
