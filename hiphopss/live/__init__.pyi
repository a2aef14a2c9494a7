from .stream import StreamingSeparator

__all__ = ["StreamingSeparator"]
