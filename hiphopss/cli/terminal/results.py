"""What verbs give back, and how it is printed: lines for people, or one JSON object.

The fields of the objects are described in ``docs/json.md``.
"""

from __future__ import annotations

import math
from argparse import Namespace
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from typing import Any

from hiphopss import __version__
from hiphopss.util.progress import tell

FORMAT = 1
"""Number of the format of JSON objects: raised when a field goes away or means something else."""


@dataclass(frozen=True)
class Result:
    """What a verb found or made.

    Attributes
    ----------
    facts : mapping of str to object
        The fields that the verb adds to the JSON object; anything that :func:`plain` takes.
    lines : sequence of object
        The same for people, each printed on lines of its own. Names must have passed through
        :func:`hiphopss.util.text.printable` where they are put into a line.
    status : int
        Exit status.
    """

    facts: Mapping[str, Any]
    lines: Sequence[object] = ()
    status: int = 0


def show(result: Result, options: Namespace, warnings: Sequence[str] = ()) -> None:
    """Print a result on standard output, as lines or, with ``--json``, as one object.

    Parameters
    ----------
    result : Result
        What to print.
    options : Namespace
        The options of the command; ``json`` and ``verb`` are read.
    warnings : sequence of str
        Warnings that the verb logged. People have seen them on standard error.
    """
    if not options.json:
        tell(*result.lines)
        return
    import json

    record = {
        "format": FORMAT,
        "version": __version__,
        "verb": options.verb,
        "status": result.status,
        "warnings": warnings,
        **result.facts,
    }
    # What is not ASCII is escaped, so that it arrives whatever the output's encoding is.
    tell(json.dumps(plain(record), indent=2, allow_nan=False))


def plain(value: Any) -> Any:
    """A value in the types that JSON has.

    Parameters
    ----------
    value : object
        Text, numbers, paths, arrays, dataclasses, and mappings and sequences of these. Numbers that
        are not finite become None.
    """
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, str | Path):
        return str(value)
    if hasattr(value, "tolist"):  # an array or a number of NumPy, which need not be imported
        return plain(value.tolist())
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def made(path: object) -> Result:
    """The result of a verb that makes one file or folder."""
    from hiphopss.util.text import printable

    return Result({"path": path}, [printable(path)])
