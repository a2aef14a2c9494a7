"""Room of songs: finding them, reading their files, and computing features from them.

- ``layouts``: in which folders data sets have their songs; ``songs``: finding songs and the files
  of each; ``mixtures``: finding what is to be separated.
- ``alike``: checking that the files of a song match; ``stems``: reading them; ``measuring``: a
  first look at stem files.
- ``names``, ``roots``, ``listing``, ``dsd100``, ``musdb18``, ``hhds``, ``testsets``: the facts
  about the data sets, from ``sets.toml`` and lists of songs, and the choice of test songs.
- ``licences``: which of these sets songs belong to, and their licences.
- ``fetch/``: download and unpacking. ``features/``: HDF5 feature files and the augmentations.
- ``generated/``: the synthetic sets that stand in for HHDS and DSD100.

May import :mod:`hiphopss.signal` and :mod:`hiphopss.util`.
"""
