"""Files from Zenodo: downloads that go on where they broke, and safe unpacking.

May import :mod:`hiphopss.util`.
"""
