"""HDF5 feature files: songs and their augmented versions as magnitude spectrograms.

- ``augmentation``: the paper's augmentations, as lists of recipes. A new one goes there.
- ``make``: recipes carried out, to a file; ``writer`` and ``file`` are its format.
- ``source_signals``: the stems that recipes ask for. ``audition``: any segment back as WAV files.

May import the rest of :mod:`hiphopss.datasets`, :mod:`hiphopss.signal` and :mod:`hiphopss.util`.
"""
