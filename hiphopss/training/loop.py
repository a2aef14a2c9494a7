"""Training from a feature file with Adadelta on the released loss, and exact resumption.

docs/released-code.md, sections 2 (batches) and 4 (loss, optimiser).
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from hiphopss.config import LossWeights
from hiphopss.datasets.features.file import FeatureFile
from hiphopss.datasets.features.segments import DATA
from hiphopss.datasets.licences import merged
from hiphopss.errors import HiphopssError
from hiphopss.training.batches import epoch_batches
from hiphopss.training.board import Board, require_tensorboard
from hiphopss.training.callbacks import callback_list, told_batches
from hiphopss.training.checkpoints import Run, checkpoint_of, provenance, resume, save_checkpoint
from hiphopss.training.processes import Cluster, Share, joined
from hiphopss.training.settings import TrainingSettings
from hiphopss.training.split import Split, split_patches
from hiphopss.training.steps import compile_model, training_steps
from hiphopss.training.validation import Validation
from hiphopss.util.files import require_writable
from hiphopss.util.interrupts import held, held_between
from hiphopss.util.keras_backend import import_keras, require_keras
from hiphopss.util.locks import locked
from hiphopss.util.progress import progress_bar
from hiphopss.weights.files import (
    SUFFIX,
    assign_arrays,
    network_arrays,
    read_weights,
    save_weights,
)

if TYPE_CHECKING:
    import keras
    from tqdm import tqdm

logger = logging.getLogger(__name__)

_WORTH_COMPILING = 10  # least number of batches in an epoch


def train(
    features: str | Path,
    output: str | Path,
    settings: TrainingSettings | None = None,
    *,
    init: str | Path | None = None,
    restart: bool = False,
    cluster: Cluster | None = None,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    tensorboard: str | Path | None = None,
    progress: bool = True,
) -> Path:
    """Train a network on a feature file, in the feature file's preset unless settings say another.

    Beside ``NAME.weights.h5`` it writes ``NAME.log.csv`` (for each epoch, the mean of the loss and
    of each of its terms over the batches; the terms, which add up to the loss before its absolute
    value, are estimated from some of the patches in batches of 8 or more) and, after every epoch,
    ``NAME.checkpoint.weights.h5``, a weight file that also holds the optimiser's state. If a
    checkpoint of the same run exists, training resumes from it, and on the same machine the result
    is exactly that of an uninterrupted run, the choice of the best epoch and the end by patience
    included. If the checkpoint already has all epochs, a log line says so; with more epochs,
    training goes on.

    With a validation, the log also has ``val_loss``: the mean loss of batches of validation patches
    as large as in the training. No random choice and no update depends on it.

    Parameters
    ----------
    features : path-like
        Feature file from :func:`hiphopss.make_features`.
    output : path-like
        Weight file to write, ``NAME.weights.h5``.
    settings : TrainingSettings, optional
        Epochs, batches, seed and loss.
    init : path-like, optional
        Weight file (own or published) to start from; by default the network is initialised anew.
    restart : bool
        Start again instead of resuming from a checkpoint.
    cluster : Cluster, optional
        Divide every batch among devices, in this process or in several (with JAX). Process 0 reads
        ``init`` and the checkpoint for all, and only process 0 writes files and shows the bar.
        Each computes a part of the validation.
    callbacks : sequence of keras.callbacks.Callback
        Told of the training as by ``keras.Model.fit``: epochs with the losses in the log, batches
        a call of the backend at a time (many batches where that is quicker), and the validation as
        a whole. If one sets ``model.stop_training``, the training ends after the epoch, in all
        processes. What they change in model and optimiser by the end of an epoch is in its
        checkpoint, but their own state is not: to resume exactly, use ``patience`` instead of
        ``keras.callbacks.EarlyStopping``. With several processes each has its own, and what changes
        model or optimiser must be in all.
    tensorboard : path-like, optional
        Folder for TensorBoard, in which the training gets a folder of its name: the losses and
        terms of each epoch, the learning rate, and the number of patches per second. A training
        that is resumed goes on there.
    progress : bool
        Show a progress bar with the loss and the number of patches per second.

    Returns
    -------
    Path
        The given ``output``.

    Raises
    ------
    HiphopssError
        If a file can't be used, another run is making ``output``, the checkpoint belongs to another
        run, or the loss is not finite; also as in :func:`hiphopss.training.processes.joined`.
    """
    settings, output = settings or TrainingSettings(), Path(output)
    if not output.name.endswith(SUFFIX):
        raise HiphopssError(f"{output}: a weight file's name must end in {SUFFIX}: rename it")
    if output.is_dir():
        raise HiphopssError(f"{output}: is a folder: give the name of a file")
    settings.check()
    require_keras("train")
    if tensorboard is not None:
        require_tensorboard()
    checkpoint = checkpoint_of(output)
    require_writable(checkpoint)  # its name is the longest
    with (
        locked(output, wait=False) if cluster is None or not cluster.process else nullcontext(),
        FeatureFile(features, settings.fidelity) as file,
        split_patches(file, settings.validation, seed=settings.seed) as split,
    ):
        told = settings.told(split)
        start = {
            "init": None if init is None else Path(init),
            "checkpoint": checkpoint if checkpoint.exists() and not restart else None,
        }
        with joined(
            cluster,
            batch_size=min(settings.batch_size, len(split.training)),
            agreed={**told, "epochs": settings.epochs, "patience": settings.patience},
            files=start,
        ) as (share, start):
            model, run = _start(split, told, **start)
            if share.writes:
                split.tell()
            _tell_epochs(settings.epochs, run, output, checkpoint, share)
            board = None
            if tensorboard is not None and share.writes:
                name = output.name.removesuffix(SUFFIX)
                board = Board(tensorboard, name, run.log)
            loop = _Loop(model, split, run, settings, checkpoint, share, board)
            loop.run_epochs(callbacks, progress)
            if settings.keeps_best:  # in all processes: JAX sets variables together
                assign_arrays(model, run.best, origin=str(checkpoint))
            if share.writes:
                _save(output, model, split, run, settings, callbacks)
    return output


def _save(
    output: Path,
    model: keras.Model,
    split: Split,
    run: Run,
    settings: TrainingSettings,
    callbacks: Sequence[keras.callbacks.Callback],
) -> None:
    """Write the model's weights, which are those of the epoch that is kept, and say which."""
    made = provenance(run)
    if callbacks:
        made["callbacks"] = [type(callback).__name__ for callback in callbacks]
    if split.told is not None:
        kept = run.best_epoch if settings.keeps_best else run.epochs_done
        loss = run.log[kept - 1]["val_loss"]
        made |= {"patience": settings.patience, "kept_epoch": kept, "validation_loss": loss}
        stopped = run.has_stalled(settings.patience) and run.epochs_done < settings.epochs
        logger.info(
            "%s: %d of %d epochs%s; weights of epoch %d, validation loss %.5g%s",
            *(output, run.epochs_done, settings.epochs),
            f", as {settings.patience} brought no lower validation loss (a larger patience goes on)"
            if stopped
            else "",
            *(kept, loss, " (the least)" if kept == run.best_epoch else ""),
        )
    save_weights(
        output, model, config=split.file.config, fidelity=split.file.fidelity, provenance=made
    )


