"""A site that has the page's engine and weights for it, and nothing else."""

import functools
import http.server
import shutil
import threading
from contextlib import contextmanager
from importlib.resources import files

from hiphopss.weights.exporting.export import export_weights


@contextmanager
def engine_site(folder, weights="generated"):
    """Serve a folder; its address. It gets the engine in ``engine/``, and ``weights.bin``."""
    shutil.copytree(str(files("hiphopss.demo") / "static" / "engine"), folder / "engine")
    (folder / "index.html").write_text(
        "<!doctype html><title>Engine</title><link rel=icon href=data:>"
    )
    export_weights(weights, folder / "weights.bin")
    handler = functools.partial(_QuietHandler, directory=folder)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


class _QuietHandler(http.server.SimpleHTTPRequestHandler):
    """Serves files, and says nothing."""

    def log_message(self, *_):
        pass
