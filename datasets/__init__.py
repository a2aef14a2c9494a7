"""Room of songs: where they are, what their files hold, and the features made of them.

- ``songs``: finding songs and the files of each.
- ``stems``: whether the files of a song are alike, and reading them.
- ``names``, ``roots``, ``dsd100``, ``hhds``, ``testsets``: what is known of the data sets, in
  ``sets.toml``, and which songs are tested on.
- ``fetch/``: download and unpacking. ``features/``: HDF5 feature files and the augmentations.
- ``generated/``: the synthetic sets that stand in for HHDS and DSD100.

May import :mod:`hiphopss.signal` and :mod:`hiphopss.util`.
"""
