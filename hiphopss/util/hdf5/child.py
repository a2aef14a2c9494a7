"""Looks through the structure of an HDF5 file: what is where in it, without the large arrays.

libhdf5 can crash, hang or take all memory on a file that was damaged or made to do so. So this
module also runs as a program of its own (:mod:`hiphopss.util.hdf5.process` starts it), with limits
of memory and processor time. It opens no file: it asks for the bytes it needs, and so can reach
nothing else. It imports nothing of the package, so that it starts in a tenth of a second.

Only what the project writes is found sound: groups and data sets under one name each, and data sets
that lie in the file in one piece: numbers, tables, and texts. Everything else is described as a
problem, and nothing of it is read.
"""

from __future__ import annotations

import io
import json
import math
import os
import signal
import struct
import sys
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

ASK, TELL = 0, 1
MESSAGE = struct.Struct("<BQQ")
"""A message of the child: that it asks for bytes (place, number), or tells the result (length)."""

READY = b"+"
"""What the child tells when it has started."""

LENGTH = struct.Struct("<Q")
"""What goes before bytes that the child gets, and the first thing it gets: the file's length."""

MOST_OBJECTS, MOST_ATTRIBUTES, DEEPEST = 2000, 64, 8
_MEMORY = 1 << 30  # bytes that looking through a file may take
_PROCESSOR_S = 1  # seconds of a processor that looking through a small file may take
_BYTES_PER_S = 16 << 20  # of larger files
_IDLE_S = 60  # seconds without work after which the program ends
_PAGE = 1 << 16
_MOST_PAGES = 256
_ROWS = 8192  # rows of a table that are read together
_LINKS = {1: "a soft link", 64: "a link into another file"}


class LookError(Exception):
    """A file could not be looked through; the message is what to say of the file."""


class _Problem(Exception):
    """An object is not as the project writes it; the message says how it is."""


def look(stream: Any) -> tuple[dict[str, Any], list[bytes]]:
    """Look through an HDF5 file.

    Parameters
    ----------
    stream : file
        The file's content, with ``seek``, ``tell``, ``read`` and ``readinto``.

    Returns
    -------
    facts : dict
        ``"groups"``: the attributes of each group by the group's path, the root's being ``""``;
        ``"arrays"``: for each data set of numbers its type, shape and place in the file (none if it
        is empty); ``"texts"``; ``"tables"``: for each its shape and columns; and ``"problems"``:
        for each object that is not as the project writes it, what it is. All can be held by JSON.
    blobs : list of bytes
        The columns of the tables, in the order of ``facts``: numbers, and for columns of text the
        position of each row's text among the column's distinct texts (``<i4``).
    """
    import h5py

    size = stream.seek(0, os.SEEK_END)
    with h5py.File(stream, "r") as file:
        found = _Look(size)
        found.group(file["/"], "")
        return found.facts, found.blobs


