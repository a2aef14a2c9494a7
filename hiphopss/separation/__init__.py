"""Room of separation: from mixtures to stems.

- ``engines``: what computes the masks, NumPy or Keras.
- ``separator``: arrays and blocks of a mixture to blocks of its stems.
- ``files``: songs in files and folders to folders of stems.

May import :mod:`hiphopss.weights`, :mod:`hiphopss.network`, :mod:`hiphopss.datasets`,
:mod:`hiphopss.signal` and :mod:`hiphopss.util`.
"""
