"""The generated sets: which songs they have, and in which styles."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from hiphopss.datasets.generated.style import load
from hiphopss.errors import HiphopssError

SPLITS = ("Dev", "Test")
MAX_NUMBER = 999
GOLDEN = (5**0.5 - 1) / 2  # its multiples' fractions lie evenly, however many there are


@dataclass(frozen=True)
class Slot:
    """A song's place in a collection.

    Attributes
    ----------
    split : str
        ``"Dev"`` or ``"Test"``.
    number : int
        Its number in the collection, from 1.
    place : int
        Its place in its split, from 0.
    """

    split: str
    number: int
    place: int


@dataclass(frozen=True)
class Collection:
    """One of the sets that can be generated.

    Attributes
    ----------
    name : str
        Its name in ``collections.toml``.
    facts : dict
        Its table in ``collections.toml``.
    """

    name: str
    facts: dict[str, Any]

    @property
    def mixed(self) -> bool:
        """Whether it has several styles."""
        return len({name for names in self.facts["styles"].values() for name in names}) > 1

    @property
    def plain_sum(self) -> bool:
        """Whether a mixture is the sum of the stems as they are."""
        return "mixture_peak" not in self.facts

    def songs(self, n_dev: int, n_test: int) -> list[Slot]:
        """Its songs, Dev first."""
        counts = dict(zip(SPLITS, (n_dev, n_test), strict=True))
        first = self.facts["first"]
        return [
            Slot(split, first.get(split, n_dev + 1) + place, place)
            for split in SPLITS
            for place in range(counts[split])
        ]

    def song_name(self, song: Slot, title: str) -> str:
        """What a song's folder is called; the artist tells the collections apart."""
        return f"{song.number:03d} - {self.facts['artist']} - {title}"

    def sizes(self, n_dev: int | None, n_test: int | None) -> tuple[int, int]:
        """Songs of each split: as many as the collection has where nothing else is asked for."""
        usual = self.facts["songs"]
        return (
            usual["Dev"] if n_dev is None else n_dev,
            usual["Test"] if n_test is None else n_test,
        )

    def most(self, n_dev: int, n_test: int) -> dict[str, int]:
        """Songs that each split can have at most, if the other one has as many as that."""
        first, other = self.facts["first"], {"Dev": n_test, "Test": n_dev}
        room = {}
        for split in SPLITS:
            later = [number for number in first.values() if number > first.get(split, 0)]
            if len(first) < len(SPLITS):
                room[split] = MAX_NUMBER - other[split]
            else:
                room[split] = min([*later, MAX_NUMBER + 1]) - first[split]
        return room

    def style(self, song: Slot) -> tuple[str, int]:
        """A song's style, and how many songs of its split have had that one before."""
        names = self.facts["styles"][song.split]
        rounds, rest = divmod(song.place, len(names))
        name = names[rest]
        return name, rounds * names.count(name) + names[:rest].count(name)

    def kind(self, song: Slot) -> str:
        """How a song is kept from repeating (``unlooped.toml``); empty where it isn't."""
        kinds = self.facts.get("kinds", {}).get(song.split, [""])
        return kinds[song.place % len(kinds)]

    def length(self, song: Slot, seconds: float | None) -> float:
        """Seconds that a song lasts: as asked for, or as the collection has it.

        Where the collection has a range, its songs are spread over it evenly.
        """
        usual = self.facts["seconds"]
        if seconds is not None or not isinstance(usual, list):
            return usual if seconds is None else seconds
        share = (0.5 + song.place * GOLDEN) % 1
        return round(usual[0] + share * (usual[1] - usual[0]), 1)

    def serial(self, song: Slot) -> int:
        """A number from 0 that no other song has; small while there are few songs."""
        if len(self.facts["first"]) < len(SPLITS):
            return song.number - 1
        return len(SPLITS) * song.place + SPLITS.index(song.split)

    def voice(self, song: Slot, language: dict[str, Any]) -> dict[str, Any]:
        """Which of a language's voices performs a song: as cast here, or in the language."""
        if "cast" in self.facts:
            cast, turn = self.facts["cast"][song.split], song.place
        else:
            cast, turn = language["cast"], self.serial(song)
        return language["voices"][cast[turn % len(cast)]]


@lru_cache
def load_collection(name: str) -> Collection:
    """One of the collections by its name.

    Raises
    ------
    HiphopssError
        If there is none of that name.
    """
    known = load("collections")
    if name not in known:
        raise HiphopssError(f"collection is {name!r}: choose one of {', '.join(known)}")
    return Collection(name, known[name])
