"""Which versions of which songs the augmentations make: counts and choices."""

import itertools
import math

import pytest

from hiphopss import PRESETS, SOURCES
from hiphopss.datasets.features.augmentation import AUGMENTATIONS, recipes
from hiphopss.datasets.songs import Song

RELEASED, CORRECTED = PRESETS["released"], PRESETS["corrected"]


def songs(n_songs, without_vocals=()):
    """Songs that no file stands behind."""
    return [
        Song(
            name=f"{number:02d}",
            subset="Dev",
            mixture=None,
            stems={s: None for s in SOURCES if s != "vocals" or number not in without_vocals},
        )
        for number in range(n_songs)
    ]


@pytest.mark.parametrize("preset", PRESETS)
def test_counts_of_circular_shift_and_instrument(preset):
    fidelity = PRESETS[preset]
    shifted = recipes(songs(1), "circular-shift", fidelity)
    assert len(shifted) == 14
    assert len(recipes(songs(1), "instrument", fidelity)) == 5
    assignments = {tuple(take.shift for take in recipe.takes) for recipe in shifted}
    assert len(assignments) == 14
    if preset == "released":
        assert assignments == set(itertools.product((0, 0.2), repeat=4)) - {(0,) * 4, (0.2,) * 4}
    else:
        assert (0, 0, 0, 0) in assignments
        assert {shift for shifts in assignments for shift in shifts} == {0, 0.1, 0.2}
        assert all(min(shifts) == 0 for shifts in assignments)


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("seed", range(12))
def test_mix_combinations_of_13_songs(preset, seed):
    found = recipes(songs(13), "mix", PRESETS[preset], seed=seed)
    assert [r.version for r in found[:13]] == ["unaugmented"] * 13
    assert math.comb(13, 4) == 715
    by_combination = {}
    fours = list(itertools.combinations(range(13), 4))
    for recipe in found[13:]:
        four = tuple(int(take.song.name) for take in recipe.takes)
        number = fours.index(tuple(sorted(four)))
        order = list(itertools.permutations(sorted(four))).index(four)
        assert recipe.version == f"combination {number}, assignment {order}"
        by_combination.setdefault(number, []).append(order)
    assert len({number % 10 for number in by_combination}) == 1
    assert len(by_combination) in (71, 72)
    for orders in by_combination.values():
        assert len(orders) in (2, 3)
        assert len({order % 10 for order in orders}) == 1
    assert len({orders[0] % 10 for orders in by_combination.values()}) > 5  # drawn for each


def test_choices_follow_the_seed():
    for augmentation, fidelity in (("mix", RELEASED), ("circular-shift", CORRECTED)):
        first, again, other = (
            [r.version for r in recipes(songs(6), augmentation, fidelity, seed=seed)]
            for seed in (0, 0, 1)
        )
        assert first == again != other


@pytest.mark.parametrize("preset", PRESETS)
def test_combined_is_the_union(preset):
    fidelity = PRESETS[preset]

    def sounds(found):
        return {
            (tuple(t and (t.song.name, t.shift) for t in r.takes), r.attenuation) for r in found
        }

    union = recipes(songs(6), "combined", fidelity)
    parts = [recipes(songs(6), name, fidelity) for name in AUGMENTATIONS if name != "combined"]
    assert sounds(union) == set.union(*map(sounds, parts))
    assert len(union) == len(sounds(union))


def test_songs_without_vocals():
    these = songs(5, without_vocals=(1,))
    for name in ("circular-shift", "instrument"):
        skipped = recipes(these, name, RELEASED)
        assert "01" not in {r.songs[0].name for r in skipped}
        kept = [r for r in recipes(these, name, CORRECTED) if r.songs[0].name == "01"]
        assert len({r.version for r in kept}) == len(kept) == {"instrument": 4}.get(name, 14)
    unaugmented = [r for r in recipes(these, "mix", RELEASED) if r.version == "unaugmented"]
    assert unaugmented[1].takes[0] is None  # counts as silence there
