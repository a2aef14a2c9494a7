"""Trains where the shipped weights start: ``python -m hiphopss.reproduction.shipped_weights WORK``.

The result, ``WORK/start.weights.h5``, is what :mod:`hiphopss.weights.default` goes on from. It is
trained only on generated songs: for each seed, the 13 Dev songs of the stand-in for HHDS
and the 16 of that for DSD100, 30 seconds each, in the preset ``corrected``, without augmentation.
The seeds start at 1000, so that sets which people generate with small seeds have none of these
songs. Each set is generated in a process of its own; an interrupted training is resumed.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

from hiphopss.datasets.features.make import make_features
from hiphopss.datasets.generated import generate
from hiphopss.datasets.songs import read_songs
from hiphopss.training.loop import train
from hiphopss.training.settings import TrainingSettings
from hiphopss.util.executor import Executor

FIRST_SEED = 1000
SECONDS = 30.0
N_SONGS = {"hhds": 13, "dsd100": 16}


def songs_of(wanted: tuple[Path, str, int]) -> None:
    """Generate the set with this root, collection and seed, unless it exists."""
    root, collection, seed = wanted
    if not root.exists():
        generate(
            root,
            collection=collection,
            seconds=SECONDS,
            n_dev=N_SONGS[collection],
            n_test=1,
            seed=seed,
            progress=False,
        )


def main(arguments: list[str] | None = None) -> None:
    """Generate the songs, compute the features, and train."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("work", type=Path)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=20)
    options = parser.parse_args(arguments)
    seeds = range(FIRST_SEED, FIRST_SEED + options.seeds)
    sets = [
        (options.work / f"{collection}-{seed}", collection, seed)
        for seed in seeds
        for collection in N_SONGS
    ]
    Executor().map(
        songs_of,
        sets,
        cost=lambda wanted: N_SONGS[wanted[1]],
        n_useful=len(sets),
        done=lambda _: None,
    )
    features = options.work / "features.h5"
    if not features.exists():
        songs = [
            replace(song, name=f"{root.name}/{song.name}")
            for root, *_ in sets
            for song in read_songs(root, ("Dev",))
        ]
        make_features(songs, features, preset="corrected")
    settings = TrainingSettings(epochs=options.epochs)
    train(features, options.work / "start.weights.h5", settings)


if __name__ == "__main__":
    main()
