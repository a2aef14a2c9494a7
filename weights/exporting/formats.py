"""The formats in which the network can be exported."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from hiphopss.config import SOURCES
from hiphopss.errors import HiphopssError
from hiphopss.network.forward import NumpyNetwork
from hiphopss.util.extras import require

Masks = Callable[[np.ndarray], np.ndarray]
"""From scaled magnitudes `[shape=(n_patches, context, n_bins)]` to the masks of the sources
`[shape=(n_patches, n_sources, context, n_bins)]`."""


class Writer(Protocol):
    """What the module of a format has."""

    def write(self, path: Path, network: NumpyNetwork, facts: dict[str, Any]) -> None:
        """Write the network to a file, whose name has the format's suffix."""

    def masks_of(self, path: Path) -> Masks:
        """Load such a file with nothing but the format's own library, ready to compute masks."""


@dataclass(frozen=True)
class Format:
    """A format of exported networks.

    Attributes
    ----------
    suffix : str
        Ending of the files' names.
    module : str
        Module that is a :class:`Writer`; it is imported only when it is needed.
    needs : tuple of str
        Import names of the packages that it takes to write and to check a file.
    facts_inside : bool
        Whether the file itself can hold what is to be known about it; otherwise a JSON file beside
        it does.
    """

    suffix: str
    module: str
    needs: tuple[str, ...]
    facts_inside: bool = False

    def writer(self) -> Writer:
        """The module that writes this format.

        Raises
        ------
        HiphopssError
            If a package that it needs is not installed.
        """
        require(f"exporting {self.suffix} files", *self.needs)
        module: Any = import_module(f"hiphopss.weights.exporting.{self.module}")
        return module


FORMATS = {
    "keras": Format(".keras", "keras_format", ("keras",)),
    "onnx": Format(".onnx", "onnx_format", ("onnx", "onnxruntime"), facts_inside=True),
    "litert": Format(".tflite", "litert_format", ("keras", "tensorflow", "ai_edge_litert")),
    "web": Format(".bin", "web_format", (), facts_inside=True),
}
"""The formats by their names on the command line."""


def format_of(path: Path, name: str | None) -> Format:
    """The format of a file to write: the named one, else what the file's ending says.

    Raises
    ------
    HiphopssError
        If there is no such format, or the file's name has another ending.
    """
    if name is not None and name not in FORMATS:
        raise HiphopssError(f"no format named {name!r}: choose one of {', '.join(FORMATS)}")
    suffixes = [FORMATS[name].suffix] if name else [form.suffix for form in FORMATS.values()]
    for form in FORMATS.values():
        if form.suffix in suffixes and path.name.endswith(form.suffix):
            return form
    raise HiphopssError(f"{path}: rename it to end in {' or '.join(suffixes)}")


def decoders_of_sources(network: NumpyNetwork) -> list[int]:
    """The number of the decoder of each source (with Q1, two sources have the same one)."""
    own = network.sources
    return [own.index(source if source in own else "bass") for source in SOURCES]
