"""Songs of one producer: loops, a drum machine and a voice that raps."""

from __future__ import annotations

from typing import Any

import numpy as np

from hiphopss.config import SOURCES
from hiphopss.datasets.generated.grid import Grid
from hiphopss.datasets.generated.instruments import bass, drums, keys
from hiphopss.datasets.generated.style import Dealer, draw, load, nudged
from hiphopss.datasets.generated.vocals import rap


def arrangement(style: dict[str, Any]) -> dict[str, Any]:
    """The style's ``sections``, which are its own."""
    return style


def choose(
    style: dict[str, Any], deal: Dealer, *, voice: dict[str, Any], rng: np.random.Generator
) -> dict[str, Any]:
    """Everything that is drawn for a song, as tables of its style.

    Parameters as in :func:`hiphopss.datasets.generated.band.choose`.
    """

    def dealt(topic: str) -> Any:
        return deal(topic, style[topic])

    texture = dealt("textures")
    return {
        "tempo": round(rng.uniform(*style["tempo"]), 1),
        "swing": round(rng.uniform(*style["swing"]), 3),
        "tonic": int(rng.integers(12)),
        "form": dealt("forms"),
        "progression": dealt("progressions"),
        "pattern": dealt("patterns"),
        "kit": nudged(dealt("kits"), rng, **style["nudge"]),
        "bass": nudged(dealt("basses"), rng, **style["nudge"]),
        "bass_line": dealt("bass_lines"),
        "texture": texture,
        "keys": {
            part: {"name": texture[part]}
            | nudged(style["keys"][texture[part]], rng, **style["nudge"])
            for part in ("chords", "lead")
        },
        "voice": voice,
        "delivery": draw(rng, style["delivery"]),
        "levels": draw(rng, style["levels"]),
        "effects": {
            source: {**draw(rng, style["effects"][source]), "drive": draw(rng, drive)}
            for source, drive in style["drive"].items()
        },
        "peak": draw(rng, style["peak"]),
    }


def named(chosen: dict[str, Any]) -> dict[str, str]:
    """What the song's tables are called, and its mode."""
    topics = ("form", "progression", "pattern", "bass_line", "texture")
    return {topic: chosen[topic]["name"] for topic in topics} | {"mode": "minor"}


def perform(
    chosen: dict[str, Any],
    style: dict[str, Any],
    grid: Grid,
    sections: list[str],
    playing: list[frozenset[str]],
    rngs: dict[str, np.random.Generator],
) -> tuple[dict[str, np.ndarray], list[int]]:
    """The dry stems, and where the kick drum hits.

    Parameters as in :func:`hiphopss.datasets.generated.band.perform`.
    """
    bars = {source: [source in now for now in playing] for source in SOURCES}
    tonic, chords = chosen["tonic"], chosen["progression"]["chords"]
    stems = {}
    stems["drums"], kicks = drums.perform(
        grid,
        bars["drums"],
        kit=chosen["kit"],
        pattern=chosen["pattern"],
        fills=style["fills"],
        humanise=style["humanise"],
        rng=rngs["drums"],
    )
    stems["bass"] = bass.perform(
        grid,
        bars["bass"],
        instrument=chosen["bass"],
        lines=[chosen["bass_line"]["notes"]] * grid.n_bars,
        tonic=tonic,
        chords=chords,
        rng=rngs["bass"],
    )
    # the melody leaves room for the verses' words
    lead = [on and name != "verse" for on, name in zip(bars["other"], sections, strict=True)]
    stems["other"] = keys.perform(
        grid,
        bars["other"],
        lead,
        style=style,
        texture=chosen["texture"],
        instruments=chosen["keys"],
        tonic=tonic,
        chords=chords,
        rng=rngs["other"],
    )
    stems["vocals"] = rap.perform(
        grid,
        sections,
        bars["vocals"],
        voice=chosen["voice"],
        language=load(style["language"]),
        delivery=chosen["delivery"],
        rng=rngs["vocals"],
    )
    return stems, kicks
