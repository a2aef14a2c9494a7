"""The facts of a style, and how songs draw from them."""

from __future__ import annotations

import tomllib
import zlib
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import Any

import numpy as np


@lru_cache
def load(name: str) -> dict[str, Any]:
    """Read one of the TOML files in ``facts/``.

    What a file that is ``like`` another one doesn't have is as there. A table's tables are joined
    in the same way; lists are replaced.

    Parameters
    ----------
    name : str
        Its name without the suffix.
    """
    text = files(__package__).joinpath("facts", f"{name}.toml").read_text("utf-8")
    facts = tomllib.loads(text)
    return _over(load(facts["like"]), facts) if "like" in facts else facts


def _over(base: dict[str, Any], own: dict[str, Any]) -> dict[str, Any]:
    """A table over another: its own entries, and those of the other that it lacks."""
    joined = {
        key: _over(base[key], value)
        if isinstance(value, dict) and isinstance(base.get(key), dict)
        else value
        for key, value in own.items()
    }
    return base | joined


def deal(deck: list, *, seed: int, topic: str, index: int) -> Any:
    """Deal song ``index`` its card: the shuffled deck is used up before a card comes again.

    Drawing each song's kit, pattern, ... on its own would leave some unused in a small set. The
    shuffle depends on the seed, the topic and the round only, so a song can be made on its own.

    Parameters
    ----------
    deck : list
        The choices.
    seed, index : int
        The set's seed and the song's number, from 0.
    topic : str
        What is dealt.
    """
    turn, place = divmod(index, len(deck))
    rng = np.random.default_rng([seed, zlib.crc32(topic.encode()), turn])
    return deck[rng.permutation(len(deck))[place]]


@dataclass(frozen=True)
class Dealer:
    """Deals one song its cards.

    Attributes
    ----------
    seed, index : int
        The set's seed and the song's number among those that share the decks, from 0.
    decks : str
        Tells decks of the same topic apart.
    """

    seed: int
    index: int
    decks: str = ""

    def __call__(self, topic: str, deck: list) -> Any:
        """The song's card of a deck."""
        return deal(deck, seed=self.seed, topic=f"{self.decks}{topic}", index=self.index)


def draw(rng: np.random.Generator, facts: Any) -> Any:
    """Settings from facts: a pair [low, high] becomes a number in it, a longer list one of it.

    Tables are followed down; plain numbers stay. Numbers are rounded to four digits, so that
    what is written down about a song is what was used.
    """
    if isinstance(facts, dict):
        return {key: draw(rng, value) for key, value in facts.items()}
    if isinstance(facts, list) and len(facts) == 2:
        return float(f"{rng.uniform(*facts):.4g}")
    if isinstance(facts, list):
        return facts[rng.integers(len(facts))]
    return facts


def nudged(facts: Any, rng: np.random.Generator, *, tolerance: float, exact: list[str]) -> Any:
    """The same table with its numbers moved a little, so that no two songs share a sound.

    Parameters
    ----------
    facts : dict, list, str or number
    rng : np.random.Generator
    tolerance : float
        Largest change of a number, as a share of it.
    exact : list of str
        Keys whose values stay.
    """
    if isinstance(facts, dict):
        return {
            key: value if key in exact else nudged(value, rng, tolerance=tolerance, exact=exact)
            for key, value in facts.items()
        }
    if isinstance(facts, list):
        return [nudged(value, rng, tolerance=tolerance, exact=exact) for value in facts]
    if isinstance(facts, str):
        return facts
    return float(f"{facts * (1 + tolerance * rng.uniform(-1, 1)):.4g}")


@dataclass(frozen=True)
class Making:
    """What a song is made from.

    Attributes
    ----------
    style : dict
        Its style's facts.
    dealt : Dealer
        Gives its cards.
    voice : dict
        Who sings or raps.
    n_samples : int
        Its length.
    rng : np.random.Generator
        For what is drawn for the whole song.
    rngs : dict of str to np.random.Generator
        One for each source.
    kind : str
        How the song is kept from repeating, as ``unlooped.toml`` has it; empty for songs that
        repeat as they do.
    """

    style: dict[str, Any]
    dealt: Dealer
    voice: dict[str, Any]
    n_samples: int
    rng: np.random.Generator
    rngs: dict[str, np.random.Generator]
    kind: str = ""
