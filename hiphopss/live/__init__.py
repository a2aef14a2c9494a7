"""Room of live use: a stream is separated and mixed while it plays.

- ``stream``: block by block to stems, with a constant delay.
- ``session``: from an input through separator and mixer to an output; ``ends``: what those are.
- ``controls``: lines and keys that change the mix; a new key goes there, and in words into
  ``control_help``.

May import :mod:`hiphopss.remixing`, :mod:`hiphopss.separation`, :mod:`hiphopss.weights`,
:mod:`hiphopss.network`, :mod:`hiphopss.signal` and :mod:`hiphopss.util`.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
