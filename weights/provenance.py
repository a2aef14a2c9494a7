"""What a weight file says of itself, as a schema."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

from msgspec import Meta

from hiphopss.config import KnownData
from hiphopss.util.records import Sha256, fit_record, parse_record

_MEND = "make or copy it again"


@dataclass(frozen=True)
class Provenance:
    """Those keys of a provenance that this package reads; others may hold anything."""

    released_test_leak: bool = False
    data: list[KnownData] = field(default_factory=list)
    songs: list[str] = field(default_factory=list)
    epochs: Annotated[int, Meta(ge=0)] | None = None
    stems: dict[str, Sha256] = field(default_factory=dict)


@dataclass(frozen=True)
class Stored:
    """The JSON object in a weight file; what else it holds is from a newer version, and ignored."""

    config: dict[str, Any]
    fidelity: dict[str, Any]
    provenance: dict[str, Any]
    sha256: Sha256


def parse_stored(text: object, *, origin: str | Path) -> Stored:
    """Read the JSON object of a weight file.

    Parameters
    ----------
    text : object
        Attribute of the file.
    origin : path-like
        Name of the file in messages.

    Returns
    -------
    Stored
        Its settings are still to be read by :func:`hiphopss.config.read_settings`.

    Raises
    ------
    HiphopssError
        If it is no such object.
    """
    stored = parse_record(text, Stored, origin=origin, mend=_MEND)
    require_provenance(stored.provenance, origin=origin, mend=_MEND)
    return stored


def require_provenance(
    provenance: dict[str, Any], *, origin: str | Path, mend: str = "mend it"
) -> None:
    """Raise :class:`~hiphopss.errors.HiphopssError` unless it fits :class:`Provenance`."""
    fit_record(provenance, Provenance, origin=f"{origin}: provenance", mend=mend)
