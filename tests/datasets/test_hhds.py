"""HHDS: the download, from a server on this machine that acts as Zenodo, and the songs."""

import hashlib
import json
import logging
import shutil
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from helpers.archives import files_in, refused
from helpers.hhds import FOREIGN, write_songs
from helpers.songs import nothing_warned, warned

from hiphopss.datasets.fetch import download, unzip
from hiphopss.datasets.hhds import download_hhds, hhds_songs
from hiphopss.datasets.stems import load_stems

CHUNK = download._CHUNK  # only whole chunks are kept


def zip_folder(folder, path, top=""):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(folder.rglob("*")):
            archive.write(file, f"{top}{file.relative_to(folder)}")


@pytest.fixture(scope="module")
def hhds(tmp_path_factory):
    """The unpacked archive: 13 and 5 songs, and the three of DSD100."""
    root = tmp_path_factory.mktemp("hhds") / "HHDS"
    write_songs(root, "Dev", [f"{n:02d} - Rapper {n % 3} - Song {n}" for n in range(13)])
    write_songs(root, "Test", [f"{n:02d} - Rapper {n % 3} - Song {n}" for n in range(13, 18)])
    write_songs(root, "Dev", FOREIGN[2:])
    write_songs(root, "Test", FOREIGN[:2])
    (root / "README").write_bytes(np.random.default_rng(0).bytes(100_000))  # it can't be packed
    return root


@pytest.fixture(scope="module")
def archive(hhds, tmp_path_factory):
    """The zip archive, with what a Macintosh adds."""
    path = tmp_path_factory.mktemp("archive") / "HHDS.zip"
    zip_folder(hhds, path, "HHDS/")
    with zipfile.ZipFile(path, "a") as opened:
        opened.writestr("HHDS/Sources/.DS_Store", b"x")
        opened.writestr("__MACOSX/HHDS/Sources/Dev/._song", b"x")
        opened.writestr("HHDS/Sources/__MACOSX/song", b"x")
    return path


class Server:
    """Acts as Zenodo; what it does wrong is set by a test."""

    def __init__(self, files):
        self.files = files
        self.record = {"files": [self._item(name, content) for name, content in files.items()]}
        self.ranges = True
        self.cuts = []  # bytes after which the connection breaks, one a download
        self.shift = 0  # of the ranges that it sends
        self.status = 200
        self.asked = []  # path and Range header of each request
        self.url = None

    def _item(self, name, content):
        checksum = f"md5:{hashlib.md5(content).hexdigest()}"
        return {"key": name, "size": len(content), "checksum": checksum, "links": {"self": name}}

    def of_files(self):
        return [part for path, part in self.asked if "/files/" in path]

    def answer(self, handler):
        wanted = handler.headers.get("Range")
        self.asked.append((handler.path, wanted))
        if handler.path == "/api/records/823037":
            return self._send(handler, 200, self._record())
        if self.status != 200:
            return self._send(handler, self.status, b"")
        content = self.files[handler.path.removesuffix("?download=1").rpartition("/")[2]]
        if not (wanted and self.ranges):
            return self._send(handler, 200, content)
        start = self.shift + int(wanted.removeprefix("bytes=").removesuffix("-"))
        if start >= len(content):
            return self._send(handler, 416, b"")
        span = f"bytes {start}-{len(content) - 1}/{len(content)}"
        return self._send(handler, 206, content[start:], ("Content-Range", span))

    def _record(self):
        if isinstance(self.record, bytes):
            return self.record
        items = [dict(item) for item in self.record["files"]]
        for item in items:
            if "links" in item:
                item["links"] = {"self": f"{self.url}/files/{item['links']['self']}"}
        return json.dumps({"id": 823037, "files": items}).encode()

    def _send(self, handler, status, content, *headers):
        handler.send_response(status)
        for name, value in (("Content-Length", str(len(content))), *headers):
            handler.send_header(name, value)
        handler.end_headers()
        cut = self.cuts.pop(0) if self.cuts and "/files/" in handler.path else len(content)
        handler.wfile.write(content[:cut])
        handler.close_connection = True


