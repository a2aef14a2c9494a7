"""The demo's server: separations over HTTP, refusals, and what keeps it bounded."""

import asyncio
import io
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
import zipfile

import numpy as np
import pytest
import soundfile
from conftest import noise

import hiphopss
from hiphopss import SOURCES
from hiphopss.demo.app import create_app
from hiphopss.demo.jobs import Job
from hiphopss.demo.limits import Limits
from hiphopss.demo.results import read_original
from hiphopss.demo.service import Demo
from hiphopss.demo.uploads import clean_title
from hiphopss.errors import HiphopssError

STEP = 2**-15  # of 16 bit
LIMITS = Limits(max_bytes=200_000, max_seconds=3, queue=3, idle_seconds=0.2)
PATIENCE = 60  # seconds, for a machine that is busy with something else


@pytest.fixture(scope="module")
def demo(published):
    with Demo(weights=["generated", published], seconds=4.0, limits=LIMITS) as demo:
        yield demo


@pytest.fixture(scope="module")
def client(demo):
    from starlette.testclient import TestClient

    with TestClient(create_app(demo), base_url="http://127.0.0.1:8000") as client:
        yield client


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


def removed_while_separated(client, demo, result, model):
    """What DELETE answers while a model separates a result, and how that job ends."""
    job = demo.separate_result(result["id"], demo.catalogue.models[model])
    work, answers = job.work, []

    def late(job):
        answers.append(client.delete(f"/api/results/{result['id']}").status_code)
        return work(job)

    job.work = late
    demo.queue.reserve()
    demo.queue.submit(job)
    while job.state in ("queued", "running"):
        time.sleep(0.002)
    (answer,) = answers
    return answer, job.state


def test_site_says_what_is_on_offer(client):
    site = client.get("/site.json").json()
    assert site["static"] is False
    assert [model["id"] for model in site["models"]] == ["generated", "model-hh-fft-1024"]
    assert "generated songs only" in site["models"][0]["description"]
    assert [song["id"] for song in site["songs"]] == ["ritmo-interno", "copper-sky", "open-circuit"]
    assert all(song["true_stems"] and song["seconds"] == 4 for song in site["songs"])
    assert site["limits"]["max_bytes"] == 200_000
    assert site["sources"] == list(SOURCES)
    assert client.get("/").headers["content-type"].startswith("text/html")
    assert client.get("/index.html").content == client.get("/").content


def test_bundled_song_by_two_models(client):
    base, result = separated(client, song="copper-sky")
    assert result["title"].startswith("Copper Sky")
    assert [version["id"] for version in result["versions"]] == ["generated", "true"]
    original, rate = heard(client, base, result["original"])
    assert (rate, len(original)) == (44100, result["n_samples"])
    for version in result["versions"]:
        stems = [heard(client, base, version["stems"][source])[0] for source in SOURCES]
        # each of four stems and the mixture are rounded to 16 bit
        np.testing.assert_allclose(np.sum(stems, axis=0), original, atol=2.6 * STEP)
    expected = hiphopss.separate(original.astype(np.float32), rate)
    estimates = [heard(client, base, result["versions"][0]["stems"][s])[0] for s in SOURCES]
    for source, estimate in zip(SOURCES, estimates, strict=True):
        np.testing.assert_allclose(estimate, expected[source], atol=2 * STEP)
    scores = hiphopss.eval.bss_eval([s[:, 0] for s in stems], [e[:, 0] for e in estimates])
    shown = [result["versions"][0]["stems"][s]["metrics"] for s in SOURCES]
    np.testing.assert_allclose([m["SDR"] for m in shown], scores.sdr[:, 0], atol=0.006)  # rounded
    np.testing.assert_allclose([m["SIR"] for m in shown], scores.sir[:, 0], atol=0.006)
    np.testing.assert_allclose([m["SAR"] for m in shown], scores.sar[:, 0], atol=0.006)
    assert result["versions"][1]["stems"]["bass"]["metrics"] is None

    same = {"result": result["id"], "model": "model-hh-fft-1024"}
    for _ in range(2):  # once more makes nothing
        again, more = separated(client, **same)
        assert again == base
        assert [v["id"] for v in more["versions"]] == ["generated", "model-hh-fft-1024", "true"]
    assert separated(client, song="copper-sky", model="model-hh-fft-1024")[1] == more


