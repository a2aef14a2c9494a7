"""The demo's application, asked over HTTP; its fixtures are in demo/conftest."""

import io
import time

import soundfile

from hiphopss.demo.limits import Limits

STEP = 2**-15  # of 16 bit
LIMITS = Limits(max_bytes=200_000, max_seconds=3, queue=3, idle_seconds=0.2)
PATIENCE = 60  # seconds, for a machine that is busy with something else


def encoded(waveform, rate=44100, subtype=None, kind="WAV"):
    """An audio file in memory."""
    file = io.BytesIO()
    soundfile.write(file, waveform, rate, subtype=subtype, format=kind)
    return file.getvalue()


def post(client, body=b"", **query):
    return client.post("/api/jobs", params={"model": "generated", **query}, content=body)


def finished(client, answer):
    """The last state of a job that was asked for."""
    assert answer.status_code == 202, answer.text
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        job = client.get(f"/api/jobs/{answer.json()['job']}").json()
        if job["state"] not in ("queued", "running"):
            return job
        time.sleep(0.01)
    raise AssertionError(f"still {job}")


def separated(client, body=b"", **query):
    """The address of a result's folder, and what is in its result.json."""
    job = finished(client, post(client, body, **query))
    assert job["state"] == "done", job
    assert job["progress"] == 1
    return job["result"].removesuffix("result.json"), client.get(f"/{job['result']}").json()


def heard(client, base, track):
    """A track's samples `[shape=(n_samples, n_channels)]`, and its rate."""
    answer = client.get(f"/{base}{track['audio']}")
    assert answer.headers["content-type"] == "audio/flac"
    return soundfile.read(io.BytesIO(answer.content), always_2d=True)
