"""The published weight files: Python 2 pickles of a list of arrays, read without unpickling.

docs/released-code.md, section 5. A pickle is a program. Here its instructions are first checked,
and it is refused if any of them is not needed for a list of arrays. Then it runs with stand-ins,
made anew for each file, that can only describe arrays of floats. No name in the file is ever
imported or called.
"""

from __future__ import annotations

import io
import math
import pickle
import pickletools
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal, NoReturn

import numpy as np

from hiphopss.errors import HiphopssError
from hiphopss.weights.wrappings import RESAVE, pickle_bytes, what_asks_for, what_needs

PUBLISHED_ARRAYS = (
    ("conv1/kernel", (50, 1, 1, 513)),
    ("conv1/bias", (50,)),
    ("conv1/extra_bias", (50,)),
    ("conv2/kernel", (50, 50, 15, 1)),
    ("conv2/bias", (50,)),
    ("conv2/extra_bias", (50,)),
    ("bottleneck/kernel", (800, 128)),
    ("bottleneck/bias", (128,)),
    ("decoder_vocals/kernel", (128, 800)),
    ("decoder_vocals/bias", (800,)),
    ("decoder_bass/kernel", (128, 800)),
    ("decoder_bass/bias", (800,)),
    ("decoder_drums/kernel", (128, 800)),
    ("decoder_drums/bias", (800,)),
    ("output/bias", (4,)),
)
"""Name and shape of each array of a published file, in the file's order."""

