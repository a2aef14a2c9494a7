"""Weight files: the project's own (Keras HDF5 with settings and provenance) and the published ones.

The project's own file is what ``keras.Model.save_weights`` writes, so Keras alone can load it, with
one more attribute ``hiphopss`` on its root: a JSON object with the signal settings, the fidelity
switches, the provenance and a SHA-256 of the arrays, which is checked on loading.
"""

from __future__ import annotations

import hashlib
import io
import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hiphopss.config import Fidelity, SignalConfig, read_settings, resolve_preset, standalone
from hiphopss.errors import HiphopssError
from hiphopss.network.spec import array_shapes, fit_arrays
from hiphopss.util.files import sha256_of, written_whole
from hiphopss.util.hdf5.reading import HDF5File, is_hdf5
from hiphopss.util.interrupts import held
from hiphopss.weights.provenance import parse_stored, require_provenance
from hiphopss.weights.published import read_published
from hiphopss.weights.registry import is_leaky_by_name, resolve_weights, shipped_hashes

if TYPE_CHECKING:
    import h5py
    import keras

logger = logging.getLogger(__name__)

SUFFIX = ".weights.h5"
_ATTRIBUTE = "hiphopss"
_LAYERS, _VARIABLES = "layers", "vars"  # Keras keeps the arrays of a layer in layers/KEY/vars


@dataclass(frozen=True)
class WeightsInfo:
    """Settings and provenance that a weight file records.

    Attributes
    ----------
    config : SignalConfig
        Settings of the magnitudes on which it was trained.
    fidelity : Fidelity
        Wiring of the network.
    provenance : dict
        How it was made: features, arguments, versions; for a published file its name and hash.
    sha256 : str
        Hash of the arrays' names, shapes and values (own files) or of the file (published ones).
    """

    config: SignalConfig
    fidelity: Fidelity
    provenance: dict = field(default_factory=dict)
    sha256: str = ""

    def in_standalone_script(self) -> WeightsInfo:
        """The same, with the settings of the released stand-alone separation script (Q6)."""
        fidelity, config = standalone(self.fidelity, self.config)
        return replace(self, fidelity=fidelity, config=config)


def network_arrays(model: keras.Model) -> dict[str, np.ndarray]:
    """All weights of a model by name, such as ``"conv1/kernel"``, in the published order."""
    return {variable.path: variable.numpy() for variable in model.weights}


def assign_arrays(model: keras.Model, arrays: dict[str, np.ndarray], *, origin: str) -> None:
    """Set all weights of a model from named arrays, after fitting the arrays to it.

    Parameters
    ----------
    model : keras.Model
        Model from :func:`hiphopss.network.model.build_model`.
    arrays : dict of str to np.ndarray
        Arrays by name.
    origin : str
        Name of the arrays' origin in messages.

    Raises
    ------
    HiphopssError
        As in :func:`hiphopss.network.spec.fit_arrays`.
    """
    shapes = {variable.path: tuple(variable.shape) for variable in model.weights}
    model.set_weights(list(fit_arrays(arrays, shapes, origin=origin).values()))


def load_published(path: str | Path, model: keras.Model) -> keras.Model:
    """Load a published ``.pkl`` of the released code into a model.

    Parameters
    ----------
    path : path-like
        A file as described in docs/released-code.md, section 5; float32 or float64.
    model : keras.Model
        Model from :func:`hiphopss.network.model.build_model`, in either preset.

    Returns
    -------
    keras.Model
        The same model.

    Raises
    ------
    HiphopssError
        If the file is not a pickle, needs anything but arrays, or holds another network.
    """
    assign_arrays(model, read_published(path), origin=str(path))
    return model


