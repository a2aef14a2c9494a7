"""The program ``hiphopss``: one command, and the end of its process."""

from __future__ import annotations

import atexit
import os
import signal
import sys
from types import FrameType
from typing import NoReturn

from hiphopss.cli import main

_status: list[int] = []
"""The exit status of the command, and then those of signals that come after it."""


def run() -> NoReturn:
    """Run the command of ``sys.argv``, and end the process with its exit status.

    Python first calls what others have registered for the end, such as the removal of temporary
    folders. What it would do then takes a second if TensorFlow was used, and a signal meanwhile
    would end the process without an exit status; so the process ends there.
    """
    atexit.register(_leave)  # the first to be registered is the last to be called
    try:
        _status.append(main())
    except SystemExit as stop:  # after --help, if options are wrong, and after SIGTERM
        _status.append(int(stop.code or 0))
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _note)
    sys.exit(_status[0])


def _note(number: int, _: FrameType | None) -> None:
    _status.append(128 + number)


def _leave() -> None:
    """End the process, unless the command did not end in an ordinary way."""
    if _status:
        os._exit(_status[-1])
