"""What is recorded for a looped song: its bars, and a track for each part."""

from __future__ import annotations

from typing import Any

import numpy as np

from hiphopss.datasets.generated.effects import normalise, saturate, vinyl
from hiphopss.datasets.generated.grid import Grid
from hiphopss.datasets.generated.studio import parts, rapping
from hiphopss.datasets.generated.studio.arranging import arrange
from hiphopss.datasets.generated.studio.choosing import COMMON, GEAR
from hiphopss.datasets.generated.studio.loops import Loop, hits_of, lay
from hiphopss.datasets.generated.style import load
from hiphopss.datasets.generated.tones import add

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
            busy=chosen["busy"],
            rng=rngs["other"],
        )
        self.kicks: list[int] = []

    def _variants(self, part: str) -> int:
        """How many of a part's loops are needed."""
        return 1 + max((bar.loops.get(part, -1) for bar in self.bars), default=-1)

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
            for pattern in chosen["patterns"][: self._variants("drums")]
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
                chosen["bass_lines"][variant]["notes"],
                chosen["loop_bars"]["bass"],
                tonic=chosen["tonic"],
                chords=chosen["progressions"][variant]["chords"],
                grid=self.grid,
                rng=self.rngs["bass"],
            )
            for variant in range(self._variants("bass"))
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

        textures = {"chords": 0, "lead": 0, "extra": 1}
        tracks = {
            part: self._lay(
                part, [loop(part, texture, variant) for variant in range(self._variants(part))]
            )
            for part, texture in textures.items()
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
