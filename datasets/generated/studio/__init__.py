"""Beats as they are made in a studio's software: loops that come back to the sample.

``choosing`` draws what a song is made of, and ``arranging`` what plays in each of its bars.
``parts`` writes the loops, ``loops`` lays them along the bars, ``rapping`` has the voice, and
``session`` gathers their tracks. ``mixing`` makes stems of those, with the moving filters, faders
and the compressor of ``automation``; ``record`` does all of it. May import the modules that stand
beside this folder in :mod:`hiphopss.datasets.generated`.
"""
