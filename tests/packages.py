"""``python tests/packages.py``: every way in which hiphopss is built and installed, tried.

- a wheel from the checkout, an sdist, a wheel from that sdist, and a wheel from a clone without
  links (``git -c core.symlinks=false``, as on Windows): all wheels must hold the same files;
- the wheels are the same to the byte, and twine and check-wheel-contents find nothing wrong;
- the wheel in an environment of its own, outside the checkout, without extras: it separates a song,
  with a published file and with the shipped weights, and each verb works or names its extra;
- the clone without links, installed as editable: it imports and separates, too.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
import venv
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
VENDOR = Path("hiphopss", "demo", "static", "vendor")
SCRIPTS = "Scripts" if os.name == "nt" else "bin"
QUIET_PIP = ("-m", "pip", "install", "--quiet", "--disable-pip-version-check")


def run(*command, **options):
    """A command that must succeed; what it says is shown if it does not."""
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, **options)
    if done.returncode:
        sys.exit(f"{' '.join(map(str, command))}\n{done.stdout}{done.stderr}")
    return done.stdout


def build(source, target, *kinds):
    """Build a source tree into a folder; the files that were made."""
    run(sys.executable, "-m", "build", *kinds, "--outdir", target, source)
    return sorted(target.iterdir())


def contents(wheel):
    """Names, checksums, dates and modes of what a wheel holds."""
    with zipfile.ZipFile(wheel) as archive:
        return {
            entry.filename: (entry.CRC, entry.date_time, entry.external_attr)
            for entry in archive.infolist()
        }


def separates(python, scratch, name):
    """See that an installation separates a song outside the checkout."""
    folder = scratch / name
    folder.mkdir()
    for helper in ("wheel_check.py", "released.py"):
        shutil.copy(ROOT / "tests" / helper, folder)
    command = python.with_name("hiphopss")
    run(command, "--help", cwd=folder)
    run(python, "wheel_check.py", cwd=folder)
    run(command, "separate", "song.wav", "-o", "stems", "--weights", "model.pkl", "-q", cwd=folder)
    print(run(python, "wheel_check.py", "stems/song", name, cwd=folder), end="")
    run(command, "separate", "song.wav", "-o", "shipped", "-q", cwd=folder)
    run(python, "wheel_check.py", "shipped/song", name, cwd=folder)


def light(python, scratch):
    """Go through all verbs without extras; tell the size of the environment and the start-up."""
    folder = scratch / "light"
    folder.mkdir()
    print(run(python, ROOT / "tests" / "light_check.py", cwd=folder), end="")
    files = [path for path in (scratch / "venv").rglob("*") if path.is_file()]
    n_bytes = sum(path.stat().st_size for path in files if not path.is_symlink())
    times = []
    for _ in range(3):
        start = time.perf_counter()
        run(python.with_name("hiphopss"), "--help", cwd=folder)
        times.append(time.perf_counter() - start)
    print(f"light: {n_bytes / 1e6:.0f} MB with pip; hiphopss --help: {min(times):.2f} s")


def main():
    """All of it, in a temporary folder."""
    committed = run("git", "-C", ROOT, "log", "-1", "--format=%ct").strip()
    os.environ["SOURCE_DATE_EPOCH"] = committed  # the date of all files in a wheel
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        plain = scratch / "plain"
        run("git", "-c", "core.symlinks=false", "clone", "--quiet", ROOT, plain)
        assert not (plain / "hiphopss" / "eval").is_dir(), "the clone has links"
        for kind in ("*.js", "*.wasm"):  # what `make vendor` has fetched
            for library in (ROOT / VENDOR).glob(kind):
                shutil.copy(library, plain / VENDOR)
        (wheel,) = build(ROOT, scratch / "checkout", "--wheel")
        sdist, from_sdist = sorted(build(ROOT, scratch / "sdist"), key=lambda path: path.suffix)
        (from_plain,) = build(plain, scratch / "without-links", "--wheel")
        for other in (from_sdist, from_plain):
            assert contents(other) == contents(wheel), (
                contents(other).items() ^ contents(wheel).items()
            )
            assert other.read_bytes() == wheel.read_bytes(), f"{other.parent}: other bytes"
        run(sys.executable, "-m", "twine", "check", "--strict", wheel, sdist)
        run(sys.executable, "-m", "check_wheel_contents", wheel)
        print(f"packages: {len(contents(wheel))} files, the same in three wheels; {sdist.name}")
        venv.create(scratch / "venv", with_pip=True)
        python = scratch / "venv" / SCRIPTS / "python"
        run(python, *QUIET_PIP, wheel)
        separates(python, scratch, "wheel")
        light(python, scratch)
        run(python, *QUIET_PIP, "--no-deps", "-e", plain)
        separates(python, scratch, "editable")


if __name__ == "__main__":
    main()
