"""Voices of the generated songs: speech (espeak-ng), rap, and singing with its melodies.

May import the modules that stand beside it in :mod:`hiphopss.datasets.generated`.
"""
