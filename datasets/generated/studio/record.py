"""A looped song from what is drawn for it to its stems."""

from __future__ import annotations

from typing import Any

import numpy as np

from hiphopss.datasets.generated.balance import balanced
from hiphopss.datasets.generated.effects import RATE
from hiphopss.datasets.generated.grid import STEPS, Grid
from hiphopss.datasets.generated.studio import automation, mixing
from hiphopss.datasets.generated.studio.arranging import BEAT, Bar
from hiphopss.datasets.generated.studio.choosing import TWICE, choose
from hiphopss.datasets.generated.studio.session import Session
from hiphopss.datasets.generated.style import Making, draw, load

NAMED = (*TWICE, "textures")
UNTOLD = ("tonic", "places", "width", "form", "has", "sweep", "bus", "keys", "takes")


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
    stems = mixing.mix(session, session.tracks(language, facts["voices"]))
    automated = mixing.automate(session, stems, rng)
    how = draw(rng, load("unlooped")[making.kind]) if making.kind else {}
    stems = balanced(mixing.worn(session, stems, how), chosen["levels"])
    if chosen["has"]["compressor"]:
        gain = automation.bus_gain(mixing.total(stems.values()), **chosen["bus"])
        stems = {source: gain * x for source, x in stems.items()}
    kind = {"kind": making.kind, **how} if making.kind else {}
    return stems, kind | told(session, automated)


def told(session: Session, automated: list[str]) -> dict[str, Any]:
    """What is written down about the song."""
    chosen, has = session.chosen, session.chosen["has"]
    keep = {key: value for key, value in chosen.items() if key not in UNTOLD}
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
