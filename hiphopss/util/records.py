"""Reading what files say of themselves: JSON records and CSV tables that a stranger may have made.

A schema is a type: a (data)class, a named tuple, or ``dict[str, float]`` and the like, of which
``msgspec`` checks types, ranges and lengths (``Annotated[int, msgspec.Meta(ge=1)]``). Everything
that does not fit, of whatever kind, is a :class:`~hiphopss.errors.HiphopssError` of the form
``PATH: what (where in it): what to do``.

- Keys of a class that are missing must have a default. Keys that the class does not name are left
  out of the result, so that a newer version of this package may add some. Records that must
  have exactly their keys are ``msgspec.Struct`` with ``forbid_unknown_fields``.
- ``NaN`` and ``Infinity`` are read, as Python's ``json`` writes them (the loss of a training that
  diverged), but don't fit a number with a range, such as :data:`Finite`.
- Text may have bytes that are no UTF-8 in the form in which Python holds them in names of files,
  but no other half of a surrogate pair.
"""

from __future__ import annotations

import csv
import io
import json
import re
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, TypeVar

import msgspec

from hiphopss.errors import HiphopssError
from hiphopss.util.opening import open_file, unreadable

MOST_BYTES = 2**24
"""Maximum size of a record."""

MOST_TABLE_BYTES = 2**28
"""Maximum size of a table: some million lines."""

Finite = Annotated[float, msgspec.Meta(ge=-sys.float_info.max, le=sys.float_info.max)]
"""A number that is neither NaN nor infinite."""

Sha256 = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{64}\Z")]

_DEPTH = 32  # brackets in brackets
_MOST_TOLD = 200  # characters of a message that may quote the file
_KINDS = {
    **{"int": "a whole number", "float": "a number", "str": "text", "bool": "true or false"},
    **{"object": "an object", "array": "a list", "null": "null"},
}
_INTEGERS = range(-(2**63), 2**64)

Record = TypeVar("Record")


def read_record(path: str | Path, kind: type[Record], *, mend: str) -> Record:
    """Read a JSON file.

    Parameters
    ----------
    path : path-like
        File to read.
    kind : type
        Schema of its content.
    mend : str
        What to do if it can't be used, as the end of the message.

    Returns
    -------
    Record
        The content.

    Raises
    ------
    HiphopssError
        If the file can't be read, is too large, or is not such a record.
    """
    return parse_record(_content(path, MOST_BYTES, mend), kind, origin=path, mend=mend)


def read_object(path: str | Path, kind: type, *, mend: str) -> dict[str, Any]:
    """Like :func:`read_record`, but return the JSON object itself, with keys of no class."""
    content = _content(path, MOST_BYTES, mend)
    return parse_object(content, kind, origin=path, mend=mend)


def parse_object(text: object, kind: type, *, origin: str | Path, mend: str) -> dict[str, Any]:
    """Like :func:`parse_record`, but return the JSON object itself, with keys of no class."""
    value = parse_record(text, dict[str, Any], origin=origin, mend=mend)
    fit_record(value, kind, origin=origin, mend=mend)
    return value


def parse_record(text: object, kind: type[Record], *, origin: str | Path, mend: str) -> Record:
    """Read a record from JSON text.

    Parameters
    ----------
    text : str or bytes
        The text; anything else, as attributes of HDF5 files may be, is an error.
    kind, mend
        As in :func:`read_record`.
    origin : path-like
        Name of the file in messages.

    Returns
    -------
    Record
        The content.

    Raises
    ------
    HiphopssError
        As in :func:`read_record`.
    """
    if not isinstance(text, str | bytes):
        raise HiphopssError(f"{origin}: its record is no text: {mend}")
    if len(text) > MOST_BYTES:
        raise HiphopssError(f"{origin}: its record has {len(text)} characters: {mend}")
    try:
        decoded = text.decode("utf-8-sig") if isinstance(text, bytes) else text
        value = json.loads(decoded, object_pairs_hook=_object)
        _require_sane(value)
    except UnicodeError as error:
        raise HiphopssError(f"{origin}: its record is not text in UTF-8: {mend}") from error
    except RecursionError as error:
        raise HiphopssError(f"{origin}: its record is nested too deeply: {mend}") from error
    except ValueError as error:
        raise HiphopssError(f"{origin}: not JSON: {_told(error)}: {mend}") from error
    return fit_record(value, kind, origin=origin, mend=mend)


