"""`make wasm`: compile the page's engine from its C sources, or check what is committed.

    python tests/wasm.py           # writes kernels.wasm anew
    python tests/wasm.py --check   # compares: status 1 if it isn't what the sources give

The compiler is the `ziglang` wheel, which pip installs into an environment of its own below
`build/`: it takes 400 MB, and nobody who installs hiphopss needs it. Its version is fixed, because
other versions write other bytes. Where it can't be installed, the check is left out.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

HERE = Path(__file__).parents[1]
ENGINE = HERE / "hiphopss" / "demo" / "static" / "engine"
COMPILER = "ziglang==0.17.1"
PLACE = HERE / "build" / "wasm"
OPTIONS = [
    *("-target", "wasm32-freestanding", "-msimd128", "-O3", "-nostdlib", "-s", "-Wall", "-Werror"),
    *("-Wl,--no-entry", "-Wl,--export-memory"),
]


def main(arguments: list[str] | None = None) -> int:
    """Compile; the exit status is 1 if the file differs, or can't be made."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="compare, and write nothing")
    options = parser.parse_args(arguments)
    python = compiler()
    if python is None:
        print(f"wasm: {COMPILER} can't be installed: kernels.wasm is not compared with its source")
        return 0 if options.check else 1
    target = ENGINE / "kernels.wasm"
    compiled = compile_sources(python, sorted(ENGINE.rglob("*.c")))
    same = target.is_file() and target.read_bytes() == compiled
    name = target.relative_to(HERE)
    print(f"wasm: {name}: {len(compiled)} bytes, {'the same' if same else 'others'}")
    if not options.check:
        target.write_bytes(compiled)
    elif not same:
        print(f"wasm: {name}: not what the sources give: run `make wasm`")
        return 1
    return 0


def compiler() -> Path | None:
    """The Python of the environment that has the compiler, or None if it can't be installed."""
    python = PLACE / ("Scripts" if os.name == "nt" else "bin") / "python"
    mark = PLACE / COMPILER
    if not mark.is_file():
        venv.create(PLACE, with_pip=True, clear=True)
        command = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        if subprocess.run([*command, COMPILER], check=False).returncode:
            return None
        mark.touch()
    return python


def compile_sources(python: Path, sources: list[Path]) -> bytes:
    """What the compiler makes of some sources, which doesn't depend on where they are."""
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "kernels.wasm"
        command = [python, "-m", "ziglang", "cc", *OPTIONS, "-o", target, *sources]
        subprocess.run(command, check=True, env=os.environ | {"ZIG_LOCAL_CACHE_DIR": folder})
        return target.read_bytes()


if __name__ == "__main__":
    sys.exit(main())
