"""Converting weight files between the project's own kind and the published one."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np

from hiphopss.errors import HiphopssError
from hiphopss.util.files import written_whole
from hiphopss.util.hdf5.reading import is_hdf5
from hiphopss.util.locks import locked
from hiphopss.weights.files import (
    SUFFIX,
    WeightsInfo,
    loaded_model,
    read_weights,
    save_weights,
)
from hiphopss.weights.published import PUBLISHED_ARRAYS, write_published

logger = logging.getLogger(__name__)


def convert_weights(source: str | Path, target: str | Path | None = None) -> Path:
    """Convert a weight file to the other kind; the suffixes of the names determine the direction.

    Parameters
    ----------
    source : path-like
        A weight file of either kind.
    target : path-like, optional
        File ending in ``.weights.h5``, or in ``.pkl`` (only for the preset ``released``, since a
        published file has no fourth decoder). By default the source's name with the other suffix.

    Returns
    -------
    Path
        Path of the target.

    Raises
    ------
    HiphopssError
        As in :func:`read_weights`, and if the target exists, its suffix or preset can't be used, or
        a ``.pkl`` would hide that the network was trained on test songs (Q3).

    Logs
    ----
    WARNING
        If a ``.pkl`` no longer says on which known data set the network was trained.
    """
    source = Path(source)
    info, arrays = read_weights(source)
    if target is None:
        other = ".pkl" if is_hdf5(source) else SUFFIX
        name = source.name.removesuffix(SUFFIX).removesuffix(".gz").removesuffix(".pkl")
        target = source.with_name(name + other)
    target = Path(target)
    with locked(target):  # another run may be making it
        if target.exists():
            raise HiphopssError(f"{target}: is there already: name another file, or remove it")
        if target.name.endswith(".pkl"):
            _write_published(target, info, arrays, source=source)
        else:
            model = loaded_model(info, arrays, origin=str(source))
            save_weights(
                *(target, model),
                config=info.config,
                fidelity=info.fidelity,
                provenance=info.provenance,
            )
    return target


def _write_published(
    target: Path, info: WeightsInfo, arrays: dict[str, np.ndarray], *, source: Path
) -> None:
    """Write weights in the published format, if it can hold what has to be said of them."""
    if set(arrays) != {name for name, _ in PUBLISHED_ARRAYS}:
        raise HiphopssError(
            f"{source}: in the preset {info.fidelity.name!r}, which the published "
            "format can't hold: only 'released' weights convert to .pkl"
        )
    if info.provenance.get("released_test_leak"):
        raise HiphopssError(
            f"{source}: trained on test songs (Q3), which a .pkl can't say: keep this file"
        )
    with written_whole(target) as temporary:
        write_published(temporary, arrays)
    for known in info.provenance.get("data", []):
        logger.warning(
            "%s: does not say that it was trained on %s (licence: %s): tell whom you give it",
            *(target, known["set"], known["licence"]),
        )
