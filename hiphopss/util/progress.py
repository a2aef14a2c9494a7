"""Progress bars on standard error, and lines printed beside them."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

from hiphopss.util.text import printable

if TYPE_CHECKING:
    from tqdm import tqdm

AUDIO_BAR = (
    "{desc} {percentage:3.0f}% |{bar}| {n:.0f}/{total:.0f} s of audio [{elapsed}<{remaining}]"
)
"""Format of a progress bar that counts seconds of audio."""

BYTES: dict[str, Any] = {"unit": "B", "unit_scale": True, "unit_divisor": 1024}
"""Options of a progress bar that counts bytes."""

_shown: WeakSet[tqdm] = WeakSet()  # bars, some of which are closed

logger = logging.getLogger(__name__)


def progress_bar(iterable: Iterable | None = None, *, show: bool, **options: Any) -> tqdm:
    """Make a tqdm bar; in a log file or a pipe it writes a line only every ten seconds.

    How long its work took is logged for those who want to know (DEBUG).

    Parameters
    ----------
    iterable : iterable, optional
        Items to iterate over.
    show : bool
        False gives a bar that does nothing.
    **options
        Options of ``tqdm.tqdm``.
    """
    from tqdm import tqdm

    show = show and sys.stderr is not None  # it is None if it was closed before the start
    interval = 0.1 if show and sys.stderr.isatty() else 10
    if "desc" in options:  # may name a file
        options["desc"] = printable(options["desc"])
    bar = tqdm(iterable, disable=not show, mininterval=interval, **options)
    if show:
        _shown.add(bar)
    if logger.isEnabledFor(logging.DEBUG):
        _tell_time(bar)
    return bar


def _tell_time(bar: tqdm) -> None:
    """Log how long the work of a bar took, once, when the bar is closed."""
    begun, close = time.perf_counter(), bar.close
    told: list[bool] = []

    def closed() -> None:
        close()
        if not told:
            told.append(True)
            name = getattr(bar, "desc", "").rstrip(": ") or "a step"
            logger.debug("%s: took %.2f s", name, time.perf_counter() - begun)

    bar.close = closed


def say(line: str, *, last: bool = False) -> None:
    """Print a line on standard error, apart from the lines of progress bars.

    On a terminal a bar moves down; in a log file or a pipe it is written again below the line.

    Parameters
    ----------
    line : str
        Line to print, through :func:`hiphopss.util.text.printable`.
    last : bool
        Close the bars first, because an error ends the work that they count.
    """
    if sys.stderr is None:
        return
    line = printable(line)
    bars = [bar for bar in _shown if not bar.disable]  # closing a bar disables it
    if last:
        for bar in bars:
            bar.close()
        bars = []
    if not bars:
        print(line, file=sys.stderr, flush=True)
        return
    terminal = sys.stderr.isatty()
    with bars[0].get_lock():  # one lock is shared by all bars
        if terminal:
            for bar in bars:
                bar.clear(nolock=True)
        print(line if terminal else f"\n{line}", file=sys.stderr, flush=True)
        for bar in bars:
            bar.refresh(nolock=True)


def tell(*texts: object) -> None:
    """Print results on standard output, each on a line of its own, as they are seen.

    Ends of lines pass unchanged, because tables have them: what a name has of them is to be escaped
    where the name is put into a line, with :func:`hiphopss.util.text.printable`.
    """
    for text in texts:
        print(printable(text, lines=True))
