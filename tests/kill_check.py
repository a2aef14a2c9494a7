"""``python tests/kill_check.py WHOLE KILLED``: `reproduce --profile quick` under SIGKILL.

``WHOLE`` is the folder of a finished run of the quick profile. Another run, into ``KILLED``, is
killed at random moments and started again, and must end with the same CSV files. What was there at
each kill is printed. The test suite does the same with a tiny profile.
"""

import argparse
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

TABLES = ("metrics.csv", "table1.csv")


def start(folder: Path) -> subprocess.Popen:
    """The command in a process of its own."""
    command = [sys.executable, "-m", "hiphopss", "reproduce", "--profile", "quick", "-q", "-o"]
    return subprocess.Popen([*command, folder], stdout=subprocess.DEVNULL)


def state(folder: Path) -> str:
    """How many outputs each stage has."""
    store = folder / "store"
    counts = {
        stage: len([p for p in (store / stage).glob("*") if not p.name.startswith(".")])
        for stage in ("songs", "features", "weights", "estimates", "scores")
    }
    return ", ".join(f"{stage} {count}" for stage, count in counts.items())


def main() -> int:
    """Kill, start again, compare."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("whole", type=Path)
    parser.add_argument("killed", type=Path)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--most", type=float, default=60, help="seconds that a life lasts at most")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    moments, landed = random.Random(options.seed), 0
    while landed < options.kills:
        begun, process = time.monotonic(), start(options.killed)
        try:
            process.wait(moments.uniform(2, options.most))
            break
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            landed += process.wait() == -signal.SIGKILL
            seconds = time.monotonic() - begun
            print(f"kill {landed} after {seconds:.1f} s: {state(options.killed)}", flush=True)
    print(f"{landed} kills landed; last start ended with {start(options.killed).wait()}")
    same = [
        (options.killed / name).read_bytes() == (options.whole / name).read_bytes()
        for name in TABLES
    ]
    print({name: "same" if equal else "DIFFERS" for name, equal in zip(TABLES, same, strict=True)})
    return 0 if all(same) else 1


if __name__ == "__main__":
    sys.exit(main())
