"""Music source separation for hip hop.

A Keras reference reimplementation of H. Martel and M. Miron, "Data augmentation for deep learning
source separation of HipHop songs" (2017). Importing this package imports neither Keras nor
TensorFlow; the modules that need them do.
"""

from hiphopss.config import PRESETS, SOURCES, Fidelity, SignalConfig
from hiphopss.errors import HiphopssError

__version__ = "0.1.0"

__all__ = [
    "PRESETS",
    "SOURCES",
    "Fidelity",
    "HiphopssError",
    "SignalConfig",
    "__version__",
    "separate",
]


def __getattr__(name: str):
    if name == "separate":
        from hiphopss.separation import separate

        return separate
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
