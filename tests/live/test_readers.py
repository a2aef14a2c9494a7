"""Keys and lines as they are read on Windows, with a console that the test types into."""

import os
import signal
import sys
import time
from collections import deque
from contextlib import suppress
from types import SimpleNamespace

import pytest

from hiphopss.live.controls import Controls
from hiphopss.live.readers import DescriptorReader, ThreadReader, reader_of
from hiphopss.remixing.mixing import Mix


@pytest.fixture
def typed(monkeypatch):
    """What is typed into a console of Windows, where ``select`` and ``termios`` are of no use."""
    keys = deque()
    console = SimpleNamespace(kbhit=lambda: bool(keys), getwch=keys.popleft)
    monkeypatch.setitem(sys.modules, "msvcrt", console)
    monkeypatch.setitem(sys.modules, "termios", None)
    monkeypatch.setitem(sys.modules, "tty", None)

    def fails(*_):
        raise OSError(10038, "an operation was attempted on something that is not a socket")

    monkeypatch.setattr("select.select", fails)
    return keys


@pytest.fixture
def stdin(monkeypatch):
    """Writes to standard input, which is a pipe; gives the descriptor to write to."""
    reading, writing = os.pipe()
    monkeypatch.setattr(sys, "stdin", os.fdopen(reading))
    yield writing
    sys.stdin.close()


def until(done, update):
    """Call a function until something holds, as the music would go on meanwhile."""
    end = time.monotonic() + 5
    while not done() and time.monotonic() < end:
        update()
        time.sleep(0.001)
    assert done()


def test_keys_of_a_console(typed, stdin, monkeypatch, lines):
    monkeypatch.setattr("os.isatty", lambda _: True)
    with Controls(Mix(), stdin=True) as controls:
        mix = controls.update(Mix(), 0)
        assert mix == Mix()
        typed.extend("b-")
        mix = controls.update(mix, 0)
        typed.extend(["\xe0", "m", "ü"])  # an arrow, whose second half is no key; and a letter
        mix = controls.update(mix, 0)
        assert mix == Mix(gains={"bass": -1})
        typed.extend("m")
        assert controls.update(mix, 0) == Mix(gains={"bass": -1}, muted=frozenset({"bass"}))
    assert not lines.wrong
    os.close(stdin)


def test_ctrl_c_in_a_console_interrupts(typed):
    reader = reader_of(0, keys=True)
    typed.extend(["\x03", "m"])
    before = signal.getsignal(signal.SIGINT)
    heard = []
    signal.signal(signal.SIGINT, lambda number, _: heard.append(number))
    try:
        assert reader.ready()
    finally:
        signal.signal(signal.SIGINT, before)
    assert heard == [signal.SIGINT]
    assert reader.read(10) == b"m"


def test_lines_of_a_pipe(typed, stdin):
    mixes = [Mix()]
    with Controls(Mix(), stdin=True) as controls:

        def update():
            mixes.append(controls.update(mixes[-1], 0))

        update()  # does not wait
        os.write(stdin, b"mute bass\nvocals -")
        until(lambda: mixes[-1].muted, update)
        os.write(stdin, b"6")
        os.close(stdin)
        until(lambda: mixes[-1].gains["vocals"] == -6, update)  # the end completes the line
        assert controls.count_left() == 0


def test_a_thread_holds_no_more_than_a_pipe_would(stdin):
    reader = ThreadReader(sys.stdin.fileno())
    sent = bytes(range(250)) * 1000
    os.set_blocking(stdin, False)
    n_sent, found = 0, b""
    end = time.monotonic() + 10
    while len(found) < len(sent) and time.monotonic() < end:
        with suppress(BlockingIOError):  # the pipe is full
            n_sent += os.write(stdin, sent[n_sent:]) if n_sent < len(sent) else 0
        assert reader._chunks.qsize() <= 16
        if reader.ready():
            found += reader.read(1000)
    assert found == sent
    os.close(stdin)
    until(reader.ready, lambda: None)
    assert reader.read(1000) == b""


def test_elsewhere_nothing_changes(stdin):
    if "msvcrt" in sys.modules:
        pytest.skip("Windows")
    assert isinstance(reader_of(0), DescriptorReader)
    assert isinstance(reader_of(0, keys=True), DescriptorReader)
    os.close(stdin)