def _tell_epochs(epochs: int, run: Run, output: Path, checkpoint: Path, share: Share) -> None:
    """Raise if the checkpoint has more epochs than requested; log if it has exactly as many."""
    if run.epochs_done > epochs:
        raise HiphopssError(
            f"{checkpoint}: has {run.epochs_done} epochs already, more than {epochs}: "
            "use --restart to begin anew, or another output"
        )
    if run.epochs_done == epochs and share.writes:
        logger.info(
            "%s: %d of %d epochs are done already: --epochs with more goes on, --restart begins "
            "anew",
            *(output, epochs, epochs),
        )


@held()
def _start(
    split: Split, settings: dict, *, init: Path | None, checkpoint: Path | None
) -> tuple[keras.Model, Run]:
    """The model and the run, at the start or as in the checkpoint."""
    file, data, initial, sha256 = split.file, split.file.data, None, None
    songs, stems = set(split.training_songs), split.training_stems
    leak = file.released_test_leak or split.validation_file.released_test_leak
    if init is not None:
        info, initial = read_weights(init)
        file.config.require_same(info.config, this=str(file.path), that=str(init))
        leak = leak or info.provenance.get("released_test_leak", False)
        data = merged(info.provenance.get(DATA, []), data)
        songs |= set(info.provenance.get("songs", []))
        stems = info.provenance.get("stems", {}) | stems
        sha256 = info.sha256
    import_keras()
    from hiphopss.network.model import build_model

    more = {
        "features": file.identity,
        "augmentation": file.augmentation,
        "released_test_leak": leak,
        "preset": file.fidelity.name,
        "init": sha256,
    }
    run = Run(more | settings, data=data, songs=sorted(songs), stems=stems)
    model = build_model(file.fidelity, config=file.config, seed=settings["seed"])
    if initial is not None:
        assign_arrays(model, initial, origin=str(init))
    compile_model(
        model,
        file.fidelity,
        learning_rate=settings["learning_rate"],
        loss_weights=LossWeights(**settings["loss_weights"]),
        # This does not depend on the number of epochs, so that a run can be extended exactly.
        jit_compile=_epoch(split, settings, 0).shape[0] >= _WORTH_COMPILING,
    )
    model.optimizer.build(model.trainable_variables)
    if checkpoint is not None:
        resume(checkpoint, model, run)
    return model, run