@pytest.fixture
def serve(monkeypatch):
    """Start a server with these files."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(download, "WAIT_S", 0.0)
    running = []

    def serve(**files):
        server = Server({name.replace("_zip", ".zip"): files[name] for name in files})

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                server.answer(self)

            def log_message(self, *arguments):
                pass

        http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.url = f"http://127.0.0.1:{http.server_port}"
        running.append(http)
        threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01}).start()
        return server

    yield serve
    for http in running:
        http.shutdown()
        http.server_close()


@pytest.fixture
def server(serve, archive):
    return serve(HHDS_zip=archive.read_bytes())


def fetch(server, folder, **options):
    return download_hhds(folder, base_url=server.url, progress=False, **options)


def test_download_gives_the_root_and_nothing_else(server, hhds, tmp_path):
    folder = tmp_path / "data" / "hhds"
    assert fetch(server, folder) == folder
    assert files_in(folder) == files_in(hhds)
    assert [p.name for p in folder.parent.iterdir()] == ["hhds"]
    assert server.asked == [("/api/records/823037", None), ("/files/HHDS.zip", None)]
    stems = load_stems(hhds_songs(folder)[0], 44100)
    # 32-bit files
    np.testing.assert_allclose(stems[3], 3 / 9, rtol=1e-6)


def test_bars_are_all_that_is_shown(server, tmp_path, capfd, monkeypatch):
    notices = logging.Handler()
    monkeypatch.setattr(logging.root, "handlers", [notices])
    monkeypatch.setattr(logging.root, "level", logging.INFO)
    monkeypatch.setattr(notices, "emit", lambda record: print(record.getMessage()))
    download_hhds(tmp_path / "hhds", base_url=server.url)
    shown = capfd.readouterr()
    lines = [line for line in shown.err.replace("\r", "\n").split("\n") if line.strip()]
    assert lines[-1].startswith("unpack hhds")
    assert all(line.startswith(("HHDS.zip", "unpack")) for line in lines)
    assert shown.out == ""


def test_a_second_call_asks_nobody(server, tmp_path):
    root = fetch(server, tmp_path / "hhds")
    server.asked.clear()
    assert fetch(server, root) == root
    assert fetch(server, tmp_path) == root  # the folder above
    assert server.asked == []


def test_a_broken_connection_is_gone_on_with(server, hhds, tmp_path):
    server.cuts = [2 * CHUNK, CHUNK + 1]
    root = fetch(server, tmp_path / "hhds")
    assert server.of_files() == [None, f"bytes={2 * CHUNK}-", f"bytes={3 * CHUNK}-"]
    assert files_in(root) == files_in(hhds)


def test_a_broken_download_is_gone_on_with_by_the_next_call(server, hhds, tmp_path):
    server.cuts = [2 * CHUNK]
    answer = server.answer

    def fail_later(handler):
        if server.of_files():
            server.status = 503
        answer(handler)

    server.answer = fail_later
    message = f"status 503; {2 * CHUNK} of .* are kept.*check the network.*doi.org/10.5281/zenodo"
    refused(message, fetch, server, tmp_path / "hhds")
    assert not (tmp_path / "hhds").exists()
    assert len(server.of_files()) == 1 + download.ATTEMPTS
    server.answer, server.status = answer, 200
    server.asked.clear()
    root = fetch(server, tmp_path / "hhds")
    assert server.of_files() == [f"bytes={2 * CHUNK}-"]
    assert files_in(root) == files_in(hhds)


def test_a_server_without_ranges_sends_all_again(server, hhds, tmp_path):
    server.ranges = False
    server.cuts = [2 * CHUNK]
    root = fetch(server, tmp_path / "hhds")
    assert server.of_files() == [None, f"bytes={2 * CHUNK}-"]
    assert files_in(root) == files_in(hhds)


def test_a_server_that_always_breaks_is_given_up(server, tmp_path):
    server.ranges = False
    server.cuts = [CHUNK] * 99
    refused(f"the connection broke; {CHUNK} of", fetch, server, tmp_path / "hhds")
    assert len(server.of_files()) == 1 + download.ATTEMPTS


def test_a_wrong_checksum_starts_anew(server, hhds, tmp_path):
    content = server.files["HHDS.zip"]
    server.files["HHDS.zip"] = bytes([content[0] ^ 1]) + content[1:]
    refused("another checksum.*run it again", fetch, server, tmp_path / "hhds")
    assert list(tmp_path.iterdir()) == []
    server.files["HHDS.zip"] = content
    assert files_in(fetch(server, tmp_path / "hhds")) == files_in(hhds)


def test_an_unpacking_that_broke_off_needs_no_second_download(server, hhds, tmp_path, monkeypatch):
    monkeypatch.setattr(unzip, "MAX_FILES", 1)
    refused("not unpacked", fetch, server, tmp_path / "hhds")
    assert not (tmp_path / "hhds").exists()
    monkeypatch.undo()
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    assert files_in(fetch(server, tmp_path / "hhds")) == files_in(hhds)
    assert server.of_files() == [None]


def test_a_file_of_another_size_is_refused(server, tmp_path):
    server.cuts = [2 * CHUNK]
    server.record["files"][0]["size"] += 1
    refused("another part or size", fetch, server, tmp_path / "hhds")


def test_a_part_that_the_server_does_not_know_is_dropped(server, tmp_path):
    (item,) = server.record["files"]
    part = tmp_path / f".hhds-{item['checksum'][-8:]}.zip.part"
    part.write_bytes(bytes(item["size"] + 1))
    item["size"] += 2
    refused("another part or size", fetch, server, tmp_path / "hhds")
    assert server.of_files() == [f"bytes={item['size'] - 1}-", None]
    assert not part.exists()


def test_another_range_than_asked_for_is_refused(server, tmp_path):
    server.cuts = [2 * CHUNK]
    server.shift = 1
    refused("another part or size", fetch, server, tmp_path / "hhds")


def test_of_several_archives_the_largest_is_taken(serve, archive, hhds, tmp_path):
    server = serve(HHDS_zip=archive.read_bytes(), extras_zip=b"x", readme=b"y" * 10**6)
    with warned(r"taking HHDS\.zip, the largest, and not extras\.zip"):
        root = fetch(server, tmp_path / "hhds")
    assert files_in(root) == files_in(hhds)


def test_a_record_without_an_archive_is_told(serve, tmp_path):
    refused(r"no \.zip in the record.*readme", fetch, serve(readme=b"x"), tmp_path / "hhds")


def test_the_other_shape_of_record_is_read(server, hhds, tmp_path):
    (item,) = server.record["files"]
    server.record["files"] = [
        {
            "filename": item["key"],
            "filesize": item["size"],
            "checksum": item["checksum"].removeprefix("md5:"),
        }
    ]
    assert files_in(fetch(server, tmp_path / "hhds")) == files_in(hhds)
    assert server.asked[-1][0] == "/records/823037/files/HHDS.zip?download=1"


@pytest.mark.parametrize(
    "record", [b"<html>log in</html>", b"[]", b'{"files": [{"key": "a.zip", "checksum": "md5:0"}]}']
)
def test_an_answer_that_is_no_record_is_told(server, tmp_path, record):
    server.record = record
    refused("isn't a Zenodo record", fetch, server, tmp_path / "hhds")


def test_no_network_is_told(tmp_path, serve):
    url = "http://127.0.0.1:1"  # nobody listens there
    refused(
        "can't be downloaded .no connection.: check the network.*by hand from",
        *(download_hhds, tmp_path / "hhds"),
        base_url=url,
        progress=False,
    )


def test_too_small_a_disk_is_told_before(server, archive, tmp_path, monkeypatch):
    usage = {"free": 10}
    monkeypatch.setattr(shutil, "disk_usage", lambda _: type("Usage", (), usage))
    refused(r"0\.0 GB free, but HHDS\.zip.*make room", fetch, server, tmp_path / "hhds")
    assert server.of_files() == []
    unpack = {"archive": archive, "progress": False}
    refused("unpacked HHDS.zip.*make room", download_hhds, tmp_path / "hhds", **unpack)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
def test_a_disk_that_fills_up_is_told(server, tmp_path):
    checksum = server.record["files"][0]["checksum"]
    (tmp_path / f".hhds-{checksum[-8:]}.zip.part").symlink_to("/dev/full")
    refused("No space left on device.*make room", fetch, server, tmp_path / "hhds")


def test_a_folder_with_other_things_is_left_alone(server, tmp_path):
    (tmp_path / "mine").write_text("x")
    refused("no data set is in it: choose a new", fetch, server, tmp_path)
    refused("no data set is in it: choose a new", fetch, server, tmp_path / "mine")
    assert server.asked == []


def test_an_archive_at_hand_is_unpacked_and_kept(archive, hhds, tmp_path, monkeypatch):
    monkeypatch.setattr("requests.get", None)  # which would be called
    root = download_hhds(tmp_path / "hhds", archive=archive, progress=False)
    assert files_in(root) == files_in(hhds)
    assert archive.exists()
    refused("no such file", download_hhds, tmp_path / "b", archive=tmp_path / "a.zip")


def test_an_archive_without_a_folder_at_its_top_is_unpacked(hhds, tmp_path):
    zip_folder(hhds, tmp_path / "flat.zip")
    root = download_hhds(tmp_path / "hhds", archive=tmp_path / "flat.zip", progress=False)
    assert files_in(root) == files_in(hhds)


def test_a_damaged_archive_leaves_nothing_behind(archive, tmp_path):
    data = bytearray(archive.read_bytes())
    readme = data.index(b"HHDS/README") + 5000
    data[readme : readme + 100] = bytes(100)
    for name, content in (
        ("flipped.zip", data),
        ("cut.zip", data[:-1000]),
        ("page.zip", b"<html>"),
    ):
        (tmp_path / name).write_bytes(content)
        options = {"archive": tmp_path / name, "progress": False}
        refused("damaged, or no zip.*download it again", download_hhds, tmp_path / "x", **options)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["cut.zip", "flipped.zip", "page.zip"]


def test_the_songs_are_18_without_those_of_dsd100(hhds):
    with nothing_warned():
        songs = hhds_songs(hhds)
        assert hhds_songs(hhds.parent) == songs
    assert [s.subset for s in songs] == ["Dev"] * 13 + ["Test"] * 5
    assert not any("ANiMAL" in song.name for song in songs)


def test_songs_of_dsd100_are_known_however_they_are_written(tmp_path):
    foreign = ("animal-clinic a", "2 ANiMAL  -  Rockshow", "52_Animal_Easy_Tiger")
    write_songs(tmp_path, "Dev", ["mine", *foreign[:1]])
    write_songs(tmp_path, "Test", ["Rockshow", *foreign[1:]])
    with warned(r"1 Dev \+ 1 Test songs, but HHDS has 13 Dev \+ 5 Test"):
        songs = hhds_songs(tmp_path)
    assert [song.name for song in songs] == ["mine", "Rockshow"]


def test_a_generated_set_may_have_any_size(tmp_path):
    write_songs(tmp_path, "Dev", ["001 - Generated - A"])
    (tmp_path / "generated.json").write_text('{"songs": []}')
    with nothing_warned():
        assert len(hhds_songs(tmp_path)) == 1