_CONTAINERS = {"MARK", "EMPTY_LIST", "LIST", "APPEND", "APPENDS", "EMPTY_TUPLE", "TUPLE"}
_SHORT_TUPLES = {"TUPLE1", "TUPLE2", "TUPLE3"}
_CALLS = {"GLOBAL", "STACK_GLOBAL", "REDUCE", "BUILD"}
_MEMO = {"PUT", "BINPUT", "LONG_BINPUT", "MEMOIZE", "GET", "BINGET", "LONG_BINGET"}
_NUMBERS = {"NONE", "NEWTRUE", "NEWFALSE", "INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1"}
_TEXTS = {"STRING", "BINSTRING", "SHORT_BINSTRING", "UNICODE", "BINUNICODE", "SHORT_BINUNICODE"}
_BYTES = {"BINUNICODE8", "BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "BYTEARRAY8"}
_PLAIN_OPCODES = {"PROTO", "FRAME", "STOP"}.union(
    _CONTAINERS, _SHORT_TUPLES, _CALLS, _MEMO, _NUMBERS, _TEXTS, _BYTES
)
"""Instructions that lists of arrays need, in all protocols."""

_KNOWN_COUNTS = {
    13: "two decoders: probably the network for iKala (voice and accompaniment)",
    17: "four decoders: probably the network for Bach10, or a version without quirk Q1 (in which "
    "'other' uses the decoder of 'bass')",
}


class _Dtype:
    """Stand-in for a dtype; it accepts only float32 and float64 in either byte order."""

    def __init__(self, code: object, *_: object):
        self.code = _text(code)
        self.order = "<"

    def __setstate__(self, state: Any) -> None:
        order = _text(state[1])
        self.order = "<" if order in "<=|" else order

    def resolve(self) -> np.dtype:
        if self.code.lstrip("<>=|") not in ("f4", "f8"):
            wrapped = "an array of objects" if self.code.lstrip("<>=|")[:1] == "O" else None
            raise _Unreadable(
                f"holds an array of type {self.code!r}, not float32 or float64", wrapped
            )
        if self.order not in ("<", ">"):
            raise _Unreadable(f"holds an array of byte order {self.order!r}")
        return np.dtype(self.order + self.code.lstrip("<>=|"))


class _Array:
    """Stand-in for an array."""

    def __init__(self, *_: object):
        self.values: np.ndarray | None = None

    def __setstate__(self, state: Any) -> None:
        _, shape, dtype, fortran, data = state
        self.values = _array(data, dtype, shape, "F" if fortran else "C")


class _Unreadable(Exception):
    """The file can't be a published file; the message says why, and ``held`` what it holds."""

    def __init__(self, message: str, held: str | None = None):
        super().__init__(message)
        self.held = held


def _text(value: object) -> str:
    """Convert a short text, which may be bytes (Python 2)."""
    if not isinstance(value, str | bytes) or len(value) > 8:
        raise _Unreadable("describes an array's type in a way unknown")
    return value.decode("latin-1") if isinstance(value, bytes) else value


def _array(data: object, dtype: object, shape: Iterable, order: Literal["C", "F"]) -> np.ndarray:
    if not isinstance(dtype, _Dtype):
        raise _Unreadable("holds an array without a type")
    resolved = dtype.resolve()
    if isinstance(data, str):  # a byte string of Python 2
        data = data.encode("latin-1")
    if not isinstance(data, bytes | bytearray):
        raise _Unreadable("holds an array whose values are not bytes")
    shape = tuple(int(n) for n in shape)
    if any(n < 0 for n in shape) or len(data) != math.prod(shape) * resolved.itemsize:
        raise _Unreadable(f"holds an array whose bytes don't fill its shape {shape}")
    return np.frombuffer(data, resolved).reshape(shape, order=order)


def _frombuffer(data: object, dtype: object, shape: Any, order: Any) -> _Array:
    array = _Array()
    array.values = _array(data, dtype, shape, order)
    return array


def _latin1(text: object, encoding: object) -> bytes:
    if not isinstance(text, str) or encoding not in ("latin1", b"latin1"):
        raise _Unreadable("encodes something else than the bytes of an array")
    return text.encode("latin-1")


class _ArrayUnpickler(pickle.Unpickler):
    """Runs a pickle with the above stand-ins in place of all names."""

    def __init__(self, data: bytes):
        super().__init__(io.BytesIO(data), encoding="latin1")
        # A pickle can set attributes of the objects that it names, so each file gets new functions.
        reconstruct, frombuffer = lambda *_: _Array(), lambda *a: _frombuffer(*a)
        self._allowed = {
            ("numpy.core.multiarray", "_reconstruct"): reconstruct,
            ("numpy._core.multiarray", "_reconstruct"): reconstruct,
            ("numpy.core.numeric", "_frombuffer"): frombuffer,
            ("numpy._core.numeric", "_frombuffer"): frombuffer,
            ("numpy", "ndarray"): "numpy.ndarray",
            ("numpy", "dtype"): lambda *a: _Dtype(*a),
            ("_codecs", "encode"): lambda *a: _latin1(*a),
        }

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in self._allowed:
            wanted = repr(f"{module}.{name}"[:80])  # quoted, because it may hold line ends
            raise _Unreadable(
                f"asks for {wanted}, which a list of arrays does not need", what_asks_for(module)
            )
        return self._allowed[module, name]

    def persistent_load(self, pid: object) -> NoReturn:
        raise _Unreadable("refers to objects outside the file")


def _require_plain(data: bytes) -> None:
    """Check a pickle's instructions without running them; refuse those that arrays do not need.

    This excludes containers that can take endless time, and memo indices for which gigabytes would
    be allocated.
    """
    for opcode, argument, _ in pickletools.genops(data):
        if opcode.name not in _PLAIN_OPCODES:
            raise _Unreadable(
                f"has a {opcode.name}, which a list of arrays does not need",
                what_needs(opcode.name),
            )
        if opcode.name in ("PUT", "BINPUT", "LONG_BINPUT") and (argument or 0) > len(data):
            raise _Unreadable("numbers its parts beyond its own length")


def read_pickle(path: str | Path) -> list[np.ndarray]:
    """Read a pickled list of float arrays, of any length.

    Parameters
    ----------
    path : path-like
        File to read.

    Returns
    -------
    list of np.ndarray
        Arrays as stored, in float32 or float64.

    Raises
    ------
    HiphopssError
        If the file is missing, is not a pickle, needs anything but arrays, or is not a list.
    """
    data = pickle_bytes(path)
    try:
        _require_plain(data)
        content = _ArrayUnpickler(data).load()
    except _Unreadable as error:
        mend = "use a published file as it was downloaded"
        if error.held is not None:
            mend = f"it seems to hold {error.held}: {RESAVE}"
        raise HiphopssError(f"{path}: refused: the pickle {error}; {mend}") from error
    except Exception as error:  # a damaged pickle can raise nearly any error
        raise HiphopssError(
            f"{path}: not a pickle, or a damaged one ({type(error).__name__}): download it again, "
            "and check that it is not a web page"
        ) from error
    if not isinstance(content, list | tuple) or not all(
        isinstance(item, _Array) and item.values is not None for item in content
    ):
        raise HiphopssError(
            f"{path}: the pickle is not a list of arrays, but {_kind(content)}: use a published "
            f"file as it was downloaded, or {RESAVE}"
        )
    return [item.values for item in content]


def _kind(content: object) -> str:
    """What a pickle holds that is not a list of arrays."""
    if isinstance(content, _Array):
        return "one array"
    if not isinstance(content, list | tuple):
        return "something else"
    inner = [item for item in content if not isinstance(item, _Array)]
    held = "lists" if inner and isinstance(inner[0], list | tuple) else "other things"
    return f"a list with {held} in it"


def read_published(path: str | Path) -> dict[str, np.ndarray]:
    """Read a published weight file (docs/released-code.md, section 5).

    Parameters
    ----------
    path : path-like
        A ``.pkl`` of the released code.

    Returns
    -------
    dict of str to np.ndarray
        The arrays of ``PUBLISHED_ARRAYS`` in float32, by name.

    Raises
    ------
    HiphopssError
        If the file can't be read safely or holds another network; the message then names the array,
        its shape and the expected shape.
    """
    arrays = read_pickle(path)
    expected = len(PUBLISHED_ARRAYS)
    if len(arrays) != expected:
        guess = _KNOWN_COUNTS.get(len(arrays), "another network")
        raise HiphopssError(
            f"{path}: {len(arrays)} arrays instead of {expected} ({guess}): "
            "use a model_dsd_* or model_hh_* file"
        )
    named = {}
    for position, (array, (name, shape)) in enumerate(zip(arrays, PUBLISHED_ARRAYS, strict=True)):
        if array.shape != shape:
            raise HiphopssError(
                f"{path}: array {position} ({name}) has shape {array.shape} instead of {shape}: "
                "use a model_dsd_* or model_hh_* file made with an FFT of 1024"
            )
        if not np.isfinite(array).all():
            raise HiphopssError(
                f"{path}: array {position} ({name}) has values that are not finite: "
                "the file is damaged, or its training diverged"
            )
        named[name] = array.astype(np.float32)
    return named


def write_published(path: str | Path, arrays: dict[str, np.ndarray]) -> None:
    """Write named arrays as a file that the released code (Python 2, NumPy 1) can load.

    Parameters
    ----------
    path : path-like
        File to write.
    arrays : dict of str to np.ndarray
        The arrays of ``PUBLISHED_ARRAYS``.
    """
    ordered = [np.asarray(arrays[name], np.float32) for name, _ in PUBLISHED_ARRAYS]
    data = pickle.dumps(ordered, protocol=2)
    # NumPy 2 has renamed its module; the name occurs once, before the bytes of any array.
    data = data.replace(b"cnumpy._core.multiarray\n", b"cnumpy.core.multiarray\n", 1)
    Path(path).write_bytes(data)
