"""Room of the network: from magnitudes to soft masks (docs/released-code.md, sections 3 and 4).

- ``spec``: the network's constants and array shapes, and fitting arrays to them.
- ``model``, ``layers``, ``losses``: the network in Keras, for training.
- ``forward``, ``streaming``: the same network in NumPy, for whole songs and frame by frame.
- ``keras_masks``: the Keras network behind the interface of ``forward``.

May import :mod:`hiphopss.signal` and :mod:`hiphopss.util`. The Keras network does not import its
NumPy copy: what both need is in ``spec``.
"""
