"""`make bench`: all benchmarks, as a table and as data.

    python tests/bench                  # nine minutes on two processors
    python tests/bench --only training  # one of them
    python tests/bench --hour           # separation of an hour of music, too

Each benchmark is a script of its own that runs in a process of its own, so that settings of threads
and figures of memory do not mix. It prints a line for each figure as it comes. At the end there are
`bench.json` (figures, times and facts about the machine) and `bench.md` (a table) in the folder
where it was started. What is compared is measured in one run, because machines differ; what misses
its target is shown as such and is no error.
"""

from __future__ import annotations

import argparse
import datetime
import importlib.metadata
import json
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from figures import in_turns
from threadpoolctl import threadpool_info

from hiphopss.util.files import written_whole
from hiphopss.util.threads import processor_count

HERE = Path(__file__).parent
PACKAGES = ("numpy", "scipy", "tensorflow", "keras", "mir_eval")
SCRIPTS = {  # and their options here: all should take less than ten minutes
    "process": [],
    "separation": [],
    "live": [],
    "page": [],
    "training": [],
    "features": [],
    "bss": [],
    "evaluation": ["--songs", "40", "--turns", "1"],
}


def main(arguments: list[str] | None = None) -> int:
    """Run the benchmarks; the exit status is 1 if one of them broke."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", action="append", choices=SCRIPTS, help="can be given repeatedly")
    parser.add_argument("--hour", action="store_true", help="separate an hour of music, too")
    options = parser.parse_args(arguments)
    facts = machine()
    print(", ".join(f"{name} {value}" for name, value in facts.items()), flush=True)
    figures, broken = [], []
    names = options.only or list(SCRIPTS)
    for number, name in enumerate(names, 1):
        print(f"{name} ({number} of {len(names)})", flush=True)
        more = ["--hour"] if options.hour and name == "process" else []
        begin = time.perf_counter()
        own, error = run_script(HERE / f"{name}.py", *SCRIPTS[name], *more)
        figures += [figure | {"script": name} for figure in own]
        if error:
            broken.append(name)
            print(f"  {name}: broke: {error}", flush=True)
        print(f"  ({time.perf_counter() - begin:.0f} s)", flush=True)
    for path, text in (
        (Path("bench.json"), json.dumps({"machine": facts, "figures": figures}, indent=1) + "\n"),
        (Path("bench.md"), as_table(facts, figures)),
    ):
        with written_whole(path) as whole:
            whole.write_text(text, "utf-8")
    missed = sum(figure["met"] is False for figure in figures)
    print(f"bench.json, bench.md: {len(figures)} figures, {missed} missed, {len(broken)} broke")
    return 1 if broken else 0


def run_script(script: Path, *options: str) -> tuple[list[dict], str]:
    """Figures of a benchmark in a process of its own, and the last line of its error if it broke.

    Its lines pass through to standard output; notices of the libraries do not.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "figures.json"
        command = [sys.executable, str(script), "--json", str(path), *options]
        done = subprocess.run(command, stderr=subprocess.PIPE, text=True, check=False)
        figures = json.loads(path.read_text("utf-8")) if path.is_file() else []
    if not done.returncode:
        return figures, ""
    last = done.stderr.strip().splitlines()[-1:] or [f"exit status {done.returncode}"]
    return figures, last[0]


def machine() -> dict[str, str | int | float]:
    """What the figures depend on."""
    blas = [pool for pool in threadpool_info() if pool["user_api"] == "blas"]
    return {
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "commit": commit(),
        "system": platform.platform(terse=True),
        "processor": processor_model(),
        "processors": processor_count(),
        "Python": platform.python_version(),
        **{name: importlib.metadata.version(name) for name in PACKAGES},
        "BLAS": " ".join(f"{pool['internal_api']} {pool['version']}" for pool in blas[:1]),
        "BLAS kernels": " ".join(str(pool.get("architecture")) for pool in blas[:1]),
        "float32 matmul GFLOP/s": round(matmul_rate()),
    }


def processor_model() -> str:
    """As the system names it."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text("utf-8").splitlines() if cpuinfo.is_file() else []
    named = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return (named or [platform.processor() or platform.machine()])[0]


def commit() -> str:
    """Of the checkout, with a `+` if files differ from it; empty outside of one."""

    def git(*arguments):
        command = ["git", "-C", str(HERE), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    try:
        return git("rev-parse", "--short", "HEAD") + ("+" if git("status", "--porcelain") else "")
    except (OSError, subprocess.CalledProcessError):
        return ""


def matmul_rate(size: int = 2048) -> float:
    """GFLOP/s of large float32 products, on as many processors as the BLAS takes."""
    square = np.random.default_rng(0).standard_normal((size, size), np.float32)
    seconds = in_turns({"product": lambda: square @ square}, 5)["product"][0]
    return 2 * size**3 / seconds / 1e9


def as_table(facts: dict, figures: list[dict]) -> str:
    """A Markdown table with a row a figure, under the facts."""
    lines = ["; ".join(f"{name} {value}" for name, value in facts.items()), ""]
    lines += ["| figure | of | against | value | by wall | by processor | to reach | met |"]
    lines += ["|---|---|---|---:|---:|---:|---|---|"]
    for figure in figures:
        wall, processor = (
            "" if figure[clock] is None else f"{figure[clock]:.3g}"
            for clock in ("wall", "processor")
        )
        bound, target = "at most" if figure["at_most"] else "at least", figure["to_reach"]
        cells = [
            figure["name"],
            figure["what"],
            figure["against"],
            f"{figure['value']:.3g} {figure['unit']}",
            wall,
            processor,
            "" if target is None else f"{bound} {target:g}",
            {True: "yes", False: "**no**", None: ""}[figure["met"]],
        ]
        lines.append(f"| {' | '.join(cells)} |")
    notes = [f"- {figure['name']}: {figure['note']}" for figure in figures if figure["note"]]
    return "\n".join([*lines, "", *notes, ""])


if __name__ == "__main__":
    sys.exit(main())
