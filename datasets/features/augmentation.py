"""The paper's augmentations (section 3.2; docs/released-code.md, section 6), as lists of recipes.

A recipe describes a version of a song: for each source, the song whose stem is used and the time by
which it is shifted. This module reads no audio; :mod:`hiphopss.datasets.features.make` does.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations, permutations, product

import numpy as np

from hiphopss.config import PRESETS, SOURCES, Fidelity
from hiphopss.datasets.songs import Song
from hiphopss.errors import HiphopssError

AUGMENTATIONS = {
    "none": "the songs as they are",
    "circular-shift": "CS: sources shifted against one another",
    "instrument": "IA: one source muted",
    "mix": "MA: sources of different songs",
    "combined": "COMBI: the union of all",
}
"""Description of each augmentation."""

ABBREVIATIONS = {"CS": "circular-shift", "IA": "instrument", "MA": "mix", "COMBI": "combined"}

COMBINED = ("none", "circular-shift", "instrument", "mix")
"""Augmentations that the paper's COMBI joins."""

SHIFTING = ("circular-shift", "combined")
"""Augmentations that shift sources; in these the released code has its test leak (Q3)."""
RANDOM = ("circular-shift", "mix", "combined")
"""Augmentations with random choices, which depend on the seed."""

_SWITCHES = {  # of Fidelity, with the augmentations whose features depend on them
    "first_patches_only": AUGMENTATIONS,
    "normalised_mixture": AUGMENTATIONS,
    "skip_songs_without_vocals": ("none", "circular-shift", "instrument", "combined"),
    "quarter_augmented_mixture": ("instrument", "mix", "combined"),
    "mix_drops_remainder": ("mix", "combined"),
    "shift_by_delay": SHIFTING,
}

DELAYS = (0.0, 0.2)
"""Shifts of the released code in seconds (Q7)."""
SHIFTS = (0.0, 0.1, 0.2)
"""Shifts of the paper in seconds."""
SHIFTED_VERSIONS = 14
"""Number of versions of a song that the circular shift makes, in either preset."""
QUARTER = 0.25
"""Factor that the released code applies to augmented mixtures, but not to their targets (Q4)."""
_ONE_IN = 10  # the mix augmentation uses every tenth combination, and every tenth assignment


@dataclass(frozen=True)
class Take:
    """One source of a version.

    Attributes
    ----------
    song : Song
        Song whose stem is used.
    shift : float
        Delay of the source in seconds.
    """

    song: Song
    shift: float = 0.0


@dataclass(frozen=True)
class Recipe:
    """A version of a song, or a mix of several.

    Attributes
    ----------
    augmentation : str
        One of ``AUGMENTATIONS``, which made the recipe.
    version : str
        Description for people.
    takes : tuple of Take or None [length=n_sources]
        Sources in the order of ``SOURCES``; None means silence.
    attenuation : float
        Factor of the mixture, which is not applied to the targets (Q4).
    full_blocks_only : bool
        Whether to drop the last block, which is shorter than the others.
    """

    augmentation: str
    version: str
    takes: tuple[Take | None, ...]
    attenuation: float = 1.0
    full_blocks_only: bool = False

    @property
    def songs(self) -> list[Song]:
        """The songs whose stems are used, each once."""
        return list({take.song.key: take.song for take in self.takes if take}.values())


def resolve_augmentation(name: str) -> str:
    """Look up one of ``AUGMENTATIONS`` by name or by the paper's abbreviation.

    Raises
    ------
    HiphopssError
        If no augmentation has this name.
    """
    found = ABBREVIATIONS.get(name.upper(), name.lower())
    if found not in AUGMENTATIONS:
        raise HiphopssError(
            f"no augmentation named {name!r}: choose one of {', '.join(AUGMENTATIONS)} "
            f"(or {', '.join(ABBREVIATIONS)})"
        )
    return found


def feature_switches(fidelity: Fidelity, augmentation: str) -> dict[str, bool]:
    """The switches on which the features of an augmentation depend, with their values.

    Others concern the network, the loss or the training (:class:`hiphopss.config.Fidelity`): the
    same features serve for all their values.
    """
    return {
        name: getattr(fidelity, name)
        for name, augmentations in _SWITCHES.items()
        if augmentation in augmentations
    }


def require_leaky(fidelity: Fidelity, augmentation: str) -> None:
    """Raise :class:`HiphopssError` if the test leak (Q3) does not apply to these settings."""
    if fidelity != PRESETS["released"]:
        raise HiphopssError(
            "the released test leak (Q3) trains on test songs, which only reproducing the released "
            "code excuses: add --preset released, or leave the leak out"
        )
    if augmentation not in SHIFTING:
        raise HiphopssError(
            f"the released test leak (Q3) is one of the circular shift, not of {augmentation!r}: "
            "leave it out here"
        )


