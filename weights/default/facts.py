"""What the training data are made of: numbers and names from ``default.toml``, and folders."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import Any

from hiphopss.errors import HiphopssError

FACTS: dict[str, Any] = tomllib.loads(
    resources.files(__package__).joinpath("default.toml").read_text("utf-8")
)


@dataclass(frozen=True)
class Sources:
    """Where the raw material is.

    Attributes
    ----------
    soundfont : Path
        FluidR3_GM.sf2.
    samples, kits : Path
        Folders of Sonic Pi's samples and of Hydrogen's drum kits.
    speech : Path
        Folder of recorded speech; the part of a file's name before the first ``-`` is the speaker.
    phrases : Path
        Folder of what :mod:`hiphopss.weights.default.kokoro` and ``singing`` made.
    """

    soundfont: Path
    samples: Path
    kits: Path
    speech: Path
    phrases: Path

    def require(self) -> None:
        """Raise :class:`HiphopssError` if something isn't there."""
        for name, how in FACTS["sources"].items():
            path = getattr(self, name)
            if not path.exists():
                raise HiphopssError(f"{path}: is not there: {how}, or say where with --{name}")
        if not self.speakers():
            raise HiphopssError(f"{self.speech}: has no recordings: {FACTS['sources']['speech']}")

    def speakers(self) -> dict[str, list[Path]]:
        """The recordings of each speaker."""
        found: dict[str, list[Path]] = {}
        for path in sorted(self.speech.rglob("*")):
            if path.suffix in (".ogg", ".flac", ".wav"):
                found.setdefault(path.name.split("-")[0], []).append(path)
        return found


@lru_cache(1)
def read_lines() -> dict[str, list[str]]:
    """All lines that the generated songs have, by language (``"es"``, ``"en"``)."""
    from hiphopss.datasets import generated

    folder = resources.files(generated) / "facts"
    spanish = tomllib.loads((folder / "spanish.toml").read_text("utf-8"))
    english = tomllib.loads((folder / "english.toml").read_text("utf-8"))
    hooks = [
        line for kind in ("sung", "rapped") for hook in english[kind]["hooks"] for line in hook
    ]
    return {
        "es": [*spanish["lines"], *(line for hook in spanish["hooks"] for line in hook)],
        "en": [*english["sung"]["lines"], *english["rapped"]["lines"], *hooks],
    }
