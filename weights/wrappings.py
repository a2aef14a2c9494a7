"""What weights are wrapped in when they are not a plain pickled list of arrays, and what to do.

People keep weights compressed, as arrays of a graphics processor, or in other containers. Here a
compressed pickle is read, and the rest is told by its name.
"""

from __future__ import annotations

import gzip
import io
import zlib
from pathlib import Path

from hiphopss.errors import HiphopssError
from hiphopss.util.opening import open_file, unreadable

_MOST = 256 << 20
"""Bytes that a pickle may have: the published ones have 4 million at most."""

_MAGIC = (
    (b"BZh", "compressed with bzip2: unpack it with `bunzip2`"),
    (b"\xfd7zXZ\x00", "compressed with xz: unpack it with `unxz`"),
    (b"\x28\xb5\x2f\xfd", "compressed with Zstandard: unpack it with `unzstd`"),
    (b"\x04\x22\x4d\x18", "compressed with LZ4: unpack it with `unlz4`"),
    (b"ZF", "compressed by joblib: load it with joblib"),
    (b"\x78\x01", "compressed with zlib: unpack it with Python's zlib.decompress"),
    (b"\x78\x9c", "compressed with zlib: unpack it with Python's zlib.decompress"),
    (b"\x78\xda", "compressed with zlib: unpack it with Python's zlib.decompress"),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive: unpack it"),
    (b"Rar!", "a RAR archive: unpack it"),
    (b"PK\x03\x04", "a zip archive, perhaps an .npz, PyTorch or Keras file: load it with that"),
    (b"\x93NUMPY", "an array in NumPy's own format: load it with numpy.load"),
)

RESAVE = "save its arrays as plain ones: pickle.dump([numpy.asarray(a) for a in arrays], file, 2)"
"""Advice for arrays that are there, but wrapped in something else."""

_LIBRARIES = {
    "theano.sandbox.cuda": "Theano's arrays on a graphics processor (CudaNdarray)",
    "theano.gpuarray": "Theano's arrays on a graphics processor (GpuArray)",
    "pygpu": "Theano's arrays on a graphics processor (GpuArray)",
    "theano": "Theano's variables",
    "lasagne": "layers of Lasagne",
    "cupy": "arrays of CuPy",
    "torch": "tensors of PyTorch",
    "jax": "arrays of JAX",
    "tensorflow": "tensors of TensorFlow",
    "keras": "objects of Keras",
    "numpy.ma": "masked arrays",
    "pandas": "tables of pandas",
    "collections": "a dict",
}

_CONTENTS = {
    "a dict": ("EMPTY_DICT", "DICT", "SETITEM", "SETITEMS"),
    "a set": ("EMPTY_SET", "FROZENSET", "ADDITEMS"),
    "numbers outside of arrays": ("FLOAT", "BINFLOAT"),
    "objects of Python classes": ("INST", "OBJ", "NEWOBJ", "NEWOBJ_EX"),
}


def pickle_bytes(path: str | Path) -> bytes:
    """Read a pickle, also one that is compressed with gzip.

    Parameters
    ----------
    path : path-like
        File.

    Returns
    -------
    bytes
        The pickle, which may be anything.

    Raises
    ------
    HiphopssError
        If the file can't be read, is far larger than weights are, or is known to be no pickle.
    """
    with open_file(path) as file:
        try:
            data = _at_most(io.BufferedReader(file), path)
        except OSError as error:
            raise unreadable(path, error) from error
    if data.startswith(b"\x1f\x8b"):
        try:
            with gzip.open(io.BytesIO(data)) as unpacked:
                data = _at_most(unpacked, path)
        except (OSError, EOFError, zlib.error) as error:
            raise HiphopssError(
                f"{path}: compressed with gzip, and damaged or cut off: download it again"
            ) from error
    for magic, found in _MAGIC:
        if data.startswith(magic):
            raise HiphopssError(f"{path}: not a pickle, but {found}, and {RESAVE}")
    return data


def _at_most(file: io.BufferedReader | gzip.GzipFile, path: str | Path) -> bytes:
    data = file.read(_MOST + 1)
    if len(data) > _MOST:
        raise HiphopssError(
            f"{path}: more than {_MOST >> 20} MiB, so not a weight file: use a published file"
        )
    return data


def what_asks_for(module: str) -> str | None:
    """What a pickle holds that asks for a name of some module, if that is known."""
    for library, held in _LIBRARIES.items():
        if module == library or module.startswith(f"{library}."):
            return held
    return None


def what_needs(opcode: str) -> str | None:
    """What a pickle holds that has some instruction, if that is known."""
    return next((held for held, opcodes in _CONTENTS.items() if opcode in opcodes), None)
