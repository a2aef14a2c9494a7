"""The verbs `env` and `completion`, which are about the program itself."""

from __future__ import annotations

from argparse import Namespace

from hiphopss.cli.common import Verbs, add_verb
from hiphopss.cli.terminal.completion import SHELLS
from hiphopss.cli.terminal.results import Result


def add_env(verbs: Verbs) -> None:
    add_verb(
        verbs,
        "env",
        "say what the program runs on, for reports of bugs: versions, processors, memory, folders",
        _env,
        examples=["hiphopss env", "hiphopss env --json"],
    )


def _env(options: Namespace) -> Result:
    from hiphopss.cli.terminal.environment import describe_environment, environment

    found = environment()
    return Result({"environment": found}, [describe_environment(found)])


def add_completion(verbs: Verbs) -> None:
    verb = add_verb(
        verbs,
        "completion",
        "print a script with which a shell completes verbs, options and names of files",
        _completion,
        examples=[
            'eval "$(hiphopss completion bash)"     # for this shell; in ~/.bashrc for all',
            "hiphopss completion zsh > ~/.zfunc/_hiphopss",
            "hiphopss completion tcsh > ~/.hiphopss.tcsh",
        ],
        json=False,
    )
    verb.add_argument("shell", choices=SHELLS, help="shell for which the script is")


def _completion(options: Namespace) -> Result:
    from hiphopss.cli.terminal.completion import completion

    return Result({}, [completion(options.program, options.shell)])
