"""Training steps without graphs, for tests of what is done around a few steps."""

from contextlib import contextmanager

from hiphopss.util.keras_backend import import_keras


@contextmanager
def uncompiled_steps():
    """TensorFlow does each operation by itself: the graph of a step takes as long as many steps."""
    if import_keras().backend.backend() != "tensorflow":
        yield
        return
    import tensorflow as tf

    tf.config.run_functions_eagerly(True)
    try:
        yield
    finally:
        tf.config.run_functions_eagerly(False)
