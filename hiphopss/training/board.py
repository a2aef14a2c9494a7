"""The log of a training as files for TensorBoard (``train --tensorboard``).

``keras.callbacks.TensorBoard`` tells neither the learning rate nor the speed, needs TensorFlow
whatever the backend of Keras is, and mixes a training that begins again with the one before.
"""

from __future__ import annotations

import io
import time
from pathlib import Path

import numpy as np

from hiphopss.errors import HiphopssError
from hiphopss.util.disk import cannot_write
from hiphopss.util.extras import require
from hiphopss.util.files import require_writable
from hiphopss.util.keras_backend import notices_held_back

_FILE = "events.out.tfevents."  # TensorBoard reads files with such names, in the order of the names
_VALIDATION_LOSS = "val_loss"
_UNCHARTED = {"epoch", "seconds"}
_SUMMARY = {"loss", "patches_per_s"}  # columns of the log that are no terms of the loss


class Board:
    """Writes the epochs of one training into a folder of its own.

    A training that is resumed goes on in its folder, which is known by the losses in there; epochs
    that are not there yet are filled in from the log. A new training of the same name gets a new
    folder: ``NAME``, ``NAME-2``, ... In it, ``train`` and ``validation`` share a chart of the loss.

    Parameters
    ----------
    folder : path-like
        The folder with which TensorBoard is started (``--logdir``).
    name : str
        Name of the training.
    log : list of dict
        A row for each epoch that is done already, as in ``NAME.log.csv``.

    Raises
    ------
    HiphopssError
        If the folder can't be written to, or as in :func:`require_tensorboard`.
    """

    def __init__(self, folder: str | Path, name: str, log: list[dict]):
        require_tensorboard()
        self._folder, self._n_written = _place_of(Path(folder), name, log)
        require_writable(self._folder / "validation" / _FILE)
        self._file = f"{_FILE}{self._n_written + 1:010}"

    def write(self, log: list[dict], learning_rate: float | None = None) -> None:
        """Write the epochs that are not in the folder yet.

        Parameters
        ----------
        log : list of dict
            A row for each epoch that is done by now.
        learning_rate : float, optional
            The learning rate of the last of these epochs.

        Raises
        ------
        HiphopssError
            If they can't be written.
        """
        for row in log[self._n_written :]:
            values = {name: value for name, value in row.items() if name not in _UNCHARTED}
            validation = values.pop(_VALIDATION_LOSS, None)
            charts = {
                name if name in _SUMMARY else f"terms/{name}": v for name, v in values.items()
            }
            if learning_rate is not None and row is log[-1]:
                charts["learning_rate"] = learning_rate
            self._append("train", row["epoch"], charts)
            if validation is not None:
                self._append("validation", row["epoch"], {"loss": validation})
        self._n_written = max(self._n_written, len(log))

    def _append(self, part: str, epoch: int, charts: dict[str, float]) -> None:
        """Append one epoch to a file, which is opened only now, so that TensorBoard sees it."""
        from tensorboard.compat.proto.event_pb2 import Event
        from tensorboard.compat.proto.summary_pb2 import Summary
        from tensorboard.summary.writer.record_writer import RecordWriter

        path, records = self._folder / part / self._file, io.BytesIO()
        writer, now = RecordWriter(records), time.time()
        values = [Summary.Value(tag=name, simple_value=value) for name, value in charts.items()]
        event = Event(wall_time=now, step=epoch, summary=Summary(value=values))
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with open(path, "ab") as file:
                if not file.tell():
                    writer.write(
                        Event(wall_time=now, file_version="brain.Event:2").SerializeToString()
                    )
                writer.write(event.SerializeToString())
                file.write(records.getvalue())
        except OSError as error:
            raise HiphopssError(f"{path}: {cannot_write(error)}") from error


def require_tensorboard() -> None:
    """Raise :class:`HiphopssError` if TensorBoard is not installed."""
    require("--tensorboard", "tensorboard")


def _place_of(folder: Path, name: str, log: list[dict]) -> tuple[Path, int]:
    """The folder of a training, and how many of its epochs are in there.

    It is the last folder of this name whose losses are those of the log, else a new one.
    """
    place, number, found = folder / name, 2, None
    done = {row["epoch"]: np.float32(row["loss"]) for row in log}
    while place.exists():
        losses = _losses(place)
        if losses and all(e in done and done[e] == loss for e, loss in losses.items()):
            found = place, max(losses)
        place, number = folder / f"{name}-{number}", number + 1
    return found or (place, 0)


def _losses(place: Path) -> dict[int, float]:
    """The loss of each epoch in the files of a folder."""
    with notices_held_back():  # it uses TensorFlow if that is installed
        from tensorboard.backend.event_processing.event_file_loader import LegacyEventFileLoader

        return {
            event.step: value.simple_value
            for path in sorted(place.glob(f"train/{_FILE}*"))
            for event in LegacyEventFileLoader(str(path)).Load()
            for value in event.summary.value
            if value.tag == "loss"
        }
