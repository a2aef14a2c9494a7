"""From tracks to stems: effects, places in the stereo image, stops, automation, wear."""

from __future__ import annotations

import math
from collections.abc import Collection
from typing import Any

import numpy as np

from hiphopss.config import SOURCES
from hiphopss.datasets.generated import unlooped
from hiphopss.datasets.generated.effects import RATE, process, reverberate
from hiphopss.datasets.generated.grid import STEPS
from hiphopss.datasets.generated.studio import automation, parts
from hiphopss.datasets.generated.studio.session import Session

STOP_SLOPE = int(0.008 * RATE)
BEAT = ("bass", "drums", "other")
FADE_BARS = 4
CLOSING = 0.3  # share of the filters that close instead of opening


def total(tracks: Collection[np.ndarray]) -> np.ndarray:
    """The sum of signals that are alike in shape."""
    return np.sum(list(tracks), axis=0)


def mix(session: Session, tracks: dict[str, dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """The stems with their effects.

    Parameters
    ----------
    session : Session
    tracks : dict of str to dict of str to np.ndarray [shape=(n_samples,)]
        Of each source, its parts. They are removed one by one, as they are large.

    Returns
    -------
    stems : dict of str to np.ndarray [shape=(n_samples,) or (2, n_samples)]
    """
    stops = _stops(session)
    stems = {}
    for source in SOURCES:
        parts_of_it = tracks.pop(source)
        if session.chosen["has"]["stereo"]:
            stem = _stereo(session, source, parts_of_it)
        else:
            stem = _processed(session, source, total(parts_of_it.values()))
        stems[source] = stem if source == "vocals" else stops * stem
    return stems


def _processed(session: Session, source: str, x: np.ndarray, *, reverb: bool = True) -> np.ndarray:
    """One channel of a stem with its effects."""
    settings = dict(session.chosen["effects"][source])
    if not session.chosen["has"]["ducked"]:
        settings.pop("duck", None)
    if not reverb:
        settings.pop("reverb", None)
    rng = session.rngs[source]
    if source == "drums":
        x = parts.drum_sound(x, session.chosen["kit"]["sound"], rng)
    return process(x, settings, step=session.grid.step, hits=session.kicks, rng=rng)


def _stereo(session: Session, source: str, tracks: dict[str, np.ndarray]) -> np.ndarray:
    """Both channels: parts at their places, reverberation different on both sides."""
    if source == "bass":
        return np.tile(_processed(session, source, tracks["bass"]), (2, 1))
    if source == "vocals":
        dry = _processed(session, source, total(tracks.values()), reverb=False)
        room, rng = session.chosen["effects"][source]["reverb"], session.rngs[source]
        return np.stack([reverberate(dry, **room, rng=rng) for _ in range(2)])
    places = session.chosen["places"]
    sides = [
        total([math.cos(math.pi / 4 * (1 + side * places[part])) * x for part, x in tracks.items()])
        for side in (-1, 1)
    ]
    if source == "other":
        late = int(session.chosen["width"] * RATE)
        sides[1] = np.concatenate([np.zeros(late), sides[1][: len(sides[1]) - late]])
    return np.stack([_processed(session, source, side) for side in sides])


def worn(
    session: Session, stems: dict[str, np.ndarray], how: dict[str, Any]
) -> dict[str, np.ndarray]:
    """The stems with a beat that was on tape, or time-stretched, as ``unlooped.toml`` says."""
    beat = {source: stems[source] for source in BEAT}
    if "tape" in how:
        beat = unlooped.taped(beat, how["tape"], session.rngs["other"])
    if how.get("stretched"):
        bars = session.chosen["loop_bars"] | {"other": session.chosen["loop_bars"]["chords"]}
        beat = {
            source: unlooped.stretched(
                x, bars[source] * STEPS * session.grid.step, session.rngs[source]
            )
            for source, x in beat.items()
        }
    return stems | beat


def _stops(session: Session) -> np.ndarray:
    """0 where the beat halts and 1 elsewhere [shape=(n_samples,)]."""
    spans = [
        (session.grid.at(index * STEPS + bar.stop), session.grid.at((index + 1) * STEPS))
        for index, bar in enumerate(session.bars)
        if bar.stop < STEPS
    ]
    return automation.gate(session.grid.n_samples, spans, STOP_SLOPE)


def automate(session: Session, stems: dict[str, np.ndarray], rng: np.random.Generator) -> list[str]:
    """Filter sweeps and fades of the beat, in place; returns what was done."""
    chosen, done = session.chosen, []
    n = session.grid.n_samples
    sections = sorted({bar.start for bar in session.bars})
    edges = [*(session.grid.at(start * STEPS) for start in sections), n]
    if chosen["has"]["sweep"]:
        sources = [("other",), BEAT][rng.integers(2)]
        which = int(rng.integers(len(sections)))
        begin, end = edges[which], min(edges[which + 1], n)
        path = np.linspace(np.log(chosen["sweep"]["closed"]), np.log(automation.OPEN), end - begin)
        if rng.random() < CLOSING:
            path = path[::-1]
        corner = np.full(n, automation.OPEN)
        corner[begin:end] = np.exp(path)
        for source in sources:
            stems[source] = automation.swept(stems[source], corner)
        done.append(f"sweep of {' '.join(sources)} from bar {sections[which]}")
    ramp = min(session.grid.at(FADE_BARS * STEPS), n // 4)
    if chosen["has"]["fade_in"]:
        for source in BEAT:
            stems[source][..., :ramp] *= np.linspace(0, 1, ramp) ** 2
        done.append("fade-in of the beat")
    if chosen["has"]["fade_out"]:
        for source in SOURCES:
            stems[source][..., n - ramp :] *= np.linspace(1, 0, ramp) ** 2
        done.append("fade-out")
    return done
