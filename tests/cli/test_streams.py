"""Standard output and standard error that can't take what is printed."""

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest

from hiphopss.cli import main
from hiphopss.cli.terminal.streams import BROKEN_PIPE, is_broken_pipe
from hiphopss.util.progress import progress_bar, say

COMMAND = [sys.executable, "-m", "hiphopss"]
LIST = "hiphopss.weights.registry.list_weights"


@pytest.fixture
def printed(monkeypatch):
    """Run ``weights list`` with a text of ours; give the status and the bytes on both streams."""

    def printed(text, encoding, errors="strict"):
        monkeypatch.setattr(LIST, lambda: text)
        streams = [io.TextIOWrapper(io.BytesIO(), encoding, errors=errors) for _ in range(2)]
        monkeypatch.setattr(sys, "stdout", streams[0])
        monkeypatch.setattr(sys, "stderr", streams[1])
        say(text.encode(encoding, "replace").decode(encoding))
        status = main(["weights", "list"])
        monkeypatch.undo()
        assert [stream.errors for stream in streams] == [errors, errors]
        return status, *(stream.buffer.getvalue() for stream in streams)

    return printed


@pytest.mark.parametrize(
    ("encoding", "shown"),
    [
        ("ascii", rb"2.65 +/-1.00 s\xf6ng \u20ac \u266b \xe9 +" + b"\n"),
        ("cp1252", b"2.65 \xb11.00 s\xf6ng \x80 \\u266b \\xe9 \x86\n"),
        ("utf-8", "2.65 ±1.00 söng € ♫ \\xe9 †\n".encode()),
        ("utf-16-le", "2.65 ±1.00 söng € ♫ \\xe9 †\n".encode("utf-16-le")),
    ],
)
@pytest.mark.parametrize("errors", ["strict", "surrogateescape"])
def test_what_an_encoding_lacks_is_spelt_out(printed, encoding, shown, errors):
    status, out, _ = printed("2.65 ±1.00 söng € ♫ \udce9 †", encoding, errors)
    assert status == 0
    assert out.replace(os.linesep.encode(encoding), "\n".encode(encoding)) == shown


def test_a_name_in_an_error_and_in_a_bar_is_spelt_out(monkeypatch):
    def work():
        for _ in progress_bar(range(2), desc="söng €", show=True):
            pass
        raise FileNotFoundError(2, "No such file", "söng €")

    monkeypatch.setattr(LIST, work)
    shown = io.TextIOWrapper(io.BytesIO(), "ascii")
    monkeypatch.setattr(sys, "stderr", shown)
    assert main(["weights", "list"]) == 2
    text = shown.buffer.getvalue().decode("ascii")
    assert r"s\xf6ng \u20ac: 100%" in text
    assert text.splitlines()[-1] == (
        r"hiphopss: error: s\xf6ng \u20ac: No such file: mend that and run it again"
    )


@pytest.mark.parametrize("n_lines", [1, 10_000])  # what is buffered, and what is not
def test_a_pipe_that_nobody_reads_is_no_error(monkeypatch, capfd, n_lines):
    monkeypatch.setattr(LIST, lambda: "line\n" * n_lines)
    read, write = os.pipe()
    os.close(read)
    with open(write, "w") as pipe:
        monkeypatch.setattr(sys, "stdout", pipe)
        assert main(["weights", "list"]) == BROKEN_PIPE == 141
        monkeypatch.undo()
    assert capfd.readouterr().err == ""


def test_a_pipe_to_another_program_is_an_error(monkeypatch, capfd):
    def work():
        raise BrokenPipeError(32, "Broken pipe")

    monkeypatch.setattr(LIST, work)
    assert main(["weights", "list"]) == 2
    assert "Broken pipe: mend that" in capfd.readouterr().err


def test_an_error_that_nobody_reads_keeps_its_status(monkeypatch):
    read, write = os.pipe()
    os.close(read)
    with open(write, "w", buffering=1) as pipe:
        monkeypatch.setattr(sys, "stderr", pipe)
        assert main(["weights", "info", "no such file"]) == 2
        assert main(["weights", "no such action"]) == 2
        monkeypatch.undo()


def test_what_windows_calls_a_broken_pipe(monkeypatch):
    assert is_broken_pipe(BrokenPipeError())
    assert not is_broken_pipe(OSError(22, "Invalid argument"))
    monkeypatch.setattr("hiphopss.cli.terminal.streams.os.name", "nt")
    assert is_broken_pipe(OSError(22, "Invalid argument"))
    assert not is_broken_pipe(OSError(28, "No space left on device"))


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device of Linux")
@pytest.mark.parametrize("n_lines", [1, 10_000])
def test_a_full_disk_is_an_error_in_one_line(monkeypatch, capsys, n_lines):
    monkeypatch.setattr(LIST, lambda: "line\n" * n_lines)
    with open("/dev/full", "w") as full:
        monkeypatch.setattr(sys, "stdout", full)
        assert main(["weights", "list"]) == 2
        monkeypatch.undo()
    error = capsys.readouterr().err
    assert error.startswith("hiphopss: error: ")
    assert "No space left on device: " in error
    assert error.count("\n") == 1
    if n_lines == 1:
        assert "standard output: " in error


def test_nothing_fails_when_python_ends():
    """The help is still in the buffer then."""
    environment = {**os.environ, "PYTHONUNBUFFERED": ""}
    with subprocess.Popen(
        [*COMMAND, "--help"],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == BROKEN_PIPE


@pytest.mark.skipif(os.name == "nt", reason="a POSIX shell closes the streams")
def test_closed_streams_are_no_error(tmp_path):
    """Nor does the next file that is opened become standard error."""
    check = f"""
import os, sys
from hiphopss.cli import main
assert sys.stdout is sys.stderr is None
status = main(["weights", "list"])
file = open({str(tmp_path / "file")!r}, "w")
print(status, main(["weights", "info", "no such file"]), file.fileno() > 2, file=file)
"""
    subprocess.run([f'exec "{sys.executable}" -c "$0" <&- >&- 2>&-', check], shell=True, check=True)
    assert (tmp_path / "file").read_text() == "0 2 True\n"
