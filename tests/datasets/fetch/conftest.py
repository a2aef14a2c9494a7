"""The archive of HHDS, and a server that has it."""

import threading
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
from helpers.hhds import write_hhds
from helpers.zenodo import Server, zip_folder

from hiphopss.datasets.fetch import download


@pytest.fixture(scope="module")
def hhds(tmp_path_factory):
    """The unpacked archive."""
    root = write_hhds(tmp_path_factory.mktemp("hhds") / "HHDS")
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
