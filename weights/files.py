"""Weight files: the project's own (Keras HDF5 with settings and provenance) and the published ones.

The project's own file is what ``keras.Model.save_weights`` writes, so Keras alone can load it, with
one more attribute ``hiphopss`` on its root: a JSON object with the signal settings, the fidelity
switches, the provenance and a SHA-256 of the arrays, which is checked on loading.
"""

from __future__ import annotations

import hashlib
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
from hiphopss.network.spec import fit_arrays
from hiphopss.util.files import sha256_of, written_whole
from hiphopss.weights.provenance import parse_stored, require_provenance
from hiphopss.weights.published import PUBLISHED_ARRAYS, read_published, write_published
from hiphopss.weights.registry import is_leaky_by_name, resolve_weights

if TYPE_CHECKING:
    import h5py
    import keras

logger = logging.getLogger(__name__)

SUFFIX = ".weights.h5"
_ATTRIBUTE = "hiphopss"
_HDF5_SIGNATURE = b"\x89HDF\r\n\x1a\n"


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
    """
    path = Path(path)
    if not path.name.endswith(SUFFIX):
        raise HiphopssError(f"{path}: a weight file's name must end in {SUFFIX}: rename it")
    require_provenance(provenance or {}, origin=path)
    info = WeightsInfo(config, fidelity, provenance or {}, digest_of(network_arrays(model)))
    with written_whole(path) as temporary:
        write_weights(temporary, model, info)
    return info


def write_weights(path: Path, model: keras.Model, info: WeightsInfo) -> None:
    """Write a weight file in place, as :func:`save_weights` does to a temporary one."""
    import h5py
    import keras

    bare = keras.Model(model.inputs, model.outputs, name=model.name)  # has no optimiser state
    bare.save_weights(path)
    with h5py.File(path, "r+") as file:
        file.attrs[_ATTRIBUTE] = json.dumps(asdict(info), sort_keys=True)


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
        If the file is missing, damaged, or not one of the two kinds.
    """
    path = Path(path)
    if not is_hdf5(path):
        return read_weights(path)[0]
    with _opened(path) as file:
        return _info(path, file)


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
        As in :func:`read_info`, and if the arrays have changed since they were written.
    """
    path = Path(path)
    if not is_hdf5(path):
        arrays = read_published(path)
        digest = sha256_of(path)
        provenance: dict[str, Any] = {"published": path.name, "published_sha256": digest}
        if is_leaky_by_name(path):
            provenance["released_test_leak"] = True
        return WeightsInfo(SignalConfig(), resolve_preset("released"), provenance, digest), arrays
    with _opened(path) as file:
        info, arrays = _info(path, file), {}
        for group in file["layers"].values():
            variables = group["vars"]  # named "0", "1", ...; its attribute is the layer's name
            layer = variables.attrs["name"]
            names = ("bias",) if layer == "output" else ("kernel", "bias", "extra_bias")
            for name, key in zip(names, sorted(variables), strict=False):
                arrays[f"{layer}/{name}"] = np.asarray(variables[key])
    if digest_of(arrays) != info.sha256:
        raise HiphopssError(
            f"{path}: the SHA-256 of its arrays is not the one it records, so it is damaged or "
            "was edited: make or copy it again"
        )
    return info, arrays


@contextmanager
def _opened(path: Path) -> Iterator[h5py.File]:
    """Open one of the project's own weight files."""
    import h5py

    try:
        file = h5py.File(path, "r")
    except OSError as error:
        raise HiphopssError(f"{path}: a damaged HDF5 file: make or copy it again") from error
    with file:
        yield file


def _info(path: Path, file: h5py.File) -> WeightsInfo:
    """Read the record of one of the project's own files."""
    text = file.attrs.get(_ATTRIBUTE)
    if text is None:
        raise HiphopssError(
            f"{path}: an HDF5 file without hiphopss settings, so not one of its weight files: "
            "use one that `hiphopss train` wrote, or a published .pkl"
        )
    stored = parse_stored(text, origin=path)
    return WeightsInfo(
        read_settings(SignalConfig, stored.config, origin=str(path)),
        read_settings(Fidelity, stored.fidelity, origin=str(path)),
        stored.provenance,
        stored.sha256,
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
        target = source.with_name(source.name.removesuffix(SUFFIX).removesuffix(".pkl") + other)
    target = Path(target)
    if target.exists():
        raise HiphopssError(f"{target}: is there already: name another file, or remove it")
    if target.name.endswith(".pkl"):
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
        return target
    model = loaded_model(info, arrays, origin=str(source))
    save_weights(
        target, model, config=info.config, fidelity=info.fidelity, provenance=info.provenance
    )
    return target


def is_hdf5(path: str | Path) -> bool:
    """Whether a file is one of the project's own; errors as in :func:`read_info`."""
    try:
        with open(path, "rb") as file:
            return file.read(len(_HDF5_SIGNATURE)) == _HDF5_SIGNATURE
    except OSError as error:
        raise HiphopssError(f"{path}: can't be read ({error.strerror}): check the path") from error


def digest_of(arrays: dict[str, np.ndarray]) -> str:
    """SHA-256 over names, shapes and little-endian float32 values, in the order of the names."""
    digest = hashlib.sha256()
    for name in sorted(arrays):
        digest.update(f"{name}{arrays[name].shape}".encode())
        digest.update(np.ascontiguousarray(arrays[name], "<f4").tobytes())
    return digest.hexdigest()
