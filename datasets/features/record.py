"""What a feature file says of itself, as schemas."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from hiphopss.config import Fidelity, KnownData, SignalConfig, read_settings
from hiphopss.datasets.features.augmentation import resolve_augmentation
from hiphopss.errors import HiphopssError
from hiphopss.util.records import Sha256, fit_record, parse_object, parse_record

_MEND = "make it again with `hiphopss features`"


@dataclass(frozen=True)
class Provenance:
    """Those keys of the provenance that this package reads."""

    sha256: dict[str, Sha256]
    data: list[KnownData] = field(default_factory=list)


@dataclass(frozen=True)
class _Attributes:
    config: str
    fidelity: str
    augmentation: str
    released_test_leak: bool


class Described(NamedTuple):
    """Settings of a feature file, from its attributes; see :class:`FeatureFile`."""

    config: SignalConfig
    fidelity: Fidelity
    augmentation: str
    released_test_leak: bool


def read_attributes(attributes: Mapping[str, Any], *, origin: str | Path) -> Described:
    """Read the attributes of a feature file.

    Parameters
    ----------
    attributes : mapping of str to object
        The attributes, as h5py gives them. Others than those of :class:`Described` are ignored.
    origin : path-like
        Name of the file in messages.

    Raises
    ------
    HiphopssError
        If one is missing, or is not what it should be.
    """
    plain = {
        name: getattr(value, "tolist", lambda v=value: v)() for name, value in attributes.items()
    }
    found = fit_record(plain, _Attributes, origin=origin, mend=_MEND)
    settings = {
        name: parse_record(text, dict[str, Any], origin=f"{origin}: {name}", mend=_MEND)
        for name, text in (("config", found.config), ("fidelity", found.fidelity))
    }
    try:
        augmentation = resolve_augmentation(found.augmentation)
    except HiphopssError as error:
        raise HiphopssError(f"{origin}: {error}") from error
    return Described(
        read_settings(SignalConfig, settings["config"], origin=str(origin)),
        read_settings(Fidelity, settings["fidelity"], origin=str(origin)),
        augmentation,
        found.released_test_leak,
    )


def parse_provenance(text: object, *, origin: str | Path) -> dict[str, Any]:
    """Read the provenance of a feature file, with all its keys; errors as above."""
    return parse_object(text, Provenance, origin=f"{origin}: provenance", mend=_MEND)


def parse_paths(text: object, *, origin: str | Path) -> dict[str, str]:
    """Read the paths of the audio files of a feature file; errors as above."""
    return parse_record(text, dict[str, str], origin=f"{origin}: paths", mend=_MEND)
