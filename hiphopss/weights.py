"""Weight files: the project's own (Keras HDF5 with settings and provenance) and the published ones.

An own file is what ``keras.Model.save_weights`` writes, so Keras alone can load it, with one more
attribute ``hiphopss`` on its root: a JSON object with the signal settings, the fidelity switches,
the provenance and a SHA-256 of the arrays, which is checked on load.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from hiphopss.backend import import_keras
from hiphopss.config import Fidelity, SignalConfig, read_settings, resolve_preset, standalone
from hiphopss.errors import HiphopssError
from hiphopss.files import sha256_of, written_whole
from hiphopss.forward import fit_arrays
from hiphopss.published import PUBLISHED_ARRAYS, read_published, write_published
from hiphopss.registry import trained_on_test

if TYPE_CHECKING:
    import keras

SUFFIX = ".weights.h5"
_ATTRIBUTE = "hiphopss"
_HDF5_SIGNATURE = b"\x89HDF\r\n\x1a\n"


@dataclass(frozen=True)
class WeightsInfo:
    """What a weight file says of itself.

    Attributes
    ----------
    config : SignalConfig
        Settings of the magnitudes it was trained on.
    fidelity : Fidelity
        Wiring of the network.
    provenance : dict
        What made it: features, arguments, versions; for a published file its name and hash.
    sha256 : str
        Of the arrays' names, shapes and values (own files) or of the file (published ones).
    """

    config: SignalConfig
    fidelity: Fidelity
    provenance: dict = field(default_factory=dict)
    sha256: str = ""


def network_arrays(model: keras.Model) -> dict[str, np.ndarray]:
    """All weights of a model by name, such as ``"conv1/kernel"``, in the published order."""
    return {variable.path: variable.numpy() for variable in model.weights}


def assign_arrays(model: keras.Model, arrays: dict[str, np.ndarray], *, origin: str) -> None:
    """Set all weights of a model from arrays by name, which are fitted to it.

    Parameters
    ----------
    model : keras.Model
        From :func:`hiphopss.model.build_model`.
    arrays : dict of str to np.ndarray
        By name.
    origin : str
        Where they come from, for messages.

    Raises
    ------
    HiphopssError
        As :func:`hiphopss.forward.fit_arrays`.
    """
    shapes = {variable.path: tuple(variable.shape) for variable in model.weights}
    model.set_weights(list(fit_arrays(arrays, shapes, origin=origin).values()))


def load_published(path: str | Path, model: keras.Model) -> keras.Model:
    """Load a published ``.pkl`` of the released code into a model.

    Parameters
    ----------
    path : path-like
        A file as section 5 of the reference page describes; float32 or float64.
    model : keras.Model
        From :func:`hiphopss.model.build_model`, in either preset.

    Returns
    -------
    keras.Model
        The same model.

    Raises
    ------
    HiphopssError
        If the file is not a pickle, asks for more than arrays, or holds another network.
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
    """Write a model's weights with their settings, provenance and SHA-256, whole or not at all.

    Parameters
    ----------
    path : path-like
        Must end in ``.weights.h5``, which is what Keras asks for.
    model : keras.Model
        From :func:`hiphopss.model.build_model`.
    config, fidelity
        What it was built and trained with.
    provenance : dict
        Anything JSON can hold.

    Returns
    -------
    WeightsInfo
        What was written beside the arrays.
    """
    import h5py

    path = Path(path)
    if not path.name.endswith(SUFFIX):
        raise HiphopssError(f"{path}: a weight file's name must end in {SUFFIX}: rename it")
    digest = _digest(network_arrays(model))
    info = WeightsInfo(config, fidelity, provenance or {}, digest)
    keras = import_keras()
    bare = keras.Model(model.inputs, model.outputs, name=model.name)  # without an optimiser's state
    with written_whole(path) as temporary:
        bare.save_weights(temporary)
        with h5py.File(temporary, "r+") as file:
            file.attrs[_ATTRIBUTE] = json.dumps(asdict(info), sort_keys=True)
    return info


def read_info(path: str | Path) -> WeightsInfo:
    """Read what a weight file says of itself, without Keras.

    Parameters
    ----------
    path : path-like
        An own ``.weights.h5`` or a published ``.pkl``; the content decides which.

    Returns
    -------
    WeightsInfo
        A published file is in the ``released`` preset with the default signal settings.

    Raises
    ------
    HiphopssError
        If the file is missing, damaged, or not one of the two kinds.
    """
    path = Path(path)
    if not _is_hdf5(path):
        read_published(path)
        digest = sha256_of(path)
        provenance = {"published": path.name, "published_sha256": digest}
        if trained_on_test(path):
            provenance["released_test_leak"] = True
        return WeightsInfo(SignalConfig(), resolve_preset("released"), provenance, digest)
    import h5py

    try:
        with h5py.File(path, "r") as file:
            text = file.attrs.get(_ATTRIBUTE)
    except OSError as error:
        raise HiphopssError(f"{path}: a damaged HDF5 file: make or copy it again") from error
    if text is None:
        raise HiphopssError(
            f"{path}: an HDF5 file without hiphopss settings, so not one of its weight files: "
            "use one that `hiphopss train` wrote, or a published .pkl"
        )
    stored = json.loads(text)
    return WeightsInfo(
        read_settings(SignalConfig, stored["config"], origin=str(path)),
        read_settings(Fidelity, stored["fidelity"], origin=str(path)),
        stored["provenance"],
        stored["sha256"],
    )


