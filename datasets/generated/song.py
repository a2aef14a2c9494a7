"""One song: who plays when, the performance, and the balance of the stems."""

from __future__ import annotations

from typing import Any

import numpy as np

from hiphopss.config import SOURCES
from hiphopss.datasets.generated import band, producer
from hiphopss.datasets.generated.balance import balanced, scaled
from hiphopss.datasets.generated.collection import Collection, Slot
from hiphopss.datasets.generated.effects import RATE, process
from hiphopss.datasets.generated.grid import Grid
from hiphopss.datasets.generated.studio.record import studio_song
from hiphopss.datasets.generated.style import Dealer, Making, load
from hiphopss.datasets.generated.unlooped import unrepeated

PLAYERS = {"producer": producer, "band": band}


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


def song_title(collection: Collection, song: Slot, seed: int) -> str:
    """A song's title, which is known before the song is made."""
    style = load(collection.style(song)[0])
    titles = load(style["language"])["titles"]
    return Dealer(seed, collection.serial(song))("titles", titles)


def render_song(
    collection: Collection, song: Slot, *, seconds: float, seed: int
) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Make one song of the set with that seed; the other songs are not needed for it.

    Parameters
    ----------
    collection : Collection
    song : Slot
        Which of its songs.
    seconds : float
        Its length.
    seed : int
        The set's seed.

    Returns
    -------
    stems : dict of str to np.ndarray [shape=(n_samples,) or (2, n_samples)]
        The sources at 44.1 kHz, in -1..1; all of a song are in mono or all in stereo.
    facts : dict
        What the song is made of, ready for JSON.

    Raises
    ------
    HiphopssError
        If espeak-ng can't be used.
    """
    name, turn = collection.style(song)
    style = load(name)
    rng = np.random.default_rng([seed, song.number - 1, *collection.facts["salt"]])
    rngs = dict(zip(SOURCES, rng.spawn(len(SOURCES)), strict=True))
    serial = collection.serial(song)
    told = {"style": style["label"], "title": song_title(collection, song, seed)}
    voice = collection.voice(song, load(style["language"]))
    # alone in the set, a style has its decks to itself; else each split of each style has
    decks = f"{name} {song.split} " if collection.mixed else ""
    dealt = Dealer(seed, turn if collection.mixed else serial, decks)
    make = studio_song if style["players"] == "studio" else _played
    made = Making(style, dealt, voice, round(seconds * RATE), rng, rngs, collection.kind(song))
    stems, facts = make(made)
    stems = scaled(stems, facts["peak"], plain_sum=collection.plain_sum)
    return stems, told | facts


def _played(making: Making) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """A song of the players who take a whole song's bars at once."""
    style, rng, rngs = making.style, making.rng, making.rngs
    players = PLAYERS[style["players"]]
    chosen = players.choose(style, making.dealt, voice=making.voice, rng=rng)
    grid = Grid(RATE, chosen["tempo"], chosen["swing"], making.n_samples)
    sections, playing = arrange(players.arrangement(style), chosen["form"], grid.n_bars, rng)
    chosen, grid = unrepeated(making.kind, chosen, grid, rng)
    stems, kicks = players.perform(chosen, style, grid, sections, playing, rngs)
    for source in SOURCES:
        settings = chosen["effects"][source]
        stems[source] = process(
            stems[source], settings, step=grid.step, hits=kicks, rng=rngs[source]
        )
    stems = balanced(stems, chosen["levels"])
    return stems, _facts(chosen, players.named(chosen), sections, playing)


def _facts(
    chosen: dict[str, Any],
    named: dict[str, str],
    sections: list[str],
    playing: list[frozenset[str]],
) -> dict[str, Any]:
    """What is written down about a song."""
    tonics = ("C", "C#", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")
    facts = {key: value for key, value in chosen.items() if key not in ("tonic", "form")}
    return {
        **facts,
        **{key: name for key, name in named.items() if key != "mode"},
        "key": f"{tonics[chosen['tonic']]} {named['mode']}",
        "bars": [
            f"{section}: {' '.join(source for source in SOURCES if source in now)}"
            for section, now in zip(sections, playing, strict=True)
        ],
    }
