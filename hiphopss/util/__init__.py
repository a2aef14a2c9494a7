"""Room of tools that have nothing to do with music.

- ``files``: writing files completely or not at all. ``locks``: one run at a time makes an output.
- ``disk``: what a full disk means. ``interrupts``: Ctrl-C while libraries can't bear it.
- ``opening``: opening files that others name. ``hdf5``: HDF5 files of any origin, on any disk.
- ``scratch``: a temporary folder. ``progress``: bars and lines on standard error.
- ``threads``, ``executor``: work on several processors, in several processes or on a cluster.
- ``text``: showing names and other text of strangers. ``records``: reading what files say of
  themselves.
- ``arrays``: whether a caller's array is transposed.
- ``extras``: packages that are installed only where they are asked for.
- ``keras_backend``: importing Keras quietly, and turning arrays into tensors.

May import :mod:`hiphopss.errors`.
"""
