"""What the documentation says: commands have options that exist, examples of docstrings work.

The examples of the pages themselves are run by ``docs/conftest.py``.
"""

import ast
import doctest
import re
import shlex

import pytest
from helpers.documentation import PAGES, ROOT, typed

import hiphopss
from hiphopss.cli import build_parser

FROM_PARSER = "command-line.md"  # tests/command_line_page.py writes it
COMMANDS = sorted(
    {(page, command) for page in PAGES if page.name != FROM_PARSER for command in typed(page)}
)
EXAMPLES = [
    test
    for name in hiphopss.__all__
    if name[0] != "_"
    for test in doctest.DocTestFinder(recurse=False).find(getattr(hiphopss, name), name)
    if test.examples
]


@pytest.mark.parametrize(("page", "command"), COMMANDS, ids=lambda value: str(value)[-60:])
def test_a_command_has_options_that_exist(page, command):
    words = shlex.split(command.replace("$preset", "released"))[1:]
    if "VERB" in words:
        return
    if words[-1] in ("--help", "--version"):
        words = words[:-1] or ["weights", "list"]
        if len(words) == 1:
            return
    try:
        _, unknown = build_parser().parse_known_args(words)
    except SystemExit as stop:
        pytest.fail(f"{page.relative_to(ROOT)}: `{command}`: {stop}")
    assert not unknown


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda test: test.name)
def test_an_example_of_a_docstring_prints_what_it_says(example, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    said = []
    doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(example, out=said.append)
    assert not said, "".join(said)


def test_the_functions_that_are_used_most_have_examples():
    named = {test.name for test in EXAMPLES}
    assert {"separate", "bss_eval", "mix", "StreamingSeparator", "read_songs"} <= named


def python_blocks(page):
    text = page.read_text("utf-8")
    return re.findall(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("page", [p for p in PAGES if python_blocks(p)], ids=lambda p: p.stem)
def test_python_without_claims_uses_names_that_exist(page):
    for block in python_blocks(page):
        for node in ast.walk(ast.parse(block)):
            if isinstance(node, ast.Attribute) and ast.unparse(node.value) == "hiphopss":
                assert hasattr(hiphopss, node.attr), f"{page.name}: {node.attr}"
            if isinstance(node, ast.ImportFrom) and node.module == "hiphopss":
                for alias in node.names:
                    assert hasattr(hiphopss, alias.name), f"{page.name}: {alias.name}"


def test_the_readme_is_short_and_its_links_lead_somewhere():
    text = (ROOT / "README.md").read_text("utf-8")
    assert len(text.splitlines()) < 150
    for target in re.findall(r"\]\(([^)#\s]+)", text):
        if not target.startswith(("http://", "https://")):
            assert (ROOT / target).exists(), target
