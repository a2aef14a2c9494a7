from .session import LiveSettings, Pcm, run_live
from .stream import StreamingSeparator

__all__ = ["LiveSettings", "Pcm", "StreamingSeparator", "run_live"]
