"""Entry point of ``python -m hiphopss``."""

from hiphopss.cli.program import run

run()
