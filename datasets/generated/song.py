"""One song: who plays when, the performance, and the balance of the stems."""

from __future__ import annotations

from typing import Any

import numpy as np

from hiphopss.config import SOURCES
from hiphopss.datasets.generated import band, producer
from hiphopss.datasets.generated.collection import Collection, Slot
from hiphopss.datasets.generated.effects import RATE, process
from hiphopss.datasets.generated.grid import Grid
from hiphopss.datasets.generated.style import Dealer, load

PLAYERS = {"producer": producer, "band": band}
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


def gated_rms(x: np.ndarray) -> float:
    """RMS over the 0.1 s frames that lie within 30 dB of the loudest; 0 for silence."""
    n = len(x) // 4410 * 4410
    power = np.mean(x[:n].reshape(-1, 4410) ** 2, axis=1)
    return float(np.sqrt(power[power >= power.max() * 10 ** (-GATE / 10)].mean()))


def _faded(x: np.ndarray) -> np.ndarray:
    """End without a click."""
    n = min(len(x), RATE // 50)
    x[len(x) - n :] *= np.linspace(1, 0, n)
    return x


def _balanced(
    stems: dict[str, np.ndarray], levels: dict[str, float], peak: float, *, plain_sum: bool
) -> dict[str, np.ndarray]:
    """The stems at their levels; the loudest one, or their plain sum, has that peak."""
    stems = {
        source: _faded(stems[source] * 10 ** (levels[source] / 20) / gated_rms(stems[source]))
        for source in SOURCES
    }
    heard = [*stems.values(), sum(stems.values())] if plain_sum else list(stems.values())
    loudest = max(np.abs(x).max() for x in heard)
    return {source: stems[source] * (peak / loudest) for source in SOURCES}


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
    stems : dict of str to np.ndarray [shape=(n_samples,)]
        The sources at 44.1 kHz, in -1..1.
    facts : dict
        What the song is made of, ready for JSON.

    Raises
    ------
    HiphopssError
        If espeak-ng can't be used.
    """
    name, turn = collection.style(song)
    style = load(name)
    players = PLAYERS[style["players"]]
    rng = np.random.default_rng([seed, song.number - 1, *collection.facts["salt"]])
    rngs = dict(zip(SOURCES, rng.spawn(len(SOURCES)), strict=True))
    serial = collection.serial(song)
    title = song_title(collection, song, seed)
    voice = collection.voice(song, load(style["language"]))
    # alone in the set, a style has its decks to itself; else each split of each style has
    decks = f"{name} {song.split} " if collection.mixed else ""
    dealt = Dealer(seed, turn if collection.mixed else serial, decks)
    chosen = players.choose(style, dealt, voice=voice, rng=rng)
    grid = Grid(RATE, chosen["tempo"], chosen["swing"], round(seconds * RATE))
    sections, playing = arrange(players.arrangement(style), chosen["form"], grid.n_bars, rng)
    stems, kicks = players.perform(chosen, style, grid, sections, playing, rngs)
    for source in SOURCES:
        settings = chosen["effects"][source]
        stems[source] = process(
            stems[source], settings, step=grid.step, hits=kicks, rng=rngs[source]
        )
    stems = _balanced(stems, chosen["levels"], chosen["peak"], plain_sum=collection.plain_sum)
    facts = {"style": style["label"], "title": title}
    return stems, facts | _facts(chosen, players.named(chosen), sections, playing)


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
