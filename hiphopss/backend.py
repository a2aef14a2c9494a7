"""Importing Keras without the notices that its backend writes at start-up."""

from __future__ import annotations

import os
import sys
import tempfile

from hiphopss.errors import HiphopssError


def import_keras():
    """Import Keras and its backend (about 4 s with TensorFlow) and return the module.

    TensorFlow's C++ code writes notices to file descriptor 2 before anything can ask it not to;
    it is kept back.

    Raises
    ------
    HiphopssError
        If the backend is not installed.
    """
    if "keras" in sys.modules:
        return sys.modules["keras"]
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    sys.stderr.flush()
    saved = os.dup(2)
    with tempfile.TemporaryFile() as notices:
        os.dup2(notices.fileno(), 2)
        try:
            import keras

            keras.ops.zeros(1)  # looks for devices, which writes more notices
        except (ImportError, ValueError) as error:
            backend = os.environ.get("KERAS_BACKEND", "tensorflow")
            raise HiphopssError(
                f"KERAS_BACKEND {backend}: can't be imported ({error}): install it, or unset the "
                "variable for TensorFlow"
            ) from error
        finally:
            os.dup2(saved, 2)
            os.close(saved)
    return keras
