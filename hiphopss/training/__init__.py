"""Room of training: from feature files to weights (docs/released-code.md, sections 2 and 4).

- ``loop``: the loop over epochs. ``settings``: its settings. ``batches``: the order of patches.
- ``steps``: feeding patches to the network. ``checkpoints``: saving and resuming.
- ``split``: which patches train and which validate. ``validation``: the loss on the latter.
- ``callbacks``: Keras callbacks in the loop. ``board``: the log of the loop for TensorBoard.
- ``processes``: several devices and machines, with JAX.

May import :mod:`hiphopss.datasets`, :mod:`hiphopss.weights`, :mod:`hiphopss.network` and
:mod:`hiphopss.util`.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
