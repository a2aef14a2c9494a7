"""Room of tools that have nothing to do with music.

- ``files``: writing files completely or not at all. ``locks``: one run at a time makes an output.
- ``scratch``: a temporary folder. ``progress``: bars and lines on standard error.
- ``threads``, ``executor``: work on several processors, in several processes or on a cluster.
- ``arrays``: whether a caller's array is transposed.
- ``keras_backend``: importing Keras quietly, and turning arrays into tensors.

May import :mod:`hiphopss.errors`.
"""
