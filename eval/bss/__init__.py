"""BSS Eval on arrays, and the ratios that need no filters.

- ``scores``: BSS Eval v3 of arrays, by one of two engines: ``engine`` and ``mir_eval_engine``.
- ``correlation``, ``projection``: correlations of signals, and projections that follow from them.
- ``song_filters``: BSS Eval v4, whose filters are those of the whole song.
- ``ratios``: SI-SDR and uSDR.

May import nothing of this package except :mod:`hiphopss.errors`.
"""
