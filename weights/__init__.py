"""Room of weight files: the project's own, the published ones, and those that are shipped.

- ``files``: reading, writing and converting them. ``published``: pickles, read without unpickling.
- ``registry``: weight files that are known, as ``registry.toml`` lists them; the shipped ones stand
  beside it.

May import :mod:`hiphopss.network` and :mod:`hiphopss.util`.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
