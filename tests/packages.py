"""``python tests/packages.py``: every way in which hiphopss is built and installed, tried.

- a wheel from the checkout, an sdist, a wheel from that sdist, and a wheel from a clone without
  links (``git -c core.symlinks=false``, as on Windows): all wheels must hold the same files;
- the wheel in an environment of its own, outside the checkout: it separates a song, with a
  published file and with the shipped weights;
- the clone without links, installed as editable: it imports and separates, too.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import venv
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
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
    """Names and checksums of what a wheel holds."""
    with zipfile.ZipFile(wheel) as archive:
        return {entry.filename: entry.CRC for entry in archive.infolist()}


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


def main():
    """All of it, in a temporary folder."""
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        plain = scratch / "plain"
        run("git", "-c", "core.symlinks=false", "clone", "--quiet", ROOT, plain)
        assert not (plain / "hiphopss" / "eval").is_dir(), "the clone has links"
        (wheel,) = build(ROOT, scratch / "checkout", "--wheel")
        sdist, from_sdist = sorted(build(ROOT, scratch / "sdist"), key=lambda path: path.suffix)
        (from_plain,) = build(plain, scratch / "without-links", "--wheel")
        for other in (from_sdist, from_plain):
            assert contents(other) == contents(wheel), (
                contents(other).items() ^ contents(wheel).items()
            )
        print(f"packages: {len(contents(wheel))} files, the same in three wheels; {sdist.name}")
        venv.create(scratch / "venv", with_pip=True)
        python = scratch / "venv" / SCRIPTS / "python"
        run(python, *QUIET_PIP, wheel)
        separates(python, scratch, "wheel")
        run(python, *QUIET_PIP, "--no-deps", "-e", plain)
        separates(python, scratch, "editable")


if __name__ == "__main__":
    main()
