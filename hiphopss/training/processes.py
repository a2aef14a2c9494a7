"""Training on several devices, of one machine or of several: every process trains on its share of
each batch, and Keras on JAX adds up the loss and the gradients of the whole batch.

JAX connects the processes. Before training they check that they have the same settings, and process
0 sends its initial files to the others.
"""

from __future__ import annotations

import io
import json
import logging
import os
import socket
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from threading import Thread
from zipfile import ZipFile

import numpy as np

from hiphopss.errors import HiphopssError
from hiphopss.util.extras import require
from hiphopss.util.keras_backend import notices_held_back, tensor_of

logger = logging.getLogger(__name__)

_ADDRESS = "`hostname -i` must give, on each machine, an address that the others reach"


@dataclass(frozen=True)
class Cluster:
    """The processes that train together; ``Cluster()`` is one process with all its devices.

    Attributes
    ----------
    coordinator : str, optional
        Address ``HOST:PORT`` of process 0, which all processes can reach.
    n_processes : int
        Number of processes.
    process : int
        Number of this process, from 0. Process 0 reads the initial weights and the checkpoint, and
        writes all files.
    patience : float
        Seconds to wait for the other processes to start.

    Raises
    ------
    HiphopssError
        If these values make no sense.
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
    """The part of each batch that a process gets: one of ``n_processes`` equal parts.

    Attributes
    ----------
    process, n_processes : int
        Number of this process, and number of all processes.
    """

    process: int = 0
    n_processes: int = 1

    @property
    def writes(self) -> bool:
        """Whether this is the process that writes files and shows progress."""
        return self.process == 0

    def of(self, batches: np.ndarray) -> np.ndarray:
        """This process's columns of batches `[shape=(n_batches, batch_size)]`."""
        size = batches.shape[1] // self.n_processes
        return batches[:, self.process * size : (self.process + 1) * size]

    def gathered(self, array: np.ndarray) -> np.ndarray:
        """The arrays of all processes, which have one shape, `[shape=(n_processes, ...)]`."""
        if self.n_processes == 1:
            return array[None]
        from jax.experimental.multihost_utils import process_allgather

        return np.asarray(process_allgather(array))

    def convert(self, array: np.ndarray):
        """Turn an array into a tensor; with several processes, Keras needs the array itself."""
        return array if self.n_processes > 1 else tensor_of(array)


@contextmanager
def joined(
    cluster: Cluster | None, *, batch_size: int, agreed: dict, files: dict[str, Path | None]
) -> Iterator[tuple[Share, dict[str, Path | None]]]:
    """Join the other processes; within the context, Keras distributes every batch over all devices.

    Parameters
    ----------
    cluster : Cluster or None
        None leaves Keras unchanged.
    batch_size : int
        Number of patches in a batch, of all processes together.
    agreed : dict
        Settings that must be the same in all processes, in a form that JSON can hold; ``features``
        is the identity of the feature file.
    files : dict of str to path-like
        Initial files, or None for those that don't exist. Only the files of process 0 are used.

    Yields
    ------
    share : Share
        The part of each batch that this process gets.
    files : dict of str to Path
        Files of process 0; other processes get copies, which exist as long as the context.

    Raises
    ------
    HiphopssError
        If the backend is not JAX or has already started, the batch can't be divided equally, or a
        process does not start, has other settings or is lost.
    """
    if cluster is None:
        yield Share(), files
        return
    _require_jax()
    _require_shareable(batch_size, cluster.n_processes, "processes")
    with ExitStack() as stack:
        if cluster.n_processes > 1:
            stack.enter_context(_ends_told(cluster))
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            agreed = {"number of processes": cluster.n_processes, **agreed, "version": _versions()}
            files = _meet(cluster, batch_size, agreed, files, folder)
        with notices_held_back():
            import jax
            import keras

            _require_shareable(batch_size, jax.device_count(), "devices")
            everywhere = keras.distribution.DataParallel(auto_shard_dataset=False)
        stack.enter_context(everywhere.scope())
        yield Share(cluster.process, cluster.n_processes), files


def _meet(
    cluster: Cluster, batch_size: int, agreed: dict, files: dict[str, Path | None], folder: Path
) -> dict[str, Path | None]:
    """Connect the processes, compare their settings, and return copies of process 0's files."""
    import jax
    from jax.experimental.multihost_utils import broadcast_one_to_all

    packed = b""
    if cluster.process == 0:
        packed = _packed(files)
        _require_free_port(cluster)
    logger.info("%s: waiting for all %d processes", cluster.coordinator, cluster.n_processes)
    with notices_held_back():
        _connect(cluster)
        try:
            size = _agree(agreed, len(packed))
            _require_shareable(batch_size, jax.device_count(), "devices")
        except HiphopssError:
            # All processes raise the same error. If one left first, JAX would abort the others.
            jax.distributed.shutdown()
            raise
        sent = broadcast_one_to_all(np.frombuffer(packed or bytes(size), np.uint8))
    if cluster.process == 0:
        return files
    with ZipFile(io.BytesIO(sent)) as archive:
        archive.extractall(folder)
    return {name: next((folder / name).glob("*"), None) for name in files}


