"""Progress bars on standard error."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tqdm import tqdm


def progress_bar(iterable=None, *, show: bool, **options) -> tqdm:
    """A tqdm bar; in a log file or a pipe it writes a line only every ten seconds.

    Parameters
    ----------
    iterable : iterable, optional
        What to go through.
    show : bool
        False gives a bar that does nothing.
    **options
        Of ``tqdm.tqdm``.
    """
    from tqdm import tqdm

    interval = 0.1 if sys.stderr.isatty() else 10
    return tqdm(iterable, disable=not show, mininterval=interval, **options)
