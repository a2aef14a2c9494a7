"""Reading records, in which any value may be anything."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hiphopss.util.records import read_record


def object_in(path: Path) -> dict[str, Any]:
    """Read the object in a JSON file; errors as :class:`HiphopssError`."""
    return read_record(path, dict[str, Any], mend="make it again")


def as_text(value: Any) -> str:
    """A value of a record, if it is text; otherwise nothing."""
    return value if isinstance(value, str) else ""


def as_object(value: Any) -> dict[str, Any]:
    """A value of a record, if it is an object; otherwise an empty one."""
    return value if isinstance(value, dict) else {}


def as_hashes(value: Any) -> dict[str, str]:
    """A value of a record that maps names to hashes, without entries that are something else."""
    return {name: one for name, one in as_object(value).items() if isinstance(one, str)}


def is_plain(name: str) -> bool:
    """Whether a name in a record is that of a file or folder, rather than a way out of it."""
    return name not in ("", ".", "..") and not any(char in name for char in "/\\\0")


def within(folder: Path, name: str) -> Path | None:
    """The path that a record gives relative to its folder; None if it leads out of the folder."""
    parts = name.split("/")
    return folder.joinpath(*parts) if all(map(is_plain, parts)) else None
