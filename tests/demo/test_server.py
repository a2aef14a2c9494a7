"""The demo's server: separations over HTTP, its queue, and visitors who go away."""

import asyncio
import io
import time
import zipfile
from contextlib import nullcontext

import numpy as np
import pytest
import soundfile
from helpers.demo_client import LIMITS, PATIENCE, STEP, encoded, finished, heard, post, separated
from helpers.songs import looped, noise

import hiphopss
from hiphopss import SOURCES
from hiphopss.demo.app import create_app
from hiphopss.demo.jobs import Cancelled, Job
from hiphopss.demo.results import add_model, read_original
from hiphopss.demo.service import Demo


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
    assert "never from recordings" in site["models"][0]["description"]
    assert [song["id"] for song in site["songs"]] == ["ritmo-interno", "copper-sky", "open-circuit"]
    assert all(song["true_stems"] and song["seconds"] == 4 for song in site["songs"])
    assert [song["style"] for song in site["songs"]][::2] == ["hip hop", "rock"]
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


def test_versions_say_what_repeats(client):
    body = encoded(looped(2, 1), subtype="PCM_16")  # too short to be sure of a loop
    base, _ = separated(client, body, name="short.wav")
    _, result = separated(client, result=base.split("/")[1], model="model-hh-fft-1024")
    assert [version["beats_per_minute"] for version in result["versions"]] == [None, None]
    notes = {version["id"]: version["note"] for version in result["versions"]}
    assert notes == {
        "generated": "Loops: nothing repeats, so the stems are those of the network alone",
        "model-hh-fft-1024": "",  # as the released code separates
    }


def test_a_loop_is_told_and_its_search_can_be_cancelled(tmp_path, demo):
    soundfile.write(tmp_path / "song.wav", looped(), 44100)
    (folder := tmp_path / "result").mkdir()
    options = {"id": "a", "title": "a", "report": lambda *_: None}
    result = read_original(tmp_path / "song.wav", folder, **options)
    model = demo.catalogue.models["generated"]

    def reported(most=None):
        """The stages and fractions that are reported; the job is cancelled after so many."""
        reports = []

        def report(*told):
            reports.append(told)
            if len(reports) == most:
                raise Cancelled

        with nullcontext() if most is None else pytest.raises(Cancelled):
            add_model(result, model, report=report)
        return reports

    reports = reported()
    (version,) = result.versions
    assert version["note"].startswith(f"Loops: {version['beats_per_minute']:.1f} beats a minute")
    assert reports[0] == ("separating", 0)  # while the song is read
    n_separating = [stage for stage, _ in reports].count("separating")
    assert reports[n_separating - 1] == ("separating", 1)  # when the last stems are made
    for most in (1, n_separating):
        assert len(reported(most)) == most
    assert result.versions == [version]


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
    assert archive.namelist() == [f"{result['title']} - {source}.flac" for source in SOURCES]
    stem = client.get(f"/{base}{track['audio']}")
    assert archive.read(f"{result['title']} - drums.flac") == stem.content
    part = client.get(f"/{base}{track['audio']}", headers={"range": "bytes=100-199"})
    assert (part.status_code, part.content) == (206, stem.content[100:200])


def test_weights_for_the_page(client):
    site = client.get("/site.json").json()
    models = site["device"]["models"]
    assert [model["id"] for model in models] == ["generated", "model-hh-fft-1024"]
    for model in models:
        answer = client.get(f"/{model['weights']}")
        assert answer.headers["content-type"] == "application/octet-stream"
        assert answer.content.startswith(b"HIPHOPSS")
    assert client.get("/weights/other.bin").status_code == 404
    wasm = client.get("/engine/kernels.wasm")
    assert wasm.headers["content-type"] == "application/wasm"
    manifest = client.get("/manifest.webmanifest")
    assert manifest.headers["content-type"] == "application/manifest+json"


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
    assert (gone.status_code, "choose another" in gone.json()["error"]) == (404, True)
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


@pytest.mark.parametrize("sent", ["in part", "whole"])
def test_client_that_goes_away_leaves_nothing(demo, sent):
    piece = {"body": encoded(noise(9000, 7)), "more_body": sent == "in part"}
    answers = asyncio.run(_requested(demo, [piece]))
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


def test_leaving_deletes_everything(published):
    with Demo(weights=[published], seconds=4.0) as demo:
        folder = demo.uploads.parent
        job = Job(lambda job: [job.report("separating", 0), time.sleep(0.01)] and job.work(job))
        demo.queue.reserve()
        demo.queue.submit(job)
        assert folder.is_dir()
    assert not folder.exists()
    assert job.state == "cancelled"
