"""Scripts with which a shell completes verbs, options and names of files."""

from __future__ import annotations

import re
from typing import Any

from hiphopss.cli.terminal.parser import Parser
from hiphopss.errors import HiphopssError

SHELLS = ("bash", "zsh", "tcsh")

_FILES = re.compile(
    r"FILE|SONG|INPUT|ESTIMATES|REFERENCES|FEATURES|WEIGHTS|ZIP|PATH|PLACE|OUT\b|IN\b|\.(csv|h5)"
)
_FOLDERS = re.compile(r"DIR\b|FOLDER$|DATASET$")
"""What arguments are called in the help if they are files, or folders alone."""


def completion(parser: Parser, shell: str) -> str:
    """The completion script of a parser.

    Parameters
    ----------
    parser : Parser
        Parser of the program; what its arguments are completed to is noted in it.
    shell : str
        One of :data:`SHELLS`.

    Raises
    ------
    HiphopssError
        If shtab is not installed.
    """
    try:
        import shtab
    except ImportError as error:
        raise HiphopssError(
            "completion: needs shtab, which is missing: pip install shtab"
        ) from error
    _note(parser, shtab)
    return shtab.complete(parser, shell)


def _note(parser: Parser, shtab: Any) -> None:
    """Note which arguments of a parser and of its verbs are files, folders or known weights."""
    for action in parser._actions:
        if action.choices is None and action.nargs != 0:
            kind = _kind(str(action.metavar or ""))
            if kind and "`weights list`" in str(action.help):
                action.complete = _weights()  # type: ignore[attr-defined]
            elif kind:
                action.complete = getattr(shtab, kind)  # type: ignore[attr-defined]
    for verb in parser.verbs().values():
        _note(verb, shtab)


def _weights() -> dict[str, Any]:
    """shtab's completion to files and to the names of the weights that are shipped."""
    from hiphopss.weights.registry import DEFAULT, registry

    names = " ".join([DEFAULT, *(entry.name for entry in registry() if entry.shipped)])
    script = f'_hiphopss_weights_file() {{\n  compgen -W "{names}" -- $1\n  compgen -f -- $1\n}}\n'
    return {
        "bash": "_hiphopss_weights_file",  # with "file" in its name, folders end without a space
        "zsh": f"{{_files; compadd {names}}}",
        "tcsh": "f",
        "preamble": {"bash": script},
    }


def _kind(metavar: str) -> str | None:
    """Name of shtab's completion for an argument of this name in the help."""
    if _FOLDERS.search(metavar):
        return "DIRECTORY"
    return "FILE" if _FILES.search(metavar) else None
