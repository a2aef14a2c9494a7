"""``hiphopss.model.build_model``: the name under which the network was promised.

It lives in :mod:`hiphopss.network.model`.
"""

from hiphopss.network.model import build_model

__all__ = ["build_model"]