def save_weights(
    path: str | Path,
    model: keras.Model,
    *,
    config: SignalConfig,
    fidelity: Fidelity,
    provenance: dict | None = None,
) -> WeightsInfo:
    """Write a model's weights with their settings, provenance and SHA-256, completely or not.

    Parameters
    ----------
    path : path-like
        File to write, which must end in ``.weights.h5``, as Keras requires.
    model : keras.Model
        Model from :func:`hiphopss.network.model.build_model`.
    config, fidelity
        Settings with which it was built and trained.
    provenance : dict
        Anything that JSON can hold; the keys of :class:`hiphopss.weights.provenance.Provenance` as
        they are there.

    Returns
    -------
    WeightsInfo
        Record that was written with the arrays.

    Raises
    ------
    HiphopssError
        If the file can't be written, or as in :func:`require_finite`.
    """
    path = Path(path)
    if not path.name.endswith(SUFFIX):
        raise HiphopssError(f"{path}: a weight file's name must end in {SUFFIX}: rename it")
    require_provenance(provenance or {}, origin=path)
    arrays = network_arrays(model)
    require_finite(arrays, origin=str(path))
    info = WeightsInfo(config, fidelity, provenance or {}, digest_of(arrays))
    with written_whole(path) as temporary, written_weights(temporary, model, info):
        pass
    return info


@contextmanager
def written_weights(path: Path, model: keras.Model, info: WeightsInfo) -> Iterator[h5py.File]:
    """Yield an HDF5 file with a model's weights and their record, to add more; then write it.

    The file is made in memory, because libhdf5 crashes the process if the disk is full.
    """
    import h5py
    import keras

    bare = keras.Model(model.inputs, model.outputs, name=model.name)  # has no optimiser state
    memory = _NamedMemory()
    bare.save_weights(memory)
    with h5py.File(memory, "r+") as file:
        file.attrs[_ATTRIBUTE] = json.dumps(asdict(info), sort_keys=True)
        yield file
    path.write_bytes(memory.getbuffer())


class _NamedMemory(io.BytesIO):
    """A file in memory, whose name tells Keras that it is a weight file."""

    def __str__(self) -> str:
        return f"memory{SUFFIX}"


def read_info(path: str | Path) -> WeightsInfo:
    """Read the record of a weight file, without Keras.

    Parameters
    ----------
    path : path-like
        The project's own ``.weights.h5`` or a published ``.pkl``, recognised by the content.

    Returns
    -------
    WeightsInfo
        Record; a published file is in the ``released`` preset with the default signal settings.

    Raises
    ------
    HiphopssError
        If the file can't be read, is damaged, or is not one of the two kinds.
    """
    path = Path(path)
    if not is_hdf5(path):
        return read_weights(path)[0]
    with opened_own(path) as file:
        return read_record(file)


def read_arrays(path: str | Path) -> dict[str, np.ndarray]:
    """Read the arrays of a weight file of either kind, by name; see :func:`read_weights`."""
    return read_weights(path)[1]


def read_weights(path: str | Path) -> tuple[WeightsInfo, dict[str, np.ndarray]]:
    """Read a weight file of either kind without Keras, and check its SHA-256.

    Parameters
    ----------
    path : path-like
        The project's own ``.weights.h5`` or a published ``.pkl``.

    Returns
    -------
    info : WeightsInfo
        Record of the file, as from :func:`read_info`.
    arrays : dict of str to np.ndarray
        Arrays in float32, by name.

    Raises
    ------
    HiphopssError
        As in :func:`read_info`, and if the arrays have changed since they were written, are not
        those of the network, or are not finite.
    """
    path = Path(path)
    info, arrays = _read_weights(path)
    logger.debug("%s: preset %s, SHA-256 %s", path, info.fidelity.name, info.sha256)
    return info, arrays


def _read_weights(path: Path) -> tuple[WeightsInfo, dict[str, np.ndarray]]:
    if not is_hdf5(path):
        arrays = read_published(path)
        digest = sha256_of(path)
        provenance: dict[str, Any] = {"published": path.name, "published_sha256": digest}
        if is_leaky_by_name(path):
            provenance["released_test_leak"] = True
        return WeightsInfo(SignalConfig(), resolve_preset("released"), provenance, digest), arrays
    with opened_own(path) as file:
        return read_own(file)


def opened_own(path: Path) -> HDF5File:
    """Open one of the project's own weight files; errors as in :class:`HDF5File`."""
    return HDF5File(path, mend="make or copy it again", known=shipped_hashes())


