"""Room of songs: finding them, reading their files, and computing features from them.

- ``songs``: finding songs and the files of each.
- ``stems``: checking that the files of a song match, and reading them.
- ``names``, ``roots``, ``dsd100``, ``hhds``, ``testsets``: the facts about the data sets, from
  ``sets.toml``, and the choice of test songs.
- ``licences``: which of these sets songs belong to, and their licences.
- ``fetch/``: download and unpacking. ``features/``: HDF5 feature files and the augmentations.
- ``generated/``: the synthetic sets that stand in for HHDS and DSD100.

May import :mod:`hiphopss.signal` and :mod:`hiphopss.util`.
"""
