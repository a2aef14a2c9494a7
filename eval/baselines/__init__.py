"""Baselines: models that are computed from a song's own files while it is scored.

To add one, write a subclass of :class:`~hiphopss.eval.baselines.baseline.Baseline`.
May import :mod:`hiphopss.datasets`, :mod:`hiphopss.signal` and :mod:`hiphopss.util`.
"""
