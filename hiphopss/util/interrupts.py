"""Ctrl-C and SIGTERM while a library works that can't bear them.

TensorFlow aborts the process if an interrupt comes while it is imported, and may lose one that
comes while it compiles. So such work holds them back, and they take effect when it is done. That
may take long; therefore a command ends at once, without Python's help, when a second one comes or
some seconds have passed.
"""

from __future__ import annotations

import os
import select
import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from types import FrameType
from typing import Any, TypeVar

from hiphopss.util.files import remove_unfinished

Item = TypeVar("Item")

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_LINES = {signal.SIGINT: b"hiphopss: interrupted: run it again to go on\n"}
_GRACE_S = 3.0
_LOOK_S = 0.05
_END = bytes(2)  # in place of numbers of signals: one for each loop that may be reading

stderr_descriptor = 2
"""Where standard error is, while something keeps a library's notices away from descriptor 2."""


@dataclass
class _State:
    """What this process holds back."""

    depth: int = 0  # of nested contexts, all in the main thread
    waiting: tuple[int, FrameType | None] | None = None  # the first signal, and where it came
    before: dict[int, Any] = field(default_factory=dict)  # handlers that are replaced meanwhile


_state = _State()


@contextmanager
def impatient() -> Iterator[None]:
    """Let a signal that is held back end this process at once if it, or the user, waits too long.

    This is for commands: it would also end the Python of somebody who uses the library. Outside the
    main thread, and where something else watches signals already, it does nothing.
    """
    if os.name == "nt" or threading.current_thread() is not threading.main_thread():
        yield
        return
    numbers, end = os.pipe()  # Python writes the number of each signal into it
    os.set_blocking(end, False)
    other = signal.set_wakeup_fd(end, warn_on_full_buffer=False)
    watch = threading.Thread(target=_watch, args=(numbers,), daemon=True)
    if other == -1:
        watch.start()
    try:
        with _kept_apart():
            yield
    finally:
        signal.set_wakeup_fd(other)
        if other == -1:
            os.write(end, _END)
            watch.join()
        os.close(end)
        os.close(numbers)


@contextmanager
def _kept_apart() -> Iterator[None]:
    """Let a signal's exception win over an error that it has caused.

    If it comes while Python waits for a thread, Python's own code may raise ``RuntimeError``.
    """
    came: list[int] = []

    def noting(before: Callable) -> Callable:
        def handle(number: int, frame: FrameType | None) -> None:
            came.append(number)
            before(number, frame)

        return handle

    before = {number: signal.getsignal(number) for number in _SIGNALS}
    for number, handler in before.items():
        if callable(handler):
            signal.signal(number, noting(handler))
    try:
        yield
    except Exception as error:
        if not came:
            raise
        if came[0] == signal.SIGINT:
            raise KeyboardInterrupt from error
        raise SystemExit(128 + came[0]) from error
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _watch(numbers: int) -> None:
    """Wait for signals; Python's own handlers run only when the main thread is back in Python."""
    while number := os.read(numbers, 1)[0]:
        if number not in _SIGNALS or not _state.depth or not _waits_long(numbers):
            continue
        remove_unfinished()
        with suppress(OSError):
            os.write(stderr_descriptor, _LINES.get(signal.Signals(number), b""))
        os._exit(128 + number)


def _waits_long(numbers: int) -> bool:
    """Whether another signal comes, or time passes, before the first one has taken effect."""
    for _ in range(round(_GRACE_S / _LOOK_S)):
        if select.select([numbers], [], [], _LOOK_S)[0]:
            number = os.read(numbers, 1)[0]
            if not number or number in _SIGNALS:
                return bool(number)
        if not _state.depth:
            return False
    return True


@contextmanager
def held() -> Iterator[None]:
    """Hold back Ctrl-C and SIGTERM; at the end the first one that came takes effect.

    Only the main thread gets signals, so elsewhere this does nothing.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    if not _state.depth:
        _state.before = {number: signal.signal(number, _note) for number in _SIGNALS}
    _state.depth += 1
    try:
        yield
    finally:
        _state.depth -= 1
        if not _state.depth:
            _let_go()


def _note(number: int, frame: FrameType | None) -> None:
    _state.waiting = _state.waiting or (number, frame)


def _let_go() -> None:
    """Put the handlers back, and call the one of the signal that waits."""
    for number, handler in _state.before.items():
        signal.signal(number, handler)
    waiting, _state.waiting = _state.waiting, None
    if waiting is None:
        return
    before: Callable | int | None = _state.before[waiting[0]]
    if callable(before):
        before(*waiting)
    elif before != signal.SIG_IGN:
        signal.raise_signal(waiting[0])


def held_between(items: Iterable[Item]) -> Iterator[Item]:
    """Pass items on; signals are held back while one is made, and take effect between them."""
    iterator = iter(items)
    while True:
        with held():
            try:
                item = next(iterator)
            except StopIteration:
                return
        yield item
