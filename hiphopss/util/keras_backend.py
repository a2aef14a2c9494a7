"""Importing Keras without the notices that its backend writes at start-up."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

import numpy as np

from hiphopss.errors import HiphopssError

ALIGNMENT = 64
"""Memory that begins at a multiple of that many bytes can become a tensor as it is."""


@contextmanager
def notices_held_back() -> Iterator[None]:
    """Keep what backends write at start-up from standard error.

    Their C++ code writes to file descriptor 2 before anything can ask it not to.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    sys.stderr.flush()
    saved = os.dup(2)
    with tempfile.TemporaryFile() as notices:
        os.dup2(notices.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(saved, 2)
            os.close(saved)


def import_keras() -> ModuleType:
    """Import Keras and its backend (about 4 s with TensorFlow) and return the module.

    Raises
    ------
    HiphopssError
        If the backend is not installed.
    """
    if "keras" in sys.modules:
        return sys.modules["keras"]
    with notices_held_back():
        try:
            import keras

            keras.ops.zeros(1)  # looks for devices, which writes more notices
        except (ImportError, ValueError) as error:
            backend = os.environ.get("KERAS_BACKEND", "tensorflow")
            raise HiphopssError(
                f"KERAS_BACKEND {backend}: can't be imported ({error}): install it, or unset the "
                "variable for TensorFlow"
            ) from error
    return keras


def tensor_of(array: np.ndarray) -> Any:
    """An array as a tensor of the backend, of the same memory where that can be.

    Parameters
    ----------
    array : np.ndarray
        TensorFlow without a GPU uses its memory, if it is contiguous and begins at a multiple of
        :data:`ALIGNMENT`: it must then stay as it is while the tensor is used.

    Returns
    -------
    tensor
        Of the same shape and type.
    """
    keras = import_keras()
    if keras.backend.backend() == "tensorflow" and _can_lend(array):
        import tensorflow as tf

        if not tf.config.list_logical_devices("GPU"):
            return tf.experimental.dlpack.from_dlpack(np.asarray(_Lent(array)).__dlpack__())
    return keras.ops.convert_to_tensor(array)


def frames_in_place(*arrays: np.ndarray) -> tuple | None:
    """Large arrays as tensors that every step can take some rows of.

    Parameters
    ----------
    *arrays : np.ndarray
        Not to be changed while the tensors are used.

    Returns
    -------
    tuple of tensor or None
        On processors, TensorFlow and JAX use the arrays' own memory: if it is contiguous and begins
        at a multiple of :data:`ALIGNMENT`, and if it is no more than half of the machine's, so that
        it stays there. A GPU of JAX's gets a copy, if it fills no more than half of what JAX may
        use. None where that is not so, on GPUs of TensorFlow's, with other backends, and where
        Keras shares work out among devices.
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
    fits = needed <= (device.memory_stats() or {}).get("bytes_limit", 0)
    return tuple(map(keras.ops.convert_to_tensor, arrays)) if fits else None


def _can_lend(array: np.ndarray) -> bool:
    """Whether backends can use an array's memory as it is."""
    return array.flags.c_contiguous and array.ctypes.data % ALIGNMENT == 0


def _memory() -> float:
    """Bytes of main memory; infinite where the system does not tell."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError):  # Windows
        return float("inf")


class _Lent:
    """An array's memory, called writable: backends ask for it in a way that can't say read-only.

    Nothing writes to the tensors.
    """

    def __init__(self, array: np.ndarray):
        self.array = array  # keeps the memory
        self.__array_interface__ = {**array.__array_interface__, "data": (array.ctypes.data, False)}
