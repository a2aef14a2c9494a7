"""What a run takes, before it begins: songs, patches, bytes, hours, and what is made already."""

from __future__ import annotations

import logging
import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

from hiphopss.datasets.features.plan import duration, quiet
from hiphopss.datasets.generated.hollow import write_hollow
from hiphopss.reproduction.calibration import Calibration
from hiphopss.reproduction.planner import DONE, STAGES, PlanLine, Planner
from hiphopss.reproduction.reproduce import (
    ReproductionSettings,
    given_roots,
    make_stages,
    require_data,
    resolve,
)
from hiphopss.reproduction.songs import choose_songs, generated_sets
from hiphopss.reproduction.store import Store
from hiphopss.util.executor import Executor
from hiphopss.util.files import amount, free_space

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Plan:
    """What a run takes.

    Attributes
    ----------
    lines : tuple of PlanLine
        Outputs by stage.
    settings : ReproductionSettings
        Settings of the run, with a preset.
    store : Path
        Folder of the outputs.
    n_free : int
        Free bytes on its disk.
    backend : str
        Keras backend for which training was measured.
    """

    lines: tuple[PlanLine, ...]
    settings: ReproductionSettings
    store: Path
    n_free: int
    backend: str

    @property
    def seconds(self) -> float | None:
        """Expected time for all that is left; None if that of a part is not known."""
        return _total(self.lines)

    @property
    def n_bytes(self) -> int:
        """Bytes of all that is left to write."""
        return sum(line.n_bytes for line in self.lines if line.state != DONE)

    def text(self) -> str:
        """The plan for people, as a table."""
        header = ["stage", "of", "songs", "segments", "patches", "steps", "size", "time", "store"]
        rows = [header]
        for line in self.lines:
            numbers = (line.n_songs, line.n_segments, line.n_patches, line.n_steps)
            cells = ["" if number is None else f"{number:,}" for number in numbers]
            size = amount(line.n_bytes) if line.n_bytes else ""
            rows.append([line.stage, line.name, *cells, size, _time(line.seconds), line.state])
        chosen = self.settings.profile
        short = " (not enough)" if self.n_bytes > self.n_free else ""
        stages = [[line for line in self.lines if line.stage == stage] for stage in STAGES]
        parts = [f"{some[0].stage} {_time(_total(some)) or 'unknown'}" for some in stages if some]
        return "\n".join(
            [
                f"profile {chosen.name}, preset {self.settings.preset}, seed {self.settings.seed}, "
                f"backend {self.backend}",
                "",
                *_aligned(rows),
                "",
                f"time left, about: {_time(self.seconds) or 'unknown'} ({', '.join(parts)})",
                f"left to write: {amount(self.n_bytes)}; free: {amount(self.n_free)}{short}",
                f"store: {self.store}",
            ]
        )


def plan(
    output: str | Path,
    settings: ReproductionSettings | None = None,
    *,
    store: str | Path | None = None,
    where: Executor | None = None,
    calibrate: bool = True,
    progress: bool = True,
) -> Plan:
    """Say what :func:`hiphopss.reproduce` would do, and what that takes, without doing it.

    Nothing is written to ``output`` or to the store. Generated sets that do not exist are not
    generated: their names and lengths are known.

    Parameters
    ----------
    output, settings, store, where
        As in :func:`hiphopss.reproduce`.
    calibrate : bool
        Measure for some seconds how fast this machine does each stage that is not done. Otherwise
        times are unknown.
    progress : bool
        Show a progress bar while songs in stem files are measured.

    Returns
    -------
    Plan
        Songs, segments, patches and the bytes of features are exact, other bytes nearly so; times
        are estimates, for a machine with nothing else to do.

    Raises
    ------
    HiphopssError
        As in :func:`hiphopss.reproduce`, where that would raise before any work.
    """
    output, where = Path(output), where or Executor()
    settings, experiments = resolve(output, settings or ReproductionSettings())
    where.check()
    kept = Store(store or output / "store", writes=False)
    sets = generated_sets(kept, settings.profile, settings.preset, settings.seed)
    generated = not given_roots(settings)
    hollow = generated and not all(root.exists() for root, _ in sets.values())
    if calibrate:
        logger.info("measuring how fast this machine is, which takes some seconds")
    with tempfile.TemporaryDirectory() as folder:
        roots = given_roots(settings) or {name: root for name, (root, _) in sets.items()}
        if hollow:
            roots = {name: Path(folder, name) for name in sets}
            for name, (_, sizes) in sets.items():
                write_hollow(roots[name], **sizes)
        with quiet() if hollow else nullcontext():  # what is told of real songs is for people
            songs = choose_songs(roots, settings.test_songs, settings.test_set, progress=progress)
        require_data(experiments, settings, songs.dev)
        planner = Planner(
            stages=make_stages(kept, songs, settings, where, progress=False),
            moved={roots[name]: root for name, (root, _) in sets.items()} if hollow else {},
            calibration=Calibration(settings.preset) if calibrate else None,
        )
        lines = [planner.generated(name, *made) for name, made in sets.items() if generated]
        lines += planner.lines(experiments)
    backend = os.environ.get("KERAS_BACKEND", "tensorflow")
    return Plan(tuple(lines), settings, kept.root, free_space(kept.root), backend)


def _total(lines: Sequence[PlanLine]) -> float | None:
    known = [line.seconds for line in lines if line.seconds is not None]
    return sum(known) if len(known) == len(lines) else None


def _time(seconds: float | None) -> str:
    if seconds is None:
        return ""
    return duration(seconds) if seconds else "-"


def _aligned(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Lines of a table: text to the left, numbers to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    text = (0, 1, len(widths) - 1)
    for row in rows:
        cells = [
            cell.ljust(width) if number in text else cell.rjust(width)
            for number, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        yield "  ".join(cells).rstrip()
