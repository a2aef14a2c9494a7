"""Trains the default weights: ``python -m hiphopss.weights.default WORK``."""

from __future__ import annotations

import argparse
import logging
import sys
from dataclasses import asdict, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

import hiphopss
from hiphopss.config import SignalConfig, resolve_preset
from hiphopss.errors import HiphopssError
from hiphopss.util.keras_backend import import_keras
from hiphopss.util.progress import say, tell
from hiphopss.weights.default.facts import FACTS, Sources
from hiphopss.weights.default.library import make_banks, make_library
from hiphopss.weights.default.mixing import read_shelves
from hiphopss.weights.default.train import Settings, Trained, train
from hiphopss.weights.files import (
    SUFFIX,
    assign_arrays,
    network_arrays,
    read_weights,
    save_weights,
)

PRESET = "corrected"
KEPT, RUNS = 0.1, 2
FIRST_SEED = 1000  # sets that people generate with small seeds have none of these songs


def initial_arrays(seed: int) -> dict[str, np.ndarray]:
    """Initial weights of the network."""
    import_keras()
    from hiphopss.network.model import build_model

    return network_arrays(build_model(PRESET, seed=seed))


def blend(
    initial: dict[str, np.ndarray], trained: list[dict[str, np.ndarray]], kept: float
) -> dict[str, np.ndarray]:
    """The mean of networks that were trained from the same one, and a share of that one.

    It keeps more of what the first one knew (Wortsman et al., "Model soups" and "Robust fine-tuning
    of zero-shot models", both 2022).
    """
    return {
        name: kept * array + (1 - kept) * np.mean([one[name] for one in trained], axis=0)
        for name, array in initial.items()
    }


def save(path: Path, arrays: dict[str, np.ndarray], facts: dict[str, Any]) -> None:
    """Write a weight file that says what it was trained on."""
    import_keras()
    from hiphopss.network.model import build_model

    model = build_model(PRESET)
    assign_arrays(model, arrays, origin=str(path))
    save_weights(
        path, model, config=SignalConfig(), fidelity=resolve_preset(PRESET), provenance=facts
    )


def facts_of(
    runs: list[Trained], settings: Settings, n_rows: dict[str, int], start: str | None, kept: float
) -> dict[str, Any]:
    """What the weight file says of itself; ``start`` is the SHA-256 of the initial weights."""
    return {
        "data": FACTS["heard"],
        "rows": n_rows,
        **asdict(settings),
        "best_steps": [trained.step for trained in runs],
        "patches": sum(trained.patches for trained in runs),
        "validation_losses": [[round(loss, 4) for loss in run.losses] for run in runs],
        "started_from": start,
        "kept_of_start": kept,
        "versions": {"hiphopss": hiphopss.__version__, "jax": version("jax")},
    }


def parser() -> argparse.ArgumentParser:
    """The command's options."""
    options = argparse.ArgumentParser(
        prog="python -m hiphopss.weights.default", description=__doc__
    )
    options.add_argument("work", type=Path, help="folder for all that is made")
    options.add_argument(
        "--soundfont", type=Path, default=Path("/usr/share/sounds/sf2/FluidR3_GM.sf2")
    )
    options.add_argument("--samples", type=Path, default=Path("/usr/share/sonic-pi/samples"))
    options.add_argument("--kits", type=Path, default=Path("/usr/share/hydrogen/data/drumkits"))
    options.add_argument("--speech", type=Path, help="recordings of speech (default: WORK/speech)")
    options.add_argument("--rows", type=int, default=FACTS["rows"], help="of each kind, 30 s each")
    options.add_argument("--minutes", type=float, default=11.0, help="of each bank of phrases")
    options.add_argument("--seeds", type=int, default=3, help="generated sets of each collection")
    options.add_argument("--steps", type=int, default=Settings.steps)
    options.add_argument("--rate", type=float, default=Settings.rate)
    options.add_argument("--seed", type=int, default=Settings.seed)
    options.add_argument("--runs", type=int, default=RUNS, help="with seeds from --seed on")
    options.add_argument("--init", type=Path, help="weights to start from (default: random ones)")
    options.add_argument(
        "--keep", type=float, default=KEPT, help="share of those in the mean that is written"
    )
    return options


def main(arguments: list[str] | None = None) -> None:
    """Make what isn't there yet, and train."""
    chosen = parser().parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    work = chosen.work
    sources = Sources(
        soundfont=chosen.soundfont,
        samples=chosen.samples,
        kits=chosen.kits,
        speech=chosen.speech or work / "speech",
        phrases=work / "bank",
    )
    sources.require()
    make_banks(sources.phrases, minutes=chosen.minutes, progress=True)
    make_library(
        work / "library",
        sources,
        n_rows=chosen.rows,
        seeds=range(FIRST_SEED, FIRST_SEED + chosen.seeds),
        progress=True,
    )
    shelves = read_shelves(work / "library", held_out=False)
    n_rows = {
        f"{stem}/{kind}": len(shelf.rows)
        for stem, kinds in shelves.items()
        for kind, shelf in kinds.items()
    }
    settings = Settings(steps=chosen.steps, rate=chosen.rate, seed=chosen.seed)
    info, arrays = read_weights(chosen.init) if chosen.init else (None, initial_arrays(chosen.seed))
    held_out = read_shelves(work / "library", held_out=True)
    runs = [
        train(arrays, shelves, held_out, replace(settings, seed=seed), progress=True)
        for seed in range(chosen.seed, chosen.seed + chosen.runs)
    ]
    kept = chosen.keep if info else 0.0
    path = work / f"generated{SUFFIX}"
    facts = facts_of(runs, settings, n_rows, info.sha256 if info else None, kept)
    save(path, blend(arrays, [run.arrays for run in runs], kept), facts)
    tell(f"{path}: losses {', '.join(f'{min(run.losses):.4f}' for run in runs)}")


if __name__ == "__main__":
    try:
        main()
    except HiphopssError as error:
        say(str(error), last=True)
        sys.exit(2)
