"""One song: what is drawn for it, who plays when, and the balance of the stems."""

from __future__ import annotations

from typing import Any

import numpy as np

from hiphopss.config import SOURCES
from hiphopss.datasets.generated import bass, drums, keys, rap
from hiphopss.datasets.generated.effects import RATE, process
from hiphopss.datasets.generated.grid import Grid
from hiphopss.datasets.generated.style import deal, draw, load, nudged

STYLE = "hiphop"
GATE = 30.0  # dB under the loudest frame: what is quieter doesn't count as playing


def arrange(
    style: dict[str, Any], form: dict[str, Any], n_bars: int, rng: np.random.Generator
) -> tuple[list[str], list[frozenset[str]]]:
    """Sections and playing sources of each bar.

    The intro takes at most a quarter of the song and the breaks wait until there are six bars,
    so that in a song of two bars all sources still play.

    Parameters
    ----------
    style, form : dict
        The style and one of its ``forms``.
    n_bars : int
    rng : np.random.Generator

    Returns
    -------
    sections : list of str [length=n_bars]
    playing : list of frozenset of str [length=n_bars]
    """
    sections: list[str] = []
    playing: list[frozenset[str]] = []
    while len(sections) < n_bars:
        for name, length in form["sections"]:
            if name == "intro":
                length = min(length, n_bars // 4) if not sections else 0
            if name == "break" and n_bars < 6:
                length = 0
            choices = style["sections"][name]
            choice = frozenset(choices[rng.integers(len(choices))])
            sections += [name] * length
            playing += [choice] * length
    return sections[:n_bars], playing[:n_bars]


def choose(index: int, seed: int, rng: np.random.Generator) -> dict[str, Any]:
    """Everything that is drawn for a song, as tables of its style."""
    style = load(STYLE)
    language = load(style["language"])

    def dealt(topic: str) -> Any:
        return deal(style[topic], seed=seed, topic=topic, index=index)

    texture = dealt("textures")
    return {
        "title": deal(language["titles"], seed=seed, topic="titles", index=index),
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
        "voice": language["voices"][language["cast"][index % len(language["cast"])]],
        "delivery": draw(rng, style["delivery"]),
        "levels": draw(rng, style["levels"]),
        "effects": {
            source: {**draw(rng, style["effects"][source]), "drive": draw(rng, drive)}
            for source, drive in style["drive"].items()
        },
        "peak": draw(rng, style["peak"]),
    }


def mixture_peak() -> float:
    """Peak that the sum of the stems is brought to."""
    return load(STYLE)["mixture_peak"]


def gated_rms(x: np.ndarray) -> float:
    """RMS over the 0.1 s frames that lie within 30 dB of the loudest; 0 for silence."""
    n = len(x) // 4410 * 4410
    power = np.mean(x[:n].reshape(-1, 4410) ** 2, axis=1)
    return float(np.sqrt(power[power >= power.max() * 10 ** (-GATE / 10)].mean()))


def _perform(
    chosen: dict[str, Any],
    grid: Grid,
    sections: list[str],
    playing: list[frozenset[str]],
    rngs: dict[str, np.random.Generator],
) -> tuple[dict[str, np.ndarray], list[int]]:
    """The dry stems, and where the kick drum hits."""
    style = load(STYLE)
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
        line=chosen["bass_line"]["notes"],
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


def _faded(x: np.ndarray) -> np.ndarray:
    """End without a click."""
    n = min(len(x), RATE // 50)
    x[len(x) - n :] *= np.linspace(1, 0, n)
    return x


def render_song(
    index: int, *, seconds: float, seed: int
) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Make one song of the set with that seed; the other songs are not needed for it.

    Parameters
    ----------
    index : int
        Number of the song, from 0.
    seconds : float
        Its length.
    seed : int
        The set's seed.

    Returns
    -------
    stems : dict of str to np.ndarray [shape=(n_samples,)]
        The sources at 44.1 kHz, in -1..1.
    facts : dict
        What the song is made of, ready for JSON.

    Raises
    ------
    HiphopssError
        If espeak-ng can't be used.
    """
    rng = np.random.default_rng([seed, index])
    children = rng.spawn(len(SOURCES))
    rngs = dict(zip(SOURCES, children, strict=True))
    chosen = choose(index, seed, rng)
    grid = Grid(RATE, chosen["tempo"], chosen["swing"], round(seconds * RATE))
    sections, playing = arrange(load(STYLE), chosen["form"], grid.n_bars, rng)
    stems, kicks = _perform(chosen, grid, sections, playing, rngs)
    for source in SOURCES:
        settings = chosen["effects"][source]
        x = process(stems[source], settings, step=grid.step, hits=kicks, rng=rngs[source])
        stems[source] = _faded(x * 10 ** (chosen["levels"][source] / 20) / gated_rms(x))
    loudest = max(np.abs(x).max() for x in stems.values())
    stems = {source: stems[source] * (chosen["peak"] / loudest) for source in SOURCES}
    return stems, _facts(chosen, sections, playing)


def _facts(
    chosen: dict[str, Any], sections: list[str], playing: list[frozenset[str]]
) -> dict[str, Any]:
    """What is written down about a song."""
    named = ("form", "progression", "pattern", "bass_line", "texture")
    tonics = ("C", "C#", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")
    facts = {key: value for key, value in chosen.items() if key not in ("tonic", "form")}
    return {
        **facts,
        **{key: chosen[key]["name"] for key in named},
        "key": f"{tonics[chosen['tonic']]} minor",
        "bars": [
            f"{section}: {' '.join(source for source in SOURCES if source in now)}"
            for section, now in zip(sections, playing, strict=True)
        ],
    }
