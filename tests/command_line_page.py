"""Writes docs/command-line.md from the parser: all verbs, options, examples and exit statuses.

    python tests/command_line_page.py

It does not use the text of ``--help``, whose layout differs between versions of Python.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

from hiphopss.cli import build_parser
from hiphopss.cli.terminal.parser import Parser

PAGE = Path(__file__).parents[1] / "docs" / "command-line.md"

HEAD = """# Command line

`hiphopss VERB --help` says the same in the terminal. Results go to standard output, as lines or,
with `--json`, as [one JSON object](json.md); progress bars, warnings, errors and what happens go to
standard error.

`hiphopss` without a verb shows its help on standard error, and its exit status is 2, so that a
script that forgets the verb fails. Any command has the exit status 141 if nobody reads its output
to the end (`hiphopss weights list | head -1`), and 143 if the signal SIGTERM ends it.

This page is made from the program by `python tests/command_line_page.py`.
"""


def page() -> str:
    """The whole page."""
    parts = [HEAD]
    for verb in _leaves(build_parser()):
        parts += _section(verb)
    return "\n".join(parts).rstrip() + "\n"


def _leaves(parser: Parser) -> Iterator[Parser]:
    inner = parser.verbs().values()
    if not inner:
        yield parser
    for verb in inner:
        yield from _leaves(verb)


def _section(verb: Parser) -> Iterator[str]:
    actions = [action for action in verb._actions if action.dest != "help"]
    yield f"## {verb.prog.partition(' ')[2]}\n"
    yield from _description(verb.description or "")
    yield f"    {_usage(verb, actions)}\n"
    yield from _table(actions)
    yield "Examples:\n" if len(verb.examples) > 1 else "Example:\n"
    yield from (f"    {example}" for example in verb.examples)
    yield ""
    told = "; ".join(f"{status}: {meaning}" for status, meaning in verb.statuses.items())
    yield f"Exit status: {told}.\n"


def _description(text: str) -> Iterator[str]:
    """Paragraphs as they are; those whose lines were kept as they are become a block."""
    for part in text.split("\n\n"):
        lines = part.splitlines()
        yield "\n".join(f"    {line}" for line in lines) if len(lines) > 1 else part
        yield ""


def _usage(verb: Parser, actions: list[argparse.Action]) -> str:
    words = [verb.prog]
    words += [_named(action) for action in actions if not action.option_strings]
    words += [_named(action, short=True) for action in actions if _is_required(action)]
    return " ".join([*words, "[options]"])


def _is_required(action: argparse.Action) -> bool:
    return bool(action.option_strings) and action.required


def _table(actions: list[argparse.Action]) -> Iterator[str]:
    yield "| | |\n|---|---|"
    for action in sorted(actions, key=_rank):
        told = (action.help or "").replace("|", "\\|").replace("%%", "%")
        yield f"| `{_named(action)}` | {told} |".replace("`|", "` |")
    yield ""


def _rank(action: argparse.Action) -> int:
    """Arguments first, then the verb's own options, then those that all verbs have."""
    common = action.dest in ("json", "verbose", "quiet")
    return bool(action.option_strings) + common


def _named(action: argparse.Action, *, short: bool = False) -> str:
    """An argument as it is typed: its names, and what its value is called."""
    value = action.metavar or (
        f"{{{','.join(map(str, action.choices))}}}" if action.choices else ""
    )
    value = str(value or action.dest.upper())
    if action.nargs == "+":
        value = f"{value}..."
    elif action.nargs == "?":
        value = f"[{value}]"
    value = value.replace("|", "/")
    if not action.option_strings:
        return value
    names = action.option_strings[:1] if short else action.option_strings
    return ", ".join(names) + ("" if action.nargs == 0 else f" {value}")


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
