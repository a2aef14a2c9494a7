"""Locks of outputs: one run at a time, whatever happens to the others."""

import subprocess
import sys
import threading
import time

import pytest

from hiphopss import HiphopssError
from hiphopss.util import locks
from hiphopss.util.files import write_text
from hiphopss.util.locks import locked, unmade

HOLDER = (
    "import sys, time\n"
    "from hiphopss.util.locks import locked\n"
    "with locked(sys.argv[1]):\n"
    "    print('held', flush=True)\n"
    "    time.sleep(600)\n"
)


@pytest.fixture
def other(tmp_path):
    """Start another process that holds the lock of an output until it is killed."""
    started = []

    def hold(path):
        command = [sys.executable, "-c", HOLDER, str(path)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        started.append(process)
        assert process.stdout.readline() == "held\n"
        return process

    yield hold
    for process in started:
        process.kill()
        process.communicate()


def test_a_second_run_waits_until_the_first_is_gone(other, tmp_path, monkeypatch, lines):
    monkeypatch.setattr(locks, "_GRACE_S", 0.0)
    path = tmp_path / "features" / "HH.h5"
    first = other(path)
    with pytest.raises(HiphopssError, match=r"HH\.h5: another run is making it: wait until"):
        locked(path, wait=False).__enter__()
    assert not lines.all
    killer = threading.Timer(0.5, first.kill)  # SIGKILL: it can't tidy up
    killer.start()
    begun = time.monotonic()
    with unmade(path, label="HH") as missing:
        assert missing
        assert time.monotonic() - begun > 0.3
        path.write_text("made")
    assert lines.told == ["HH: waiting for another run that makes features/HH.h5"]
    with unmade(path, label="HH") as missing:
        assert not missing
    assert [p.name for p in path.parent.iterdir()] == ["HH.h5"]


def test_what_another_run_made_meanwhile_is_not_made_again(tmp_path):
    path, inside, found = tmp_path / "out", threading.Event(), []

    def second():
        inside.wait()
        with unmade(path, label="second") as missing:
            found.append(missing)

    thread = threading.Thread(target=second)
    thread.start()
    with unmade(path, label="first") as missing:
        assert missing
        inside.set()
        time.sleep(0.2)  # the second sees no output yet, and waits
        path.write_text("made")
    thread.join()
    assert found == [False]


def test_only_one_at_a_time(tmp_path):
    """Without the lock, some of these additions would be lost."""
    path = tmp_path / "count"
    path.write_text("0")

    def add():
        for _ in range(20):
            with locked(path):
                write_text(path, str(int(path.read_text()) + 1))

    threads = [threading.Thread(target=add) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert path.read_text() == "80"
    assert [p.name for p in tmp_path.iterdir()] == ["count"]


def test_folders_that_stay_empty_are_removed(tmp_path):
    with locked(tmp_path / "a" / "b" / "out"), locked(tmp_path / "a" / "b" / "out"):
        assert (tmp_path / "a" / "b").is_dir()
    assert not list(tmp_path.iterdir())


def test_a_disk_without_locks_is_told_and_used(tmp_path, monkeypatch, lines):
    import filelock

    def unable(*_, **__):
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(filelock.FileLock, "acquire", unable)
    write_text(tmp_path / "out", "made")
    assert (tmp_path / "out").read_text() == "made"
    assert lines.wrong == [
        f"{tmp_path / 'out'}: can't be locked (Operation not supported): don't make it in two runs "
        "at once"
    ]
