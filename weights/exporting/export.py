"""Exporting the network of a weight file for other programs."""

from __future__ import annotations

import json
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from hiphopss.errors import HiphopssError
from hiphopss.network.forward import NumpyNetwork
from hiphopss.network.spec import array_shapes, fit_arrays
from hiphopss.util.files import require_writable, written_whole
from hiphopss.weights.exporting.facts import facts_of
from hiphopss.weights.exporting.formats import format_of
from hiphopss.weights.exporting.parity import require_parity
from hiphopss.weights.files import read_weights
from hiphopss.weights.registry import resolve_weights


@dataclass(frozen=True)
class Export:
    """An exported network.

    Attributes
    ----------
    path : Path
        The file.
    facts : Path or None
        The JSON file beside it with what programs need to know; None if that is in the file.
    difference_db : float
        By how many dB its estimates differ from the NumPy engine's at most
        (:func:`hiphopss.weights.exporting.parity.require_parity`); some -130 is rounding.
    """

    path: Path
    facts: Path | None
    difference_db: float


def export_weights(
    weights: str | Path | None, output: str | Path, *, format: str | None = None
) -> Export:
    """Write the network of a weight file in a format that other programs can run.

    The network maps scaled magnitudes of the mixture `[shape=(batch, context, n_bins)]` to the soft
    masks of ``SOURCES``, in that order `[shape=(batch, n_sources, context, n_bins)]`; the batch has
    any size. What a program needs to know beside (the transform, the patches) is in the file's
    metadata or in a JSON file beside it; docs/export.md has complete programs.

    The file is only written if its own library computes the same masks from it as the NumPy engine
    of hiphopss does, up to rounding.

    Parameters
    ----------
    weights : path-like or None
        A weight file (own or published), by path or by name in the registry; None for the default.
    output : path-like
        File to write; it must not be there yet. For ``.keras`` and ``.tflite``, ``OUTPUT.json``
        is written beside it.
    format : str, optional
        ``"keras"``, ``"onnx"``, ``"litert"`` or ``"web"``; by default what the ending of ``output``
        says: ``.keras``, ``.onnx``, ``.tflite`` or ``.bin``.

    Returns
    -------
    Export
        What was written, and how closely it computes the same.

    Raises
    ------
    HiphopssError
        If the weights can't be used, a package that the format needs is not installed, the output
        is there already or can't be written, the format can't hold the weights' settings, or the
        masks differ.
    """
    path = Path(output)
    form = format_of(path, format)
    beside = None if form.facts_inside else path.with_name(f"{path.name}.json")
    for target in filter(None, (path, beside)):
        if target.exists():
            raise HiphopssError(f"{target}: is there already: name another file, or remove it")
        require_writable(target)
    weights = resolve_weights(weights)
    info, arrays = read_weights(weights)
    shapes = array_shapes(info.config, info.fidelity)
    network = NumpyNetwork(
        fit_arrays(arrays, shapes, origin=str(weights)), info.config, info.fidelity
    )
    writer, facts = form.writer(), facts_of(info, weights)
    with ExitStack() as stack:  # the JSON file appears before the file that it describes
        temporary = stack.enter_context(written_whole(path))
        writer.write(temporary, network, facts)
        difference = require_parity(writer.masks_of(temporary), network, origin=str(path))
        if beside is not None:
            text = json.dumps(facts, indent=2) + "\n"
            stack.enter_context(written_whole(beside)).write_text(text, "utf-8")
    return Export(path, beside, difference)
