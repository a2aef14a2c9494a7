"""Log lines of worker processes, which are told again in the process that the user sees."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

Line = tuple[str, int, str]
"""Logger, level and text."""


@contextmanager
def collected_lines(level: int) -> Iterator[list[Line]]:
    """Collect the log lines of this thread, from a level on, instead of printing them."""
    lines: list[Line] = []
    thread, top = threading.get_ident(), logging.getLogger("hiphopss")

    class Collector(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if record.thread == thread:
                lines.append((record.name, record.levelno, record.getMessage()))

    collector, before, propagates = Collector(), top.level, top.propagate
    top.addHandler(collector)
    top.setLevel(level)
    top.propagate = False
    try:
        yield lines
    finally:
        top.removeHandler(collector)
        top.setLevel(before)
        top.propagate = propagates


def tell_again(lines: Iterable[Line]) -> None:
    """Log here what another process had to tell."""
    for name, level, text in lines:
        logging.getLogger(name).log(level, "%s", text)
