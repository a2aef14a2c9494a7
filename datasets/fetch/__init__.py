"""Files from Zenodo: downloads that can be resumed, and safe unpacking.

May import :mod:`hiphopss.util`.
"""
