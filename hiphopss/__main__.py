"""Entry point of the program ``hiphopss``, and of ``python -m hiphopss``.

It imports little before it can tell of Ctrl-C in one line.
"""

import sys
from typing import NoReturn


def run() -> NoReturn:
    """Run the command of ``sys.argv``, and end the process with its exit status."""
    try:
        from hiphopss.cli import program
    except KeyboardInterrupt:
        sys.stderr.write("hiphopss: interrupted: run it again to go on\n")
        sys.exit(130)
    program.run()


if __name__ == "__main__":
    run()
