"""Room of the network: from magnitudes to soft masks (docs/released-code.md, sections 3 and 4).

- ``spec``: constants, shapes of the arrays, and how arrays fit them.
- ``model``, ``layers``, ``losses``: the network in Keras, which is trained.
- ``forward``, ``streaming``: the same in NumPy, for whole songs and frame by frame.

May import :mod:`hiphopss.signal` and :mod:`hiphopss.util`. The Keras network does not import its
NumPy copy: what both need is in ``spec``.
"""
