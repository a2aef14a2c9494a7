"""Beats as they are made in a studio's software: loops that come back to the sample.

``arranging`` says what plays in each bar, ``loops`` lays one-shots and sampled loops along the
bars, ``parts`` writes the loops, ``rapping`` has the voice, ``automation`` moves filters and
faders and compresses the mix, and ``record`` makes the song of all of it. May import the modules
that stand above it and beside it in :mod:`hiphopss.datasets.generated`.
"""
