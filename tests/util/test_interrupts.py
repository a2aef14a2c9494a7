"""Ctrl-C and SIGTERM while they are held back."""

import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from hiphopss.util.interrupts import held, held_between, impatient


def interrupt():
    signal.raise_signal(signal.SIGINT)


def test_an_interrupt_takes_effect_at_the_end():
    done = []

    def work():
        with held():
            interrupt()
            done.append("all")

    with pytest.raises(KeyboardInterrupt):
        work()
    assert done == ["all"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_of_nested_contexts_the_outermost_counts():
    done = []

    @held()
    def work():
        with held():
            interrupt()
        done.append("all")

    with pytest.raises(KeyboardInterrupt):
        work()
    assert done == ["all"]


def test_the_first_signal_counts():
    came = []
    before = signal.signal(signal.SIGTERM, lambda number, _: came.append(number))
    try:
        with held():
            signal.raise_signal(signal.SIGTERM)
            interrupt()
        assert came == [signal.SIGTERM]
    finally:
        signal.signal(signal.SIGTERM, before)


def test_between_items_an_interrupt_is_let_through():
    made, got = [], []

    def items():
        for number in range(5):
            if number == 2:
                interrupt()
            made.append(number)
            yield number

    with pytest.raises(KeyboardInterrupt):
        got.extend(held_between(items()))
    assert made == [0, 1, 2]


def test_an_error_that_an_interrupt_causes_does_not_hide_it():
    """As Python's own, if an interrupt comes while it waits for a thread."""

    def work():
        with impatient():
            try:
                interrupt()
            finally:
                raise RuntimeError("cannot release un-acquired lock")

    with pytest.raises(KeyboardInterrupt):
        work()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_in_other_threads_it_does_nothing():
    def work():
        with held():
            pass

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()


PROGRAM = """
import sys, time
from hiphopss.util import interrupts
from hiphopss.util.files import written_whole
interrupts._GRACE_S = float(sys.argv[1])
with interrupts.impatient(), written_whole(sys.argv[2]) as file, interrupts.held():
    file.write_text("half")
    print("began", flush=True)
    end = time.monotonic() + 30
    while time.monotonic() < end:  # like a library that does not come back
        time.sleep(1)
"""


@pytest.mark.skipif(os.name == "nt", reason="a process can't be sent Ctrl-C by itself")
@pytest.mark.parametrize(
    ("grace", "number", "n_sent"),
    [(20, signal.SIGINT, 2), (0.2, signal.SIGINT, 1), (0.2, signal.SIGTERM, 1)],
)
def test_an_impatient_command_ends_at_once_and_leaves_nothing(tmp_path, grace, number, n_sent):
    command = [sys.executable, "-c", PROGRAM, str(grace), str(tmp_path / "new" / "out")]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "began\n"
    for _ in range(n_sent):
        process.send_signal(number)
        time.sleep(0.1)
    _, errors = process.communicate(timeout=10)
    assert process.returncode == 128 + number
    told = "hiphopss: interrupted: run it again to go on\n"
    assert errors == (told if number == signal.SIGINT else "")
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]