def read_arrays(path: str | Path) -> dict[str, np.ndarray]:
    """Read the arrays of a weight file of either kind, by name, and check their SHA-256.

    Parameters
    ----------
    path : path-like
        An own ``.weights.h5`` or a published ``.pkl``.

    Returns
    -------
    dict of str to np.ndarray
        In float32.

    Raises
    ------
    HiphopssError
        As :func:`read_info`, and if the arrays are not those that were written.
    """
    path = Path(path)
    if not _is_hdf5(path):
        return read_published(path)
    import h5py

    info = read_info(path)
    arrays = {}
    with h5py.File(path, "r") as file:
        for group in file["layers"].values():
            variables = group["vars"]  # named "0", "1", ...; the attribute holds the layer's name
            layer = variables.attrs["name"]
            names = ("bias",) if layer == "output" else ("kernel", "bias", "extra_bias")
            for name, key in zip(names, sorted(variables), strict=False):
                arrays[f"{layer}/{name}"] = np.asarray(variables[key])
    if _digest(arrays) != info.sha256:
        raise HiphopssError(
            f"{path}: the SHA-256 of its arrays is not the one it records, so it is damaged or "
            "was edited: make or copy it again"
        )
    return arrays


def read_weights(
    path: str | Path, *, standalone_script: bool = False
) -> tuple[WeightsInfo, dict[str, np.ndarray]]:
    """Read what a weight file of either kind says of itself, and its arrays, without Keras.

    Parameters
    ----------
    path : path-like
        An own ``.weights.h5`` or a published ``.pkl``.
    standalone_script : bool
        Have ``info`` say what the released stand-alone script does (Q6).

    Returns
    -------
    info : WeightsInfo
        What the file says of itself.
    arrays : dict of str to np.ndarray
        As :func:`read_arrays`, which also says what is raised.
    """
    info, arrays = read_info(path), read_arrays(path)
    if standalone_script:
        fidelity, config = standalone(info.fidelity, info.config)
        info = replace(info, fidelity=fidelity, config=config)
    return info, arrays


def load_model(
    path: str | Path, *, standalone_script: bool = False
) -> tuple[keras.Model, WeightsInfo]:
    """Build the network that a weight file of either kind is for, and load it.

    Parameters
    ----------
    path : path-like
        An own ``.weights.h5`` or a published ``.pkl``.
    standalone_script : bool
        Build it, and have ``info`` say, as the released stand-alone script does (Q6).

    Returns
    -------
    model : keras.Model
        Ready to use.
    info : WeightsInfo
        What the file says of itself.

    Raises
    ------
    HiphopssError
        As :func:`read_arrays`.
    """
    info, arrays = read_weights(path, standalone_script=standalone_script)
    import_keras()
    from hiphopss.model import build_model

    model = build_model(info.fidelity, config=info.config)
    assign_arrays(model, arrays, origin=str(path))
    return model, info


def convert(source: str | Path, target: str | Path | None = None) -> Path:
    """Convert a weight file between the two kinds; the names' endings say which way.

    Parameters
    ----------
    source : path-like
        A weight file of either kind.
    target : path-like, optional
        Ending in ``.weights.h5`` or ``.pkl`` (only for the preset ``released``, since a published
        file has no fourth decoder). By default the source's name with the other ending.

    Returns
    -------
    Path
        The target.

    Raises
    ------
    HiphopssError
        As :func:`read_arrays`, and if the target exists, its ending or preset is of no use, or a
        ``.pkl`` would hide that test songs were trained on (Q3).
    """
    source = Path(source)
    arrays = read_arrays(source)
    if target is None:
        other = ".pkl" if _is_hdf5(source) else SUFFIX
        target = source.with_name(source.name.removesuffix(SUFFIX).removesuffix(".pkl") + other)
    target = Path(target)
    if target.exists():
        raise HiphopssError(f"{target}: is there already: name another file, or remove it")
    if target.name.endswith(".pkl"):
        if set(arrays) != {name for name, _ in PUBLISHED_ARRAYS}:
            raise HiphopssError(
                f"{source}: in the preset {read_info(source).fidelity.name!r}, which the published "
                "format can't hold: only 'released' weights convert to .pkl"
            )
        if read_info(source).provenance.get("released_test_leak"):
            raise HiphopssError(
                f"{source}: trained on test songs (Q3), which a .pkl can't say: keep this file"
            )
        with written_whole(target) as temporary:
            write_published(temporary, arrays)
        return target
    model, info = load_model(source)
    save_weights(
        target, model, config=info.config, fidelity=info.fidelity, provenance=info.provenance
    )
    return target


def _is_hdf5(path: Path) -> bool:
    try:
        with open(path, "rb") as file:
            return file.read(len(_HDF5_SIGNATURE)) == _HDF5_SIGNATURE
    except OSError as error:
        raise HiphopssError(f"{path}: can't be read ({error.strerror}): check the path") from error


def _digest(arrays: dict[str, np.ndarray]) -> str:
    """SHA-256 over names, shapes and little-endian float32 values, in the order of the names."""
    digest = hashlib.sha256()
    for name in sorted(arrays):
        digest.update(f"{name}{arrays[name].shape}".encode())
        digest.update(np.ascontiguousarray(arrays[name], "<f4").tobytes())
    return digest.hexdigest()


def describe(path: str | Path) -> str:
    """What a weight file holds, in lines for people to read; errors as :func:`read_arrays`."""
    info, arrays = read_info(path), read_arrays(path)
    count = sum(array.size for array in arrays.values())
    width = max(map(len, arrays))
    lines = [
        f"{path}",
        f"preset     {info.fidelity.name}",
        f"sha256     {info.sha256} (of the {'arrays' if _is_hdf5(path) else 'file'})",
        f"signal     {info.config.to_json()}",
        *(f"{name:10} {value}" for name, value in info.provenance.items()),
        f"arrays     {len(arrays)}, {count:,} numbers",
        *(f"  {name:{width}} {array.shape}" for name, array in arrays.items()),
    ]
    return "\n".join(lines)
