"""The library: rows of 30 s of every kind of every stem, in 16 bits, one file a few rows."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile

from hiphopss.config import SOURCES
from hiphopss.datasets.generated import generate
from hiphopss.datasets.generated.effects import RATE, normalise
from hiphopss.util.executor import Executor
from hiphopss.util.files import written_whole
from hiphopss.util.progress import progress_bar
from hiphopss.weights.default.bass import make_bass
from hiphopss.weights.default.drums import make_drums
from hiphopss.weights.default.facts import FACTS, Sources
from hiphopss.weights.default.kokoro import make_phrases
from hiphopss.weights.default.other import make_other
from hiphopss.weights.default.plan import SECONDS
from hiphopss.weights.default.vocals import make_vocals

MAKERS = {"vocals": make_vocals, "bass": make_bass, "drums": make_drums, "other": make_other}
FULL_SCALE = 32000
ROWS_A_FILE = 10
SILENT = 0.01  # peak of a generated stem that isn't heard


@dataclass(frozen=True)
class Job:
    """A file to make: its path, stem and kind, its rows' numbers, and what they are made from."""

    path: Path
    stem: str
    kind: str
    numbers: range
    sources: Sources


def make_library(
    folder: Path, sources: Sources, *, n_rows: int, seeds: range, progress: bool
) -> None:
    """Make all rows that aren't there yet.

    Parameters
    ----------
    folder : Path
        Gets ``STEM/KIND-NUMBER.npy``.
    sources : Sources
    n_rows : int
        Rows of each kind that is made here.
    seeds : range
        Of the generated sets, whose songs are further kinds: ``"hhds"`` and ``"dsd100"``. The sets
        are made beside the folder.
    progress : bool
    """
    jobs: list[Job] = []
    for stem, kinds in FACTS["kinds"].items():
        for kind in kinds:
            for first in range(0, n_rows, ROWS_A_FILE):
                path = folder / stem / f"{kind}-{first:03d}.npy"
                if kind not in FACTS["generated"] and not path.exists():
                    numbers = range(first, min(first + ROWS_A_FILE, n_rows))
                    jobs.append(Job(path, stem, kind, numbers, sources))
    wanted = [
        (folder, collection, seed)
        for collection in FACTS["generated"]
        for seed in seeds
        if not _path_of(folder, SOURCES[-1], collection, seed).exists()
    ]
    n = len(jobs) + len(wanted)
    with progress_bar(total=n, desc="stems", unit="file", show=progress) as bar:

        def done(_: object) -> None:
            bar.update()

        executor = Executor()
        executor.map(_generate, wanted, cost=lambda _: 1.0, n_useful=len(wanted), done=done)
        executor.map(_make, jobs, cost=lambda _: 1.0, n_useful=len(jobs), done=done)


def _path_of(folder: Path, stem: str, collection: str, seed: int) -> Path:
    return folder / stem / f"{collection}-{seed}.npy"


def _make(job: Job) -> None:
    rows = [MAKERS[job.stem](number, job.kind, job.sources) for number in job.numbers]
    _write(job.path, rows)


def _write(path: Path, rows: list[np.ndarray]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    n = int(SECONDS * RATE)
    rows = [normalise(np.pad(row[:n], (0, max(n - len(row), 0)))) for row in rows]
    with written_whole(path) as temporary, open(temporary, "wb") as file:
        np.save(file, np.round(np.stack(rows) * FULL_SCALE).astype(np.int16))


def _generate(wanted: tuple[Path, str, int]) -> None:
    """Generate a set, and keep its stems that are heard."""
    folder, collection, seed = wanted
    root = folder.parent / f"{collection}-{seed}"
    if not root.exists():
        n_dev = FACTS["generated"][collection]
        generate(
            root,
            collection=collection,
            seconds=SECONDS,
            n_dev=n_dev,
            n_test=1,
            seed=seed,
            progress=False,
        )
    for stem in SOURCES:  # by the last one a finished set is known
        found = [soundfile.read(path)[0] for path in sorted(root.glob(f"Sources/Dev/*/{stem}.wav"))]
        rows = [row for row in found if np.abs(row).max() > SILENT]
        _write(_path_of(folder, stem, collection, seed), rows)


def make_banks(folder: Path, *, minutes: float, progress: bool) -> None:
    """Make the banks of phrases that aren't there yet."""
    folder.mkdir(parents=True, exist_ok=True)
    for seed in FACTS["kokoro"]["seeds"]:
        path = folder / f"kokoro-{seed}.npz"
        if not path.exists():
            make_phrases(path, minutes=minutes, seed=seed, progress=progress)
