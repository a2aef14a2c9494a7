"""Training from a feature file with Adadelta on the released loss, and exact resumption.

docs/released-code.md, sections 2 (batches) and 4 (loss, optimiser).
"""

from __future__ import annotations

import logging
import time
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hiphopss.config import Fidelity, LossWeights, default_loss_weights
from hiphopss.datasets.features.file import DATA, FeatureFile
from hiphopss.datasets.licences import merged
from hiphopss.errors import HiphopssError
from hiphopss.training.checkpoints import Run, beside, provenance, resume, save_checkpoint
from hiphopss.training.processes import Cluster, Share, joined
from hiphopss.training.steps import LEARNING_RATE, compile_model, training_steps
from hiphopss.util.keras_backend import import_keras
from hiphopss.util.locks import locked
from hiphopss.util.progress import progress_bar
from hiphopss.weights.files import SUFFIX, assign_arrays, read_weights, save_weights

if TYPE_CHECKING:
    import keras

logger = logging.getLogger(__name__)

_WORTH_COMPILING = 10  # least number of batches in an epoch
_SHUFFLED_BATCHES = 200  # number of batches that the released code loads and shuffles together


@dataclass(frozen=True)
class TrainingSettings:
    """Settings of a training run, besides its features and its initial weights.

    Attributes
    ----------
    epochs : int
        Total number of epochs, including those of a checkpoint.
    seed : int
        Seed of the initial weights and of the order of patches.
    batch_size : int
        Number of patches in a batch.
    learning_rate : float
        Learning rate of Adadelta.
    loss_weights : LossWeights, optional
        Weights of the dissimilarity terms; by default the preset's, for this augmentation (Q5).
    patches_per_epoch : int, optional
        Train each epoch on a random choice of this many patches, in whole batches; by default on
        all. Training sets of different sizes then take the same time.
    fidelity : Fidelity, optional
        Switches of the network, the loss and the order; by default those of the features, with
        which they must agree in what the features depend on.
    """

    epochs: int = 40
    seed: int = 0
    batch_size: int = 32
    learning_rate: float = LEARNING_RATE
    loss_weights: LossWeights | None = None
    patches_per_epoch: int | None = None
    fidelity: Fidelity | None = None

    def check(self) -> None:
        """Raise :class:`HiphopssError` if a setting makes no sense."""
        if self.epochs < 1 or self.batch_size < 1 or not self.learning_rate > 0 or self.seed < 0:
            raise HiphopssError(
                f"epochs {self.epochs}, batch size {self.batch_size}, learning rate "
                f"{self.learning_rate}, seed {self.seed}: all must be positive (a seed may be 0)"
            )
        if self.patches_per_epoch is not None and self.patches_per_epoch < 1:
            raise HiphopssError(f"patches per epoch {self.patches_per_epoch}: give 1 or more")

    def told(self, file: FeatureFile) -> dict[str, Any]:
        """The settings that a checkpoint records with these features, without the epochs."""
        weights = self.loss_weights or default_loss_weights(file.fidelity, file.augmentation)
        return {
            "features": file.identity,
            "seed": self.seed,
            "batch_size": self.batch_size,
            "learning_rate": self.learning_rate,
            "loss_weights": asdict(weights),
            "patches_per_epoch": self.patches_per_epoch,
        }


