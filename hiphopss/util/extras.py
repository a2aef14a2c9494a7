"""Packages that are installed only where they are asked for, and what is said without them.

``hiphopss/extras.toml`` lists them. Whatever needs one asks here before it begins to work, so that
nobody waits for a song or an epoch and then learns that a picture can't be drawn.
"""

from __future__ import annotations

import sys
import tomllib
from collections.abc import Sequence
from functools import lru_cache
from importlib.resources import files
from importlib.util import find_spec

from hiphopss.errors import HiphopssError


@lru_cache
def extras() -> dict[str, dict[str, str]]:
    """The packages of each extra, as pip's requirements by the names of their modules."""
    return tomllib.loads(files("hiphopss").joinpath("extras.toml").read_text("utf-8"))


def is_installed(module: str) -> bool:
    """Whether a module can be found; it is not imported."""
    if sys.modules.get(module) is not None:
        return True
    try:
        return find_spec(module) is not None
    except ImportError:
        return False


def require(purpose: str, *modules: str, otherwise: str = "") -> None:
    """Raise unless what something needs is installed.

    Parameters
    ----------
    purpose : str
        What needs it: a verb, an option or a thing, which begins the message.
    *modules : str
        Modules of ``extras.toml``.
    otherwise : str
        What else can be done about it, which ends the message.

    Raises
    ------
    HiphopssError
        If a module is missing; with the command that installs what is.
    """
    if not all(map(is_installed, modules)):
        raise HiphopssError(missing(purpose, *modules) + otherwise)


def missing(purpose: str, *modules: str) -> str:
    """The message for modules of which some are missing.

    It names the packages themselves: hiphopss is on no package index, so that its extras can be
    installed by their names only in a checkout. The command works in the shells of Unix and of
    Windows.

    Parameters
    ----------
    purpose, *modules
        As in :func:`require`.

    Returns
    -------
    str
        One line.
    """
    absent = [name for name in modules if not is_installed(name)]
    brought = {name: one for extra in extras().values() for name, one in extra.items()}
    them = " ".join(f'"{brought[name]}"' for name in absent)
    named = [repr(extra) for extra in _extras_of(modules, absent)]
    extra = f"extra{'s' * (len(named) > 1)} {' and '.join(named)}"
    return f"{purpose}: needs the {extra} of hiphopss: pip install {them}"


def _extras_of(modules: Sequence[str], absent: Sequence[str]) -> list[str]:
    """The extras that bring what is absent; of several, the one with more of what is needed."""
    found, left = [], set(absent)
    for extra in sorted(extras(), key=lambda extra: -len(extras()[extra].keys() & set(modules))):
        if left & extras()[extra].keys():
            found.append(extra)
            left -= extras()[extra].keys()
    return found


def line_of(error: ImportError) -> str | None:
    """The message for a failed import; None if the module is of no extra."""
    module = (error.name or "").partition(".")[0]
    known = any(module in packages for packages in extras().values())
    return missing(module, module) if known and not is_installed(module) else None
