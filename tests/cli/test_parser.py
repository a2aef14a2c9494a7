"""Help that is complete, errors that suggest what was meant, completion, and ``--verbose``."""

import re
import shlex
import shutil
import subprocess

import command_line_page
import pytest
import soundfile
from helpers.songs import RATE, noise

from hiphopss.cli import build_parser
from hiphopss.cli.terminal import parser as parsers
from hiphopss.cli.terminal.completion import SHELLS
from hiphopss.errors import HiphopssError


def all_parsers(parser):
    yield parser
    for verb in parser.verbs().values():
        yield from all_parsers(verb)


EVERY = list(all_parsers(build_parser()))


@pytest.mark.parametrize("verb", EVERY, ids=lambda verb: verb.prog)
def test_every_help_ends_with_examples_that_parse_and_exit_statuses(verb):
    text = verb.format_help()
    assert verb.examples
    for example in verb.examples:
        assert f"  {example}\n" in text
        command = re.search(r"hiphopss ([^>)#]*)", example)[1]
        if "--help" not in command:
            build_parser().parse_args(shlex.split(command))
    assert "exit status:\n  0 " in text
    assert "\n  2 " in text


@pytest.mark.parametrize("verb", EVERY, ids=lambda verb: verb.prog)
def test_no_quirk_is_named_by_its_number_alone(verb):
    text = " ".join(verb.format_help().split()).replace("Q1,Q2", "")
    for number in re.finditer(r"\bQ\d+", text):
        assert "quirk" in text[max(0, number.start() - 20) : number.start()], text


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        (
            "separat song.wav",
            "separat: no such verb (did you mean separate?): see `hiphopss --help`",
        ),
        ("weights lst", "lst: no such action (did you mean list?): see `hiphopss weights --help`"),
        (
            "separate a --ouput o",
            "--ouput: no such option (did you mean --output?): see `hiphopss separate --help`",
        ),
        ("separate a -o o -x", "-x: no such option: see `hiphopss separate --help`"),
        ("separate -o o", "the following arguments are required: INPUT: see `hiphopss separate"),
        (
            "separate a -o o --loops=aut",
            "--loops: 'aut': choose one of auto, off (did you mean auto?)",
        ),
        ("separate a -o o --epochs 3", "--epochs: no such option: see `hiphopss separate --help`"),
        ("seperate a -o o", "seperate: no such verb (did you mean separate?)"),
        ("song.mp3 -o o", "song.mp3: no such verb"),
        ("-q separate a -o o", "-q: is an option of verbs: give it after the verb"),
        ("--weights w separate a", "--weights: is an option of verbs: give it after the verb"),
        ("audition a b", "b: one argument too many: see `hiphopss audition --help`"),
        ("weights list -v -q", "not allowed with argument"),
    ],
)
def test_mistakes_are_told_with_what_was_meant_and_the_help_to_read(run, typed, told):
    status, out, err = run(*typed.split())
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert told in err


def test_options_may_be_shortened_and_numbers_are_no_options():
    options = build_parser().parse_args(["separate", "a", "--out", "o", "--loop", "off"])
    assert (options.output, options.loops) == ("o", "off")
    assert build_parser().unknown_options(["-6", "-.5", "-", "two words"]) == []
    with pytest.raises(parsers.UsageError, match="--seed: expected one argument"):
        build_parser().parse_args(["generate", "x", "--seed"])


@pytest.mark.parametrize("typed", ["", "weights"])
def test_without_a_verb_the_help_is_shown(run, typed):
    status, out, err = run(*typed.split())
    assert (status, out) == (2, "")
    assert err.startswith(f"usage: hiphopss {typed}".rstrip())
    assert "exit status:" in err


@pytest.mark.parametrize(
    "typed",
    [
        "separate URL -o o",
        "remix URL -o o.wav --karaoke",
        "live --input URL --output o.wav",
        "evaluate URL stems -o s.csv",
        "features URL -o f.h5",
        "train URL -o m.weights.h5",
        "adapt URL -o m.weights.h5",
        "weights info URL",
        "verify URL",
    ],
)
@pytest.mark.parametrize("url", ["https://example.org/a/song.mp3"])
def test_an_address_on_the_web_is_to_be_downloaded(run, monkeypatch, tmp_path, typed, url):
    monkeypatch.chdir(tmp_path)
    status, out, err = run(*typed.replace("URL", url).split())
    assert (status, out) == (2, "")
    line = f"{url}: is on the web: download it, and name the file that you have then\n"
    assert err == f"hiphopss: error: {line}"
    assert not list(tmp_path.iterdir())


def test_verbose_tells_what_is_decided_and_how_long_it_takes(run, published, tmp_path):
    soundfile.write(tmp_path / "a.wav", noise(9000, 1), RATE)
    arguments = ["separate", tmp_path / "a.wav", "-o", tmp_path / "o", "--weights", published]
    status, out, err = run(*arguments, "-v")
    assert (status, out) == (0, f"{tmp_path / 'o' / 'a'}\n")
    told = [line for line in err.splitlines() if re.match(r"hiphopss: [\d.]+ s: ", line)]
    for expected in ("preset released, SHA-256", "loops off", r"1/1 a: took [\d.]+ s", "in all"):
        assert [line for line in told if re.search(expected, line)], expected
    assert run(*arguments, "-q") == (0, out, "")


def test_the_page_of_the_command_line_is_of_now():
    told = "run python tests/command_line_page.py"
    assert command_line_page.PAGE.read_text("utf-8") == command_line_page.page(), told


@pytest.mark.parametrize("shell", SHELLS)
def test_completion_scripts_name_verbs_and_options(run, shell):
    status, out, _ = run("completion", shell)
    assert status == 0
    for word in ("separate", "verify", "look-in", "standalone-script"):
        assert word in out


@pytest.mark.skipif(not shutil.which("bash"), reason="needs bash")
@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("hiphopss sep", {"separate"}),
        ("hiphopss separate --lo", {"--loops"}),
        ("hiphopss separate --loops ", {"auto", "off"}),
        ("hiphopss weights inf", {"info"}),
        ("hiphopss separate so", {"song.wav", "songs"}),
        ("hiphopss separate x --weights so", {"song.wav", "songs"}),
        ("hiphopss separate x --weights ", {"song.wav", "songs", "default", "generated"}),
        ("hiphopss weights info gen", {"generated"}),
        ("hiphopss generate so", {"songs", "song.wav"}),
        ("hiphopss features so", {"songs"}),
    ],
)
def test_bash_completes(run, tmp_path, line, found):
    (tmp_path / "songs").mkdir()
    (tmp_path / "song.wav").touch()
    _, script, _ = run("completion", "bash")
    words = line.split(" ")
    ask = (
        f"COMP_WORDS=({' '.join(map(repr, words))}); COMP_CWORD={len(words) - 1}\n"
        "_shtab_hiphopss hiphopss ${COMP_WORDS[COMP_CWORD]}\nprintf '%s\\n' \"${COMPREPLY[@]}\""
    )
    program = shutil.which("bash")
    done = subprocess.run(
        [program, "--norc", "-c", f"complete() {{ :; }}\n{script}\n{ask}"],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert {word.rstrip("/") for word in done.stdout.split()} == found, done.stderr


def test_completion_without_shtab(monkeypatch, run):
    monkeypatch.setitem(__import__("sys").modules, "shtab", None)
    status, out, err = run("completion", "bash")
    assert (status, out) == (2, "")
    assert "shtab" in err


def test_usage_errors_are_errors_of_the_package():
    assert issubclass(parsers.UsageError, HiphopssError)
