"""The tests, and how much of the code they run: lines and branches, by room.

    python tests/covered.py [PYTEST_ARGUMENTS ...]

Processes that the tests start are counted, too. A branch is a way on from a line: the `if` that
was always true counts as one of two. Prints a table after what pytest prints; its exit status is
pytest's.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).parents[1]
LOW = 85  # percent; modules below are named
PYTEST = ["-q", "-n", "3", "--dist", "loadfile", "--no-loadscope-reorder"]
COUNTS = ("covered_lines", "num_statements", "covered_branches", "num_branches")


def room(path: str) -> str:
    """The room of a module: `signal` of `hiphopss/signal/reading.py`, `eval` of `eval/table.py`."""
    parts = Path(path).parts
    inside = parts[1:] if parts[0] == "hiphopss" else parts
    return inside[0] if len(inside) > 1 else "hiphopss"


def percent(covered: int, of: int) -> str:
    return f"{100 * covered / of:.0f} %" if of else "-"


def table(report: dict) -> list[str]:
    """Lines of the table: each room, all, and the modules of which little is run."""
    rooms: dict[str, list[int]] = defaultdict(lambda: [0] * len(COUNTS))
    low = []
    for path, found in report["files"].items():
        summary = [found["summary"][count] for count in COUNTS]
        for name in (room(path), "all"):
            rooms[name] = [a + b for a, b in zip(rooms[name], summary, strict=True)]
        lines, n_lines, branches, n_branches = summary
        if 100 * (lines + branches) < LOW * (n_lines + n_branches):
            low.append(f"  {path}: lines {percent(lines, n_lines)}, branches ")
            low[-1] += percent(branches, n_branches)
    order = sorted(rooms, key=lambda name: (name == "all", name))
    head = f"{'coverage by room':20} {'lines':>6} {'branches':>9}"
    rows = [
        f"{name:20} {percent(*rooms[name][:2]):>6} {percent(*rooms[name][2:]):>9}" for name in order
    ]
    return [head, *rows, *([f"below {LOW} %:", *low] if low else [])]


def main() -> int:
    folder = Path(tempfile.mkdtemp(prefix="hiphopss-covered-"))
    environment = {**os.environ, "COVERED": str(folder), "COVERED_ROOT": str(ROOT)}
    coverage = [sys.executable, "-m", "coverage"]
    options = {"cwd": ROOT, "env": environment}
    try:
        run = subprocess.run([*coverage, "run", "-m", "pytest", *PYTEST, *sys.argv[1:]], **options)
        if subprocess.run([*coverage, "combine", "-q"], **options).returncode:
            return run.returncode or 1
        subprocess.run(
            [*coverage, "json", "-q", "-o", folder / "report.json"], check=True, **options
        )
        report = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print("\n".join(table(report)), flush=True)
    return run.returncode


if __name__ == "__main__":
    sys.exit(main())