def _epoch(split: Split, settings: dict, epoch: int) -> np.ndarray:
    """The batches of one epoch of this run."""
    batches = epoch_batches(
        len(split.training),
        settings["batch_size"],
        seed=settings["seed"],
        epoch=epoch,
        local_shuffle=split.file.fidelity.local_shuffle,
        patches_per_epoch=settings["patches_per_epoch"],
    )
    return split.training[batches]


@dataclass
class _Loop:
    """The loop over the epochs of a run that are not done yet."""

    model: keras.Model
    split: Split
    run: Run
    settings: TrainingSettings
    checkpoint: Path
    share: Share
    board: Board | None = None

    def run_epochs(self, callbacks: Sequence[keras.callbacks.Callback], progress: bool) -> None:
        """Train, validate and save a checkpoint, epoch by epoch."""
        run, epochs, file = self.run, self.settings.epochs, self.split.file
        first = _epoch(self.split, run.settings, 0)
        hooks = callback_list(callbacks, self.model, epochs=epochs, steps=len(first))
        steps = training_steps(self.model, file, self.share)
        validation = None
        if self.split.told is not None:
            validation = Validation(self.model, self.split, first.shape[1], self.share)
        logs: dict[str, float] | None = None
        if self.board is not None:
            self.board.write(run.log)
        hooks.on_train_begin()
        with progress_bar(
            total=epochs * first.size,
            initial=run.epochs_done * first.size,
            unit="patch",
            show=progress and self.share.writes,
        ) as bar:
            while run.epochs_done < epochs and not self._ended():
                hooks.on_epoch_begin(run.epochs_done)
                logs, rate = self._train(steps, hooks, bar)
                if validation is not None:
                    logs["val_loss"] = self._validate(validation, hooks, bar)
                run.log.append({"epoch": run.epochs_done + 1, **logs, **rate})
                if validation is not None and run.best_epoch == run.epochs_done:
                    run.best = {k: v.copy() for k, v in network_arrays(self.model).items()}
                if validation is not None:
                    self._show(bar, logs["loss"])
                    bar.refresh()
                learning_rate = float(self.model.optimizer.learning_rate)  # callbacks change it
                hooks.on_epoch_end(run.epochs_done - 1, logs)
                if self.share.writes:
                    save_checkpoint(
                        self.checkpoint, self.model, run, config=file.config, fidelity=file.fidelity
                    )
                if self.board is not None:
                    self.board.write(run.log, learning_rate)
        hooks.on_train_end(logs)

    def _ended(self) -> bool:
        """Whether patience or a callback, of any process, ends the run before its last epoch."""
        stopped = self.share.gathered(np.array(bool(self.model.stop_training))).any()
        return bool(stopped) or self.run.has_stalled(self.settings.patience)

    def _train(
        self, steps: Callable, hooks: keras.callbacks.CallbackList, bar: tqdm
    ) -> tuple[dict[str, float], dict[str, float]]:
        """Train for an epoch; return the means of the loss and its terms, and how long it took."""
        epoch, begun = self.run.epochs_done, time.perf_counter()
        batches = _epoch(self.split, self.run.settings, epoch)
        bar.set_description(f"epoch {epoch + 1}/{self.settings.epochs}", refresh=False)
        for n_batches, means in held_between(told_batches(hooks, steps(batches), len(batches))):
            self._show(bar, float(means["loss"]))
            bar.update(n_batches * batches.shape[1])
        self._require_finite(means["loss"], "loss")
        seconds = time.perf_counter() - begun
        rate = {
            "patches_per_s": round(batches.size / seconds, 1),
            "seconds": round(seconds, 3),
        }
        columns = ["loss", *(term.name for term in self.model.loss.terms)]
        return {name: float(means[name]) for name in columns}, rate

    def _validate(
        self, validation: Validation, hooks: keras.callbacks.CallbackList, bar: tqdm
    ) -> float:
        """The validation loss after an epoch."""
        bar.set_description(f"validation {self.run.epochs_done + 1}/{self.settings.epochs}")
        hooks.on_test_begin()
        loss = validation.loss()
        self._require_finite(loss, "validation loss")
        hooks.on_test_end({"loss": loss})
        return loss

    def _show(self, bar: tqdm, loss: float) -> None:
        """Show the loss, and with a validation the validation losses of the last and best epoch."""
        shown = {"loss": f"{loss:.4g}"}
        if self.run.best_epoch:
            shown["val_loss"] = f"{self.run.log[-1]['val_loss']:.4g}"
            shown["best"] = f"{self.run.log[self.run.best_epoch - 1]['val_loss']:.4g}"
        bar.set_postfix(shown, refresh=False)

    def _require_finite(self, loss: float, what: str) -> None:
        epoch = self.run.epochs_done
        if not np.isfinite(loss):
            raise HiphopssError(
                f"{self.split.file.path}: the {what} of epoch {epoch + 1} is not finite: "
                f"{self.split.mend_of_infinity()}"
                f"{f'; the epochs before are in {self.checkpoint}' if epoch else ''}"
            )
