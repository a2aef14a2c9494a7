"""The models that a page can use on the visitor's device."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from pathlib import Path

from hiphopss.demo.catalogue import Model
from hiphopss.errors import HiphopssError
from hiphopss.util.files import sha256_of

FOLDER = "weights"


def address_of(model: Model) -> str:
    """The address of a model's weights, relative to the page."""
    return f"{FOLDER}/{model.id}.bin"


def described(models: Iterable[Model], folder: Path | None = None) -> list[dict]:
    """Describe the models that the page can use, in the form that it reads.

    Parameters
    ----------
    models : iterable of Model
        Models on offer.
    folder : Path, optional
        Folder with their weights from :func:`write_weights`; sizes and hashes are then named.
    """
    found = []
    for model in models:
        if not usable(model):
            continue
        fact: dict = {"id": model.id, "name": model.name, "weights": address_of(model)}
        if folder is not None:
            path = folder / address_of(model)
            fact |= {"bytes": path.stat().st_size, "sha256": sha256_of(path)}
        found.append(fact)
    return found


def usable(model: Model) -> bool:
    """Whether the page's engine can compute with a model."""
    from hiphopss.weights.exporting.web_format import why_not

    return why_not(model.separator.config, model.separator.fidelity) is None


def write_weights(model: Model, path: Path) -> None:
    """Write a model's weights in the page's format.

    Raises
    ------
    HiphopssError
        If the weights can't be read any more, or the page can't use them.
    """
    from hiphopss.weights.exporting.export import export_weights

    path.parent.mkdir(parents=True, exist_ok=True)
    export_weights(model.path, path, format="web")


class DeviceWeights:
    """Weights for the page, each written when it is asked for.

    Parameters
    ----------
    models : dict of str to Model
        Models on offer, by id.
    folder : Path
        Folder for their files.
    """

    def __init__(self, models: dict[str, Model], folder: Path):
        self._models = models
        self._folder = folder
        self._writing = threading.Lock()

    def path(self, id: str) -> Path | None:
        """The file with a model's weights; None if there is none for the page."""
        model = self._models.get(id)
        if model is None or not usable(model):
            return None
        path = self._folder / f"{model.id}.bin"
        with self._writing:
            if not path.exists():
                try:
                    write_weights(model, path)
                except HiphopssError:
                    return None
        return path
