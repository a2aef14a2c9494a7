"""Data sets from Zenodo: downloads that can be resumed and checked, and safe unpacking.

May import :mod:`hiphopss.util`, and of this room what knows the facts of the data sets.
"""