class _Look:
    """Facts about one file."""

    def __init__(self, size: int) -> None:
        self.size, self.addresses, self.blobs = size, set[int](), list[bytes]()
        self.facts: dict[str, dict] = {
            kind: {} for kind in ("groups", "arrays", "texts", "tables", "problems")
        }

    def group(self, group: Any, path: str, depth: int = 0) -> None:
        """Look at a group, and at what it holds."""
        self.facts["groups"][path] = {}
        self._try(path, partial(self._attributes, group, path))
        n_objects = group.id.get_num_objs()
        if n_objects > MOST_OBJECTS or depth > DEEPEST:
            self.facts["problems"][path] = "holds too much to be looked through"
            return
        for name in [group.id.get_objname_by_idx(number) for number in range(n_objects)]:
            inner = f"{path}/{_text(name)}".removeprefix("/")
            self._try(inner, partial(self._object, group, name, inner, depth + 1))

    def _try(self, path: str, act: Callable[[], None]) -> None:
        try:
            act()
        except _Problem as problem:
            self.facts["problems"][path] = str(problem)

    def _object(self, group: Any, name: bytes, path: str, depth: int) -> None:
        import h5py

        link = group.id.links.get_info(name)
        if link.type != h5py.h5l.TYPE_HARD:
            raise _Problem(f"is {_LINKS.get(link.type, 'a link of an unknown kind')}")
        if link.u in self.addresses:
            raise _Problem("is there under another name, too")
        self.addresses.add(link.u)
        if len(self.addresses) > MOST_OBJECTS:
            raise ValueError("more objects than the project writes")
        opened = h5py.h5o.open(group.id, name)
        if isinstance(opened, h5py.h5g.GroupID):
            self.group(h5py.Group(opened), path, depth)
        elif isinstance(opened, h5py.h5d.DatasetID):
            self._data_set(opened, path)
        else:
            raise _Problem("is neither a group nor a data set")

    def _attributes(self, group: Any, path: str) -> None:
        import h5py

        if h5py.h5a.get_num_attrs(group.id) > MOST_ATTRIBUTES:
            raise _Problem("has too many attributes")
        plain = (h5py.h5t.STRING, h5py.h5t.INTEGER, h5py.h5t.FLOAT, h5py.h5t.ENUM)
        for name in group.attrs:
            held = group.attrs.get_id(name)
            space, kind = held.get_space(), held.get_type().get_class()
            if space.get_simple_extent_type() == h5py.h5s.NULL or kind not in plain:
                continue  # the project writes none like these, and Keras might
            if math.prod(held.shape) <= MOST_ATTRIBUTES:
                self.facts["groups"][path][_text(name)] = _plain(group.attrs[name])

    def _data_set(self, data: Any, path: str) -> None:
        """Note where a data set is: first how it is stored, as the rest may need other files."""
        import h5py

        properties = data.get_create_plist()
        if properties.get_external_count():
            raise _Problem("has its values in another file")
        layout = properties.get_layout()
        if layout != h5py.h5d.CONTIGUOUS:
            named = {h5py.h5d.CHUNKED: "in chunks", h5py.h5d.VIRTUAL: "in other data sets"}
            raise _Problem(f"has its values {named.get(layout, 'in its header')}, not in one piece")
        if data.get_space().get_simple_extent_type() == h5py.h5s.NULL:
            raise _Problem("has no values")
        shape, kind = [int(n) for n in data.shape], data.get_type()
        n_bytes, place = math.prod(shape) * kind.get_size(), data.get_offset()
        if n_bytes and (place is None or place + n_bytes > self.size):
            raise _Problem("has no values in the file")
        if kind.get_class() == h5py.h5t.COMPOUND:
            self._table(data, path, shape)
        elif _is_text(kind) and not shape:
            self.facts["texts"][path] = _text(h5py.Dataset(data)[()])
        else:
            self.facts["arrays"][path] = [_number(kind), shape, place if n_bytes else None]

    def _table(self, data: Any, path: str, shape: list[int]) -> None:
        """Read a table of texts and numbers, with each distinct text of a column once."""
        import h5py
        import numpy as np

        kind, rows = data.get_type(), h5py.Dataset(data)
        kinds, names = {}, []
        for number in range(kind.get_nmembers()):
            names.append(_text(kind.get_member_name(number)))
            member = kind.get_member_type(number)
            kinds[names[-1]] = "text" if _is_text(member) else _number(member)
        if len(kinds) != len(names) or not shape:
            raise _Problem("is a table of an unknown form")
        parts: dict[str, list[bytes]] = {name: [] for name in names}
        texts: dict[str, dict[bytes, int]] = {name: {} for name in names}
        for first in range(0, shape[0] if math.prod(shape) else 0, _ROWS):
            some = rows[first : first + _ROWS].reshape(-1)
            for name in names:
                column = some[name]
                if kinds[name] == "text":
                    known = texts[name]
                    codes = [known.setdefault(text, len(known)) for text in column]
                    column = np.array(codes, "<i4")
                parts[name].append(column.tobytes())
        self.blobs += [b"".join(part) for part in parts.values()]
        columns = {name: [kinds[name], [_text(text) for text in texts[name]]] for name in names}
        self.facts["tables"][path] = {"shape": shape, "columns": columns}


def _is_text(kind: Any) -> bool:
    import h5py

    return kind.get_class() == h5py.h5t.STRING and kind.is_variable_str()


def _number(kind: Any) -> str:
    """NumPy's name of a type of numbers that the project writes."""
    import h5py

    types = h5py.h5t.IEEE_F32LE, h5py.h5t.IEEE_F64LE, h5py.h5t.STD_I32LE, h5py.h5t.STD_I64LE
    for name, known in zip(("<f4", "<f8", "<i4", "<i8"), types, strict=True):
        if kind.equal(known):
            return name
    named = {h5py.h5t.INTEGER: "integers", h5py.h5t.FLOAT: "floating-point numbers"}
    if kind.get_class() not in named:
        raise _Problem("has values that are not numbers")
    order = " with the high byte first" if kind.get_order() == h5py.h5t.ORDER_BE else ""
    raise _Problem(f"has {8 * kind.get_size()}-bit {named[kind.get_class()]}{order}")


