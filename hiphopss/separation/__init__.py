"""Room of separation: from mixtures to stems.

- ``engines``: the computation of masks, in NumPy or in Keras.
- ``separator``: separates arrays, or mixtures that arrive in blocks.
- ``files``: separates audio files and folders into folders of stems.

May import :mod:`hiphopss.weights`, :mod:`hiphopss.network`, :mod:`hiphopss.datasets`,
:mod:`hiphopss.signal` and :mod:`hiphopss.util`.
"""
