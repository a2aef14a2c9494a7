"""Room of weight files: the project's own, the published ones, and those that are shipped.

- ``files``: reading and writing them. ``published``: reads pickles without unpickling.
- ``wrappings``: what pickled weights are wrapped in. ``converting``: from one kind to the other.
- ``description``: describing them for people. ``exporting``: the network for other programs.
- ``registry``: the known weight files, as listed in ``registry.toml``; the shipped files are beside
  it.
- ``default``: how the default weights were trained. Nothing else imports it.

May import :mod:`hiphopss.network` and :mod:`hiphopss.util`, ``exporting`` also
:mod:`hiphopss.loops`, and ``default`` also :mod:`hiphopss.datasets` and :mod:`hiphopss.signal`.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
