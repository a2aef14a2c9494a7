"""The examples of the pages, run as tests by Sybil.

- Blocks ``pycon`` are doctests. Numbers are compared as precisely as they are written.
- Blocks ``console``, where one of the page claims what a command prints: each ``$ hiphopss ...`` of
  the page is run, in a folder of its own, and the lines after it must be among those that it
  prints. Other programs (``pip``) are not run.

``<!--- skip: next -->`` above a block leaves it out: what takes minutes, a download or a sound
card. ``tests/test_docs.py`` checks the options of all commands, also of those that are not run.
"""

import contextlib
import io
import os
import re
import shlex

import pytest
from helpers.documentation import commands_of
from helpers.songs import RATE, looped, noise, write_song
from sybil import Sybil
from sybil.evaluators.doctest import NUMBER, DocTestEvaluator
from sybil.parsers.abstract.doctest import DocTestStringParser
from sybil.parsers.markdown import CodeBlockParser, SkipParser

from hiphopss import SOURCES
from hiphopss.cli import main

TOLERANCE_DB = 0.5
"""Another version of eSpeak NG speaks in another way, and other processors round differently."""
UNDETERMINED_DB = 60
"""Scores above have nothing but rounding as the error."""


def parse_doctests(document):
    """The examples of the blocks ``pycon``, one after the other."""
    examples = DocTestStringParser(DocTestEvaluator(NUMBER))
    for block in CodeBlockParser("pycon", lambda example: None)(document):
        for region in examples(block.parsed, document.path):
            region.adjust(block, block.parsed)
            yield region


def parse_consoles(document):
    """The blocks ``console`` of a page, if any of them claims an output."""
    blocks = list(CodeBlockParser("console", run_console)(document))
    if any(claims for block in blocks for _, claims in commands_of(block.parsed)):
        yield from blocks


def run_console(example):
    """Run the commands of a block, and look for the lines that it claims."""
    for command, claims in commands_of(example.parsed):
        if not command.startswith("hiphopss "):
            assert not claims, f"`{command}` is not run: claim no output"
            continue
        said = io.StringIO()
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
            status = main(shlex.split(command)[1:])
        told = said.getvalue()
        assert status == 0, f"`{command}` ended with {status}:\n{told}"
        lines = iter(told.replace("\r", "\n").splitlines())
        for claim in claims:
            assert any(is_like(claim, line) for line in lines), f"`{command}` said:\n{told}"


def is_like(claim, line):
    """Whether two lines have the same words, and about the same numbers."""
    pairs = list(zip(claim.split(), line.split(), strict=False))
    return len(claim.split()) == len(line.split()) and all(
        a == b or (is_number(a) and is_number(b) and is_close(float(a), float(b))) for a, b in pairs
    )


def is_number(word):
    return re.fullmatch(r"-?\d+(\.\d+)?", word) is not None


def is_close(a, b):
    return abs(a - b) <= TOLERANCE_DB or min(a, b) > UNDETERMINED_DB


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """What the pages suppose that their readers have: songs, here of noise, and where they are."""
    import soundfile

    root = tmp_path_factory.mktemp("page")
    song = looped(n_copies=3, seconds=2)
    for path in ("song.wav", "song.mp3", "new-song.mp3", "my-music/first.flac"):
        (root / path).parent.mkdir(exist_ok=True)
        soundfile.write(root / path, song, RATE)
    for number, subset in enumerate(("Dev", "Test")):
        stems = {source: noise(RATE, 10 * number + i) for i, source in enumerate(SOURCES)}
        write_song(root / "my-songs", subset, f"{number:03d} - song", stems)
    before = os.getcwd()
    os.chdir(root)
    yield root
    os.chdir(before)


pytest_collect_file = Sybil(
    parsers=[parse_doctests, parse_consoles, SkipParser()],
    patterns=["*.md"],
    fixtures=["folder"],
    name="docs",
).pytest()
