"""How the process of a command ends."""

import os
import signal
import subprocess
import sys

import pytest

PROGRAM = """
import atexit, os, signal, sys
from hiphopss.cli import program

def main():
    for number in map(int, sys.argv[1:]):
        atexit.register(os.kill, os.getpid(), number)
    atexit.register(print, "removed", flush=True)
    return 1

program.main = main
program.run()
"""


@pytest.mark.skipif(os.name != "posix", reason="signals as Unix has them")
@pytest.mark.parametrize(
    ("signals", "status"), [([], 1), ([signal.SIGTERM], 143), ([signal.SIGINT], 130)]
)
def test_a_signal_after_the_work_has_the_status_of_one_before(signals, status):
    command = [sys.executable, "-c", PROGRAM, *(str(int(number)) for number in signals)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (status, "removed\n", "")


def test_an_error_of_the_program_is_not_hidden():
    broken = PROGRAM.replace("return 1", "raise KeyError('a bug')")
    done = subprocess.run(
        [sys.executable, "-c", broken], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "KeyError: 'a bug'" in done.stderr


def test_an_interrupt_while_the_program_is_imported_is_one_line():
    """As Ctrl-C in the first moments, in which nothing of the project is there to tell of it."""
    interrupted = """
import runpy, sys
from importlib.abc import MetaPathFinder

class Interrupt(MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name == "hiphopss.cli":
            raise KeyboardInterrupt

sys.meta_path.insert(0, Interrupt())
runpy.run_module("hiphopss", run_name="__main__")
"""
    done = subprocess.run(
        [sys.executable, "-c", interrupted], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (130, "")
    assert done.stderr == "hiphopss: interrupted: run it again to go on\n"
