"""The choice of a run's training and test songs."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from hiphopss.config import SOURCES, SignalConfig
from hiphopss.datasets.alike import require_alike
from hiphopss.datasets.dsd100 import dsd100_songs, listed_song
from hiphopss.datasets.generated import generate
from hiphopss.datasets.hhds import hhds_songs
from hiphopss.datasets.measuring import measure_songs
from hiphopss.datasets.roots import is_generated, song_root
from hiphopss.datasets.songs import Song
from hiphopss.datasets.stems import song_length
from hiphopss.datasets.testsets import TestSet, second_test_set, training_songs
from hiphopss.errors import HiphopssError
from hiphopss.reproduction.experiments import HHDS_TEST, HIP_HOP_TEST, Profile
from hiphopss.reproduction.store import Store
from hiphopss.util.files import require_space
from hiphopss.util.locks import unmade

logger = logging.getLogger(__name__)

COLLECTIONS = {"HHDS": "hhds", "DSD100": "dsd100"}
"""Data sets of Table 1, and the names of the generated sets that replace them."""


@dataclass(frozen=True)
class Songs:
    """The songs of a run.

    Attributes
    ----------
    roots : dict of str to Path
        Roots of ``"HHDS"`` and ``"DSD100"``, if available.
    dev : dict of str to list of Song
        Training songs by data set; none of them is a test song.
    tests : dict of str to list of Song
        Test songs by test set, which is also their subset.
    leaked : list of Song
        HHDS's own test songs, on which the released test leak trains (Q3).
    second : TestSet or None
        What the second test set is, and why; None if there is none.
    """

    roots: dict[str, Path]
    dev: dict[str, list[Song]]
    tests: dict[str, list[Song]]
    leaked: list[Song]
    second: TestSet | None = None

    @property
    def generated(self) -> bool:
        """Whether any data set is generated."""
        return any(map(is_generated, self.roots.values()))

    @property
    def of_dsd100(self) -> bool:
        """Whether any test song is a real one of DSD100."""
        return any(
            listed_song(song.name) and not is_generated(song_root(song)) for song in self.all_tests
        )

    @property
    def all_tests(self) -> list[Song]:
        """Songs of both test sets."""
        return [song for songs in self.tests.values() for song in songs]


def generated_roots(
    store: Store, profile: Profile, preset: str, seed: int, progress: bool
) -> dict[str, Path]:
    """Roots of the generated sets; missing sets are generated."""
    roots = {}
    for dataset, (root, sizes) in generated_sets(store, profile, preset, seed).items():
        with unmade(root, label=f"generated {dataset}") as missing:
            if missing:
                require_space(root, generated_bytes(sizes), f"the generated {dataset}")
                generate(root, **sizes, progress=progress)
        roots[dataset] = root
    return roots


def generated_sets(
    store: Store, profile: Profile, preset: str, seed: int
) -> dict[str, tuple[Path, dict[str, Any]]]:
    """Roots of the generated sets, whether they exist or not, and the arguments that make them."""
    from hiphopss.datasets.generated import VERSION

    sets = {}
    for dataset, collection in COLLECTIONS.items():
        n_dev, n_test = profile.n_songs[dataset]
        sizes = {
            "collection": collection,
            "seconds": profile.seconds[preset],
            "n_dev": n_dev,
            "n_test": n_test,
            "seed": seed,
        }
        sets[dataset] = store.path("songs", collection, sizes | {"version": VERSION}), sizes
    return sets


def generated_bytes(sizes: dict[str, Any]) -> int:
    """Bytes of a generated set's samples: 16 bits of each stem and the mixture."""
    n_files = (sizes["n_dev"] + sizes["n_test"]) * (len(SOURCES) + 1)
    return 2 * n_files * round(sizes["seconds"] * SignalConfig().sample_rate)


def choose_songs(
    roots: dict[str, Path],
    test_songs: Sequence[str] = (),
    test_set: str | None = None,
    *,
    progress: bool = True,
) -> Songs:
    """Choose training and test songs from data sets.

    Parameters
    ----------
    roots : dict of str to Path
        Root of ``"HHDS"``, and of ``"DSD100"`` if available; MUSDB18 may stand in for it.
    test_songs : sequence of str
        Names of the songs of the second test set; by default those of ``test_set``.
    test_set : str, optional
        Name of the second test set; see :func:`hiphopss.datasets.testsets.second_test_set`.
    progress : bool
        Show a progress bar while songs in stem files are measured.

    Returns
    -------
    Songs
        Songs of the run. There is no second test set without DSD100, unless test songs are named or
        HHDS's folder also contains those of DSD100.

    Raises
    ------
    HiphopssError
        If there are no test songs, if two have the same name, if a file can't be read or does not
        match the others of its song, or if a data set can't be read.

    Logs
    ----
    WARNING
        If Dev songs are left out because they are test songs.
    """
    sets = {"HHDS": hhds_songs(roots["HHDS"])}
    if "DSD100" in roots:
        sets["DSD100"] = dsd100_songs(roots["DSD100"])
    own_tests = [song for song in sets["HHDS"] if song.subset == "Test"]
    if not own_tests:
        raise HiphopssError(
            f"{roots['HHDS']}: no songs to test on: put some in Sources/Test and Mixtures/Test"
        )
    tests, second = {HHDS_TEST: own_tests}, None
    try:
        second = second_test_set(
            dsd100=roots.get("DSD100"),
            hhds=roots["HHDS"],
            test_set=test_set,
            names=list(test_songs) or None,
        )
        tests[HIP_HOP_TEST] = second.songs
    except HiphopssError as error:
        if test_songs or test_set or "DSD100" in roots:
            raise
        logger.warning("%s (there is no second test set)", error)
    every_test = [song for songs in tests.values() for song in songs]
    measure_songs(
        [*every_test, *(song for some in sets.values() for song in some)], progress=progress
    )
    _require_testable(every_test)
    dev = {}
    for name, songs in sets.items():
        own = [song for song in songs if song.subset == "Dev"]
        dev[name] = training_songs(own, every_test)
        for song in dev[name]:
            song_length(song, SignalConfig().sample_rate)  # report a bad file now, not later
        dropped = ", ".join(song.name for song in own if song not in dev[name])
        if dropped:
            logger.warning(
                "%s: not trained on, because they are test songs: %s", roots[name], dropped
            )
    labelled = {
        label: [replace(song, subset=label) for song in songs] for label, songs in tests.items()
    }
    return Songs(dict(roots), dev, labelled, own_tests, second)


def _require_testable(songs: list[Song]) -> None:
    """Raise for test songs that would stop separation or evaluation hours later."""
    seen: dict[str, Song] = {}
    for song in songs:
        if song.mixture is None:
            raise HiphopssError(f"{song.folder}: a test song without mixture.wav: add its mixture")
        if song.name in seen:
            other = seen[song.name].folder
            raise HiphopssError(
                f"{song.folder}: a test song of the same name as {other}: rename one, or name "
                "other test songs"
            )
        seen[song.name] = song
        require_alike([song.mixture, *song.stems.values()], downmixed=True)
