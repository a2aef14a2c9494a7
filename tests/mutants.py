"""Mutation testing: does a test fail when a line of the code is changed?

    python tests/mutants.py [--work FOLDER] [--only PATTERN] [MODULE ...]

mutmut changes one thing at a time (a sign, a number, an argument) in a copy of the package, and
runs the tests of the module's room that reach the changed function. A change that no test notices
survives: either a test is missing, or the change makes no difference that matters. What was found
is in `docs/mutation-testing.md`. It takes too long for the gate; `--only '*_*1'` takes a sample,
the changes whose number ends with 1.
"""

import argparse
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parents[1]

# Modules to change, by the tests that have to notice, which are those of their own room.
ROOMS = {
    "tests/signal/test_transform.py": ("signal/transform.py",),
    "tests/signal/test_patches.py": ("signal/patches.py",),
    "tests/signal/test_re*.py": ("signal/reading.py", "signal/decoding.py"),
    "tests/weights/test_p*.py": ("weights/published.py",),
    "tests/weights": ("weights/files.py",),
    "tests/eval/bss": (
        "eval/bss/correlation.py",
        "eval/bss/engine.py",
        "eval/bss/mir_eval_engine.py",
        "eval/bss/projection.py",
        "eval/bss/ratios.py",
        "eval/bss/scores.py",
        "eval/bss/song_filters.py",
    ),
}

CONFIG = """
[tool.mutmut]
source_paths = ["hiphopss"]
only_mutate = {modules}
also_copy = ["hiphopss"]
pytest_add_cli_args = ["-p", "no:cacheprovider", "-p", "no:xdist", "-m", "not slow"]
pytest_add_cli_args_test_selection = {tests}
do_not_mutate_patterns = ["raise ", "logger"]
timeout_multiplier = 10.0
use_git_change_detection = false
"""


def copy(folder: Path, tests: list[str], modules: list[str]) -> None:
    """Copy package and tests; the rooms that are links in a checkout become folders."""
    shutil.copytree(
        ROOT / "hiphopss", folder / "hiphopss", ignore=shutil.ignore_patterns("__pycache__")
    )
    shutil.copytree(ROOT / "tests", folder / "tests", ignore=shutil.ignore_patterns("__pycache__"))
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    paths = [f"hiphopss/{module}" for module in modules]
    config = CONFIG.format(modules=paths, tests=tests)
    (folder / "pyproject.toml").write_text(project + config, encoding="utf-8")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("modules", nargs="*", help="such as signal/reading.py (default: all)")
    parser.add_argument("--only", default="*", help="names of changes, with wildcards")
    parser.add_argument("--work", type=Path, help="folder that keeps the mutants and the results")
    options = parser.parse_args()
    # Started in the background, it would ignore Ctrl-C, and so would the tests that send it.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    work = options.work or Path(tempfile.mkdtemp(prefix="hiphopss-mutants-"))
    for tests, modules in ROOMS.items():
        chosen = [m for m in modules if not options.modules or m in options.modules]
        if not chosen:
            continue
        folder = work / re.sub(r"\W+", "-", tests)
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        copy(folder, sorted(path.relative_to(ROOT).as_posix() for path in ROOT.glob(tests)), chosen)
        mutmut = [sys.executable, "-m", "mutmut"]
        environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
        environment["OPENBLAS_NUM_THREADS"] = "1"
        with open(folder / "log", "w", encoding="utf-8") as log:
            run = subprocess.run(
                [*mutmut, "run", "--max-children", "1", options.only],
                cwd=folder,
                env=environment,
                stdout=log,
            )
        if run.returncode:
            print(f"{tests}: see what is wrong in {folder / 'log'}", file=sys.stderr)
            return 1
        found = subprocess.run(
            [*mutmut, "results", "--all", "true"],
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
        ).stdout
        counts: Counter[tuple[str, str]] = Counter()
        for line in found.splitlines():
            name, _, status = line.strip().partition(": ")
            counts[name.partition(".x")[0], status] += 1
            if status not in ("killed", "timeout"):
                print(f"  {status}: {name}")
        for (module, status), n in sorted(counts.items()):
            print(f"{module}: {n} {status}")
        print(f"`{' '.join(mutmut)} show NAME` in {folder} shows a change", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