def test_what_stands_beside_a_track(client):
    base, result = separated(client, song="copper-sky")
    version = result["versions"][0]
    track = version["stems"]["drums"]
    waveform, _ = heard(client, base, track)
    peaks = client.get(f"/{base}{track['peaks']}").json()
    starts = np.arange(0, len(waveform), peaks["samples_per_peak"])
    assert 1500 <= len(starts) <= 2000
    # in 3 decimals; full scale is 32767 in the peaks, 32768 in soundfile
    np.testing.assert_allclose(peaks["max"], np.maximum.reduceat(waveform[:, 0], starts), atol=6e-4)
    np.testing.assert_allclose(peaks["min"], np.minimum.reduceat(waveform[:, 0], starts), atol=6e-4)
    picture = client.get(f"/{base}{track['spectrogram']}")
    assert picture.headers["content-type"] == "image/png"
    assert picture.content[16:24] == (1000).to_bytes(4, "big") + (128).to_bytes(4, "big")
    archive = zipfile.ZipFile(io.BytesIO(client.get(f"/{base}{version['zip']}").content))
    assert archive.namelist() == [f"{source}.flac" for source in SOURCES]
    stem = client.get(f"/{base}{track['audio']}")
    assert archive.read("drums.flac") == stem.content
    part = client.get(f"/{base}{track['audio']}", headers={"range": "bytes=100-199"})
    assert (part.status_code, part.content) == (206, stem.content[100:200])


def test_upload_is_known_by_its_content_and_deleted(client, demo):
    song = np.stack([noise(32000, 1), noise(32000, 2)], axis=1)  # two seconds at 16 kHz
    body = encoded(song, 16000, kind="MP3")
    base, result = separated(client, body, name="C:\\music\\..\\My song.wav")
    assert list(demo.uploads.iterdir()) == []
    assert (result["title"], result["sample_rate"], result["channels"]) == ("My song", 16000, 2)
    assert result["removable"] is True
    assert [version["kind"] for version in result["versions"]] == ["model"]
    for track in [result["original"], *result["versions"][0]["stems"].values()]:
        waveform, rate = heard(client, base, track)
        assert (rate, waveform.shape) == (16000, (result["n_samples"], 2))
        assert track["metrics"] is None
    folder = demo.store.get(result["id"]).folder
    assert folder.is_dir()
    assert client.delete(f"/api/results/{result['id']}").status_code == 204
    assert not folder.exists()
    gone = client.get(f"/{base}result.json")
    assert (gone.status_code, "choose it again" in gone.json()["error"]) == (404, True)
    assert client.get(f"/{base}original.flac").status_code == 404
    assert client.delete(f"/api/results/{result['id']}").status_code == 404


def test_bundled_song_is_everybodys_and_stays(client, demo):
    base, result = separated(client, song="copper-sky")
    assert removed_while_separated(client, demo, result, "generated") == (404, "done")
    assert client.get(f"/{base}result.json").json()["removable"] is False


def test_fine_samples_and_one_channel_stay(client):
    body = encoded(noise(30000, 3), subtype="PCM_24", kind="FLAC")
    base, result = separated(client, body, name="fine.flac")
    original = client.get(f"/{base}original.flac").content
    assert soundfile.info(io.BytesIO(original)).subtype == "PCM_24"
    np.testing.assert_array_equal(
        soundfile.read(io.BytesIO(original), dtype="int32")[0],
        soundfile.read(io.BytesIO(body), dtype="int32")[0],
    )
    assert result["channels"] == 1


BAD = {
    "text": (b"No song at all, but named as one.", 415, "not a WAV, FLAC, OGG or MP3"),
    "damaged": (b"RIFF" + bytes(1000), 415, "not a WAV, FLAC, OGG or MP3"),
    "AIFF": (encoded(np.zeros(9000), kind="AIFF"), 415, "not a WAV, FLAC, OGG or MP3"),
    "empty": (b"", 422, "empty"),
    "no samples": (encoded(np.zeros(0)), 422, "no samples"),
    "long": (encoded(np.zeros(8000 * 4), 8000, kind="FLAC"), 422, "longer than 3 s"),
    "channels": (encoded(np.zeros((9000, 6))), 422, "6 channels"),
    "rate": (encoded(np.zeros(900), 400), 422, "400 Hz"),
    "large": (bytes(200_001), 413, "larger than"),
    "very large": (bytes(700_000), 413, "larger than"),
}


@pytest.mark.parametrize("kind", BAD)
def test_bad_upload_is_refused_in_one_line(client, demo, kind):
    body, status, message = BAD[kind]
    for content in (body, iter([body[:1000], body[1000:]])):  # with and without a length
        answer = post(client, content, name="a song.wav")
        assert answer.status_code == status, answer.text
        error = answer.json()["error"]
        assert message in error
        assert "\n" not in error
        assert str(demo.uploads) not in error
        assert list(demo.uploads.iterdir()) == []
    demo.queue.reserve()  # no place was lost
    demo.queue.release()


