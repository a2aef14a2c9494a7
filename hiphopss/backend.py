"""Importing Keras without the notices that its backend writes at start-up."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

from hiphopss.errors import HiphopssError


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


def import_keras():
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


def tensor_of(array):
    """An array as a tensor of the backend, of the same memory where that can be.

    Parameters
    ----------
    array : np.ndarray
        TensorFlow without a GPU uses its memory, if it is contiguous and begins at a multiple of 64
        bytes: it must then stay as it is while the tensor is used.

    Returns
    -------
    tensor
        Of the same shape and type.
    """
    keras = import_keras()
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        usable = array.flags.carray and array.ctypes.data % 64 == 0
        if usable and not tf.config.list_logical_devices("GPU"):
            return tf.experimental.dlpack.from_dlpack(array.__dlpack__())
    return keras.ops.convert_to_tensor(array)
