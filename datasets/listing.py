"""Lists of songs that are shipped as CSV files beside this module."""

from __future__ import annotations

import csv
from importlib.resources import files


def read_list(name: str) -> list[dict[str, str]]:
    """The lines of ``<name>.csv``, each by the titles of its columns."""
    text = files(__package__).joinpath(f"{name}.csv").read_text("utf-8")
    return list(csv.DictReader(text.splitlines()))
