"""Networks for weight files, ready to compute masks: in NumPy, or in Keras.

Both engines give the same masks up to rounding. The one in NumPy is faster, and is the default.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal, overload

import numpy as np

from hiphopss.errors import HiphopssError
from hiphopss.network.forward import NumpyNetwork
from hiphopss.network.spec import array_shapes, fit_arrays
from hiphopss.weights.files import WeightsInfo, loaded_model, read_weights

if TYPE_CHECKING:
    from hiphopss.network.keras_masks import KerasNetwork

ENGINES = ("numpy", "keras")
"""Names of the engines, the default first; both compute the same masks up to rounding."""


@overload
def load_network(
    path: str | Path, *, engine: Literal["numpy"] = ...
) -> tuple[NumpyNetwork, WeightsInfo]: ...
@overload
def load_network(
    path: str | Path, *, engine: str
) -> tuple[NumpyNetwork | KerasNetwork, WeightsInfo]: ...
def load_network(
    path: str | Path, *, engine: str = "numpy"
) -> tuple[NumpyNetwork | KerasNetwork, WeightsInfo]:
    """Build the network for a weight file of either kind, and load the file.

    Parameters
    ----------
    path : path-like
        The project's own ``.weights.h5`` or a published ``.pkl``.
    engine : str
        One of ``ENGINES``.

    Returns
    -------
    network : NumpyNetwork or KerasNetwork
        Network that is ready to use.
    info : WeightsInfo
        Settings and provenance recorded in the file.

    Raises
    ------
    HiphopssError
        As in :func:`hiphopss.weights.files.read_weights`, or if no engine has this name.
    """
    info, arrays = read_weights(path)
    return build_network(info, arrays, engine=engine, origin=str(path)), info


def build_network(
    info: WeightsInfo, arrays: dict[str, np.ndarray], *, engine: str = "numpy", origin: str
) -> NumpyNetwork | KerasNetwork:
    """Build the network for some arrays, with the arrays as its weights.

    Parameters
    ----------
    info : WeightsInfo
        Describes the network's wiring and its masks (Q6).
    arrays : dict of str to np.ndarray
        Arrays from :func:`hiphopss.weights.files.read_weights`.
    engine : str
        One of ``ENGINES``.
    origin : str
        Name of the arrays' origin in messages.

    Returns
    -------
    NumpyNetwork or KerasNetwork
        Network that is ready to use.
    """
    if engine not in ENGINES:
        raise HiphopssError(f"no engine named {engine!r}: choose {' or '.join(ENGINES)}")
    if engine == "keras":
        from hiphopss.network.keras_masks import KerasNetwork

        return KerasNetwork(loaded_model(info, arrays, origin=origin), info.config)
    fitted = fit_arrays(arrays, array_shapes(info.config, info.fidelity), origin=origin)
    return NumpyNetwork(fitted, info.config, info.fidelity)
