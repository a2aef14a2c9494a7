"""HDF5 files: reading those of any origin without trusting them, and writing on any disk.

- ``reading``: the arrays and texts of a file, which another process looks through first.
- ``process``: starts that process and asks it; ``child``: what it runs, with limits of time and
  memory.
- ``writing``: files that a full disk must not crash.
"""
