"""Describing weight files for people."""

from __future__ import annotations

from pathlib import Path

from hiphopss.util.hdf5.reading import is_hdf5
from hiphopss.util.text import printable
from hiphopss.weights.files import read_weights
from hiphopss.weights.registry import resolve_weights

_MOST = 2000  # characters of a line


def describe_weights(path: str | Path) -> str:
    """Describe a weight file in lines for people.

    Parameters
    ----------
    path : path-like
        The project's own ``.weights.h5`` or a published ``.pkl``, by path or by registry name.

    Returns
    -------
    str
        Preset, hash, settings, provenance with the data sets and their licences, and arrays. Each
        fact is one line; what can't be seen is escaped, and long facts are cut short.

    Raises
    ------
    HiphopssError
        As in :func:`hiphopss.weights.files.load_model`.

    Examples
    --------
    >>> import hiphopss
    >>> print(hiphopss.describe_weights("generated").splitlines()[1])
    preset     corrected
    """
    path = resolve_weights(path)
    info, arrays = read_weights(path)
    provenance = dict(info.provenance)
    data, songs = provenance.pop("data", []), provenance.pop("songs", [])
    stems = provenance.pop("stems", {})
    count = sum(array.size for array in arrays.values())
    width = max(map(len, arrays))
    lines = [
        f"{path}",
        f"preset     {info.fidelity.name}",
        f"sha256     {info.sha256} (of the {'arrays' if is_hdf5(path) else 'file'})",
        f"signal     {info.config.to_json()}",
        *(f"{name:10} {value}" for name, value in provenance.items()),
        *(f"data       {known['set']}, licence: {known['licence']}" for known in data),
        *([f"songs      {len(songs)}: {', '.join(songs)}"] if songs else []),
        *([f"stems      {len(stems)} files, with their SHA-256"] if stems else []),
        f"arrays     {len(arrays)}, {count:,} numbers",
        *(f"  {name:{width}} {array.shape}" for name, array in arrays.items()),
    ]
    return "\n".join(printable(line, most=_MOST) for line in lines)