def recipes(
    songs: Sequence[Song],
    augmentation: str,
    fidelity: Fidelity,
    *,
    seed: int = 0,
    leaked: Sequence[Song] = (),
) -> list[Recipe]:
    """List all versions that an augmentation makes of songs.

    Parameters
    ----------
    songs : sequence of Song
        Training songs.
    augmentation : str
        One of ``AUGMENTATIONS``.
    fidelity : Fidelity
        Decides on Q4, Q7 and the treatment of songs without vocals.
    seed : int
        Seed of the random choices, which the released code does not seed (Q12).
    leaked : sequence of Song
        Test songs that the circular shift also uses (Q3).

    Returns
    -------
    list of Recipe
        Recipes without repetition: one that two augmentations both make appears once.

    Raises
    ------
    HiphopssError
        If the mix augmentation gets fewer than four songs.
    """

    def voiced(these: Iterable[Song]) -> list[Song]:
        skip = fidelity.skip_songs_without_vocals
        return [song for song in these if not skip or "vocals" in song.stems]

    def quarter() -> float:
        return QUARTER if fidelity.quarter_augmented_mixture else 1.0

    found: list[Recipe] = []
    wanted = COMBINED if augmentation == "combined" else (augmentation,)
    if "none" in wanted:
        found += [Recipe("none", "unaugmented", _takes(song)) for song in voiced(songs)]
    if "circular-shift" in wanted:
        for song in voiced([*songs, *leaked]):
            found += _circular_shift(song, fidelity, seed)
    if "instrument" in wanted:
        for song in voiced(songs):
            found += _instrument(song, quarter())
    if "mix" in wanted:
        found += _mix(songs, fidelity, quarter(), seed)
    return _without_repetition(found)


def _takes(song: Song, **shifts: float) -> tuple[Take | None, ...]:
    """All stems of a song, with the given shifts in seconds."""
    return tuple(Take(song, shifts.get(s, 0.0)) if s in song.stems else None for s in SOURCES)


def _circular_shift(song: Song, fidelity: Fidelity, seed: int) -> list[Recipe]:
    """Versions whose sources are shifted against one another.

    Released: every choice of one of two delays for each source, except equal delays for all, so the
    unchanged song is not among them. Delayed sources are cut so that a version is as long as the
    song: the "cut at ``length - 0.2 s``" of docs/released-code.md is read as applying to the source
    before the zeros are added. Corrected: the unchanged song, and a random choice of assignments of
    three shifts that shift some sources, but not all: that would only rotate another version.
    """
    sources = [source for source in SOURCES if source in song.stems]
    if fidelity.shift_by_delay:
        chosen = [shifts for shifts in product(DELAYS, repeat=len(sources)) if len(set(shifts)) > 1]
    else:
        others = [
            shifts
            for shifts in product(SHIFTS, repeat=len(sources))
            if min(shifts) == 0 and max(shifts) > 0
        ]
        rng = _rng(seed, f"circular-shift/{song.subset}/{song.name}")
        n_drawn = min(SHIFTED_VERSIONS - 1, len(others))
        drawn = sorted(rng.choice(len(others), n_drawn, replace=False))
        chosen = [(0.0,) * len(sources), *(others[index] for index in drawn)]
    return [
        Recipe(
            "circular-shift",
            " ".join(f"{source}+{shift:g}s" for source, shift in zip(sources, shifts, strict=True)),
            _takes(song, **dict(zip(sources, shifts, strict=True))),
        )
        for shifts in chosen
    ]


def _instrument(song: Song, attenuation: float) -> list[Recipe]:
    """One version without each source, and the full version."""
    full = _takes(song)
    versions = []
    for muted in sorted(SOURCES):  # the order of the released code
        takes = tuple(
            None if source == muted else take for source, take in zip(SOURCES, full, strict=True)
        )
        versions.append(Recipe("instrument", f"without {muted}", takes, attenuation))
    return [*versions, Recipe("instrument", "full", full, attenuation)]


def _mix(songs: Sequence[Song], fidelity: Fidelity, attenuation: float, seed: int) -> list[Recipe]:
    """Each song once, and a tenth of the combinations of four songs, each with a tenth of the ways
    in which the four sources can be taken from the four songs."""
    n_sources = len(SOURCES)
    if len(songs) < n_sources:
        raise HiphopssError(
            f"the mix augmentation takes the sources from {n_sources} songs, but there are "
            f"{len(songs)}: add songs"
        )
    how = attenuation, fidelity.mix_drops_remainder
    found = [Recipe("mix", "unaugmented", _takes(song), *how) for song in songs]
    rng = _rng(seed, "mix")
    digit = rng.integers(_ONE_IN)
    for number, four in enumerate(combinations(songs, n_sources)):
        if number % _ONE_IN != digit:
            continue
        assignment_digit = rng.integers(_ONE_IN)
        for order, assigned in enumerate(permutations(four)):
            if order % _ONE_IN != assignment_digit:
                continue
            takes = tuple(
                Take(song) if source in song.stems else None
                for source, song in zip(SOURCES, assigned, strict=True)
            )
            version = f"combination {number}, assignment {order}"
            found.append(Recipe("mix", version, takes, *how))
    return found


def _without_repetition(found: list[Recipe]) -> list[Recipe]:
    """Keep the first of several recipes that give the same audio."""
    first: dict[tuple, Recipe] = {}
    for recipe in found:
        takes = tuple(take and (take.song.key, take.shift) for take in recipe.takes)
        first.setdefault((takes, recipe.attenuation), recipe)
    return list(first.values())


def _rng(seed: int, topic: str) -> np.random.Generator:
    return np.random.default_rng([seed, zlib.crc32(topic.encode())])
