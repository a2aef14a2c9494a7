"""`hiphopss demo` on the command line."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request

import pytest
import soundfile
from helpers.demo_client import PATIENCE
from helpers.songs import noise


def test_server_runs_and_stops(tmp_path, published):
    songs, scratch = tmp_path / "songs", tmp_path / "scratch"
    songs.mkdir()
    scratch.mkdir()
    left = scratch / "hiphopss-scratch-old"  # of a server that was killed: nobody has its lock
    (left / "uploads").mkdir(parents=True)
    (left / "uploads" / "song").write_bytes(bytes(1000))
    (left / "in-use").touch()
    soundfile.write(songs / "mine.wav", noise(9000, 1), 44100)
    (songs / "broken.wav").write_text("no audio")
    environment = {**os.environ, "TMPDIR": str(scratch)}
    command = [sys.executable, "-m", "hiphopss", "demo", "--port", "0", "--weights", published]
    command += ["--songs", songs]
    command += ["--host", "127.1"]  # another spelling of the loopback address
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, **pipes, env=environment) as server:
        try:
            address = re.search(r"http://127\.1:\d+/", server.stdout.readline())[0]
            with urllib.request.urlopen(f"{address}site.json") as answer:
                site = json.load(answer)
            assert site["models"][0]["id"] == "model-hh-fft-1024"
            assert site["songs"][0]["title"] == "mine"
            foreign = urllib.request.Request(address, headers={"Host": "evil.example"})
            with pytest.raises(urllib.error.HTTPError, match="403"):
                urllib.request.urlopen(foreign)
            assert len(list(scratch.iterdir())) == (2 if sys.platform == "win32" else 1)
        finally:
            server.send_signal(signal.SIGINT)
        assert server.wait(PATIENCE) == 0
        assert server.stderr.read() == (
            f"hiphopss: warning: {songs / 'broken.wav'}: not an audio file that libsndfile reads: "
            "convert it to WAV or FLAC (the song is left out)\n"
        )
    assert [path for path in scratch.iterdir() if path != left] == []


def test_port_that_is_taken(run):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        status, _, error = run("demo", "--port", port)
    assert (status, error.count("\n")) == (2, 1)
    assert f"127.0.0.1:{port}: can't listen there (Address already in use)" in error


@pytest.mark.parametrize(
    "options",
    [
        ("--port", "70000"),
        ("--host", "a..b"),
        ("--queue", "0"),
        ("--weights", "none.pkl"),
        ("--songs", "nowhere"),
    ],
)
def test_options_that_make_no_sense(run, options):
    # a free port, so that nothing else can be wrong
    status, _, error = run("demo", *(() if "--port" in options else ("--port", "0")), *options)
    assert (status, error.count("\n")) == (2, 1)
    assert error.startswith("hiphopss: error: ")


def test_help_needs_no_web_server():
    code = (
        "import sys, hiphopss.cli as cli; cli.build_parser().format_help();"
        "sys.exit(any(m in sys.modules for m in ('starlette', 'uvicorn', 'matplotlib')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
