"""Room of tools that know nothing of music.

- ``files``: written whole or not at all. ``progress``: bars, and lines on standard error.
- ``threads``, ``executor``: work on several processors, in several processes or on a cluster.
- ``keras_backend``: Keras without the notices of its backend, and arrays as tensors.

May import :mod:`hiphopss.errors`.
"""
