"""A run that is killed, and goes on."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import replace

import pytest

from hiphopss.reproduction.experiments import profile
from hiphopss.reproduction.reproduce import ReproductionSettings, reproduce

EXTENT = {"epochs": 6, "patches": 96}
PROGRAM = (
    "import json, sys\n"
    "from dataclasses import replace\n"
    "from hiphopss.reproduction.experiments import profile\n"
    "from hiphopss.reproduction.reproduce import ReproductionSettings, reproduce\n"
    "extent = replace(profile('quick'), **json.loads(sys.argv[3]))\n"
    "settings = ReproductionSettings(extent, **json.loads(sys.argv[2]))\n"
    "reproduce(sys.argv[1], settings, progress=False)\n"
)


@pytest.mark.slow
@pytest.mark.usefixtures("keras", "undrawn")
def test_killed_at_random_moments_it_ends_the_same(data, tmp_path):
    """SIGKILL, then the same command again, as often as HIPHOPSS_KILLS says."""
    kills = int(os.environ.get("HIPHOPSS_KILLS", "1"))
    chosen = {"hhds": data["hhds"], "models": ("HH",)}

    def start(folder):
        arguments = [str(tmp_path / folder), json.dumps(chosen), json.dumps(EXTENT)]
        command = [sys.executable, "-c", PROGRAM, *arguments]
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)

    def n_outputs(folder):
        return len([p for p in (tmp_path / folder / "store").glob("*/*") if p.name[0] != "."])

    settings = ReproductionSettings(replace(profile("quick"), **EXTENT), **chosen)
    reproduce(tmp_path / "whole", settings, progress=False)
    random_part = random.Random(0)
    # by what is there, not by the time, which other work on the machine stretches
    for n_there in sorted(random_part.choices(range(1, n_outputs("whole") - 1), k=kills)):
        process = start("killed")
        while n_outputs("killed") < n_there:
            time.sleep(0.01)
            assert process.poll() is None
        time.sleep(random_part.uniform(0, 0.1))
        process.send_signal(signal.SIGKILL)
        process.communicate()
        assert process.returncode == -signal.SIGKILL
    process = start("killed")
    told, _ = process.communicate(timeout=300)
    assert process.returncode == 0, told.decode()
    for name in ("metrics.csv", "table1.csv"):
        assert (tmp_path / "killed" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
    partial = [p for p in (tmp_path / "killed").rglob(".partial-*")]
    assert not partial
