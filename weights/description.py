"""Describing weight files: their facts, and the same for people."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

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
    return in_words(weights_facts(path))


def weights_facts(path: str | Path) -> dict[str, Any]:
    """The facts of a weight file; parameters and errors as in :func:`describe_weights`.

    Returns
    -------
    dict
        ``path``, ``preset``, ``sha256``, ``sha256_of`` (``"arrays"`` or ``"file"``), ``signal``
        (the fields of :class:`~hiphopss.config.SignalConfig`), ``provenance`` (what the file says
        of how it was made), ``arrays`` (shapes by name) and ``n_numbers``.
    """
    path = resolve_weights(path)
    info, arrays = read_weights(path)
    return {
        "path": path,
        "preset": info.fidelity.name,
        "sha256": info.sha256,
        "sha256_of": "arrays" if is_hdf5(path) else "file",
        "signal": asdict(info.config),
        "provenance": dict(info.provenance),
        "arrays": {name: array.shape for name, array in arrays.items()},
        "n_numbers": sum(array.size for array in arrays.values()),
    }


def in_words(facts: dict[str, Any]) -> str:
    """The facts from :func:`weights_facts` in lines for people."""
    provenance, arrays = dict(facts["provenance"]), facts["arrays"]
    data, songs = provenance.pop("data", []), provenance.pop("songs", [])
    stems = provenance.pop("stems", {})
    width = max(map(len, arrays))
    lines = [
        f"{facts['path']}",
        f"preset     {facts['preset']}",
        f"sha256     {facts['sha256']} (of the {facts['sha256_of']})",
        f"signal     {json.dumps(facts['signal'], sort_keys=True)}",
        *(f"{name:10} {value}" for name, value in provenance.items()),
        *(f"data       {known['set']}, licence: {known['licence']}" for known in data),
        *([f"songs      {len(songs)}: {', '.join(songs)}"] if songs else []),
        *([f"stems      {len(stems)} files, with their SHA-256"] if stems else []),
        f"arrays     {len(arrays)}, {facts['n_numbers']:,} numbers",
        *(f"  {name:{width}} {shape}" for name, shape in arrays.items()),
    ]
    return "\n".join(printable(line, most=_MOST) for line in lines)
