"""The commands that pages of the documentation tell their readers to type."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "weights/README.md")),
    *sorted((ROOT / "docs").rglob("*.md")),
]


def commands_of(console):
    """Pairs of each command of a block ``console``, and of the lines that it is said to print."""
    found = []
    for line in console.splitlines():
        if line.startswith("$ "):
            found.append((line[2:], []))
        elif line.strip():
            assert found, f"{line!r}: before any command"
            found[-1][1].append(line)
    return found


def code_lines(page):
    """The lines of a page that are code: in a fence, or indented by four spaces."""
    fenced = False
    for line in page.read_text("utf-8").splitlines():
        if line.lstrip().startswith(("```", ":::")):
            fenced = not fenced
        elif fenced or line.startswith("    "):
            yield line.strip()


def typed(page):
    """The commands of ``hiphopss`` that a page tells to type, without comments."""
    for line in code_lines(page):
        for part in re.split(r" && | \|(?= |$)", re.sub(r"\s+# .*", "", line)):
            command = re.sub(r"^(\$ )?([A-Z_]+=\S+ )*", "", part.strip()).rstrip("\\ ")
            if command.startswith("hiphopss ") and not re.match(r"hiphopss \w*:", command):
                yield command
