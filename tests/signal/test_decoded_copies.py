"""Decoded copies of stem files: whose they are, and that nothing of them is left behind."""

import os
import signal
import subprocess
import sys
import tempfile
import time

import numpy as np
import pytest
from helpers.stem_mp4 import one_line, start_anew

from hiphopss import HiphopssError
from hiphopss.signal import decoded, reading
from hiphopss.util.executor import Executor

CHILD = """
import sys
from hiphopss.signal import reading
for path in sys.argv[1:]:
    reading.read(path)
print("read", flush=True)
sys.stdin.read()
"""


def child(song, temporary, script=CHILD):
    temporary.mkdir(exist_ok=True)
    return subprocess.Popen(
        [sys.executable, "-c", script, song / "bass"],
        env={**os.environ, "TMPDIR": str(temporary), "TEMP": str(temporary)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


@pytest.mark.skipif(sys.platform == "win32", reason="killed processes are told by their locks")
def test_nothing_is_left_by_a_process_that_ends_or_was_killed(song, tmp_path):
    temporary = tmp_path / "temporary"
    children = [child(song, temporary) for _ in range(2)]
    for one in children:
        assert one.stdout.readline() == "read\n"
    assert len(list(temporary.iterdir())) == 2
    children[0].kill()
    children[0].communicate()
    assert len(list(temporary.iterdir())) == 2
    children[1].communicate()  # ends, and removes both
    assert not list(temporary.iterdir())


def test_processes_have_their_own_copies(song, tmp_path, monkeypatch):
    start_anew(monkeypatch)
    here = reading.read(song / "bass").waveform
    (tmp_path / "temporary").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "temporary"))
    monkeypatch.setenv("TEMP", str(tmp_path / "temporary"))
    paths = [song / "bass", song / "vocals"]
    found = Executor(n_jobs=2).map(reading.read, paths, cost=str, n_useful=2, done=id)
    np.testing.assert_array_equal(found[0].waveform, here)
    assert not list((tmp_path / "temporary").glob("hiphopss-*"))
    assert (decoded._copies._scratch.folder / "1" / "0.wav").exists()


@pytest.mark.skipif(sys.platform == "win32", reason="signals as on a terminal")
def test_ctrl_c_ends_ffmpeg_and_leaves_nothing(song, tmp_path, monkeypatch):
    fake, started = tmp_path / "bin" / "ffmpeg", tmp_path / "started"
    fake.parent.mkdir()
    fake.write_text(
        f"#!/bin/sh\necho $$ > {started}.new; mv {started}.new {started}\nexec sleep 99"
    )
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{fake.parent}{os.pathsep}{os.defpath}")
    one = child(song, tmp_path / "temporary")
    while not started.exists():
        assert one.poll() is None
        time.sleep(0.02)
    one.send_signal(signal.SIGINT)
    one.communicate(timeout=60)
    assert one.returncode
    assert not list((tmp_path / "temporary").iterdir())
    with pytest.raises(ProcessLookupError):
        os.kill(int(started.read_text()), 0)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="a system that forks")
def test_a_forked_process_leaves_the_copies_alone(song, tmp_path):
    script = """
import os, sys
from pathlib import Path
from hiphopss.signal import reading
song = Path(sys.argv[1])
first = reading.read(song).waveform
if not os.fork():
    assert (reading.read(song).waveform == first).all()
    sys.exit()
_, status = os.wait()
from hiphopss.signal import decoded
(folder,) = (p for p in decoded._copies._scratch.folder.iterdir() if p.is_dir())
print(status, len(list(folder.iterdir())))
"""
    one = child(song, tmp_path / "temporary", script)
    assert one.communicate()[0] == "0 5\n"
    assert not list((tmp_path / "temporary").iterdir())


def test_without_a_temporary_folder_one_line_says_so(song, monkeypatch):
    start_anew(monkeypatch)
    monkeypatch.setattr(tempfile, "tempdir", str(song / "nowhere"))
    told = one_line(song / "bass", "no temporary folder can be made", kind=HiphopssError)
    assert "TMPDIR" in told
