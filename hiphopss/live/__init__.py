"""Room of live use: separating and mixing a stream while it plays.

- ``stream``: separates blocks into stems with a constant delay.
- ``session``: connects input, separator, mixer and output; ``ends``: the inputs and outputs.
- ``controls``: lines and keys that change the mix. Add a new key here, and describe it in
  ``control_help``. ``readers``: reading them without waiting, on Unix and on Windows.

May import :mod:`hiphopss.remixing`, :mod:`hiphopss.separation`, :mod:`hiphopss.weights`,
:mod:`hiphopss.network`, :mod:`hiphopss.signal` and :mod:`hiphopss.util`.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