def _connect(cluster: Cluster) -> None:
    """Start JAX together with the other processes, or raise after ``patience`` seconds.

    JAX aborts the process at its own time limit. So this runs in a thread, with a limit of a day.
    """
    import jax

    # This service would catch SIGTERM, with which users may want to stop the training.
    jax.config.update("jax_enable_preemption_service", False)
    place, errors = (cluster.coordinator, cluster.n_processes, cluster.process), []

    def start() -> None:
        try:
            jax.distributed.initialize(*place, initialization_timeout=86400)
            jax.devices()  # waits for the devices of the others
        except Exception as error:
            errors.append(error)

    thread = Thread(target=start, daemon=True)
    thread.start()
    thread.join(cluster.patience)
    if errors:
        raise HiphopssError(
            f"{cluster.coordinator}: JAX can't connect ({_reason(errors[0])}): start each training "
            f"in a new Python process; {_ADDRESS}"
        ) from errors[0]
    if thread.is_alive():
        try:
            socket.create_connection(cluster.address, timeout=5).close()
            seen = "something answers there"
        except OSError as error:
            seen = f"no answer there: {error.strerror or error}"
        raise HiphopssError(
            f"{cluster.coordinator}: waited {cluster.patience:g} s in vain for all "
            f"{cluster.n_processes} processes ({seen}): start all of them again, each with its own "
            "number, and look at address and firewall"
        )


def _agree(agreed: dict, size: int) -> int:
    """Raise the same error in all processes if one differs; return process 0's ``size``."""
    import jax
    from jax.experimental.multihost_utils import process_allgather

    devices = Counter(device.process_index for device in jax.devices())
    if len(set(devices.values())) > 1:
        raise HiphopssError(
            f"processes with {sorted(devices.values())} devices: give each the same number "
            "(CUDA_VISIBLE_DEVICES)"
        )
    text = json.dumps(agreed).encode()
    sizes = process_allgather(np.array([len(text), size]))
    texts = process_allgather(np.frombuffer(text.ljust(sizes[:, 0].max()), np.uint8))
    first, *others = (json.loads(text.tobytes()) for text in texts)
    for process, other in enumerate(others, 1):
        for name, value in first.items():
            if other.get(name) != value:
                raise HiphopssError(
                    f"process {process}: has {name.replace('_', ' ')} {other.get(name)}, "
                    f"process 0 {value}: give all the same"
                )
    return int(sizes[0, 1])


def _packed(files: dict[str, Path | None]) -> bytes:
    """A zip archive with a folder for each file that exists."""
    buffer = io.BytesIO()
    with ZipFile(buffer, "w", strict_timestamps=False) as archive:
        for name, path in files.items():
            try:
                if path is not None:
                    archive.write(path, f"{name}/{path.name}")
            except OSError as error:
                raise HiphopssError(
                    f"{path}: can't be read ({error.strerror}): check the path"
                ) from error
    return buffer.getvalue()


@contextmanager
def _ends_told(cluster: Cluster) -> Iterator[None]:
    """Report in one line that training ended because another process was lost.

    JAX raises an error or aborts this process; since Python can't catch that, a child reports it.
    """
    import jax

    words = (
        f"hiphopss: error: {cluster.coordinator}: process {cluster.process} of "
        f"{cluster.n_processes} was ended, as JAX does if another is lost or has the same number, "
        "or process 0 expects fewer: start all of them again, each with its own number; they go on "
        "from the last epoch"
    )
    program = "import sys; sys.stdin.read(1) or sys.exit(sys.argv[1])"
    command = [sys.executable, "-I", "-S", "-c", program, words]
    with subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True) as child:
        try:
            yield
        except (jax.errors.JaxRuntimeError, ValueError) as error:
            if isinstance(error, ValueError) and "Gloo" not in str(error):
                raise
            raise HiphopssError(
                f"{cluster.coordinator}: lost another process ({_reason(error)}): start all of "
                f"them again, they go on from the last epoch; {_ADDRESS}"
            ) from error
        finally:
            child.communicate(b"\n")


def _reason(error: Exception) -> str:
    return str(error).partition("\n")[0][:200]


def _require_jax() -> None:
    keras = sys.modules.get("keras")
    default = os.environ.get("KERAS_BACKEND", "tensorflow")
    backend = keras.config.backend() if keras else default
    require("several devices", "keras", "jax", otherwise=", and set KERAS_BACKEND=jax")
    if backend != "jax":
        raise HiphopssError(
            f"KERAS_BACKEND {backend}: several devices need JAX: set KERAS_BACKEND=jax"
        )


def _require_free_port(cluster: Cluster) -> None:
    """Raise if the port is in use: JAX, which listens on all addresses, would crash."""
    try:
        socket.create_server(("", cluster.address[1])).close()
    except OSError as error:
        reason = os.strerror(error.errno or 0)
        raise HiphopssError(
            f"{cluster.coordinator}: can't listen on this port ({reason}): choose another"
        ) from error


def _require_shareable(batch_size: int, n: int, what: str) -> None:
    if batch_size % n:
        raise HiphopssError(
            f"batches of {batch_size} patches can't be shared out evenly among {n} {what}: "
            f"choose a batch size that is a multiple of {n}"
        )


def _versions() -> str:
    names = ("hiphopss", "keras", "jax", "jaxlib")
    return ", ".join(f"{name} {version(name)}" for name in names)