def _text(value: Any) -> str:
    """A text of the file; bytes that are not UTF-8 become surrogates, as in names of files."""
    return value.decode("utf-8", "surrogateescape") if isinstance(value, bytes) else str(value)


def _plain(value: Any) -> Any:
    """An attribute's value in a form that JSON can hold."""
    if isinstance(value, str | bytes):
        return _text(value)
    value = value.tolist()
    if isinstance(value, list):
        return [_plain(v) if isinstance(v, str | bytes) else v for v in value]
    return _text(value) if isinstance(value, bytes) else value


class _Asked:
    """A file whose bytes are asked for, page by page, through the program's standard streams."""

    def __init__(self, receive: Callable[[int], bytes], send: Callable[..., None], size: int):
        self._receive, self._send, self._size = receive, send, size
        self._at, self._pages = 0, dict[int, bytes]()

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        self._at = offset + {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._size}[whence]
        return self._at

    def tell(self) -> int:
        return self._at

    def readinto(self, room: Any) -> int:
        room = memoryview(room).cast("B")
        done = 0
        while done < len(room):
            number, start = divmod(self._at, _PAGE)
            page = self._page(number)
            n_bytes = min(len(room) - done, len(page) - start)
            if n_bytes <= 0:
                raise EOFError("beyond the end of the file")
            room[done : done + n_bytes] = page[start : start + n_bytes]
            done, self._at = done + n_bytes, self._at + n_bytes
        return done

    def read(self, n_bytes: int) -> bytes:
        room = bytearray(n_bytes)
        self.readinto(room)
        return bytes(room)

    def flush(self) -> None:
        pass

    def _page(self, number: int) -> bytes:
        if number not in self._pages:
            if len(self._pages) >= _MOST_PAGES:
                self._pages.clear()
            self._send(MESSAGE.pack(ASK, number * _PAGE, _PAGE))
            (n_bytes,) = LENGTH.unpack(self._receive(LENGTH.size))
            self._pages[number] = self._receive(n_bytes)
        return self._pages[number]


def _limit_memory() -> None:
    """Take no more memory than now and what a file may need, where the system can limit this."""
    with suppress(ImportError, OSError, ValueError):
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        with open("/proc/self/statm", "rb") as file:
            now = int(file.read().split()[0]) * resource.getpagesize()
        most = now + _MEMORY
        for limit in resource.getrlimit(resource.RLIMIT_AS):
            most = most if limit == resource.RLIM_INFINITY else min(most, limit)
        resource.setrlimit(resource.RLIMIT_AS, (most, most))


def _limit_time(size: int) -> None:
    """Let the system end this program if a file takes more of a processor than it may."""
    with suppress(ImportError, OSError, ValueError):
        import resource

        used = resource.getrusage(resource.RUSAGE_SELF)
        needed = _PROCESSOR_S + size // _BYTES_PER_S
        most = math.ceil(used.ru_utime + used.ru_stime) + needed
        hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
        most = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(resource.RLIMIT_CPU, (most, hard))


def _main(places: list[str]) -> None:
    """Look through files until the standard input ends, no work comes, or a file is damaged."""
    source, target = io.FileIO(0), io.FileIO(os.dup(1), "w")
    os.dup2(2, 1)  # what a library might print is no message
    sys.path += places
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    alarm = getattr(signal, "alarm", lambda seconds: None)
    import h5py  # noqa: F401

    def receive(n_bytes: int) -> bytes:
        parts = []
        while n_bytes:
            parts.append(source.read(n_bytes))
            if not parts[-1]:
                sys.exit()
            n_bytes -= len(parts[-1])
        return b"".join(parts)

    def send(*parts: bytes) -> None:
        for part in parts:
            rest = memoryview(part)
            while rest:
                rest = rest[target.write(rest) :]

    _limit_memory()
    send(READY)
    failed = False
    while not failed:
        alarm(_IDLE_S)
        (size,) = LENGTH.unpack(receive(LENGTH.size))
        alarm(0)
        _limit_time(size)
        why, blobs = "", list[bytes]()
        try:
            facts, blobs = look(_Asked(receive, send, size))
            head = json.dumps(facts).encode()
        except MemoryError:
            why = "memory"
        except Exception as error:  # what libhdf5 raises has no type of its own
            why = type(error).__name__
        failed = bool(why)
        if failed:
            head, blobs = json.dumps({"failed": why}).encode(), []
        n_bytes = LENGTH.size + len(head) + sum(map(len, blobs))
        send(MESSAGE.pack(TELL, n_bytes, 0), LENGTH.pack(len(head)), head, *blobs)


if __name__ == "__main__":
    _main(sys.argv[1:])