def epoch_size(
    n_patches: int, batch_size: int, patches_per_epoch: int | None = None
) -> tuple[int, int]:
    """Number of batches of an epoch, and of patches in each; parameters as in `epoch_batches`."""
    size = min(batch_size, n_patches)
    n_batches = n_patches // size
    if patches_per_epoch is None or patches_per_epoch >= n_batches * size:
        return n_batches, size
    return max(1, patches_per_epoch // size), size


def epoch_batches(
    n_patches: int,
    batch_size: int,
    *,
    seed: int,
    epoch: int,
    local_shuffle: bool,
    patches_per_epoch: int | None = None,
) -> np.ndarray:
    """Choose the patches of each batch of an epoch.

    Parameters
    ----------
    n_patches : int
        Number of patches of the feature file.
    batch_size : int
        Patches in a batch; an incomplete last batch is left out. A smaller file makes one batch.
    seed, epoch : int
        Together they determine the order.
    local_shuffle : bool
        Shuffle only within groups of 200 consecutive batches (Q11).
    patches_per_epoch : int, optional
        Keep a random choice of batches with this many patches (at least one batch).

    Returns
    -------
    np.ndarray [shape=(n_batches, batch_size)]
        Patch indices.
    """
    rng = np.random.default_rng([seed, epoch])
    n_kept, batch_size = epoch_size(n_patches, batch_size, patches_per_epoch)
    run = _SHUFFLED_BATCHES * batch_size if local_shuffle else n_patches
    order = np.concatenate(
        [start + rng.permutation(min(run, n_patches - start)) for start in range(0, n_patches, run)]
    )
    n_batches = n_patches // batch_size
    batches = order[: n_batches * batch_size].reshape(n_batches, batch_size)
    if n_kept == n_batches:
        return batches
    return batches[np.sort(rng.choice(n_batches, n_kept, replace=False))]


def train(
    features: str | Path,
    output: str | Path,
    settings: TrainingSettings | None = None,
    *,
    init: str | Path | None = None,
    restart: bool = False,
    cluster: Cluster | None = None,
    progress: bool = True,
) -> Path:
    """Train a network on a feature file, in the feature file's preset unless settings say another.

    Beside ``NAME.weights.h5`` it writes ``NAME.log.csv`` (for each epoch, the mean of the loss and
    of each of its terms over the batches; the terms, which add up to the loss before its absolute
    value, are estimated from some of the patches in batches of 8 or more) and, after every epoch,
    ``NAME.checkpoint.weights.h5``, a weight file that also holds the optimiser's state. If a
    checkpoint of the same run exists, training resumes from it, and on the same machine the result
    is exactly that of an uninterrupted run. If the checkpoint already has all epochs, a log line
    says so.

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
        run, or the loss is not finite;
        with a cluster, also as in :func:`hiphopss.training.processes.joined`.
    """
    settings, output = settings or TrainingSettings(), Path(output)
    if not output.name.endswith(SUFFIX):
        raise HiphopssError(f"{output}: a weight file's name must end in {SUFFIX}: rename it")
    if output.is_dir():
        raise HiphopssError(f"{output}: is a folder: give the name of a file")
    settings.check()
    checkpoint = beside(output, f".checkpoint{SUFFIX}")
    writes = cluster is None or cluster.process == 0
    with (
        locked(output, wait=False) if writes else nullcontext(),
        FeatureFile(features, settings.fidelity) as file,
    ):
        told = settings.told(file)
        start = {
            "init": None if init is None else Path(init),
            "checkpoint": checkpoint if checkpoint.exists() and not restart else None,
        }
        with joined(
            cluster,
            batch_size=min(settings.batch_size, file.n_patches),
            agreed={**told, "epochs": settings.epochs},
            files=start,
        ) as (share, start):
            model, run = _start(file, told, **start)
            _tell_epochs(settings.epochs, run, output, checkpoint, share)
            _run_epochs(model, file, run, settings.epochs, checkpoint, share, progress)
            if share.writes:
                save_weights(
                    output,
                    model,
                    config=file.config,
                    fidelity=file.fidelity,
                    provenance=provenance(run),
                )
    return output


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


def _start(
    file: FeatureFile, settings: dict, *, init: Path | None, checkpoint: Path | None
) -> tuple[keras.Model, Run]:
    """The model and the run, at the start or as in the checkpoint."""
    leak, data, initial, sha256 = file.released_test_leak, file.data, None, None
    if init is not None:
        info, initial = read_weights(init)
        file.config.require_same(info.config, this=str(file.path), that=str(init))
        leak = leak or info.provenance.get("released_test_leak", False)
        data = merged(info.provenance.get(DATA, []), data)
        sha256 = info.sha256
    import_keras()
    from hiphopss.network.model import build_model

    more = {
        "augmentation": file.augmentation,
        "released_test_leak": leak,
        "preset": file.fidelity.name,
        "init": sha256,
    }
    run = Run({"features": file.identity, **more, **settings}, data=data)
    model = build_model(file.fidelity, config=file.config, seed=settings["seed"])
    if initial is not None:
        assign_arrays(model, initial, origin=str(init))
    compile_model(
        model,
        file.fidelity,
        learning_rate=settings["learning_rate"],
        loss_weights=LossWeights(**settings["loss_weights"]),
        # This does not depend on the number of epochs, so that a run can be extended exactly.
        jit_compile=_epoch(file, settings, 0).shape[0] >= _WORTH_COMPILING,
    )
    model.optimizer.build(model.trainable_variables)
    if checkpoint is not None:
        resume(checkpoint, model, run)
    return model, run


def _epoch(file: FeatureFile, settings: dict, epoch: int) -> np.ndarray:
    """The batches of one epoch of this run."""
    return epoch_batches(
        file.n_patches,
        settings["batch_size"],
        seed=settings["seed"],
        epoch=epoch,
        local_shuffle=file.fidelity.local_shuffle,
        patches_per_epoch=settings["patches_per_epoch"],
    )


def _run_epochs(
    model: keras.Model,
    file: FeatureFile,
    run: Run,
    epochs: int,
    checkpoint: Path,
    share: Share,
    progress: bool,
) -> None:
    per_epoch = _epoch(file, run.settings, 0).size
    steps = training_steps(model, file, share)
    with progress_bar(
        total=epochs * per_epoch,
        initial=run.epochs_done * per_epoch,
        unit="patch",
        show=progress and share.writes,
    ) as bar:
        for epoch in range(run.epochs_done, epochs):
            batches = _epoch(file, run.settings, epoch)
            begun = time.perf_counter()
            bar.set_description(f"epoch {epoch + 1}/{epochs}", refresh=False)
            for n_batches, means in steps(batches):
                bar.set_postfix(loss=f"{float(means['loss']):.4g}", refresh=False)
                bar.update(n_batches * batches.shape[1])
            if not np.isfinite(means["loss"]):
                raise HiphopssError(
                    f"{file.path}: the loss of epoch {epoch + 1} is not finite: lower the learning "
                    f"rate{f'; the epochs before are in {checkpoint}' if epoch else ''}"
                )
            seconds = time.perf_counter() - begun
            columns = ["loss", *(term.name for term in model.loss.terms)]
            means = {name: float(means[name]) for name in columns}
            rate = {"patches_per_s": round(per_epoch / seconds, 1), "seconds": round(seconds, 3)}
            run.log.append({"epoch": epoch + 1, **means, **rate})
            if share.writes:
                save_checkpoint(checkpoint, model, run, config=file.config, fidelity=file.fidelity)
