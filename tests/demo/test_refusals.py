"""What the demo's server refuses: bad uploads, unknown names, other sites and other hosts."""

import numpy as np
import pytest
import soundfile
from helpers.demo_client import encoded, finished, post, separated
from helpers.refusals import FILES
from helpers.songs import noise

from hiphopss.demo.app import create_app
from hiphopss.demo.results import read_original
from hiphopss.demo.uploads import clean_title
from hiphopss.errors import HiphopssError

NO_SONG = " is no song that this server can read, or a damaged one: choose an MP3, "
LONG = " is longer than the 3 seconds that this server takes: choose a part of it."
LARGE = " has more than 0.2 MB: make it shorter, or convert it to MP3."
BAD = {
    "damaged.wav": (b"RIFF" + bytes(1000), NO_SONG),
    "a song.aiff": (encoded(np.zeros(9000), kind="AIFF"), NO_SONG),
    "long.flac": (encoded(np.zeros(8000 * 4), 8000, kind="FLAC"), LONG),
    "large.ogg": (bytes(200_001), LARGE),
    "very/large.wav": (bytes(700_000), LARGE),
}
BAD = {name: (body, name.split("/")[-1] + words) for name, (body, words) in BAD.items()} | FILES


@pytest.mark.parametrize("name", BAD)
def test_bad_upload_is_refused_in_one_sentence(client, demo, name):
    body, message = BAD[name]
    for content in (body, iter([body[:1000], body[1000:]])):  # with and without a length
        answer = post(client, content, name=name)
        if name == "broken.wav":  # which is found only when it is decoded
            error = finished(client, answer)["error"]
        else:
            assert answer.status_code in (413, 415, 422), answer.text
            error = answer.json()["error"]
        assert error.startswith(message.format(reader="server"))
        assert error.endswith(".")
        assert "\n" not in error
        assert str(demo.uploads) not in error
        assert list(demo.uploads.iterdir()) == []
    demo.queue.reserve()  # no place was lost
    demo.queue.release()


def test_file_that_is_damaged_fails_under_its_own_name(client, demo):
    body = bytearray(encoded(noise(100_000, 4), kind="FLAC"))
    body[len(body) // 2 : len(body) // 2 + 50] = bytes(50)
    job = finished(client, post(client, bytes(body), name="half.flac"))
    assert job["state"] == "failed"
    assert job["error"] == (
        "half.flac is damaged or cut off: export it again, then choose it again."
    )
    assert job["result"] is None
    assert list(demo.uploads.iterdir()) == []


def test_visitors_are_told_that_a_file_is_cut_off(client, demo):
    body = encoded(noise(60_000, 4))
    _, result = separated(client, body[: len(body) // 2], name="half.wav")
    assert result["n_samples"] == (len(body) // 2 - 44) // 2
    assert result["note"] == "cut off: 0.7 of 1.4 s are there"
    _, whole = separated(client, body)
    assert whole["note"] == ""


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
        ({"model": "../generated", "song": "copper-sky"}, "no model"),
        ({"song": "../../etc/passwd"}, "no song"),
        ({"result": "0" * 22}, "upload it again"),
    ],
)
def test_unknown_names_are_refused(client, query, message):
    answer = post(client, **query)
    assert answer.status_code == 422
    assert message in answer.json()["error"]
    assert answer.json()["error"].endswith(".")


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
