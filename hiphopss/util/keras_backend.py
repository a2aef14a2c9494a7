"""Importing Keras without its backend's start-up notices, and turning arrays into tensors."""

from __future__ import annotations

import logging
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import ModuleType
from typing import Any

import numpy as np

from hiphopss.errors import HiphopssError
from hiphopss.util import interrupts
from hiphopss.util.extras import is_installed, require
from hiphopss.util.threads import processor_count

logger = logging.getLogger(__name__)

ALIGNMENT = 64
"""Memory whose address is a multiple of this number of bytes can become a tensor in place."""


ALIKE_THREADS = range(2, 9)
"""Numbers of threads with which TensorFlow rounds this network's sums alike.

It divides sums among threads, so their last digits depend on the number, and after a training all
digits of the weights do. Measured: 2, 4 and 8 give the same bytes, in training in batches of 4, 32
and 128; 1 and 16 give others.
"""


@contextmanager
def notices_held_back() -> Iterator[None]:
    """Keep the notices that backends write at start-up away from standard error.

    The backend's C++ code writes to file descriptor 2 before it can be told not to.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    if sys.stderr is not None:
        sys.stderr.flush()
    saved = os.dup(2)
    with tempfile.TemporaryFile() as notices:
        os.dup2(notices.fileno(), 2)
        interrupts.stderr_descriptor = saved
        try:
            yield
        finally:
            interrupts.stderr_descriptor = 2
            os.dup2(saved, 2)
            os.close(saved)


def import_keras() -> ModuleType:
    """Import Keras and its backend (about 4 s with TensorFlow) and return the module.

    If TensorFlow has not begun to compute, it gets one of :data:`ALIKE_THREADS`.

    Raises
    ------
    HiphopssError
        If the backend is not installed.
    """
    if "keras" in sys.modules:
        return sys.modules["keras"]
    require_keras("a network in Keras")
    begun = time.perf_counter()
    with interrupts.held(), notices_held_back():
        try:
            import keras

            _fix_threads(keras.backend.backend())
            keras.ops.zeros(1)  # searches for devices, which writes more notices
        except (ImportError, ValueError) as error:
            backend = os.environ.get("KERAS_BACKEND", "tensorflow")
            raise HiphopssError(
                f"KERAS_BACKEND {backend}: can't be imported ({error}): install it, or unset the "
                "variable for TensorFlow"
            ) from error
    seconds = time.perf_counter() - begun
    logger.debug("Keras %s with %s: %.2f s", keras.__version__, keras.backend.backend(), seconds)
    return keras


def require_keras(purpose: str) -> None:
    """Raise unless Keras and its backend are installed; they are not imported.

    Parameters
    ----------
    purpose : str
        What needs them, as in :func:`hiphopss.util.extras.require`.
    """
    needed = keras_modules()
    other = ", or set KERAS_BACKEND=jax" if "jax" not in needed and is_installed("jax") else ""
    require(purpose, *needed, otherwise=other)


def keras_modules() -> list[str]:
    """Keras, and its backend if an extra brings it; others are told when they can't be imported."""
    backend = os.environ.get("KERAS_BACKEND", "tensorflow")
    return ["keras", *(name for name in ("tensorflow", "jax") if name == backend)]


def _fix_threads(backend: str) -> None:
    """Let TensorFlow round alike on every machine, with as many threads as are useful."""
    if backend != "tensorflow":
        return
    import tensorflow as tf

    n_threads = min(max(processor_count(), ALIKE_THREADS[0]), ALIKE_THREADS[-1])
    with suppress(RuntimeError):  # it computes already, so somebody else has decided
        tf.config.threading.set_intra_op_parallelism_threads(n_threads)


