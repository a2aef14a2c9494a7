"""Checkpoints: weight files that also hold the state needed to resume a training run."""

from __future__ import annotations

import csv
import io
import json
import logging
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hiphopss import __version__
from hiphopss.config import Fidelity, SignalConfig
from hiphopss.errors import HiphopssError
from hiphopss.util.files import write_text, written_whole
from hiphopss.util.hdf5.reading import HDF5File
from hiphopss.util.interrupts import held
from hiphopss.util.keras_backend import import_keras, threads_in_use
from hiphopss.util.records import Finite, Sha256, parse_record
from hiphopss.weights.files import (
    SUFFIX,
    WeightsInfo,
    assign_arrays,
    digest_of,
    network_arrays,
    opened_own,
    read_info,
    read_own,
    require_finite,
    written_weights,
)

if TYPE_CHECKING:
    import keras

logger = logging.getLogger(__name__)

_STATE = "training"  # group of the file that holds the optimiser's state
_BEST = "best"  # group in this one that holds the weights of the best epoch


@dataclass
class Run:
    """A training run.

    Attributes
    ----------
    settings : dict
        Settings that determine the run, in a form that JSON can hold.
    log : list of dict
        A row for each completed epoch.
    data : list of dict
        ``"set"`` and ``"licence"`` of the known data sets on which it trains.
    songs : list of str
        Names of the songs on which it, or what it starts from, trains.
    stems : dict of str to str
        SHA-256 of the files of these songs, by ``<subset>/<song>/<source>``, for
        :func:`hiphopss.verify`.
    best : dict of str to np.ndarray
        Weights after the epoch with the least validation loss; none without validation.
    """

    settings: dict
    log: list[dict] = field(default_factory=list)
    data: list[dict[str, str]] = field(default_factory=list)
    songs: list[str] = field(default_factory=list)
    stems: dict[str, str] = field(default_factory=dict)
    best: dict[str, np.ndarray] = field(default_factory=dict)

    @property
    def epochs_done(self) -> int:
        """Number of completed epochs."""
        return len(self.log)

    @property
    def best_epoch(self) -> int:
        """The epoch with the least validation loss, from 1, the first of equals; 0 if none has."""
        rows = enumerate(self.log, 1)
        losses = [(row["val_loss"], epoch) for epoch, row in rows if "val_loss" in row]
        return min(losses)[1] if losses else 0

    def has_stalled(self, patience: int | None) -> bool:
        """Whether the last ``patience`` epochs, all without improvement, end the run."""
        return patience is not None and self.epochs_done >= self.best_epoch + patience


@dataclass(frozen=True)
class Recorded:
    """What a checkpoint says of its run."""

    settings: dict[str, Any]
    log: list[dict[str, int | Finite]]
    threads: str | None = None
    sha256: Sha256 | None = None

    def __post_init__(self) -> None:
        # Others may differ from row to row, if another version went on with the run.
        if not all({"epoch", "loss"} <= row.keys() for row in self.log):
            raise ValueError("rows of the log lack columns")


def beside(path: Path, ending: str, suffix: str = SUFFIX) -> Path:
    """Path of the file beside ``NAME.weights.h5`` with another ending."""
    return path.with_name(path.name.removesuffix(suffix) + ending)


def provenance(run: Run) -> dict:
    """The record of a run for its weight file."""
    keras = import_keras()
    return {
        **run.settings,
        "epochs": run.epochs_done,
        "final_loss": run.log[-1]["loss"],
        **({"data": run.data} if run.data else {}),
        "songs": run.songs,
        "threads": threads_in_use(),
        "stems": run.stems,
        "versions": {
            "hiphopss": __version__,
            "keras": keras.__version__,
            "backend": keras.backend.backend(),
            "numpy": np.__version__,
        },
    }


@held()
def save_checkpoint(
    path: Path, model: keras.Model, run: Run, *, config: SignalConfig, fidelity: Fidelity
) -> None:
    """Write weights and optimiser state completely, and the log, so that it can be watched."""
    arrays = network_arrays(model)
    require_finite(arrays, origin=str(path))
    info = WeightsInfo(config, fidelity, provenance(run), digest_of(arrays))
    state = {str(n): v.numpy() for n, v in enumerate(model.optimizer.variables)}
    state |= {f"{_BEST}/{name}": array for name, array in run.best.items()}
    told = {
        "settings": run.settings,
        "log": run.log,
        "threads": threads_in_use(),
        "sha256": digest_of(state),
    }
    with written_whole(path) as temporary, written_weights(temporary, model, info) as stored:
        group = stored.create_group(_STATE)
        group.attrs["run"] = json.dumps(told)
        for name, array in state.items():
            group[name] = array
    _write_log(beside(path, ".log.csv", f".checkpoint{SUFFIX}"), run.log)


def checkpoint_of(output: Path) -> Path:
    """Path of the checkpoint of a run that writes ``NAME.weights.h5``."""
    return beside(output, f".checkpoint{SUFFIX}")