def read_own(file: HDF5File) -> tuple[WeightsInfo, dict[str, np.ndarray]]:
    """Read one of the project's own weight files; see :func:`read_weights`."""
    info, places = read_record(file), _places(file)
    shapes = array_shapes(info.config, info.fidelity)
    for name in shapes | places:
        found = file.arrays[places[name]].shape if name in places else "nothing"
        expected = shapes.get(name, "nothing")
        if found != expected:
            shown = name if name in shapes else repr(name)
            raise HiphopssError(
                f"{file.path}: array {shown}: found {found}, expected {expected}: "
                "use a weight file of this network"
            )
    arrays = {name: file.array(places[name]) for name in shapes}
    if digest_of(arrays) != info.sha256:
        raise HiphopssError(
            f"{file.path}: the SHA-256 of its arrays is not the one it records, so it is damaged "
            "or was edited: make or copy it again"
        )
    require_finite(arrays, origin=str(file.path))
    return info, arrays


def read_record(file: HDF5File) -> WeightsInfo:
    """Read the record of one of the project's own files, and check that the file is sound."""
    text, origin = file.groups[""].get(_ATTRIBUTE), str(file.path)
    if not isinstance(text, str):
        raise HiphopssError(
            f"{origin}: an HDF5 file without hiphopss settings, so not one of its weight files: "
            "use one that `hiphopss train` wrote, or a published .pkl"
        )
    file.require_sound()
    stored = parse_stored(text, origin=origin)
    return WeightsInfo(
        read_settings(SignalConfig, stored.config, origin=origin),
        read_settings(Fidelity, stored.fidelity, origin=origin),
        stored.provenance,
        stored.sha256,
    )


def _places(file: HDF5File) -> dict[str, str]:
    """The path of the data set of each array, by the array's name."""
    places = {}
    for path, attributes in file.groups.items():
        if not (path.startswith(f"{_LAYERS}/") and path.endswith(f"/{_VARIABLES}")):
            continue
        layer = attributes.get("name")
        names = ("bias",) if layer == "output" else ("kernel", "bias", "extra_bias")
        # They are called "0", "1", ... in the group.
        held = sorted(name for name in file.arrays if name.rpartition("/")[0] == path)
        for number, own in enumerate(held):
            name = names[number] if number < len(names) else f"number {number}"
            places[f"{layer}/{name}"] = own
    return places


def require_finite(arrays: dict[str, np.ndarray], *, origin: str) -> None:
    """Raise :class:`HiphopssError` if an array of a network has values that are not finite."""
    for name, array in arrays.items():
        if not np.isfinite(array).all():
            raise HiphopssError(
                f"{origin}: array {name} has values that are not finite: its training diverged or "
                "it was edited, so use other weights"
            )


def load_model(path: str | Path) -> tuple[keras.Model, WeightsInfo]:
    """Build the network for a weight file of either kind, and load the file.

    Parameters
    ----------
    path : path-like
        The project's own ``.weights.h5`` or a published ``.pkl``, by path or by registry name.

    Returns
    -------
    model : keras.Model
        Model that is ready to use.
    info : WeightsInfo
        Record of the file.

    Raises
    ------
    HiphopssError
        As in :func:`read_weights`.
    """
    path = resolve_weights(path)
    info, arrays = read_weights(path)
    return loaded_model(info, arrays, origin=str(path)), info


@held()
def loaded_model(info: WeightsInfo, arrays: dict[str, np.ndarray], *, origin: str) -> keras.Model:
    """Build the network for some arrays, with the arrays as its weights.

    Parameters
    ----------
    info : WeightsInfo
        Settings of the network.
    arrays : dict of str to np.ndarray
        Arrays from :func:`read_weights`.
    origin : str
        Name of the arrays' origin in messages.
    """
    from hiphopss.util.keras_backend import import_keras

    import_keras()
    from hiphopss.network.model import build_model

    model = build_model(info.fidelity, config=info.config)
    assign_arrays(model, arrays, origin=origin)
    return model


def digest_of(arrays: dict[str, np.ndarray]) -> str:
    """SHA-256 over names, shapes and little-endian float32 values, in the order of the names."""
    digest = hashlib.sha256()
    for name in sorted(arrays):
        digest.update(f"{name}{arrays[name].shape}".encode())
        digest.update(np.ascontiguousarray(arrays[name], "<f4").tobytes())
    return digest.hexdigest()
