"""The parser of the command line: help that is complete, and errors in one line that help.

Errors name the help of the verb that they are about, and the option, verb or choice that is
nearest to what was typed.
"""

from __future__ import annotations

import argparse
import re
from argparse import ArgumentParser
from collections.abc import Iterable, Mapping, Sequence
from textwrap import fill
from typing import Any, NoReturn

from hiphopss.errors import HiphopssError

STATUSES = {
    0: "all is done",
    2: "an error, which one line on standard error explains",
    130: "it was interrupted (Ctrl-C)",
}
"""What the exit statuses of every verb mean; verbs add their own."""

_NUMBER = re.compile(r"-\.?\d")


class UsageError(HiphopssError):
    """A command line that can't be understood."""


class HelpWanted(Exception):
    """A command line that names no verb: its user should see which ones there are.

    Attributes
    ----------
    parser : Parser
        The parser whose help is to be shown.
    """

    def __init__(self, parser: Parser):
        super().__init__(parser.prog)
        self.parser = parser


class Parser(ArgumentParser):
    """Raises :class:`UsageError` in one line, without the usage; its help keeps lines of lists.

    Parameters
    ----------
    examples : sequence of str
        Commands that show what the verb does, for the end of the help.
    statuses : mapping of int to str
        Exit statuses that only this verb has, or that mean something more exact here.
    **options
        Options of ``argparse.ArgumentParser``.
    """

    def __init__(
        self,
        *,
        examples: Sequence[str] = (),
        statuses: Mapping[int, str] | None = None,
        **options: Any,
    ):
        super().__init__(formatter_class=_Help, **options)
        self.examples = tuple(examples)
        self.statuses = dict(sorted({**STATUSES, **(statuses or {})}.items()))
        self._given: list[str] = []

    def format_help(self) -> str:
        """The help, which ends with examples and exit statuses."""
        self.epilog = _endings(self.examples, self.statuses)
        return super().format_help()

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """As ``argparse``, remembering what was given for the errors about it."""
        if args is not None:
            self._given = list(args)
        return super().parse_known_args(args, namespace)

    def error(self, message: str) -> NoReturn:
        """Raise the error, or, if an option isn't known, an error that says so instead.

        A misspelt ``--output`` would otherwise be told as a lack of ``--output``.
        """
        if not self._given and self.verbs():
            raise HelpWanted(self)
        unknown = self.unknown_options(self._given)
        told = self._about_unknown(unknown[0]) if unknown else message.removeprefix("argument ")
        raise UsageError(f"{told}: see `{self.prog} --help`")

    def unknown_options(self, given: Iterable[str]) -> list[str]:
        """Those of the arguments before a verb that look like options, but are none of these."""
        given, unknown, verbs = list(given), [], self.verbs()
        misspelt = bool(verbs) and not any(argument in verbs for argument in given)
        for argument in given:
            if argument == "--" or argument in verbs:
                break
            if misspelt and not argument.startswith("-"):  # what stands in the verb's place
                break
            name = argument.partition("=")[0]
            looks = name.startswith("-") and name != "-" and " " not in name
            if looks and not _NUMBER.match(name) and not self._knows(name):
                unknown.append(name)
        return unknown

    def _knows(self, name: str) -> bool:
        """Whether a name begins an option; a value may follow that of one letter."""
        options = self._option_string_actions
        if name.startswith("--"):
            return any(option.startswith(name) for option in options)
        return name[:2] in options

    def _about_unknown(self, name: str) -> str:
        if any(verb._knows(name) for verb in self.verbs().values()):
            return f"{name}: is an option of verbs: give it after the verb"
        return f"{name}: no such option{nearest(name, self._option_string_actions)}"

    def verbs(self) -> dict[str, Parser]:
        """The parsers of the verbs by name, if this parser has verbs."""
        for action in self._actions:
            if isinstance(action, argparse._SubParsersAction):
                return dict(action.choices)
        return {}

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        """As ``argparse``, but an error names the nearest choice."""
        if action.choices is None or value in action.choices:
            return
        choices = [str(choice) for choice in action.choices]
        near = nearest(str(value), choices)
        if isinstance(action, argparse._SubParsersAction):
            self.error(f"{value}: no such {str(action.metavar).lower()}{near}")
        raise argparse.ArgumentError(action, f"{value!r}: choose one of {', '.join(choices)}{near}")


def nearest(given: str, known: Iterable[str]) -> str:
    """The name that is nearest, as a question in brackets, or nothing if none is near."""
    from difflib import get_close_matches

    found = get_close_matches(given.lower(), list(known), n=1, cutoff=0.7)
    return f" (did you mean {found[0]}?)" if found else ""


def _endings(examples: Sequence[str], statuses: Mapping[int, str]) -> str:
    """Examples and exit statuses as they stand at the end of the help."""
    lines = [f"  {example}" for example in examples]
    told = [f"  {status:<4} {meaning}" for status, meaning in statuses.items()]
    title = "examples:" if len(examples) > 1 else "example:"
    return "\n".join([*([title, *lines, ""] if lines else []), "exit status:", *told])


class _Help(argparse.HelpFormatter):
    """Fills paragraphs, but keeps the lines of those in which lines are indented."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        parts = text.split("\n\n")
        return "\n\n".join(
            "\n".join(f"{indent}{line}" for line in part.splitlines())
            if "\n" in part
            else fill(part, width, initial_indent=indent, subsequent_indent=indent)
            for part in parts
        )
