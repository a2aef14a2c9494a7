"""Work in processes that die."""

import os
import signal
import sys
from pathlib import Path

import pytest
from helpers.songs import told

from hiphopss import Executor, HiphopssError

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="processes are killed by a signal")


def work(item):
    """The square of a number; dies while a file of the number's name is there, or for 13."""
    number, folder = item
    once = Path(folder, str(number))
    if once.exists() or number == 13:
        once.unlink(missing_ok=True)
        os.kill(os.getpid(), signal.SIGKILL)
    return number**2


def run(folder, numbers, **options):
    done = []
    found = Executor(2).map(
        work,
        [(number, str(folder)) for number in numbers],
        cost=lambda item: -item[0],
        n_useful=1,
        done=done.append,
        **options,
    )
    assert sorted(done) == sorted(found)
    return found


@pytest.fixture(autouse=True)
def importable(monkeypatch):
    """Workers import this module by its name."""
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(sys.path))
    work.__module__ = Path(__file__).stem
    monkeypatch.syspath_prepend(Path(__file__).parent)
    __import__(Path(__file__).stem)
    monkeypatch.setattr(sys.modules[work.__module__], "work", work)


def test_what_a_worker_was_doing_is_done_by_another(tmp_path):
    (tmp_path / "5").touch()
    with told() as lines:
        assert run(tmp_path, range(12)) == [n**2 for n in range(12)]
    assert sum("a process died" in line for line in lines) == 1


def test_an_item_that_kills_its_workers_costs_only_itself(tmp_path):
    errors = []

    def lost(item, error):
        errors.append((item[0], str(error)))
        return -1

    numbers = [12, 13, 14, 15]
    assert run(tmp_path, numbers, lost=lost) == [144, -1, 196, 225]
    ((number, error),) = errors
    assert number == 13
    assert error.startswith("processes died of it, perhaps because memory ran out")
    with pytest.raises(HiphopssError, match=r"a process died, perhaps .*use fewer"):
        run(tmp_path, [13, 14])
