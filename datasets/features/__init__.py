"""HDF5 feature files: songs and their augmented versions as magnitude spectrograms.

- ``augmentation``: the paper's augmentations, as lists of recipes. Add a new one here.
- ``layout``: what a file will hold. ``plan``: says that without making it.
- ``make``: computes recipes and writes a file; ``segments``, ``writer`` and ``file`` define its
  format; ``content`` and ``record`` check what is read of it, ``checksums`` whether it changed.
- ``source_signals``: the stems that recipes use. ``audition``: writes segments as WAV files.

May import the rest of :mod:`hiphopss.datasets`, :mod:`hiphopss.signal` and :mod:`hiphopss.util`.
"""
