"""Instruments of the generated songs: bass, drum sounds, drummers, and keys with loops.

May import the modules that stand beside it in :mod:`hiphopss.datasets.generated`.
"""
