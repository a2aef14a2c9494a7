"""Checkpoints: weight files that also hold the state needed to resume a training run."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from hiphopss import __version__
from hiphopss.config import Fidelity, SignalConfig
from hiphopss.errors import HiphopssError
from hiphopss.util.files import write_text, written_whole
from hiphopss.util.keras_backend import import_keras
from hiphopss.weights.files import (
    SUFFIX,
    WeightsInfo,
    assign_arrays,
    digest_of,
    network_arrays,
    read_arrays,
    write_weights,
)

if TYPE_CHECKING:
    import keras

_STATE = "training"  # group of the file that holds the optimiser's state


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
    """

    settings: dict
    log: list[dict] = field(default_factory=list)
    data: list[dict[str, str]] = field(default_factory=list)

    @property
    def epochs_done(self) -> int:
        """Number of completed epochs."""
        return len(self.log)


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
        "versions": {
            "hiphopss": __version__,
            "keras": keras.__version__,
            "backend": keras.backend.backend(),
            "numpy": np.__version__,
        },
    }


def save_checkpoint(
    path: Path, model: keras.Model, run: Run, *, config: SignalConfig, fidelity: Fidelity
) -> None:
    """Write weights and optimiser state completely, and the log, so that it can be watched."""
    import h5py

    digest = digest_of(network_arrays(model))
    info = WeightsInfo(config, fidelity, provenance(run), digest)
    with written_whole(path) as temporary:
        write_weights(temporary, model, info)
        with h5py.File(temporary, "r+") as stored:
            group = stored.create_group(_STATE)
            group.attrs["run"] = json.dumps(asdict(run))
            for number, variable in enumerate(model.optimizer.variables):
                group[str(number)] = variable.numpy()
    _write_log(beside(path, ".log.csv", f".checkpoint{SUFFIX}"), run.log)


def epochs_in(path: Path) -> int:
    """Number of completed epochs in the checkpoint of a weight file; 0 if there is none."""
    import h5py

    checkpoint = beside(path, f".checkpoint{SUFFIX}")
    if not checkpoint.exists():
        return 0
    with h5py.File(checkpoint, "r") as stored:
        return len(json.loads(stored[_STATE].attrs["run"])["log"]) if _STATE in stored else 0


def resume(path: Path, model: keras.Model, run: Run) -> None:
    """Load weights, optimiser state and log of a checkpoint into ``model`` and ``run``.

    Raises
    ------
    HiphopssError
        If the file is not a checkpoint, or belongs to another run.
    """
    import h5py

    arrays = read_arrays(path)
    with h5py.File(path, "r") as stored:
        if _STATE not in stored:
            raise HiphopssError(f"{path}: not a checkpoint of a training run: move it away")
        state = stored[_STATE]
        before = json.loads(state.attrs["run"])
        for name, value in run.settings.items():
            if before["settings"].get(name) != value:
                raise HiphopssError(
                    f"{path}: a checkpoint of another run (another {name}): "
                    "use --restart to begin anew, or another output"
                )
        # Only now, because the weights of another preset would raise a less helpful error first.
        assign_arrays(model, arrays, origin=str(path))
        for number, variable in enumerate(model.optimizer.variables):
            variable.assign(state[str(number)][()])
    run.log = before["log"]


def _write_log(path: Path, log: list[dict]) -> None:
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(log[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(log)
    write_text(path, text.getvalue())
