"""The documented import path ``hiphopss.model.build_model``.

The function lives in :mod:`hiphopss.network.model`.
"""

from hiphopss.network.model import build_model

__all__ = ["build_model"]