def threads_in_use() -> str:
    """Number of threads among which the backend divides sums; those that round alike are one."""
    n_threads = 0
    if import_keras().backend.backend() == "tensorflow":
        import tensorflow as tf

        n_threads = tf.config.threading.get_intra_op_parallelism_threads()
    n_threads = n_threads or processor_count()  # 0 leaves it to TensorFlow
    if n_threads in ALIKE_THREADS:
        return f"{ALIKE_THREADS[0]} to {ALIKE_THREADS[-1]}"
    return str(n_threads)


def aligned(shape: tuple[int, ...]) -> np.ndarray:
    """A new array of single precision that :func:`tensor_of` can use without copying it.

    Parameters
    ----------
    shape : tuple of int
        Its shape; the values are arbitrary.
    """
    n_bytes = 4 * int(np.prod(shape))
    memory = np.empty(n_bytes + ALIGNMENT, np.uint8)
    start = -memory.ctypes.data % ALIGNMENT
    return memory[start : start + n_bytes].view(np.float32).reshape(shape)


def tensor_of(array: np.ndarray) -> Any:
    """Turn an array into a tensor of the backend, sharing its memory if possible.

    Parameters
    ----------
    array : np.ndarray
        TensorFlow without a GPU shares its memory, if it is contiguous and starts at a multiple of
        :data:`ALIGNMENT`; the array must then not change while the tensor is used.

    Returns
    -------
    tensor
        Tensor of the same shape and type.
    """
    keras = import_keras()
    if keras.backend.backend() == "tensorflow" and _can_lend(array):
        import tensorflow as tf

        if not tf.config.list_logical_devices("GPU"):
            return tf.experimental.dlpack.from_dlpack(np.asarray(_Lent(array)).__dlpack__())
    return keras.ops.convert_to_tensor(array)


def frames_in_place(*arrays: np.ndarray, copies: bool = True) -> tuple | None:
    """Turn large arrays into tensors from which every step can take some rows.

    Parameters
    ----------
    *arrays : np.ndarray
        Arrays, which must not change while the tensors are used.
    copies : bool
        Whether the tensors may be copies, on a GPU.

    Returns
    -------
    tuple of tensor or None
        On CPUs, TensorFlow and JAX share the arrays' own memory if it is contiguous, starts at a
        multiple of :data:`ALIGNMENT`, and is no more than half of the machine's, so that it is not
        swapped out. With JAX on a GPU, the tensors are copies, made only if they fill no more than
        half of what JAX may use. Otherwise None: also with TensorFlow on a GPU, with other
        backends, and if Keras distributes work over devices.
    """
    keras = import_keras()
    if keras.distribution.distribution() is not None:
        return None
    needed = 2 * sum(array.nbytes for array in arrays)
    on_processor = all(map(_can_lend, arrays)) and needed <= _memory()
    backend = keras.backend.backend()
    if backend == "tensorflow":
        import tensorflow as tf

        usable = on_processor and not tf.config.list_logical_devices("GPU")
        return tuple(map(tensor_of, arrays)) if usable else None
    if backend != "jax":
        return None
    import jax

    device = jax.local_devices()[0]
    if device.platform == "cpu":
        lent = (jax.dlpack.from_dlpack(np.asarray(_Lent(array))) for array in arrays)
        return tuple(lent) if on_processor else None
    fits = copies and needed <= (device.memory_stats() or {}).get("bytes_limit", 0)
    return tuple(map(keras.ops.convert_to_tensor, arrays)) if fits else None


def _can_lend(array: np.ndarray) -> bool:
    """Whether backends can use an array's memory directly."""
    return array.flags.c_contiguous and array.ctypes.data % ALIGNMENT == 0


def _memory() -> float:
    """Bytes of main memory; infinite if the system does not report them."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError):  # Windows
        return float("inf")


class _Lent:
    """An array's memory declared writable, because backends can't accept it as read-only.

    Nothing writes to the tensors.
    """

    def __init__(self, array: np.ndarray):
        self.array = array  # keeps the memory alive
        self.__array_interface__ = {**array.__array_interface__, "data": (array.ctypes.data, False)}