def test_file_that_is_cut_off_fails_under_its_own_name(client, demo):
    body = encoded(noise(100_000, 4), kind="FLAC")
    job = finished(client, post(client, body[: len(body) // 2], name="half.flac"))
    assert job["state"] == "failed"
    assert job["error"].startswith("half: damaged or cut off: ")
    assert job["result"] is None
    assert list(demo.uploads.iterdir()) == []


def test_length_is_checked_again_while_decoding(tmp_path):
    soundfile.write(tmp_path / "song.wav", noise(9000, 5), 8000)
    (tmp_path / "result").mkdir()
    with pytest.raises(HiphopssError, match="longer than 1 s"):
        read_original(
            tmp_path / "song.wav",
            tmp_path / "result",
            id="id",
            title="song",
            report=lambda *_: None,
            max_seconds=1,
        )


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ({"model": "../generated", "song": "copper-sky"}, "No model"),
        ({"song": "../../etc/passwd"}, "No song"),
        ({"result": "0" * 22}, "upload it again"),
    ],
)
def test_unknown_names_are_refused(client, query, message):
    answer = post(client, **query)
    assert answer.status_code == 422
    assert message in answer.json()["error"]


def test_no_path_leads_to_the_file_system(client, demo):
    base, result = separated(client, song="copper-sky")
    (demo.store.get(result["id"]).folder / "secret.txt").write_text("not listed")
    paths = [
        f"/{base}secret.txt",
        f"/{base}../../uploads",
        f"/{base}..%2f..%2fsongs%2fband%2fgenerated.json",
        f"/{base}%2e%2e/{result['id']}/original.flac%00",
        f"/{base}",
        "/results/../results/result.json",
        "/results/%2e%2e/result.json",
        "/..%2f__init__.py",
        "/%2e%2e/__init__.py",
        "/static/index.html",
        "//etc/passwd",
        f"/api/jobs/{'0' * 22}",
        f"/results/{'0' * 22}/original.flac",
    ]
    for path in paths:
        answer = client.get(client.base_url.join("/").copy_with(raw_path=path.encode()))
        assert answer.status_code == 404, path
        assert answer.json().keys() == {"error"}


def test_every_answer_has_the_headers(client):
    base, _ = separated(client, song="copper-sky")
    answers = [
        client.get("/"),
        client.get("/site.json"),
        client.get(f"/{base}original.flac"),
        client.get("/nothing"),
        client.put("/api/jobs"),
        client.get("/", headers={"host": "evil.example"}),
    ]
    assert [a.status_code for a in answers] == [200, 200, 200, 404, 405, 403]
    for answer in answers:
        assert answer.headers["content-security-policy"].startswith("default-src 'self';")
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example:8000", ""])
def test_foreign_host_is_refused(client, host):
    answer = client.get("/site.json", headers={"host": host})
    assert answer.status_code == 403
    assert "localhost" in answer.json()["error"]


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:8000", "[::1]:8000", "127.0.0.1:8000"])
def test_own_names_are_answered(client, host):
    assert client.get("/site.json", headers={"host": host}).status_code == 200


@pytest.mark.parametrize(
    ("headers", "refused"),
    [
        ({"origin": "http://evil.example"}, True),
        ({"origin": "http://127.0.0.1:9000"}, True),  # another server on this machine
        ({"origin": "null"}, True),
        ({"sec-fetch-site": "cross-site"}, True),
        ({"sec-fetch-site": "same-site"}, True),
        ({"origin": "http://127.0.0.1:8000", "sec-fetch-site": "same-origin"}, False),
        ({}, False),  # no browser
    ],
)
def test_requests_of_other_sites_are_refused(client, headers, refused):
    for method, path in (("POST", "/api/jobs?model=none"), ("DELETE", "/api/jobs/none")):
        answer = client.request(method, path, headers=headers)
        assert (answer.status_code == 403) is refused
    assert client.get("/site.json", headers=headers).status_code == 200


def test_name_that_the_server_was_given_is_answered(demo):
    from starlette.testclient import TestClient

    app = create_app(demo, host="127.0.0.1", name="Studio.local")
    client = TestClient(app, base_url="http://studio.local:8000")
    assert client.get("/site.json").status_code == 200
    assert client.get("/site.json", headers={"host": "evil.example"}).status_code == 403


def test_bound_to_another_address_any_name_is_answered(demo):
    from starlette.testclient import TestClient

    other = TestClient(create_app(demo, host="0.0.0.0"), base_url="http://studio.example")
    assert other.get("/site.json").status_code == 200


def test_queue_is_bounded_and_cancelling_frees_a_place(client, demo):
    def work(job):
        while True:  # as a separation that reports block after block
            job.report("separating", 0.5)
            time.sleep(0.002)

    running = Job(work)
    demo.queue.reserve()
    demo.queue.submit(running)
    while running.stage != "separating":
        time.sleep(0.002)
    first, second = (post(client, song="copper-sky") for _ in range(2))
    assert [
        client.get(f"/api/jobs/{a.json()['job']}").json()["position"] for a in (first, second)
    ] == [1, 2]
    full = post(client, song="copper-sky")
    assert full.status_code == 503
    assert "try again" in full.json()["error"]
    upload = post(client, encoded(noise(9000, 6)), name="song.wav")
    assert upload.status_code == 503
    assert list(demo.uploads.iterdir()) == []

    assert client.delete(f"/api/jobs/{second.json()['job']}").status_code == 204
    assert finished(client, second)["state"] == "cancelled"
    upload = post(client, encoded(noise(9000, 6)), name="song.wav")
    assert len(list(demo.uploads.iterdir())) == 1
    assert client.delete(f"/api/jobs/{upload.json()['job']}").status_code == 204
    assert list(demo.uploads.iterdir()) == []
    shown = client.get(f"/api/jobs/{running.id}").json()
    assert (shown["state"], shown["stage"], shown["progress"]) == ("running", "separating", 0.4)
    assert client.delete(f"/api/jobs/{running.id}").status_code == 204
    assert finished(client, first)["state"] == "done"
    assert client.get(f"/api/jobs/{running.id}").json()["state"] == "cancelled"
    assert client.delete("/api/jobs/none").status_code == 404


def test_client_that_goes_away_leaves_nothing(demo):
    answers = asyncio.run(_requested(demo, [{"body": encoded(noise(9000, 7)), "more_body": True}]))
    assert answers[0]["status"] == 400
    assert list(demo.uploads.iterdir()) == []
    for _ in range(LIMITS.queue):  # no place was lost
        demo.queue.reserve()
    for _ in range(LIMITS.queue):
        demo.queue.release()


def test_client_that_stops_sending_is_told_so(demo):
    answers = asyncio.run(_requested(demo, [{"body": b"RIFF", "more_body": True}], stall=True))
    assert answers[0]["status"] == 408
    assert list(demo.uploads.iterdir()) == []


async def _requested(demo, pieces, *, stall=False):
    """Send the pieces of an upload, then go away or wait; return what is answered."""
    messages = [{"type": "http.request", **piece} for piece in pieces]
    answers = []

    async def receive():
        if messages:
            return messages.pop(0)
        if stall:
            await asyncio.sleep(PATIENCE)
        return {"type": "http.disconnect"}

    async def send(message):
        answers.append(message)

    scope = {
        "type": "http",
        "method": "POST",
        "path": "/api/jobs",
        "raw_path": b"/api/jobs",
        "query_string": b"model=generated&name=song.wav",
        "headers": [(b"host", b"127.0.0.1:8000")],
        "http_version": "1.1",
        "scheme": "http",
        "root_path": "",
    }
    await create_app(demo)(scope, receive, send)
    return answers


def test_removed_while_it_is_separated(client, demo):
    base, result = separated(client, encoded(noise(40000, 8)), name="song.wav")
    assert removed_while_separated(client, demo, result, "model-hh-fft-1024") == (204, "cancelled")
    assert client.get(f"/{base}result.json").status_code == 404


@pytest.mark.parametrize(
    ("name", "title"),
    [
        ("song.mp3", "song"),
        ("../../etc/passwd", "passwd"),
        ("a\\b\\02. Song\u0000\n name .FLAC", "02. Song name"),
        ("<b>x</b>.wav", "b>"),
        (None, "Song"),
        (".wav", "Song"),
        ("x" * 500, "x" * 80),
    ],
)
def test_titles_are_clean(name, title):
    assert clean_title(name) == title


def test_leaving_deletes_everything(published):
    with Demo(weights=[published], seconds=4.0) as demo:
        folder = demo.uploads.parent
        job = Job(lambda job: [job.report("separating", 0), time.sleep(0.01)] and job.work(job))
        demo.queue.reserve()
        demo.queue.submit(job)
        assert folder.is_dir()
    assert not folder.exists()
    assert job.state == "cancelled"


def test_server_runs_and_stops(tmp_path, published):
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    command = [sys.executable, "-m", "hiphopss", "demo", "--port", "0", "--weights", published]
    command += ["--host", "127.1"]  # another spelling of the loopback address
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment, text=True) as server:
        try:
            address = re.search(r"http://127\.1:\d+/", server.stdout.readline())[0]
            with urllib.request.urlopen(f"{address}site.json") as answer:
                assert json.load(answer)["models"][0]["id"] == "model-hh-fft-1024"
            foreign = urllib.request.Request(address, headers={"Host": "evil.example"})
            with pytest.raises(urllib.error.HTTPError, match="403"):
                urllib.request.urlopen(foreign)
            assert len(list(tmp_path.iterdir())) == 1
        finally:
            server.send_signal(signal.SIGINT)
        assert server.wait(PATIENCE) == 0
    assert list(tmp_path.iterdir()) == []


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
