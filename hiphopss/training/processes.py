"""Training on several devices, of one machine or of several: every process trains on its share of
each batch, and Keras on JAX adds up the loss and the gradients of the whole batch.

Before JAX starts, process 0 calls the roll on the coordinator's address: all processes must be
about to do the same, and get the files that training starts from. JAX itself would wait, or end a
process by force, where this gives a reason.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np

from hiphopss.errors import HiphopssError
from hiphopss.training.roll_call import answer_roll, call_roll
from hiphopss.util.keras_backend import notices_held_back, tensor_of


@dataclass(frozen=True)
class Cluster:
    """Who trains together; ``Cluster()`` is one process with all its devices.

    Attributes
    ----------
    coordinator : str, optional
        ``HOST:PORT`` of process 0, which all can reach.
    n_processes : int
        How many there are.
    process : int
        Which one this is, from 0. Process 0 reads the weights and the checkpoint to start from, and
        writes all files.
    patience : float
        Seconds to wait for the others to start.

    Raises
    ------
    HiphopssError
        If that makes no sense.
    """

    coordinator: str | None = None
    n_processes: int = 1
    process: int = 0
    patience: float = 300.0

    def __post_init__(self):
        if self.n_processes < 1 or not 0 <= self.process < self.n_processes:
            raise HiphopssError(
                f"process {self.process} of {self.n_processes}: processes are numbered from 0 to "
                "one less than there are"
            )
        if self.n_processes > 1:
            _ = self.address

    @property
    def address(self) -> tuple[str, int]:
        """Host and port of the coordinator."""
        host, _, port = (self.coordinator or "").rpartition(":")
        if not host or not port.isdecimal() or not 0 < int(port) < 1 << 16:
            raise HiphopssError(f"coordinator {self.coordinator}: give HOST:PORT of process 0")
        return host.strip("[]"), int(port)


@dataclass(frozen=True)
class Share:
    """What falls to a process: every ``n``-th part of each batch.

    Attributes
    ----------
    process, n_processes : int
        Which one, and of how many.
    """

    process: int = 0
    n_processes: int = 1

    @property
    def writes(self) -> bool:
        """Whether this is the process that writes files and shows progress."""
        return self.process == 0

    def of(self, batches: np.ndarray) -> np.ndarray:
        """Its part of batches `[shape=(n_batches, batch_size)]`, as many columns for each."""
        size = batches.shape[1] // self.n_processes
        return batches[:, self.process * size : (self.process + 1) * size]

    def convert(self, array: np.ndarray):
        """An array of its part as a tensor; Keras wants it as it is where several have parts."""
        return array if self.n_processes > 1 else tensor_of(array)


@contextmanager
def joined(
    cluster: Cluster | None,
    *,
    batch_size: int,
    agreed: dict,
    files: dict[str, Path | None],
    progress: bool = False,
) -> Iterator[tuple[Share, dict[str, Path | None]]]:
    """Join the others; inside, Keras places models on all devices and shares batches out.

    Parameters
    ----------
    cluster : Cluster or None
        None leaves Keras as it is.
    batch_size : int
        Patches a batch, of all processes together.
    agreed : dict
        What must be the same in all processes, as JSON can hold it; ``features`` is the identity of
        the feature file.
    files : dict of str to path-like
        What training starts from, or None where there is none. Those of process 0 count.
    progress : bool
        Show how many are there.

    Yields
    ------
    share : Share
        Of this process.
    files : dict of str to Path
        Those of process 0: in another process, copies that last as long as the context.

    Raises
    ------
    HiphopssError
        If the backend is not JAX or has started already, the batch can't be shared out, a process
        does not come, is about to do something else, or is lost.
    """
    if cluster is None:
        yield Share(), files
        return
    _require_fresh_jax(cluster)
    _require_shareable(batch_size, cluster.n_processes, "processes")
    with ExitStack() as stack:
        if cluster.n_processes > 1:
            agreed = {**agreed, "version": _versions()}
            if cluster.process == 0:
                call_roll(cluster, agreed, files, progress)
            else:
                folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
                files = answer_roll(cluster, agreed, folder)
        stack.enter_context(_all_devices(cluster, batch_size))
        yield Share(cluster.process, cluster.n_processes), files


@contextmanager
def _all_devices(cluster: Cluster, batch_size: int) -> Iterator[None]:
    """Within it, Keras works on the devices of all processes."""
    with notices_held_back():
        import jax
        import keras

        if cluster.n_processes > 1:
            # it would take SIGTERM away from those who want to stop training
            jax.config.update("jax_enable_preemption_service", False)
            try:
                keras.distribution.initialize(
                    cluster.coordinator, cluster.n_processes, cluster.process
                )
            except (RuntimeError, ValueError) as error:
                reason = str(error).splitlines()[0][:200]
                raise HiphopssError(
                    f"{cluster.coordinator}: the processes can't connect ({reason}): `hostname -i` "
                    "must give, on each machine, an address that the others reach"
                ) from error
        devices = Counter(device.process_index for device in jax.devices())
    if len(set(devices.values())) > 1:
        raise HiphopssError(
            f"processes with {sorted(devices.values())} devices: give each the same number "
            "(CUDA_VISIBLE_DEVICES)"
        )
    _require_shareable(batch_size, devices.total(), "devices")
    try:
        with keras.distribution.DataParallel(auto_shard_dataset=False).scope():
            yield
    except (jax.errors.JaxRuntimeError, ValueError) as error:
        of_network = not isinstance(error, ValueError) or "Gloo" in str(error)
        if cluster.n_processes == 1 or not of_network:
            raise
        reason = str(error).splitlines()[0][:200]
        raise HiphopssError(
            f"{cluster.coordinator}: lost another process ({reason}): start all of them again, "
            "they go on from the last epoch"
        ) from error


def _require_fresh_jax(cluster: Cluster) -> None:
    keras = sys.modules.get("keras")
    default = os.environ.get("KERAS_BACKEND", "tensorflow")
    backend = keras.config.backend() if keras else default
    if backend != "jax":
        raise HiphopssError(
            f"KERAS_BACKEND {backend}: several devices need JAX: `pip install 'hiphopss[jax]'` and "
            "set KERAS_BACKEND=jax"
        )
    try:
        import jax
    except ImportError as error:
        raise HiphopssError(
            "KERAS_BACKEND jax: JAX is not installed: `pip install 'hiphopss[jax]'`"
        ) from error
    if cluster.n_processes > 1 and jax.distributed.is_initialized():
        raise HiphopssError(
            f"{cluster.coordinator}: this Python process has trained with others already: "
            "start each training in a new one"
        )


def _require_shareable(batch_size: int, n: int, what: str) -> None:
    if batch_size % n:
        raise HiphopssError(
            f"batches of {batch_size} patches can't be shared out evenly among {n} {what}: "
            f"choose a batch size that is a multiple of {n}"
        )


def _versions() -> str:
    names = ("hiphopss", "keras", "jax", "jaxlib")
    return ", ".join(f"{name} {version(name)}" for name in names)