def fit_record(
    value: object, kind: type[Record], *, origin: str | Path, mend: str, strict: bool = True
) -> Record:
    """Fit values, as JSON has them, to a schema.

    Parameters
    ----------
    value : object
        Dicts, lists, strings and numbers.
    kind, mend
        As in :func:`read_record`.
    origin : path-like
        Name of the file, and perhaps of the place in it, in messages.
    strict : bool
        Without, numbers may be given as text, as in a CSV file.

    Returns
    -------
    Record
        The content.

    Raises
    ------
    HiphopssError
        If they don't fit.
    """
    try:
        return msgspec.convert(value, kind, strict=strict)
    except msgspec.ValidationError as error:
        raise HiphopssError(f"{origin}: {_misfit(str(error))}: {mend}") from error
    except UnicodeError as error:  # where something else than text is expected
        raise HiphopssError(f"{origin}: its record is not text in UTF-8: {mend}") from error
    except HiphopssError as error:  # of a class that checks itself
        raise HiphopssError(f"{origin}: {error}") from error


def read_table(path: str | Path, *, mend: str) -> Iterator[tuple[int, list[str]]]:
    """Read the lines of a CSV file in UTF-8, each with its number, from 1; empty ones are skipped.

    Parameters
    ----------
    path : path-like
        File to read.
    mend : str
        As in :func:`read_record`.

    Yields
    ------
    number : int
        Number of the (last) line of the file that holds the cells.
    cells : list of str
        The cells.

    Raises
    ------
    HiphopssError
        If the file can't be read, is not UTF-8 (the message names the line), or is not CSV.
    """
    content = _content(path, MOST_TABLE_BYTES, mend)
    try:
        text = content.decode("utf-8-sig")  # a spreadsheet program may have written this mark
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise HiphopssError(f"{path}: line {line} is not UTF-8: save the table as UTF-8") from error
    lines = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        for cells in lines:
            if cells:
                yield lines.line_num, cells
    except csv.Error as error:
        raise HiphopssError(f"{path}: line {lines.line_num}: {_told(error)}: {mend}") from error


def _content(path: str | Path, most: int, mend: str) -> bytes:
    """The bytes of a file that must be a plain one, and not too large."""
    with open_file(path) as file:
        try:
            content = file.read(most + 1)
        except OSError as error:
            raise unreadable(path, error) from error
    if len(content) > most:
        raise HiphopssError(f"{path}: larger than {most // 2**20} MiB: {mend}")
    return content


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        counts = Counter(name for name, _ in pairs)
        twice = next(name for name, count in counts.items() if count > 1)
        raise ValueError(f"the key {twice!r} is there twice")
    return found


def _require_sane(value: object) -> None:
    """Raise :class:`ValueError` for what other code could stumble over in any value."""
    level = [value]
    for _ in range(_DEPTH):
        inner: list[Any] = []
        for item in level:
            if isinstance(item, str):
                item.encode("utf-8", "surrogateescape")
            elif isinstance(item, dict):
                inner += [*item, *item.values()]
            elif isinstance(item, list):
                inner += item
            elif isinstance(item, int) and item not in _INTEGERS:
                raise ValueError("an integer has more than 64 bits")
        if not inner:
            return
        level = inner
    raise RecursionError


def _misfit(message: str) -> str:
    """A message of msgspec in plain words: "expected a whole number, got text (at config.hop)"."""
    what, _, where = message.partition(" - at ")
    if what.startswith("Expected"):
        kinds = "|".join(_KINDS)
        what = re.sub(rf"\b({kinds})\b", lambda kind: _KINDS[kind[0]], what).replace(" | ", " or ")
    place = where.replace("`", "").removeprefix("$").removeprefix(".")
    return _told(what.replace("`", "")) + (f" (at {place})" if place else "")


def _told(what: object) -> str:
    """The beginning of a library's message, as a part of a sentence."""
    text = str(what)[:_MOST_TOLD]
    return text[:1].lower() + text[1:]
