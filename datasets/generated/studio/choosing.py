"""What is drawn for a looped song."""

from __future__ import annotations

from typing import Any

import numpy as np

from hiphopss.config import SOURCES
from hiphopss.datasets.generated.style import Dealer, draw, load, nudged

GEAR, COMMON = "hiphop", "studio"  # which files have the sounds
TWICE = ("progressions", "patterns", "bass_lines")  # a song has two of them


def decks(style: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """The tables that the style names, from both files of gear."""
    gear, common = load(GEAR), load(COMMON)
    own_basses = [{"name": name, **facts} for name, facts in load("band")["basses"].items()]
    gear = gear | {"basses": [*gear["basses"], *own_basses]}
    found = {}
    for topic in ("kits", "patterns", "basses", "bass_lines", "textures", "progressions"):
        named = {table["name"]: table for table in [*gear[topic], *common.get(topic, [])]}
        found[topic] = [named[name] for name in style[topic]]
    return found


def choose(
    style: dict[str, Any], deal: Dealer, *, voice: dict[str, Any], rng: np.random.Generator
) -> dict[str, Any]:
    """Everything that is drawn for a song, as tables.

    Parameters as in :func:`hiphopss.datasets.generated.band.choose`.
    """
    gear, common, all_decks = load(GEAR), load(COMMON), decks(style)
    nudge, chances = common["nudge"], common["chances"]

    def dealt(topic: str) -> Any:
        return deal(topic, all_decks[topic])

    def second(topic: str) -> Any:
        rest = [table for table in all_decks[topic] if table["name"] != dealt(topic)["name"]]
        return deal(f"second {topic}", rest)

    keys = load("band")["instruments"] | gear["keys"]
    textures = [dealt("textures"), second("textures")]
    tempo = rng.uniform(*style["tempo"])
    return {
        "tempo": round(tempo, 0 if rng.random() < chances["whole_tempo"] else 2),
        "swing": round(rng.uniform(*style["swing"]), 3),
        "tonic": int(rng.integers(12)),
        "form": deal("forms", common["forms"]),
        **{topic: [dealt(topic), second(topic)] for topic in TWICE},
        "kit": nudged(dealt("kits"), rng, **nudge),
        "bass": nudged(dealt("basses"), rng, **nudge),
        "textures": textures,
        "keys": [
            {
                part: {"name": texture[part]} | nudged(keys[texture[part]], rng, **nudge)
                for part in ("chords", "lead")
            }
            for texture in textures
        ],
        "voice": _disguised(voice, rng),
        "delivery": draw(rng, gear["delivery"]),
        "takes": {
            key: float(f"{rng.uniform(*value):.4g}") if isinstance(value, list) else value
            for key, value in common["takes"].items()
        },
        "busy": draw(rng, common["busy"]),
        "timing": deal("timing", common["laying"]["timing"]),
        "loop_bars": {
            part: int(common["laying"][part][rng.integers(len(common["laying"][part]))])
            for part in ("drums", "bass", "chords", "lead", "extra", "chop")
        },
        "places": {
            part: round(float(rng.uniform(-side, side)), 3)
            for part, side in common["places"].items()
        },
        "width": draw(rng, common["width"]),
        "humanise": draw(rng, common["laying"]["humanise"]),
        "has": {key: bool(rng.random() < chance) for key, chance in chances.items() if key in HAS},
        "bus": draw(rng, common["bus"]),
        "sweep": draw(rng, common["sweep"]),
        "levels": draw(rng, common["levels"]),
        "effects": {
            source: {
                **draw(rng, gear["effects"][source] | common["effects"][source]),
                "drive": draw(rng, common["drive"][source]),
            }
            for source in SOURCES
        },
        "peak": draw(rng, common["peak"]),
    }


def _disguised(voice: dict[str, Any], rng: np.random.Generator) -> dict[str, Any]:
    """The same voice with another pitch and size: more people than the languages have."""
    pitch = int(np.clip(voice["pitch"] + rng.integers(-12, 13), 15, 75))
    return voice | {"pitch": pitch, "size": round(voice["size"] * rng.uniform(0.9, 1.1), 3)}


HAS = (
    *("chop", "chop_is_vocals", "copied_hook", "ducked", "cut", "song_vinyl"),
    *("fade_in", "fade_out", "sweep", "compressor", "stereo"),
)
"""Chances that are drawn once for a song."""
