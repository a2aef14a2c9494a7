"""The registry of weight files: those that are shipped, and the published ones.

The facts are in ``registry.toml``; the shipped files are beside it.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from pathlib import Path

from hiphopss.errors import HiphopssError
from hiphopss.util.files import sha256_of
from hiphopss.util.opening import nothing_at

DEFAULT = "default"
"""Name for the shipped weights that are used by default."""


@dataclass(frozen=True)
class Entry:
    """A known weight file.

    Attributes
    ----------
    name : str
        Name of the weights.
    trained_on : str
        Data on which they were trained.
    preset : str
        Fidelity preset.
    file : str
        Name of the file.
    sha256 : str
        Hash of the file; empty if it is not known.
    licence : str
        Licence for its use.
    get : str
        Place to get it from; empty for a shipped file.
    released_test_leak : bool
        Whether it was trained on test songs (Q3).
    model : str
        Name of the model in Table 1; empty if it is not there.
    """

    name: str
    trained_on: str
    preset: str
    file: str
    sha256: str
    licence: str
    get: str = ""
    released_test_leak: bool = False
    model: str = ""

    @property
    def shipped(self) -> bool:
        """Whether the file is part of the package."""
        return not self.get


def shipped_folder() -> Path:
    """Folder of the shipped weight files."""
    return Path(str(files("hiphopss.weights")))


@lru_cache
def registry() -> tuple[Entry, ...]:
    """All entries, the shipped ones first; the first entry is the default."""
    facts = tomllib.loads((shipped_folder() / "registry.toml").read_text("utf-8"))
    return tuple(Entry(**entry) for entry in facts["weights"])


@lru_cache
def shipped_hashes() -> frozenset[str]:
    """SHA-256 of the shipped files."""
    return frozenset(entry.sha256 for entry in registry() if entry.shipped)


def resolve_weights(given: str | Path | None) -> Path:
    """Find a weight file by path, by name in the registry, or by default.

    Parameters
    ----------
    given : path-like or None
        A path, or a shipped entry's name; None or ``"default"`` for the default. An existing file
        takes precedence over an entry of this name.

    Returns
    -------
    Path
        Path of the file.

    Raises
    ------
    HiphopssError
        If no file or entry has this name, if the entry is a published file, which is not shipped,
        or if a shipped file is damaged.
    """
    if given is not None and Path(given).exists():
        return Path(given)
    if given is not None and str(given) not in _names():
        raise HiphopssError(
            nothing_at(
                given,
                "neither a weight file nor the name of one: check the path, or take a name from "
                "`hiphopss weights list`",
            )
        )
    entry = registry()[0] if given in (None, DEFAULT) else _names()[str(given)]
    if not entry.shipped:
        raise HiphopssError(f"{given}: not shipped: get {entry.file} by hand ({entry.get})")
    path = shipped_folder() / entry.file
    if not path.exists() or sha256_of(path) != entry.sha256:
        raise HiphopssError(
            f"{path}: missing, or not the file that was shipped: install hiphopss again"
        )
    return path


def _names() -> dict[str, Entry]:
    return {entry.name: entry for entry in registry()} | {DEFAULT: registry()[0]}


def is_leaky_by_name(path: str | Path) -> bool:
    """Whether a published file, by its name, was trained on test songs (Q3)."""
    name = Path(path).name.removesuffix(".gz")
    return any(e.file == name and e.released_test_leak for e in registry())


def describe_default() -> str:
    """One line that names the weights used by default."""
    entry = registry()[0]
    return (
        f"separating with the shipped weights {entry.name!r}, trained on {entry.trained_on}; "
        "choose others with --weights"
    )


def list_weights() -> str:
    """List the registry for people."""
    blocks = []
    for entry in registry():
        lines = [
            f"{entry.name}{f' (model {entry.model} of Table 1)' if entry.model else ''}",
            f"  trained on  {entry.trained_on}",
            f"  preset      {entry.preset}",
            f"  file        {entry.file}",
            f"  sha256      {entry.sha256 or 'not known'}{' (of the file)' * bool(entry.sha256)}",
            f"  licence     {entry.licence}",
            f"  where       {entry.get or 'shipped'}",
        ]
        blocks.append("\n".join(lines))
    return "\n\n".join(blocks)
