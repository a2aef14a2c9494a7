"""Music source separation for hip hop.

A Keras reference reimplementation of H. Martel and M. Miron, "Data augmentation for deep learning
source separation of HipHop songs" (2017). Every verb of the command line is one function here,
which is loaded when it is first used: importing this package imports neither Keras nor TensorFlow.

Data flow one way: ``datasets`` (songs to features), ``training`` (features to weights),
``weights``, ``separation`` (songs to stems), ``eval`` (stems to scores). Below these rooms are
``network``, ``signal`` and ``util``; above are ``remixing``, ``live``, ``reproduction``, ``demo``
and ``cli``. The docstring of each room describes its content and what it may import. ``datasets``,
``eval`` and ``weights`` are links to the folders beside this one.
"""

import importlib.util

import lazy_loader

__version__ = "0.1.0"

if importlib.util.find_spec("hiphopss.eval") is None:
    raise ImportError(
        f"{__file__}: git made no links in this checkout, so its parts are not found: run "
        "`pip install -e .` in it, or clone it with links (git config core.symlinks true)"
    )

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
__all__ += ["__version__"]
