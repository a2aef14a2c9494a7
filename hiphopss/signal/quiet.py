"""Keeping libmpg123 from writing to the terminal.

libsndfile decodes MP3 with libmpg123 and gives no way to tell it to be quiet. What it has to say of
damaged frames goes to C's ``stderr``, which Python doesn't use: its own lines, and so hiphopss's,
go to the file descriptor. So only ``stderr`` is turned, for the time of a call, in the C libraries
whose ``stderr`` is a variable (Linux, macOS); elsewhere nothing happens.
"""

from __future__ import annotations

import ctypes
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache

_NAMES = {"linux": "stderr", "darwin": "__stderrp"}
_lock = threading.Lock()
_n_users = 0
_real: int | None = None


@lru_cache
def _places() -> tuple[ctypes.c_void_p, int] | None:
    """C's variable ``stderr``, and a stream to nowhere; None where that can't be had."""
    try:
        library = ctypes.CDLL(None)
        variable = ctypes.c_void_p.in_dll(library, _NAMES[sys.platform])
        if sys.platform == "linux":  # in other C libraries than GNU's it can't be written to
            getattr(library, "gnu_get_libc_version")  # noqa: B009
        library.fopen.restype = ctypes.c_void_p
        nowhere = library.fopen(os.devnull.encode(), b"w")
    except (KeyError, OSError, ValueError, AttributeError, TypeError):
        return None
    return (variable, nowhere) if nowhere and variable.value else None


@contextmanager
def quiet_c() -> Iterator[None]:
    """Let C code write to ``stderr`` in vain while the body runs; threads may do so at once."""
    global _n_users, _real
    places = _places()
    if places is None:
        yield
        return
    variable, nowhere = places
    with _lock:
        if _n_users == 0:
            _real, variable.value = variable.value, nowhere
        _n_users += 1
    try:
        yield
    finally:
        with _lock:
            _n_users -= 1
            if _n_users == 0:
                variable.value = _real