def adopt_checkpoint(output: Path, others: Sequence[Path], *, epochs: int) -> None:
    """Copy the checkpoint of another run of the same settings, to go on from it.

    A run of fewer epochs, or one that was interrupted, is the beginning of one of more. Nothing is
    copied if no other has more epochs than the run's own checkpoint.

    Parameters
    ----------
    output : Path
        Weight file of the run.
    others : sequence of Path
        Weight files of runs that differ in the number of epochs at most; they need not exist.
    epochs : int
        Number of epochs of the run: a checkpoint of more is no use.
    """
    own = checkpoint_of(output)
    n_best, best = furthest(output, others, epochs=epochs)
    if best != own:
        logger.info("%s: goes on from epoch %d of %s", output, n_best, best)
        with written_whole(own) as temporary:
            shutil.copyfile(best, temporary)


def furthest(output: Path, others: Sequence[Path], *, epochs: int) -> tuple[int, Path]:
    """Epochs and path of the checkpoint that :func:`adopt_checkpoint` would use."""
    own = checkpoint_of(output)
    n_best, best = _epochs_in(own), own
    for other in map(checkpoint_of, others):
        if n_best < (n_epochs := _epochs_in(other)) <= epochs:
            n_best, best = n_epochs, other
    return n_best, best


def _epochs_in(checkpoint: Path) -> int:
    """Number of epochs of a checkpoint; 0 if there is none that can be read."""
    try:
        return read_info(checkpoint).provenance.get("epochs") or 0
    except HiphopssError:
        return 0


def resume(path: Path, model: keras.Model, run: Run) -> None:
    """Load weights, optimiser state and log of a checkpoint into ``model`` and ``run``.

    Raises
    ------
    HiphopssError
        If the file is not a checkpoint, or belongs to another run.
    """
    with opened_own(path) as stored:
        _, arrays = read_own(stored)
        before = _recorded(stored)
        for name, value in run.settings.items():
            if before.settings.get(name) != value:
                raise HiphopssError(
                    f"{path}: a checkpoint of another run (another {name}): "
                    "use --restart to begin anew, or another output"
                )
        # Only now, because the weights of another preset would raise a less helpful error first.
        assign_arrays(model, arrays, origin=str(path))
        for number, variable in enumerate(model.optimizer.variables):
            variable.assign(_state(stored, str(number), tuple(variable.shape)))
        if f"{_STATE}/{_BEST}" in stored.groups:
            run.best = {
                name: _state(stored, f"{_BEST}/{name}", array.shape)
                for name, array in arrays.items()
            }
        if _has_its_state(stored, before) is False:
            raise HiphopssError(
                f"{path}: the SHA-256 of the state of its training is not the one it records, so "
                "it is damaged or was edited: use --restart to begin anew, or another output"
            )
    run.log = before.log
    threads = threads_in_use() if before.threads is None else before.threads
    if threads != threads_in_use():
        logger.warning(
            "%s: the epochs so far were computed in %s threads, the next ones in %s, so the result "
            "is not exactly that of an uninterrupted run: for that, use %s again",
            *(path, threads, threads_in_use(), threads),
        )


def _recorded(stored: HDF5File) -> Recorded:
    """What a checkpoint says of its run."""
    text = stored.groups.get(_STATE, {}).get("run")
    if not isinstance(text, str):
        raise HiphopssError(f"{stored.path}: not a checkpoint of a training run: move it away")
    return parse_record(text, Recorded, origin=stored.path, mend="use --restart to begin anew")


def _state(stored: HDF5File, name: str, shape: tuple[int, ...]) -> np.ndarray:
    """An array of the state of a run: finite numbers, or whole ones, which are only counts."""
    place = stored.arrays.get(f"{_STATE}/{name}")
    if place is None or place.shape != shape or (shape and place.dtype != "<f4"):
        raise HiphopssError(
            f"{stored.path}: lacks a part of the optimiser's state ({name}), or has another one: "
            "use --restart to begin anew, or another output"
        )
    array = stored.array(f"{_STATE}/{name}", place.dtype)
    require_finite({name: array}, origin=str(stored.path))
    return array


def has_its_state(path: Path) -> bool | None:
    """Whether the state in a checkpoint has the SHA-256 that the checkpoint records.

    Parameters
    ----------
    path : Path
        A checkpoint, whose weights can be read.

    Returns
    -------
    bool or None
        None if none is recorded, as in older checkpoints.

    Raises
    ------
    HiphopssError
        If it is not a checkpoint.
    """
    with opened_own(path) as stored:
        return _has_its_state(stored, _recorded(stored))


def _has_its_state(stored: HDF5File, before: Recorded) -> bool | None:
    inner = f"{_STATE}/"
    arrays = {
        name.removeprefix(inner): stored.array(name, place.dtype)
        for name, place in stored.arrays.items()
        if name.startswith(inner)
    }
    return None if before.sha256 is None else digest_of(arrays) == before.sha256


def _write_log(path: Path, log: list[dict]) -> None:
    text = io.StringIO()
    columns = dict.fromkeys(name for row in log for name in row)  # those of older versions differ
    writer = csv.DictWriter(text, fieldnames=list(columns), lineterminator="\n")
    writer.writeheader()
    writer.writerows(log)
    write_text(path, text.getvalue())
